"""`object-store scrub`."""

from typing import Annotated

import typer

from cli.options import Quiet, plain_app
from cli.receipts import OF_WORKLOAD, Workload
from cli.sessions import Config, Identity, Json, Store, Wait

app = plain_app()


@app.command()
def scrub(
    *,
    config: Config = None,
    store: Store = None,
    workload: Annotated[Workload, typer.Option("--workload", metavar="NAME", help=OF_WORKLOAD)] = Workload.SESSIONS,
    size: Annotated[
        int | None,
        typer.Option("--bytes", metavar="BYTES", min=1, help="How many a day at most (default: scrub.bytes_a_day)."),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Read nothing; list when each pack was last read.")] = False,
    identity: Identity = None,
    wait: Wait = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read stored packs back in turn, and name what is damaged.

    Exit status: 0 all is as committed, 1 something is damaged, gone or in a wrong place, 2
    it could not be done.
    """
    from workloads.context import WORKS
    from workloads.scrubbing import ScrubOptions, run

    options = ScrubOptions(
        config,
        store,
        None,
        (),
        quiet,
        as_json,
        size,
        show,
        identities=tuple(identity or ()),
        wait_seconds=wait,
    )
    raise typer.Exit(run(options, WORKS[workload.value]))
