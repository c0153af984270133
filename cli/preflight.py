"""`object-store preflight`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Stack, plain_app

app = plain_app()


class Before(StrEnum):
    """What --before takes."""

    UP = "up"
    REFRESH = "refresh"


@app.command()
def preflight(
    *,
    stack: Stack,
    before: Annotated[
        Before, typer.Option(help="What is run next: what harms only a refresh is a warning before `up`.")
    ] = Before.REFRESH,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where Pulumi.yaml is, if not here or above.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the findings there.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what warns or stops.")] = False,
) -> None:
    """What would go wrong before `pulumi up` or `refresh`.

    Exit status: 0 nothing stops, 1 something stops, 2 it could not run.
    """
    from ops.preflight.command import run

    raise typer.Exit(run(stack, before.value, folder=folder, report=report, quiet=quiet))
