"""A named policy document.

The rule: documents are compared by meaning. The state keeps the program's text as long as the live document means the
same, because the server returns it in a different order each time.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi
from pulumi import dynamic

from infra.admin_api import AdminApi, CannotShowError, NotFoundError
from infra.identity.connection import IdentityError, IdentityProvider, gone
from model.policy_meaning import same_meaning


class PolicyProvider(IdentityProvider):
    """Creates, reads, replaces and removes a policy's document."""

    compared: ClassVar[tuple[str, ...]] = ("policy",)
    replaced: ClassVar[tuple[str, ...]] = ("name",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Create the policy; the id is its name."""
        name = props["name"]
        with self.api(props, f"cannot create policy {name}") as api:
            found = _document(api, name)
            if found is not None and not same_meaning(found, props["policy"]):
                raise IdentityError(
                    f"policy {name} already exists with another document and is not in this stack's state; to see "
                    "whose it is: object-store preflight --stack NAME"
                )
            api.put_policy(name, props["policy"])
        return dynamic.CreateResult(id_=name, outs=dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the live document."""
        with self.api(props, f"cannot read policy {id_}") as api:
            found = _document(api, id_)
        if found is None:
            return gone(props)
        held = str(props.get("policy", ""))
        live = held if same_meaning(held, found) else found
        return dynamic.ReadResult(id_=id_, outs={**props, "name": id_, "policy": live})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Replace the document."""
        with self.api(_news, f"cannot replace policy {_id}") as api:
            api.put_policy(_id, _news["policy"])
        return dynamic.UpdateResult(outs=dict(_news))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove the policy; a missing policy is not an error."""
        doubt = "is it manually attached to another user, or to one that is switched off?"
        with self.api(_props, f"cannot remove policy {_id} ({doubt})") as api:
            api.remove_policy(_id)


class Policy(dynamic.Resource, module="identity", name="Policy"):
    """**Pulumi type:** `pulumi-python:dynamic/identity:Policy`. Outputs: `name`, `policy` (JSON text)."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: str,
        policy: str,
        connection: Mapping[str, str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the policy; `policy` is JSON text, `connection` has the server's address (`connection_inputs`)."""
        super().__init__(PolicyProvider(), resource_name, {"name": name, "policy": policy, **connection}, opts)


def _document(api: AdminApi, name: str) -> str | None:
    """The live document; None if there is none, and empty, so that it differs from every plan, if it is not shown."""
    try:
        return json.dumps(api.policy(name))
    except CannotShowError:
        return ""
    except NotFoundError:
        return None
