"""`object-store keys`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Quiet, Stack, Yes, plain_app

app = plain_app(no_args_is_help=True)

Identity = Annotated[str, typer.Argument(metavar="IDENTITY", help="The identity whose key it is.")]
ConfigOnly = Annotated[bool, typer.Option("--config-only", help="Only edit the config; you or CI run the update.")]
Silent = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]


class To(StrEnum):
    """The values of --to."""

    AGENT_SECRETS = "agent-secrets"
    KUBERNETES = "kubernetes"
    DOTENV = "dotenv"
    AWS_PROFILE = "aws-profile"
    RCLONE = "rclone"
    MC = "mc"
    PULUMI_ESC = "pulumi-esc"
    JSON = "json"


class Reach(StrEnum):
    """The values of --from."""

    HOST = "host"
    CLUSTER = "cluster"


@app.callback()
def keys() -> None:
    """Show, rotate, retire, revoke and deliver a stack's keys.

    The stack's config decides which keys exist. rotate, retire and revoke edit it,
    print the changed lines, and run `pulumi up`.
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
    """Show the state of each key.

    Its age, its last use, and what to do about it.
    """
    from ops.keys.command import run_status

    raise typer.Exit(run_status(stack, max_age_days, as_json=as_json))


@app.command()
def rotate(
    identity: Identity, *, stack: Stack, config_only: ConfigOnly = False, yes: Yes = False, quiet: Silent = False
) -> None:
    """Create the next key; the current key stays valid."""
    from ops.keys.command import run_change

    raise typer.Exit(run_change("rotate", stack, identity, config_only=config_only, yes=yes, quiet=quiet))


@app.command()
def retire(
    identity: Identity,
    *,
    stack: Stack,
    unused_for: Annotated[
        float, typer.Option(metavar="HOURS", help="The old key must be unused for this long, if the server records it.")
    ] = 1.0,
    config_only: ConfigOnly = False,
    yes: Yes = False,
    quiet: Silent = False,
) -> None:
    """Remove the previous key.

    It first checks that the current key works and that the previous one is unused.
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
    to: Annotated[To, typer.Option(help="The target that receives the key pairs.")],
    identity: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An identity; may be repeated (default: all identities).")
    ] = None,
    reach: Annotated[
        Reach | None, typer.Option("--from", help="Where clients run (cluster for kubernetes, else host).")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write to this file (aws-profile, rclone, mc: the file that the tool reads)."
        ),
    ] = None,
    namespace: Annotated[str | None, typer.Option(metavar="NAME", help="kubernetes: an existing namespace.")] = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="kubernetes: use this context.")] = None,
    quiet: Quiet = False,
) -> None:
    """Deliver key pairs, read them back and try them.

    Exit status: 0 delivered, 1 a write failed or a key pair does not work, 2 it could
    not start.
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
