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
        Path | None, typer.Option(metavar="FILE", help="Where the import file goes (adopt-STACK.json).")
    ] = None,
) -> None:
    """Take over what exists and is not in the state.

    Buckets, users and policies with a planned name are imported, whatever their
    settings are; nothing on the server changes. Keys are made anew by the next `up`.
    """
    from ops.adopt.command import run

    raise typer.Exit(run(stack, out, yes=yes))
