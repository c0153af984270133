"""`object-store recover`."""

import typer

from cli.options import Stack, plain_app

app = plain_app()


@app.command()
def recover(*, stack: Stack) -> None:
    """Repair a stack whose update was killed.

    It repairs the state. It creates, changes and deletes nothing on the server.
    Afterwards `pulumi up` can continue.
    """
    from ops.recover import run

    raise typer.Exit(run(stack))
