"""The IAM resource types of roles: a role, and a managed policy on it.

The one rule: as in `identities`, a refusal keeps IAM's own code and words. Left out: inline policies and exclusive
attachments, which are read but never set, and instance profiles.

https://www.pulumi.com/registry/packages/aws/api-docs/iam/role/ ; terraform-provider-aws internal/service/iam/role.go
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sandbox.standin.aws import policies, tags
from sandbox.standin.aws.connection import doing, found, patiently
from sandbox.standin.aws.resource_type import AwsResource
from sandbox.standin.aws.validation import arn, length, matching
from sandbox.standin.properties import Property, Table, blocks, boolean, integer, string, string_map
from sandbox.standin.resource import ProviderError

if TYPE_CHECKING:
    from sandbox.standin.aws.account import Account
    from sandbox.standin.values import Bag

_NONE: Final = frozenset({"NoSuchEntity"})
_PASSING: Final = frozenset({"ConcurrentModification"})
_SESSION_SECONDS: Final = (3600, 43200)


def _session_length(value: Any, path: str) -> str | None:  # noqa: ANN401 - a value of any kind
    least, most = _SESSION_SECONDS
    if least <= int(value) <= most:
        return None
    return f"expected {path} to be in the range ({least} - {most}), got {value}"


class Role(AwsResource):
    """An IAM role."""

    token: ClassVar[str] = "aws:iam/role:Role"  # noqa: S105 - a type token, no credential
    regional: ClassVar[bool] = False
    tagged: ClassVar[bool] = True
    documents: ClassVar[tuple[str, ...]] = ("assumeRolePolicy",)
    table: ClassVar[Table] = {
        "arn": string(computed=True),
        "assumeRolePolicy": string(required=True, valid=policies.why_invalid, equivalent=policies.equivalent),
        "createDate": string(computed=True),
        "description": string(optional=True, valid=length(0, 1000)),
        "forceDetachPolicies": boolean(optional=True, default=False),
        "inlinePolicies": blocks({"name": string(), "policy": string()}, computed=True, terraform_name="inline_policy"),
        "managedPolicyArns": Property("set", computed=True),
        "maxSessionDuration": integer(optional=True, default=_SESSION_SECONDS[0], valid=_session_length),
        "name": string(
            optional=True,
            computed=True,
            force_new=True,
            autonamed=True,
            conflicts_with="namePrefix",
            valid=matching(r"[\w+=,.@-]{1,64}", r"must match [\w+=,.@-] and have 1 to 64 characters"),
        ),
        "namePrefix": string(optional=True, computed=True, force_new=True, conflicts_with="name"),
        "path": string(optional=True, default="/", force_new=True),
        "permissionsBoundary": string(optional=True, valid=length(0, 2048)),
        "tags": string_map(optional=True),
        "tagsAll": string_map(optional=True),
        "uniqueId": string(computed=True),
    }

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Create the role."""
        name = str(planned["name"])
        boundary: dict[str, str] = {}
        if planned.get("permissionsBoundary"):
            boundary = {"PermissionsBoundary": planned["permissionsBoundary"]}
        with doing(f"creating IAM Role ({name})", "IAM"):
            connection.clients().iam.create_role(
                RoleName=name,
                Path=planned["path"],
                AssumeRolePolicyDocument=policies.normalised(planned["assumeRolePolicy"]),
                Description=planned.get("description") or "",
                MaxSessionDuration=int(planned["maxSessionDuration"]),
                Tags=tags.listed(planned.get("tagsAll")),
                **boundary,
            )
        values = self.read_live(connection, name, planned)
        return None if values is None else (name, values)

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:
        """Read the role and all of its attachments."""
        iam = connection.clients().iam
        with doing(f"reading IAM Role ({resource_id})", "IAM"):
            answer = found(_NONE, iam.get_role, RoleName=resource_id)
            if answer is None:
                return None
            attached = iam.list_attached_role_policies(RoleName=resource_id)["AttachedPolicies"]
        role = answer["Role"]
        document: Any = role["AssumeRolePolicyDocument"]
        text = document if isinstance(document, str) else json.dumps(document)
        return {
            "arn": role["Arn"],
            "assumeRolePolicy": policies.kept_or_read(state.get("assumeRolePolicy"), text),
            "createDate": role["CreateDate"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "description": role.get("Description", ""),
            "inlinePolicies": [],
            "managedPolicyArns": sorted(one["PolicyArn"] for one in attached),
            "maxSessionDuration": int(role.get("MaxSessionDuration", _SESSION_SECONDS[0])),
            "name": role["RoleName"],
            "namePrefix": "",
            "path": role["Path"],
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "uniqueId": role["RoleId"],
            **tags.read_back(role.get("Tags", []), connection.default_tags, state.get("tags")),
        }

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Change trust policy, description, session duration, permissions boundary and tags."""
        iam = connection.clients().iam
        if not policies.equivalent(state.get("assumeRolePolicy"), planned["assumeRolePolicy"]):
            with doing(f"updating IAM Role ({resource_id}) assume role policy", "IAM"):
                iam.update_assume_role_policy(
                    RoleName=resource_id, PolicyDocument=policies.normalised(planned["assumeRolePolicy"])
                )
        described = (planned.get("description") or "", int(planned["maxSessionDuration"]))
        if (state.get("description") or "", int(state.get("maxSessionDuration") or 0)) != described:
            with doing(f"updating IAM Role ({resource_id})", "IAM"):
                iam.update_role(RoleName=resource_id, Description=described[0], MaxSessionDuration=described[1])
        if (state.get("permissionsBoundary") or "") != (planned.get("permissionsBoundary") or ""):
            with doing(f"setting IAM Role ({resource_id}) permissions boundary", "IAM"):
                if planned.get("permissionsBoundary"):
                    iam.put_role_permissions_boundary(
                        RoleName=resource_id, PermissionsBoundary=planned["permissionsBoundary"]
                    )
                else:
                    iam.delete_role_permissions_boundary(RoleName=resource_id)
        gone, wanted = tags.changes(state, planned)
        with doing(f"updating tags for IAM Role ({resource_id})", "IAM"):
            if gone:
                iam.untag_role(RoleName=resource_id, TagKeys=gone)
            if wanted:
                iam.tag_role(RoleName=resource_id, Tags=tags.listed(wanted))
        return self.read_live(connection, resource_id, planned)

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:
        """Delete the role, and its attachments if the state says so."""
        iam = connection.clients().iam
        if state.get("forceDetachPolicies") is True:
            with doing(f"detaching IAM Role ({resource_id}) policies", "IAM"):
                attached = found(_NONE, iam.list_attached_role_policies, RoleName=resource_id)
                for one in attached["AttachedPolicies"] if attached else []:
                    iam.detach_role_policy(RoleName=resource_id, PolicyArn=one["PolicyArn"])
        with doing(f"deleting IAM Role ({resource_id})", "IAM"):
            found(_NONE, iam.delete_role, RoleName=resource_id)


class RolePolicyAttachment(AwsResource):
    """A managed policy on a role; its id is `role/policy-arn`."""

    token: ClassVar[str] = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"  # noqa: S105 - a type token, no credential
    regional: ClassVar[bool] = False
    table: ClassVar[Table] = {
        "policyArn": string(required=True, force_new=True, valid=arn),
        "role": string(required=True, force_new=True),
    }

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Attach."""
        role, policy = str(planned["role"]), str(planned["policyArn"])
        with doing(f"attaching IAM Policy ({policy}) to IAM Role ({role})", "IAM"):
            patiently(_PASSING, connection.clients().iam.attach_role_policy, RoleName=role, PolicyArn=policy)
        return f"{role}/{policy}", {"role": role, "policyArn": policy}

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Return whether it is attached."""
        role, policy = str(state["role"]), str(state["policyArn"])
        with doing(f"reading IAM Role Policy Attachment ({role}:{policy})", "IAM"):
            answer = found(_NONE, connection.clients().iam.list_attached_role_policies, RoleName=role)
        attached = answer["AttachedPolicies"] if answer else []
        if not any(one.get("PolicyArn") == policy for one in attached):
            return None
        return {"role": role, "policyArn": policy}

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Detach."""
        role, policy = str(state["role"]), str(state["policyArn"])
        with doing(f"detaching IAM Policy ({policy}) from IAM Role ({role})", "IAM"):
            found(_NONE, connection.clients().iam.detach_role_policy, RoleName=role, PolicyArn=policy)

    def import_live(self, connection: Account, resource_id: str) -> tuple[str, Bag] | None:  # noqa: ARG002 - a hook
        """Split the id."""
        role, slash, policy = resource_id.partition("/")
        if not (role and slash and policy):
            raise ProviderError(f'unexpected format for Import ID ("{resource_id}"), expected <role-name>/<policy_arn>')
        return resource_id, {"role": role, "policyArn": policy}
