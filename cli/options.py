"""The options that several commands share, each defined once."""

from typing import Annotated, Any

import typer

Stack = Annotated[str, typer.Option("--stack", metavar="NAME", help="The stack; the `pulumi` on PATH reads it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def plain_app(**more: Any) -> typer.Typer:  # noqa: ANN401 - typer's own arguments
    """A command's app: help without boxes, and tracebacks without locals, which may be secrets."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **more)
