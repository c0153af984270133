"""`object-store sessions`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, plain_app

app = plain_app(no_args_is_help=True)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="workloads.yaml (default: $OBJECT_STORE_WORKLOADS, or in ~/.config)."
    ),
]
Store = Annotated[
    Path | None,
    typer.Option("--store", metavar="PATH", help="The file that `keys deliver` wrote, or a folder of variables."),
]
Source = Annotated[
    list[str] | None, typer.Option("--source", metavar="NAME", help="Only this source; may be repeated (default: all).")
]
Machine = Annotated[str | None, typer.Option("--machine", metavar="NAME", help="Another machine's archive.")]
At = Annotated[
    str, typer.Option("--at", metavar="TIME", help="As it was archived at this time (2026-11-30T04:00:00Z).")
]
Identity = Annotated[
    list[Path] | None,
    typer.Option("--identity", metavar="FILE", help="An age secret key's file; may be repeated (default: configured)."),
]
WithoutClosed = Annotated[
    bool, typer.Option("--without-closed", help="Leave out what no identity opens (else: an error).")
]
WithoutGone = Annotated[
    bool, typer.Option("--without-gone", help="Leave out what the store no longer has (else: an error).")
]
Wait = Annotated[
    int, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for another run that has the state.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def sessions() -> None:
    """Archive the agents' transcripts, and bring them back.

    docs/archives.md says how to run it daily, and what to do on a bad day.
    """


@app.command()
def archive(
    *,
    config: Config = None,
    store: Store = None,
    source: Source = None,
    meant: Annotated[
        list[str] | None,
        typer.Option("--meant", metavar="NAME", help="This source may be missing, empty or smaller, this once."),
    ] = None,
    identity: Identity = None,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Store what is new, read it back, and commit it.

    Exit status: 0 everything is archived, 1 something is missing or was not read, 2 it
    could not be done. The same command goes on where a killed one was.
    """
    from workloads.sessions.archive import ArchiveOptions, run

    options = ArchiveOptions(
        config,
        store,
        None,
        tuple(source or ()),
        quiet,
        as_json,
        tuple(meant or ()),
        identities=tuple(identity or ()),
        wait_seconds=wait,
    )
    raise typer.Exit(run(options))


@app.command()
def coverage(
    *,
    config: Config = None,
    store: Store = None,
    source: Source = None,
    identity: Identity = None,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the files that are in no commit, oldest first.

    Exit status: 0 all is well, 1 a file waits for 20 days, a run is late, or a pack is
    too old, 2 it cannot tell.
    """
    from workloads.context import Options
    from workloads.sessions.coverage import run

    options = Options(
        config,
        store,
        None,
        tuple(source or ()),
        quiet,
        as_json,
        identities=tuple(identity or ()),
        wait_seconds=wait,
    )
    raise typer.Exit(run(options))


@app.command()
def restore(  # noqa: PLR0913 - the command's options
    name: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Part of a path, such as a session's id (default: all).")
    ] = None,
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="An empty or new folder.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List every stored state, and restore nothing.")] = False,
    at: At = "",
    machine: Machine = None,
    config: Config = None,
    store: Store = None,
    source: Source = None,
    identity: Identity = None,
    without_closed: WithoutClosed = False,
    without_gone: WithoutGone = False,
    quiet: Quiet = False,
) -> None:
    """Write archived files to an empty folder.

    What was deleted on the machine since then comes back, too.
    """
    from workloads.sessions.restoring import RestoreOptions, run_restore

    options = RestoreOptions(
        config,
        store,
        machine,
        tuple(source or ()),
        quiet,
        names=tuple(name or ()),
        to=to,
        at=at,
        show=show,
        without_closed=without_closed,
        without_gone=without_gone,
        identities=tuple(identity or ()),
    )
    raise typer.Exit(run_restore(options))


@app.command()
def prune(
    *,
    config: Config = None,
    store: Store = None,
    source: Source = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing.")] = False,
    identity: Identity = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove archived files from this machine, as configured.

    Each is read back from the store first. Exit status: 0 what was old enough is gone, 1
    some of it is kept, 2 it could not be done.
    """
    from workloads.sessions.prune import PruneOptions, run

    options = PruneOptions(
        config, store, None, tuple(source or ()), quiet, as_json, dry_run, identities=tuple(identity or ())
    )
    raise typer.Exit(run(options))


@app.command()
def cat(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A session's id, or part of its path.")],
    *,
    at: At = "",
    machine: Machine = None,
    config: Config = None,
    store: Store = None,
    source: Source = None,
    identity: Identity = None,
    without_closed: WithoutClosed = False,
) -> None:
    """Write one archived session to standard output."""
    from workloads.sessions.restoring import RestoreOptions, run_cat

    options = RestoreOptions(
        config,
        store,
        machine,
        tuple(source or ()),
        quiet=True,
        names=(name,),
        at=at,
        without_closed=without_closed,
        identities=tuple(identity or ()),
    )
    raise typer.Exit(run_cat(options))
