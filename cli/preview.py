"""`object-store preview`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, Stack, plain_app

app = plain_app()


class Form(StrEnum):
    """The values of --format."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command()
def preview(  # noqa: PLR0913 - the command's options
    *,
    stack: Stack,
    form: Annotated[Form, typer.Option("--format", help="The output format.")] = Form.TEXT,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file, not to standard output.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Keep Markdown below this many characters.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Read the live store first, to see drift.")] = False,
    data_at_risk: Annotated[bool, typer.Option("--data-at-risk", help="Count the objects that would expire.")] = False,
    max_keys: Annotated[int | None, typer.Option(help="Read at most this many versions of a bucket.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Compare plans: no engine, secret or network.")] = False,
    base_revision: Annotated[
        str | None, typer.Option(metavar="REV", help="With --offline: the git revision to compare with (HEAD).")
    ] = None,
    base_deployment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --offline: a published deployment instead.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Show what a change would do to the data.

    Exit status: 0 no change, or only safe changes and notices; 1 a danger that the
    stack's config does not acknowledge; 2 an error, or the engine refuses the update.
    """
    from ops.preview.command import MAX_KEYS, PreviewOptions, run
    from ops.preview.render import COMMENT_CHARACTERS

    options = PreviewOptions(
        stack=stack,
        form=form.value,
        out=out,
        limit=COMMENT_CHARACTERS if limit is None else limit,
        refresh=refresh,
        data_at_risk=data_at_risk,
        max_keys=MAX_KEYS if max_keys is None else max_keys,
        offline=offline,
        base_revision=base_revision,
        base_deployment=base_deployment,
        quiet=quiet,
    )
    raise typer.Exit(run(options))
