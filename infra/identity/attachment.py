"""One policy of one user.

The rule: only this one policy of the user is looked at and changed; others that it has are not ours to take.
"""

import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
from pulumi import dynamic

from infra.admin_api import AlreadyAppliedError, NotFoundError
from infra.identity.connection import IdentityProvider, gone


class AttachmentProvider(IdentityProvider):
    """Attaches and detaches a policy."""

    replaced: ClassVar[tuple[str, ...]] = ("userName", "policyName")

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Attach; what is attached already is as it should be. The id is `user/policy`."""
        self._attach(props)
        return dynamic.CreateResult(id_=f"{props['userName']}/{props['policyName']}", outs=dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Look for the policy among the user's."""
        user, policy = props["userName"], props["policyName"]
        with self.api(props, f"the policies of user {user} could not be read") as api:
            try:
                found = api.user(user)
            except NotFoundError:
                return gone(props)
        attached = policy in str(found.get("policyName", "")).split(",")
        return dynamic.ReadResult(id_=id_, outs=dict(props)) if attached else gone(props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Another way to the server; what is attached is made sure of."""
        self._attach(_news)
        return dynamic.UpdateResult(outs=dict(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Detach; what is detached already, or gone, is no error."""
        user, policy = _props["userName"], _props["policyName"]
        with (
            self.api(_props, f"policy {policy} could not be taken from user {user}") as api,
            contextlib.suppress(AlreadyAppliedError, NotFoundError),
        ):
            api.detach(user, policy)

    def _attach(self, props: dict[str, Any]) -> None:
        user, policy = props["userName"], props["policyName"]
        with (
            self.api(props, f"policy {policy} could not be attached to user {user}") as api,
            contextlib.suppress(AlreadyAppliedError),
        ):
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
        """Declare it; `connection` says where (`connection_inputs`)."""
        properties = {"userName": user_name, "policyName": policy_name, **connection}
        super().__init__(AttachmentProvider(), resource_name, properties, opts)
