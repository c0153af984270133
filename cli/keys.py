"""`object-store keys`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, Stack, Yes, plain_app

app = plain_app(no_args_is_help=True)

Identity = Annotated[str, typer.Argument(metavar="IDENTITY", help="Whose key.")]
ConfigOnly = Annotated[bool, typer.Option("--config-only", help="Edit the config; leave the update to you, or CI.")]
Silent = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


class To(StrEnum):
    """What --to takes."""

    AGENT_SECRETS = "agent-secrets"
    KUBERNETES = "kubernetes"
    DOTENV = "dotenv"
    PULUMI_ESC = "pulumi-esc"
    JSON = "json"


class Reach(StrEnum):
    """What --from takes."""

    HOST = "host"
    CLUSTER = "cluster"


@app.callback()
def keys() -> None:
    """The keys that a stack hands out: their life and delivery.

    What decides is the stack's config: rotate, retire and revoke edit it, say which
    lines, and run `pulumi up`.
    """


@app.command()
def status(
    *,
    stack: Stack,
    max_age_days: Annotated[
        int | None, typer.Option(metavar="DAYS", help="Warn of older keys (object-store:maxKeyAgeDays).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell how each key stands.

    How old it is, when it was used, and what is to be done.
    """
    from ops.keys.command import run_status

    raise typer.Exit(run_status(stack, max_age_days, as_json=as_json))


@app.command()
def rotate(
    identity: Identity, *, stack: Stack, config_only: ConfigOnly = False, yes: Yes = False, quiet: Silent = False
) -> None:
    """Make the next key beside the one that lives."""
    from ops.keys.command import run_change

    raise typer.Exit(run_change("rotate", stack, identity, config_only=config_only, yes=yes, quiet=quiet))


@app.command()
def retire(
    identity: Identity,
    *,
    stack: Stack,
    unused_for: Annotated[
        float, typer.Option(metavar="HOURS", help="The old key was not used for so long, where the server tells.")
    ] = 1.0,
    config_only: ConfigOnly = False,
    yes: Yes = False,
    quiet: Silent = False,
) -> None:
    """Remove the previous key.

    Once the current one is proven to work and the previous one is unused.
    """
    from ops.keys.command import run_change

    status = run_change(
        "retire", stack, identity, config_only=config_only, yes=yes, quiet=quiet, unused_hours=unused_for
    )
    raise typer.Exit(status)


@app.command()
def revoke(
    identity: Identity, *, stack: Stack, config_only: ConfigOnly = False, yes: Yes = False, quiet: Silent = False
) -> None:
    """Replace every key at once, after a compromise."""
    from ops.keys.command import run_change

    raise typer.Exit(run_change("revoke", stack, identity, config_only=config_only, yes=yes, quiet=quiet))


@app.command()
def deliver(
    *,
    stack: Stack,
    to: Annotated[To, typer.Option(help="What to hand over to.")],
    identity: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Whose key pair; may be given again (everyone's).")
    ] = None,
    reach: Annotated[
        Reach | None, typer.Option("--from", help="Where the store is used from (cluster for kubernetes, else host).")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="dotenv, kubernetes, pulumi-esc: write this file.")
    ] = None,
    namespace: Annotated[str | None, typer.Option(metavar="NAME", help="kubernetes: one that exists.")] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="kubernetes: not the current one.")] = None,
    quiet: Quiet = False,
) -> None:
    """Hand key pairs over, read them back and try them.

    Exit status: 0 delivered, 1 a write failed or a key pair does not work, 2 it could
    not begin.
    """
    from ops.keys.deliver import Delivery, run

    delivery = Delivery(
        stack=stack,
        to=to.value,
        identities=tuple(identity or ()),
        reach=reach.value if reach else None,
        file=file,
        namespace=namespace,
        context=context,
        quiet=quiet,
    )
    raise typer.Exit(run(delivery))
