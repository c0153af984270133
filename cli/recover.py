"""`object-store recover`."""

import typer

from cli.options import Stack, plain_app

app = plain_app()


@app.command()
def recover(*, stack: Stack) -> None:
    """Take up a stack whose update was killed.

    Nothing is created, changed or deleted on the server; then `pulumi up` goes on.
    """
    from ops.recover import run

    raise typer.Exit(run(stack))
