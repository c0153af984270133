"""`object-store receipts`."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store, Wait

app = plain_app()


class Workload(StrEnum):
    """The workloads that leave receipts."""

    SESSIONS = "sessions"
    VAULT = "vault"
    OTEL = "otel"


OF_WORKLOAD = "sessions, vault or otel (each needs its own key)."


@app.command()
def receipts(
    *,
    config: Config = None,
    store: Store = None,
    workload: Annotated[Workload, typer.Option("--workload", metavar="NAME", help=OF_WORKLOAD)] = Workload.SESSIONS,
    days: Annotated[int, typer.Option("--days", metavar="DAYS", min=1, help="How far back.")] = 30,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List what the workloads' runs did, newest first.

    Exit status: 0 the last run of each machine is complete and in time, and a restore of
    its vault was proven within 7 days, 1 one is not, 2 it cannot tell.
    """
    from workloads.context import WORKS, Options
    from workloads.receipts import run

    raise typer.Exit(
        run(Options(config, store, quiet=quiet, as_json=as_json, wait_seconds=wait), WORKS[workload.value], days)
    )
