"""`IamUser`, `IamPolicy` and `IamUserPolicyAttachment` of `minio:index`.

The one rule: a user's `name` is its access key and `secret` its secret key, which is never read back. With
`forceDestroy` any update deletes the user (as in the real plugin). Left out: groups.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar

from sandbox.server.minio_iam_client import MinioIamError
from sandbox.standin.minio.connection import MinioConnection, fatal
from sandbox.standin.minio.names import new_secret, unique_id, valid_policy_name, valid_user_name
from sandbox.standin.minio.policy_text import indented, valid_policy
from sandbox.standin.policy_equivalence import equivalent
from sandbox.standin.properties import boolean, string, string_map
from sandbox.standin.resource import PartialFailureError, ProviderError, ResourceType

if TYPE_CHECKING:
    from sandbox.standin.properties import Table
    from sandbox.standin.values import Bag

_NO_SUCH_USER = "XMinioAdminNoSuchUser"


class IamUser(ResourceType[MinioConnection]):
    """A user."""

    token: ClassVar[str] = "minio:index/iamUser:IamUser"  # noqa: S105 - a type token
    table: ClassVar[Table] = {
        "disableUser": boolean(optional=True, default=False),
        "forceDestroy": boolean(optional=True, default=False),
        "name": string(required=True, force_new=True, autonamed=True, valid=valid_user_name),
        "secret": string(optional=True, computed=True, secret=True),
        "status": string(computed=True),
        "tags": string_map(optional=True),
        "updateSecret": boolean(optional=True, default=False),
    }

    def create_live(self, connection: MinioConnection, planned: Bag) -> tuple[str, Bag] | None:
        """Add the user with its secret, or with a generated one; an existing user silently gets the new secret."""
        name, secret = planned["name"], planned["secret"] or new_secret()
        with fatal("error creating user", name):
            connection.iam.add_user(name, secret)
        try:
            if planned["disableUser"]:
                with fatal("error disabling IAM User %s: %s", name):
                    connection.iam.set_user_status(name, "disabled")
            values = self.read_live(connection, name, planned)
        except ProviderError as error:
            raise PartialFailureError(str(error), name, {"secret": secret}) from error
        return None if values is None else (name, {**values, "secret": secret})

    def read_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> Bag | None:
        """Read the user's status."""
        with fatal("error reading IAM User", resource_id):
            try:
                found = connection.iam.user_info(resource_id)
            except MinioIamError as error:
                if error.code == _NO_SUCH_USER:
                    return None
                raise
        return {"name": state.get("name") or resource_id, "status": found["status"]}

    def update_live(self, connection: MinioConnection, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Set status and secret; with `forceDestroy`, delete the user instead."""
        if planned["forceDestroy"]:
            self.delete_live(connection, resource_id, state)
            return None
        status = "disabled" if planned["disableUser"] else "enabled"
        with fatal("error to disable IAM User %s: %s", resource_id):
            if connection.iam.user_info(resource_id)["status"] != status:
                connection.iam.set_user_status(resource_id, status)
        secret = new_secret() if planned["updateSecret"] else planned["secret"]
        if secret and secret != state.get("secret"):
            with fatal("error updating IAM User Key %s: %s", resource_id):
                connection.iam.add_user(resource_id, secret, status)
        values = self.read_live(connection, resource_id, planned)
        return None if values is None else {**values, "secret": secret}

    def delete_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Remove the user, and with it its service accounts."""
        with fatal("error deleting IAM User %s: %s", resource_id):
            connection.iam.remove_user(resource_id)


class IamPolicy(ResourceType[MinioConnection]):
    """A policy document with a name."""

    token: ClassVar[str] = "minio:index/iamPolicy:IamPolicy"  # noqa: S105 - a type token
    table: ClassVar[Table] = {
        "name": string(
            optional=True,
            computed=True,
            force_new=True,
            autonamed=True,
            conflicts_with="namePrefix",
            valid=valid_policy_name,
        ),
        "namePrefix": string(optional=True, force_new=True, conflicts_with="name", valid=valid_policy_name),
        "policy": string(required=True, valid=valid_policy, equivalent=equivalent),
    }

    def create_live(self, connection: MinioConnection, planned: Bag) -> tuple[str, Bag] | None:
        """Add the policy; it silently replaces a policy with the same name."""
        name = planned["name"] or unique_id(planned["namePrefix"] or "terraform-")
        with fatal("unable to create policy", name):
            connection.iam.add_canned_policy(name, planned["policy"])
        return name, self.read_live(connection, name, planned)

    def read_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> Bag:  # noqa: ARG002 - a hook
        """Read the document; a missing policy is an error."""
        with fatal("unable to read policy", resource_id):
            document = connection.iam.info_canned_policy(resource_id)
        return {"name": resource_id, "policy": indented(document)}

    def update_live(self, connection: MinioConnection, resource_id: str, state: Bag, planned: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Replace the document."""
        with fatal("unable to update policy", resource_id):
            connection.iam.add_canned_policy(resource_id, planned["policy"])
        return self.read_live(connection, resource_id, planned)

    def delete_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Remove the policy."""
        with fatal("unable to delete policy", resource_id):
            connection.iam.remove_canned_policy(resource_id)


class IamUserPolicyAttachment(ResourceType[MinioConnection]):
    """One policy of one user; the user's list is read, changed and written as a whole, one change at a time."""

    token: ClassVar[str] = "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment"  # noqa: S105 - a type token
    table: ClassVar[Table] = {
        "policyName": string(required=True, force_new=True, valid=valid_policy_name),
        "userName": string(required=True, force_new=True, valid=valid_user_name),
    }

    def __init__(self) -> None:
        """Keep one lock per user, as the real plugin does."""
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def create_live(self, connection: MinioConnection, planned: Bag) -> tuple[str, Bag] | None:
        """Add the policy to the user's list."""
        user, policy = planned["userName"], planned["policyName"]
        with self._locks[user]:
            policies = _policies_of(connection, user)
            if policy not in policies:
                with fatal("unable to Set User policy", f"{user} {policy}"):
                    connection.iam.set_user_or_group_policy(user, ",".join([*policies, policy]))
            return (unique_id(f"{user}-"), {}) if policy in _policies_of(connection, user) else None

    def read_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Look for the policy in the user's list."""
        with self._locks[state["userName"]]:
            attached = state["policyName"] in _policies_of(connection, state["userName"])
        return {"policyName": state["policyName"]} if attached else None

    def delete_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Remove the policy from the user's list."""
        user, policy = state["userName"], state["policyName"]
        with self._locks[user]:
            policies = _policies_of(connection, user)
            if policy in policies:
                with fatal("unable to delete user policy", user):
                    left = ",".join(name for name in policies if name != policy)
                    connection.iam.set_user_or_group_policy(user, left)

    def import_live(self, connection: MinioConnection, resource_id: str) -> tuple[str, Bag] | None:  # noqa: ARG002 - a hook
        """Split `user/policy`; the id gets the form of a creation. Any other form finds nothing."""
        user, _, policy = resource_id.partition("/")
        if not user or not policy:
            return None
        return unique_id(f"{user}-"), {"userName": user, "policyName": policy}


def _policies_of(connection: MinioConnection, user: str) -> list[str]:
    with fatal("failed to load user Infos", user):
        names = connection.iam.user_info(user).get("policyName", "")
    return names.split(",") if names else []
