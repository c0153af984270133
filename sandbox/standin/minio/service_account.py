"""`minio:index/iamServiceAccount:IamServiceAccount`: a key pair of a user.

The one rule: every update sends the policy, or the server would turn it into an implied one. Without its own `policy`
the account reports its user's, which is a change at every preview. Left out: names and expirations, which this version
of the type does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sandbox.server.minio_iam_client import MinioIamError
from sandbox.standin.minio.connection import MinioConnection, fatal
from sandbox.standin.minio.names import new_secret
from sandbox.standin.minio.policy_text import document_of, valid_policy
from sandbox.standin.policy_equivalence import equivalent
from sandbox.standin.properties import boolean, string
from sandbox.standin.resource import PartialFailureError, ProviderError, ResourceType

if TYPE_CHECKING:
    from sandbox.standin.properties import Table
    from sandbox.standin.values import Bag

_UNREADABLE_LIST = "json: cannot unmarshal object into Go struct field ListServiceAccountsResp.accounts of type string"


class IamServiceAccount(ResourceType[MinioConnection]):
    """A service account."""

    token: ClassVar[str] = "minio:index/iamServiceAccount:IamServiceAccount"  # noqa: S105 - a type token
    table: ClassVar[Table] = {
        "accessKey": string(computed=True),
        "disableUser": boolean(optional=True, default=False),
        "policy": string(optional=True, valid=valid_policy, equivalent=equivalent),
        "secretKey": string(computed=True, secret=True),
        "status": string(computed=True),
        "targetUser": string(required=True, force_new=True),
        "updateSecret": boolean(optional=True, default=False),
    }

    def create_live(self, connection: MinioConnection, planned: Bag) -> tuple[str, Bag] | None:
        """Let the server create a key pair."""
        user = planned["targetUser"]
        with fatal("error creating service account", user):
            made = connection.iam.add_service_account(user, policy=document_of(planned["policy"]))
        access_key = made["credentials"]["accessKey"]
        keys = {"accessKey": access_key, "secretKey": made["credentials"]["secretKey"]}
        try:
            if planned["disableUser"]:
                with fatal("error disabling service account %s: %s", access_key):
                    connection.iam.update_service_account(access_key, new_status="off")
            values = self.read_live(connection, access_key, keys)
        except ProviderError as error:
            raise PartialFailureError(str(error), access_key, keys) from error
        return access_key, {**values, **keys}

    def read_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> Bag:
        """Read owner, status and policy; a missing account is an error."""
        with fatal("error reading service account %s: %s", resource_id):
            found = connection.iam.info_service_account(resource_id)
        return {
            "accessKey": state.get("accessKey") or resource_id,
            "status": found["accountStatus"],
            "disableUser": found["accountStatus"] == "off",
            "targetUser": found["parentUser"],
            "policy": found["policy"],
        }

    def update_live(self, connection: MinioConnection, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Set status, secret and policy; send the policy with each."""
        policy, status = document_of(planned["policy"]), "off" if planned["disableUser"] else "on"
        with fatal("error to disable service account", resource_id):
            if connection.iam.info_service_account(resource_id)["accountStatus"] != status:
                connection.iam.update_service_account(resource_id, new_status=status, new_policy=policy)
        keys = {}
        if planned["updateSecret"]:
            keys["secretKey"] = new_secret()
            with fatal("error updating service account Key %s: %s", resource_id):
                connection.iam.update_service_account(resource_id, new_secret_key=keys["secretKey"], new_policy=policy)
        if planned["policy"] != state.get("policy"):
            with fatal("error updating service account policy %s: %s", resource_id):
                connection.iam.update_service_account(resource_id, new_policy=policy)
        return {**self.read_live(connection, resource_id, planned), **keys}

    def delete_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> None:
        """Delete the account; a missing account is not an error if it was the user's last one."""
        with fatal("error deleting service account %s: %s", resource_id):
            try:
                connection.iam.delete_service_account(resource_id)
            except MinioIamError:
                # The plugin then looks for the account in the user's list. Its client of 2021 cannot read that list
                # from a current server, unless the list is empty.
                if connection.iam.list_service_accounts(state["targetUser"])["accounts"]:
                    raise ProviderError(_UNREADABLE_LIST) from None
