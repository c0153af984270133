"""`object-store receipts`."""

from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store

app = plain_app()


@app.command()
def receipts(
    *,
    config: Config = None,
    store: Store = None,
    days: Annotated[int, typer.Option("--days", metavar="DAYS", min=1, help="How far back.")] = 30,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List what the workloads' runs did, newest first.

    Exit status: 0 the last run of each machine is complete and in time, 1 one is not, 2
    it cannot tell.
    """
    from workloads.sessions.context import Options
    from workloads.sessions.receipts import run

    raise typer.Exit(run(Options(config, store, quiet=quiet, as_json=as_json), days))
