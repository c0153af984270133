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
) -> None:
    """Import resources that exist but are not in the state.

    It imports buckets, users and policies that have a planned name, with any
    settings. It changes nothing on the server. The next `up` creates new keys.
    """
    from ops.adopt.command import run

    raise typer.Exit(run(stack, out, yes=yes))
