"""`object-store switch-admin-api`."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import Stack, Yes, plain_app

app = plain_app()


class To(StrEnum):
    """What --to takes."""

    V3 = "v3"
    V4 = "v4"


@app.command()
def switch_admin_api(
    *,
    stack: Stack,
    to: Annotated[To, typer.Option(help="v3: the plugin; v4: our own resources.")],
    yes: Yes = False,
) -> None:
    """Move AIStor's identities to admin API v3 or v4.

    They move in the stack's state; nothing on the server changes, and every key and
    secret stays. The way back is the same command.
    """
    from ops.switch_admin_api import run

    raise typer.Exit(run(stack, to.value, yes=yes))
