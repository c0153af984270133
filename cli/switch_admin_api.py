"""`object-store switch-admin-api`."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import Stack, Yes, plain_app

app = plain_app()


class To(StrEnum):
    """The values of --to."""

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

    It moves them in the stack's state. It changes nothing on the server, and every
    key and secret stays the same. The same command moves them back.
    """
    from ops.switch_admin_api import run

    raise typer.Exit(run(stack, to.value, yes=yes))
