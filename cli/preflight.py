"""`object-store preflight`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Stack, plain_app

app = plain_app()


class Before(StrEnum):
    """The values of --before."""

    UP = "up"
    REFRESH = "refresh"


@app.command()
def preflight(
    *,
    stack: Stack,
    before: Annotated[
        Before, typer.Option(help="What runs next. Before `up`, what harms only a refresh is a warning.")
    ] = Before.REFRESH,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of Pulumi.yaml, if not here or above.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the findings there.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only WARN and STOP.")] = False,
) -> None:
    """Check what would go wrong in `pulumi up` or `refresh`.

    Exit status: 0 no STOP, 1 at least one STOP, 2 it could not run.
    """
    from ops.preflight.command import run

    raise typer.Exit(run(stack, before.value, folder=folder, report=report, quiet=quiet))
