"""`object-store discovery`."""

from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store

app = plain_app(no_args_is_help=True)


@app.callback()
def discovery() -> None:
    """Archive a page or a repository before a note is made.

    docs/discovery.md says what is fetched, what is refused, and what a step does with it.
    """


@app.command()
def put(
    url: Annotated[str, typer.Argument(metavar="URL", help="The address; - reads it from standard input.")],
    *,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When the event happened (2026-11-30T04:00:00Z).")],
    config: Config = None,
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch an address, archive it, and print what leads to it.

    Exit status: 0 it is archived, 1 it could not be fetched as a whole, which is archived
    with the reason, 2 it could not be archived: no note may be made.
    """
    from workloads.discovery.put import PutOptions, run

    raise typer.Exit(run(PutOptions(config, store, quiet=quiet, as_json=as_json, url=url, at=at)))
