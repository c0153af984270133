"""The options that several commands have, each said once."""

from typing import Annotated, Any

import typer

Stack = Annotated[str, typer.Option("--stack", metavar="NAME", help="The stack, read by the `pulumi` on the path.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def plain_app(**more: Any) -> typer.Typer:  # noqa: ANN401 - what typer takes
    """A command's app: help without boxes, and no local in a traceback, which may be a secret."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **more)
