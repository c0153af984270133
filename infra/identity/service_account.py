"""A service account: a key pair of a user, limited by its own policy.

The rule: every update sends the policy, because without it the account inherits all permissions of its user. The
provider generates the keys before it sends the request, so that a lost answer leaves no unknown key.
"""

import contextlib
import secrets
import string
from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
from pulumi import dynamic

from infra.admin_api import AdminApi, AdminApiError, NotFoundError, TakenError, UnavailableError
from infra.identity.connection import IdentityError, IdentityProvider, for_user, gone
from model.policy_meaning import same_meaning

ON = "on"
_ACCESS_KEY_CHARACTERS = 20
_SECRET_BYTES = 30  # 40 characters, the longest that the server accepts


class ServiceAccountProvider(IdentityProvider):
    """Creates, reads, changes and removes a service account."""

    compared: ClassVar[tuple[str, ...]] = ("policy", "status")
    replaced: ClassVar[tuple[str, ...]] = ("targetUser",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Create the account; the id is its access key."""
        user, access_key, secret_key = props["targetUser"], _access_key(), secrets.token_urlsafe(_SECRET_BYTES)
        doing = f"cannot create a key for user {user}"
        with self.api(props, doing) as api, for_user(api, user, doing):
            try:
                _add(api, user, props["policy"], access_key, secret_key)
            except UnavailableError as error:
                _take_back(api, user, access_key, error)
                raise
        return dynamic.CreateResult(id_=access_key, outs={**props, "accessKey": access_key, "secretKey": secret_key})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read owner, status and policy; an inherited policy reads as empty."""
        with self.api(props, f"cannot read key {id_}") as api:
            try:
                found = api.service_account(id_)
            except NotFoundError:
                return gone(props)
        held = str(props.get("policy", ""))
        live = "" if found.get("impliedPolicy") else str(found.get("policy", ""))
        outs = {
            **props,
            "accessKey": id_,
            "targetUser": found.get("parentUser", ""),
            "status": found.get("accountStatus", ""),
            "policy": held if same_meaning(held, live) else live,
        }
        return dynamic.ReadResult(id_=id_, outs=outs)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Set policy and status together; the keys stay."""
        with self.api(_news, f"cannot change key {_id}") as api:
            api.update_service_account(_id, policy=_news["policy"], status=_news["status"])
        keys = {"accessKey": _id, "secretKey": _olds.get("secretKey", "")}
        return dynamic.UpdateResult(outs={**_news, **keys})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove the account; a missing account is not an error."""
        with self.api(_props, f"cannot remove key {_id}") as api, contextlib.suppress(NotFoundError):
            api.delete_service_account(_id)


class ServiceAccount(dynamic.Resource, module="identity", name="ServiceAccount"):
    """**Pulumi type:** `pulumi-python:dynamic/identity:ServiceAccount`.

    Outputs: `targetUser`, `policy` (JSON text), `status`, `accessKey`, `secretKey` (secret).
    """

    accessKey: pulumi.Output[str]  # noqa: N815 - the property's name on the wire
    secretKey: pulumi.Output[str]  # noqa: N815 - likewise

    def __init__(
        self,
        resource_name: str,
        *,
        target_user: pulumi.Input[str],
        policy: str,
        connection: Mapping[str, str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare an enabled account; `policy` is JSON text, `connection` has the address (`connection_inputs`)."""
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["secretKey"]))
        properties: dict[str, Any] = {
            "targetUser": target_user,
            "policy": policy,
            "status": ON,
            # Outputs; they are not sent.
            "accessKey": None,
            "secretKey": None,
            **connection,
        }
        super().__init__(ServiceAccountProvider(), resource_name, properties, opts)


def _access_key() -> str:
    alphabet = string.ascii_uppercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(_ACCESS_KEY_CHARACTERS))


def _add(api: AdminApi, user: str, policy: str, access_key: str, secret_key: str) -> None:
    try:
        api.add_service_account(user, policy, access_key, secret_key)
    except TakenError as refused:
        # An attempt whose answer was lost created it: no other client can have the same 20 random characters.
        with contextlib.suppress(NotFoundError):
            if api.service_account(access_key).get("parentUser") == user:
                return
        raise refused from None


def _take_back(api: AdminApi, user: str, access_key: str, error: AdminApiError) -> None:
    """Remove the key that an unanswered request may have created; if that fails, raise an error with its access key."""
    try:
        api.delete_service_account(access_key)
    except NotFoundError:
        return
    except AdminApiError:
        raise IdentityError(
            f"cannot create a key for user {user}: {error}. An unused key may remain on the server; once the server "
            f"answers, remove it: mc admin accesskey rm store/ {access_key}"
        ) from None
