"""`object-store window`."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.sessions import Config, Json, Store

app = plain_app(no_args_is_help=True)


class Workload(StrEnum):
    """The workloads that have a window."""

    SESSIONS = "sessions"
    VAULT = "vault"
    OTEL = "otel"


OfWorkload = Annotated[
    Workload, typer.Option("--workload", metavar="NAME", help="sessions, vault or otel (whose key it then needs).")
]


@app.callback()
def window() -> None:
    """Write to the NAS and to the store, until both are equal.

    docs/window.md says how to begin it, and what to do on a bad day.
    """


@app.command()
def status(
    *,
    config: Config = None,
    store: Store = None,
    workload: OfWorkload = Workload.SESSIONS,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare both sides, and count the green days.

    Exit status: 0 they are equal, or no window is open, 1 they are not, 2 it cannot tell.
    """
    from workloads.context import WORKS, Options
    from workloads.window.status import run

    raise typer.Exit(run(Options(config, store, quiet=quiet, as_json=as_json), WORKS[workload.value]))


@app.command()
def reconcile(
    *,
    config: Config = None,
    store: Store = None,
    workload: OfWorkload = Workload.SESSIONS,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Complete each side from the one with the right bytes.

    Exit status: 0 both sides are equal, 1 something is left, 2 it could not be done.
    """
    from workloads.context import WORKS, Options
    from workloads.window.reconcile import run

    raise typer.Exit(run(Options(config, store, quiet=quiet, as_json=as_json), WORKS[workload.value]))


@app.command()
def end(
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it ends; it is recorded.")],
    config: Config = None,
    store: Store = None,
    workload: OfWorkload = Workload.SESSIONS,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write to the store alone from now on, on all machines.

    Only if each of seven days in a row found both sides equal, and they are now. Exit
    status: 0 it has ended, 1 something is missing, and is named, 2 it cannot tell.
    """
    from workloads.context import WORKS
    from workloads.window.end import EndOptions, run

    options = EndOptions(config, store, quiet=quiet, as_json=as_json, reason=reason)
    raise typer.Exit(run(options, WORKS[workload.value]))
