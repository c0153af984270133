"""`object-store vault`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Identity, Json, Machine, Store, Wait

app = plain_app(no_args_is_help=True)


@app.callback()
def vault() -> None:
    """Store snapshots of the vault of notes, and prove them.

    docs/vault.md says how to run it daily, and what to do on a bad day.
    """


@app.command()
def snapshot(
    *,
    config: Config = None,
    store: Store = None,
    meant: Annotated[bool, typer.Option("--meant", help="The vault may be empty or smaller, this once.")] = False,
    identity: Identity = None,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Store the vault as it is now, with the history of git.

    Exit status: 0 the snapshot is complete, 1 something is missing from it, 2 it could not
    be made. The same command goes on where a killed one was.
    """
    from workloads.vault.snapshot import SnapshotOptions, run

    options = SnapshotOptions(
        config, store, None, (), quiet, as_json, meant, identities=tuple(identity or ()), wait_seconds=wait
    )
    raise typer.Exit(run(options))


@app.command("list")
def list_snapshots(
    *, machine: Machine = None, config: Config = None, store: Store = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """List the snapshots, the last one first.

    Exit status: 0 listed, 1 one is damaged, 2 it cannot tell.
    """
    from workloads.context import Options
    from workloads.vault.restoring import run_list

    raise typer.Exit(run_list(Options(config, store, machine, (), quiet, as_json)))


@app.command()
def restore(
    name: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Part of a note's path (default: all, with the history).")
    ] = None,
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="An empty or new folder.")] = None,
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="The last snapshot at this time (2026-11-30T04:00:00Z).")
    ] = "",
    machine: Machine = None,
    config: Config = None,
    store: Store = None,
    identity: Identity = None,
    quiet: Quiet = False,
) -> None:
    """Write the last snapshot, or an earlier one, to an empty folder."""
    from workloads.vault.restoring import RestoreOptions, run_restore

    options = RestoreOptions(
        config, store, machine, (), quiet, names=tuple(name or ()), to=to, at=at, identities=tuple(identity or ())
    )
    raise typer.Exit(run_restore(options))


@app.command()
def drill(
    *,
    config: Config = None,
    store: Store = None,
    check: Annotated[
        bool, typer.Option("--check", help="Restore nothing; fail if no restore was proven within 7 days.")
    ] = False,
    identity: Identity = None,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Restore the last snapshot beside the state, and compare it.

    Exit status: 0 all came back, 1 something did not, or was not proven in time, 2 it could
    not be done.
    """
    from workloads.vault.drill import DrillOptions, run

    options = DrillOptions(
        config, store, None, (), quiet, as_json, check, identities=tuple(identity or ()), wait_seconds=wait
    )
    raise typer.Exit(run(options))
