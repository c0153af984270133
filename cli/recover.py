"""`object-store recover`."""

from typing import Annotated

import typer

from cli.options import Stack, plain_app

app = plain_app()


@app.command()
def recover(
    *,
    stack: Stack,
    all_gone: Annotated[
        bool, typer.Option("--all-gone", help="The server has none of the state's buckets, or no user or key of it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is lost.")] = False,
) -> None:
    """Mend the state after a killed update or a loss.

    It takes out of the state what is gone on the server. It creates, changes and
    deletes nothing there. Afterwards `pulumi up` recreates what was lost.
    """
    from ops.recover.command import run

    raise typer.Exit(run(stack, all_gone=all_gone, dry_run=dry_run))
