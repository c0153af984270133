"""`object-store events`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store

app = plain_app(no_args_is_help=True)


@app.callback()
def events() -> None:
    """Give an event's bytes, and count what still needs paths.

    docs/from-scp.md says how a producer moves to references, step by step.
    """


@app.command()
def resolve(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The file of the event; - is standard input.")],
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where its bytes go: whole, or not at all.")],
    field: Annotated[
        str, typer.Option("--field", metavar="NAME", help="Another reference of it than the main one (infoRef).")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace FILE if it exists.")] = False,
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the bytes that an event leads to, and say by what.

    By its reference, or by a path if it has none. Exit status: 0 FILE has them, 1 the event
    does not lead to its bytes, 2 it could not be done.
    """
    from workloads.events.resolve import ResolveOptions, run

    options = ResolveOptions(
        config, store, quiet=quiet, as_json=as_json, event=event, to=to, field=field, replace=replace
    )
    raise typer.Exit(run(options))


@app.command()
def shims(
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="The beginning of the period (default: 30 days ago).")
    ] = "",
    event: Annotated[str, typer.Option("--event", metavar="NAME", help="Only this event (default: all).")] = "",
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Count the uses of paths, and say which may go.

    Exit status: 0 events were used, none by a path, 1 one was, or that is not known for the
    whole period, 2 it cannot tell.
    """
    from workloads.events.shims import ShimsOptions, run

    raise typer.Exit(run(ShimsOptions(config, store, quiet=quiet, as_json=as_json, since=since, event=event)))
