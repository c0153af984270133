"""`object-store schedule`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import plain_app
from cli.receipts import Workload
from cli.sessions import Config
from verify.manifests import NAMESPACE

app = plain_app()


class Target(StrEnum):
    """What starts the jobs."""

    LAUNCHD = "launchd"
    KUBERNETES = "kubernetes"


@app.command()
def schedule(
    *,
    target: Annotated[Target, typer.Option("--for", metavar="WHAT", help="launchd, or kubernetes.")],
    config: Config = None,
    machine: Annotated[
        str | None, typer.Option("--machine", metavar="NAME", help="Refuse the configuration of another machine.")
    ] = None,
    workload: Annotated[
        list[Workload] | None,
        typer.Option(
            "--workload", metavar="NAME", help="sessions, vault, otel; may be repeated (default: all configured)."
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="launchd: write the plists to this folder.")
    ] = None,
    program: Annotated[
        Path | None, typer.Option("--program", metavar="PATH", help="launchd: object-store (default: this one).")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="ZONE", help="launchd: this machine's (default: the system's).")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", metavar="IMAGE", help="kubernetes: with object-store and git.")
    ] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="kubernetes: of the CronJobs.")
    ] = NAMESPACE,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="PATH=CLAIM", help="kubernetes: a volume of the pods; may be repeated."),
    ] = None,
) -> None:
    """Print the launchd plists or CronJobs of the workloads.

    No job is between 01:00 and 03:00 in Los Angeles. docs/schedule.md says how to install
    them.
    """
    from ops.schedule.command import ScheduleOptions, run

    options = ScheduleOptions(
        target.value,
        config,
        machine,
        tuple(one.value for one in workload or ()),
        to,
        program,
        time_zone,
        image,
        namespace,
        tuple(claim or ()),
    )
    raise typer.Exit(run(options))
