"""The attachment of one policy to one user.

The rule: it reads and changes only this one policy; it leaves the user's other policies alone.
"""

import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
from pulumi import dynamic

from infra.admin_api import AlreadyAppliedError, NotFoundError
from infra.identity.connection import IdentityProvider, for_user, gone


class AttachmentProvider(IdentityProvider):
    """Attaches and detaches a policy."""

    replaced: ClassVar[tuple[str, ...]] = ("userName", "policyName")

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Attach the policy; an existing attachment is accepted. The id is `user/policy`."""
        self._attach(props)
        return dynamic.CreateResult(id_=f"{props['userName']}/{props['policyName']}", outs=dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Look for the policy among the user's policies."""
        user, policy = props["userName"], props["policyName"]
        with self.api(props, f"cannot read the policies of user {user}") as api:
            try:
                found = api.user(user)
            except NotFoundError:
                return gone(props)
        attached = policy in str(found.get("policyName", "")).split(",")
        return dynamic.ReadResult(id_=id_, outs=dict(props)) if attached else gone(props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Make sure the policy is attached; only the connection has changed."""
        self._attach(_news)
        return dynamic.UpdateResult(outs=dict(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Detach the policy; a missing attachment, user or policy is not an error.

        The server detaches nothing from a user that is switched off. So the user is deleted before its policies
        (`infra.identity.declared`), and takes the attachment along.
        """
        user, policy = _props["userName"], _props["policyName"]
        with (
            self.api(_props, f"cannot detach policy {policy} from user {user}") as api,
            contextlib.suppress(AlreadyAppliedError, NotFoundError),
        ):
            api.detach(user, policy)

    def _attach(self, props: dict[str, Any]) -> None:
        user, policy = props["userName"], props["policyName"]
        doing = f"cannot attach policy {policy} to user {user}"
        with self.api(props, doing) as api, for_user(api, user, doing), contextlib.suppress(AlreadyAppliedError):
            api.attach(user, policy)


class Attachment(dynamic.Resource, module="identity", name="Attachment"):
    """**Pulumi type:** `pulumi-python:dynamic/identity:Attachment`. Outputs: `userName`, `policyName`."""

    def __init__(
        self,
        resource_name: str,
        *,
        user_name: pulumi.Input[str],
        policy_name: pulumi.Input[str],
        connection: Mapping[str, str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the attachment; `connection` has the server's address (`connection_inputs`)."""
        properties = {"userName": user_name, "policyName": policy_name, **connection}
        super().__init__(AttachmentProvider(), resource_name, properties, opts)
