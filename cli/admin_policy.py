"""`object-store admin-policy`."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import plain_app

app = plain_app()


class Cloud(StrEnum):
    """The values of --cloud."""

    AISTOR = "aistor"
    AWS = "aws"


@app.command()
def admin_policy(
    *,
    stack: Annotated[str | None, typer.Option(metavar="NAME", help="Read everything from its config; or:")] = None,
    cloud: Annotated[Cloud | None, typer.Option(help="With --env: for no particular stack.")] = None,
    env: Annotated[str | None, typer.Option(metavar="CODE", help="With --cloud: the environment code.")] = None,
    region_code: Annotated[str, typer.Option(metavar="CODE", help="With --cloud: the region code.")] = "usw2",
    empty_on_destroy: Annotated[
        bool, typer.Option("--empty-on-destroy", help="With --cloud: the stack has emptyOnDestroy.")
    ] = False,
    roles: Annotated[bool, typer.Option("--roles", help="On AWS: include the rights for roles.")] = False,
    auditor: Annotated[
        bool, typer.Option("--auditor", help="The policy of the identity that audits, instead of the admin's.")
    ] = False,
) -> None:
    """Print the minimal policy of a provisioning admin.

    The output is JSON for `mc admin policy create` or `aws iam create-policy`.
    """
    from ops.admin_policy import Asked, run

    asked = Asked(stack, cloud.value if cloud else None, env, region_code, empty_on_destroy, roles, auditor)
    raise typer.Exit(run(asked))
