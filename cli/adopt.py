"""`object-store adopt`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Stack, Yes, plain_app

app = plain_app()


@app.command()
def adopt(
    *,
    stack: Stack,
    yes: Yes = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the import file there (adopt-STACK.json).")
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A private file with the stack's output `credentials` as JSON."),
    ] = None,
) -> None:
    """Import resources that exist but are not in the state.

    It imports buckets, users and policies that have a planned name, with any
    settings. It changes nothing on the server. Access keys whose secrets the
    stack's outputs or FILE still have go on; the next `up` creates the others.
    """
    from ops.adopt.command import run

    raise typer.Exit(run(stack, out, credentials, yes=yes))
