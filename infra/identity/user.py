"""A user; its name is its access key.

The rule: it never adopts an existing user, because adding a user again would silently change its secret key; only
`ops.adopt` adopts one. The provider generates the secret key and gives it to no workload: those get service accounts.
"""

import contextlib
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
from pulumi import dynamic

from infra.admin_api import AdminApi, AdminApiError, NotFoundError, UnavailableError
from infra.identity.connection import IdentityError, IdentityProvider, gone

ENABLED = "enabled"
_SECRET_BYTES = 30  # 40 characters, the longest that the server accepts


class UserProvider(IdentityProvider):
    """Creates, reads, enables or disables, and removes a user."""

    compared: ClassVar[tuple[str, ...]] = ("status",)
    replaced: ClassVar[tuple[str, ...]] = ("name",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Create the user with a random secret key; the id is its name."""
        name, secret = props["name"], secrets.token_urlsafe(_SECRET_BYTES)
        with self.api(props, f"cannot create user {name}") as api:
            if _exists(api, name):
                raise IdentityError(
                    f"user {name} already exists and is not in this stack's state; to see whose it is: "
                    "object-store preflight --stack NAME"
                )
            try:
                api.add_user(name, secret)
                if props["status"] != ENABLED:
                    api.set_user_status(name, props["status"])
            except UnavailableError:
                # The user may exist now. It did not exist before, and the next attempt must not find it.
                with contextlib.suppress(AdminApiError):
                    api.remove_user(name)
                raise
        return dynamic.CreateResult(id_=name, outs={**props, "secret": secret})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the live status."""
        with self.api(props, f"cannot read user {id_}") as api:
            try:
                found = api.user(id_)
            except NotFoundError:
                return gone(props)
        return dynamic.ReadResult(id_=id_, outs={**props, "name": id_, "status": found.get("status", "")})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Enable or disable the user."""
        with self.api(_news, f"cannot set the status of user {_id} to {_news['status']}") as api:
            api.set_user_status(_id, _news["status"])
        return dynamic.UpdateResult(outs={**_news, "secret": _olds.get("secret", "")})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove the user; a missing user is not an error."""
        with self.api(_props, f"cannot remove user {_id}") as api, contextlib.suppress(NotFoundError):
            api.remove_user(_id)


class User(dynamic.Resource, module="identity", name="User"):
    """**Pulumi type:** `pulumi-python:dynamic/identity:User`. Outputs: `name`, `status`, `secret` (secret)."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: str,
        connection: Mapping[str, str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare an enabled user; `connection` has the server's address (`connection_inputs`)."""
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["secret"]))
        super().__init__(UserProvider(), resource_name, {"name": name, "status": ENABLED, **connection}, opts)


def _exists(api: AdminApi, name: str) -> bool:
    try:
        api.user(name)
    except NotFoundError:
        return False
    return True
