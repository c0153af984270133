"""The IAM resource types: users, managed policies, their attachment, access keys.

The one rule: a refusal keeps IAM's own code and words (DeleteConflict, EntityAlreadyExists, …). The plugin forces only
what the program asks it to force. Left out: groups, login profiles, MFA devices, PGP-encrypted keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sandbox.standin.aws import policies, tags
from sandbox.standin.aws.connection import AwsClients, doing, found, patiently
from sandbox.standin.aws.resource_type import AwsResource
from sandbox.standin.aws.validation import arn, length, matching, one_of
from sandbox.standin.properties import Table, boolean, integer, string, string_map
from sandbox.standin.resource import ProviderError

if TYPE_CHECKING:
    from sandbox.standin.aws.account import Account
    from sandbox.standin.values import Bag

_NONE: Final = frozenset({"NoSuchEntity"})
_PASSING: Final = frozenset({"ConcurrentModification"})
_MOST_VERSIONS: Final = 5


class User(AwsResource):
    """An IAM user."""

    token: ClassVar[str] = "aws:iam/user:User"  # noqa: S105 - a type token, no credential
    regional: ClassVar[bool] = False
    tagged: ClassVar[bool] = True
    table: ClassVar[Table] = {
        "arn": string(computed=True),
        "forceDestroy": boolean(optional=True, default=False),
        "name": string(
            optional=True,
            autonamed=True,
            valid=matching(
                r"[0-9A-Za-z=,.@\-_+]+",
                "must only contain alphanumeric characters, hyphens, underscores, commas, periods, @ symbols, plus "
                "and equals signs",
            ),
        ),
        "path": string(optional=True, default="/"),
        "permissionsBoundary": string(optional=True, valid=length(0, 2048)),
        "tags": string_map(optional=True),
        "tagsAll": string_map(optional=True),
        "uniqueId": string(computed=True),
    }

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Create the user."""
        name = str(planned["name"])
        boundary: dict[str, str] = {}
        if planned.get("permissionsBoundary"):
            boundary = {"PermissionsBoundary": planned["permissionsBoundary"]}
        with doing(f"creating IAM User ({name})", "IAM"):
            connection.clients().iam.create_user(
                UserName=name, Path=planned["path"], Tags=tags.listed(planned.get("tagsAll")), **boundary
            )
        values = self.read_live(connection, name, planned)
        return None if values is None else (name, values)

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:
        """Read the user."""
        with doing(f"reading IAM User ({resource_id})", "IAM"):
            answer = found(_NONE, connection.clients().iam.get_user, UserName=resource_id)
        if answer is None:
            return None
        user = answer["User"]
        return {
            "arn": user["Arn"],
            "name": user["UserName"],
            "path": user["Path"],
            "permissionsBoundary": user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "uniqueId": user["UserId"],
            **tags.read_back(user.get("Tags", []), connection.default_tags, state.get("tags")),
        }

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Rename, move, bound or tag the user; none of these replaces the user."""
        iam = connection.clients().iam
        name = str(planned["name"])
        if (state.get("name"), state.get("path")) != (name, planned["path"]):
            with doing(f"updating IAM User ({resource_id})", "IAM"):
                iam.update_user(UserName=str(state["name"]), NewUserName=name, NewPath=planned["path"])
        if (state.get("permissionsBoundary") or "") != (planned.get("permissionsBoundary") or ""):
            with doing(f"setting IAM User ({name}) permissions boundary", "IAM"):
                if planned.get("permissionsBoundary"):
                    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=planned["permissionsBoundary"])
                else:
                    iam.delete_user_permissions_boundary(UserName=name)
        gone, wanted = tags.changes(state, planned)
        with doing(f"updating tags for IAM User ({name})", "IAM"):
            if gone:
                iam.untag_user(UserName=name, TagKeys=gone)
            if wanted:
                iam.tag_user(UserName=name, Tags=tags.listed(wanted))
        return self.read_live(connection, name, planned)

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:
        """Delete the user: first remove it from its groups, and delete its keys if the state says so."""
        iam = connection.clients().iam
        name = str(state.get("name") or resource_id)
        with doing(f"removing IAM User ({name}) group memberships", "IAM"):
            groups = found(_NONE, iam.list_groups_for_user, UserName=name)
            for group in groups["Groups"] if groups else []:
                iam.remove_user_from_group(UserName=name, GroupName=group["GroupName"])
        if state.get("forceDestroy") is True:
            with doing(f"removing IAM User ({name}) access keys", "IAM"):
                keys = found(_NONE, iam.list_access_keys, UserName=name)
                for key in keys["AccessKeyMetadata"] if keys else []:
                    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        with doing(f"deleting IAM User ({name})", "IAM"):
            found(_NONE, iam.delete_user, UserName=name)


class Policy(AwsResource):
    """A managed policy; its id is its ARN."""

    token: ClassVar[str] = "aws:iam/policy:Policy"  # noqa: S105 - a type token, no credential
    regional: ClassVar[bool] = False
    tagged: ClassVar[bool] = True
    documents: ClassVar[tuple[str, ...]] = ("policy",)
    table: ClassVar[Table] = {
        "arn": string(computed=True),
        "attachmentCount": integer(computed=True),
        "delayAfterPolicyCreationInMs": integer(optional=True),
        "description": string(optional=True, force_new=True),
        "name": string(
            optional=True,
            computed=True,
            force_new=True,
            autonamed=True,
            conflicts_with="namePrefix",
            valid=matching(r"[\w+=,.@-]{1,128}", r"must match [\w+=,.@-] and have 1 to 128 characters"),
        ),
        "namePrefix": string(optional=True, computed=True, force_new=True, conflicts_with="name"),
        "path": string(optional=True, default="/", force_new=True),
        "policy": string(required=True, valid=policies.why_invalid, equivalent=policies.equivalent),
        "policyId": string(computed=True),
        "tags": string_map(optional=True),
        "tagsAll": string_map(optional=True),
    }

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Create the policy."""
        name = str(planned["name"])
        with doing(f"creating IAM Policy ({name})", "IAM"):
            made = connection.clients().iam.create_policy(
                PolicyName=name,
                Path=planned["path"],
                Description=planned.get("description") or "",
                PolicyDocument=policies.normalised(planned["policy"]),
                Tags=tags.listed(planned.get("tagsAll")),
            )
        resource_id = made["Policy"]["Arn"]
        values = self.read_live(connection, resource_id, planned)
        return None if values is None else (resource_id, values)

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:
        """Read the policy and its default version."""
        iam = connection.clients().iam
        with doing(f"reading IAM Policy ({resource_id})", "IAM"):
            answer = found(_NONE, iam.get_policy, PolicyArn=resource_id)
            if answer is None:
                return None
            policy = answer["Policy"]
            version = iam.get_policy_version(PolicyArn=resource_id, VersionId=policy["DefaultVersionId"])
        document: Any = version["PolicyVersion"]["Document"]
        text = document if isinstance(document, str) else json.dumps(document)
        return {
            "arn": policy["Arn"],
            "attachmentCount": policy.get("AttachmentCount", 0),
            "description": policy.get("Description", ""),
            "name": policy["PolicyName"],
            "namePrefix": "",
            "path": policy["Path"],
            "policy": policies.kept_or_read(state.get("policy"), text),
            "policyId": policy["PolicyId"],
            **tags.read_back(policy.get("Tags", []), connection.default_tags, state.get("tags")),
        }

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Create a new default version for a changed document, delete the oldest version, and update the tags."""
        iam = connection.clients().iam
        if state.get("policy") != planned["policy"]:
            self._make_room(connection.clients(), resource_id)
            with doing(f"updating IAM Policy ({resource_id})", "IAM"):
                iam.create_policy_version(
                    PolicyArn=resource_id, PolicyDocument=policies.normalised(planned["policy"]), SetAsDefault=True
                )
        gone, wanted = tags.changes(state, planned)
        with doing(f"updating tags for IAM Policy ({resource_id})", "IAM"):
            if gone:
                iam.untag_policy(PolicyArn=resource_id, TagKeys=gone)
            if wanted:
                iam.tag_policy(PolicyArn=resource_id, Tags=tags.listed(wanted))
        return self.read_live(connection, resource_id, planned)

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Delete the policy and its other versions."""
        iam = connection.clients().iam
        with doing(f"reading IAM Policy ({resource_id}) versions", "IAM"):
            versions = found(_NONE, iam.list_policy_versions, PolicyArn=resource_id)
        if versions is None:
            return
        for version in versions["Versions"]:
            if not version["IsDefaultVersion"]:
                with doing(f"deleting IAM Policy ({resource_id}) version ({version['VersionId']})", "IAM"):
                    iam.delete_policy_version(PolicyArn=resource_id, VersionId=version["VersionId"])
        with doing(f"deleting IAM Policy ({resource_id})", "IAM"):
            found(_NONE, iam.delete_policy, PolicyArn=resource_id)

    def _make_room(self, clients: AwsClients, resource_id: str) -> None:
        with doing(f"reading IAM Policy ({resource_id}) versions", "IAM"):
            answer = found(_NONE, clients.iam.list_policy_versions, PolicyArn=resource_id)
        if answer is None:  # the provider's error says nothing of the policy here (policyPruneVersions)
            raise ProviderError("couldn't find resource")
        versions = answer["Versions"]
        others = [version for version in versions if not version["IsDefaultVersion"]]
        if len(versions) >= _MOST_VERSIONS and others:
            oldest = min(others, key=lambda version: int(version["VersionId"].removeprefix("v")))
            with doing(f"deleting IAM Policy ({resource_id}) version ({oldest['VersionId']})", "IAM"):
                clients.iam.delete_policy_version(PolicyArn=resource_id, VersionId=oldest["VersionId"])


class UserPolicyAttachment(AwsResource):
    """A managed policy on a user; its id is `user/policy-arn`."""

    token: ClassVar[str] = "aws:iam/userPolicyAttachment:UserPolicyAttachment"  # noqa: S105 - a type token, no credential
    regional: ClassVar[bool] = False
    table: ClassVar[Table] = {
        "policyArn": string(required=True, force_new=True, valid=arn),
        "user": string(required=True, force_new=True),
    }

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Attach."""
        user, policy = str(planned["user"]), str(planned["policyArn"])
        with doing(f"attaching IAM Policy ({policy}) to IAM User ({user})", "IAM"):
            patiently(_PASSING, connection.clients().iam.attach_user_policy, UserName=user, PolicyArn=policy)
        return f"{user}/{policy}", {"user": user, "policyArn": policy}

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Return whether it is attached."""
        user, policy = str(state["user"]), str(state["policyArn"])
        iam = connection.clients().iam
        with doing(f"reading IAM User Policy Attachment ({user}:{policy})", "IAM"):
            answer = found(_NONE, iam.list_attached_user_policies, UserName=user)
        attached = answer["AttachedPolicies"] if answer else []
        if not any(one.get("PolicyArn") == policy for one in attached):
            return None
        return {"user": user, "policyArn": policy}

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:  # noqa: ARG002 - a hook
        """Detach."""
        user, policy = str(state["user"]), str(state["policyArn"])
        with doing(f"detaching IAM Policy ({policy}) from IAM User ({user})", "IAM"):
            found(_NONE, connection.clients().iam.detach_user_policy, UserName=user, PolicyArn=policy)

    def import_live(self, connection: Account, resource_id: str) -> tuple[str, Bag] | None:  # noqa: ARG002 - a hook
        """Split the id."""
        user, slash, policy = resource_id.partition("/")
        if not (user and slash and policy):
            raise ProviderError(f'unexpected format for Import ID ("{resource_id}"), expected <user-name>/<policy_arn>')
        return resource_id, {"user": user, "policyArn": policy}


class AccessKey(AwsResource):
    """An access key of a user; its id is the key, and IAM returns its secret only once."""

    token: ClassVar[str] = "aws:iam/accessKey:AccessKey"  # noqa: S105 - a type token, no credential
    regional: ClassVar[bool] = False
    table: ClassVar[Table] = {
        "createDate": string(computed=True),
        "encryptedSecret": string(computed=True),
        "encryptedSesSmtpPasswordV4": string(computed=True),
        "keyFingerprint": string(computed=True),
        "pgpKey": string(optional=True, force_new=True, valid=lambda _value, path: f"{path}: {_NO_PGP}"),
        "secret": string(computed=True, secret=True),
        "sesSmtpPasswordV4": string(computed=True, secret=True),
        "status": string(optional=True, default="Active", valid=one_of("Active", "Inactive")),
        "user": string(required=True, force_new=True),
    }

    def create_live(self, connection: Account, planned: Bag) -> tuple[str, Bag] | None:
        """Create a key; IAM refuses a third key of a user."""
        user = str(planned["user"])
        iam = connection.clients().iam
        with doing(f"creating IAM Access Key ({user})", "IAM"):
            key = iam.create_access_key(UserName=user)["AccessKey"]
        key_id = key["AccessKeyId"]
        if planned["status"] == "Inactive":
            with doing(f"deactivating IAM Access Key ({key_id})", "IAM"):
                iam.update_access_key(UserName=user, AccessKeyId=key_id, Status="Inactive")
        created = key.get("CreateDate")
        return key_id, {
            "createDate": created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if created else None,
            "secret": key["SecretAccessKey"],
            "sesSmtpPasswordV4": _smtp_password(key["SecretAccessKey"], connection.region),
            "status": planned["status"],
            "user": user,
        }

    def read_live(self, connection: Account, resource_id: str, state: Bag) -> Bag | None:
        """Read everything except the secret, which stays as in the state."""
        user = str(state["user"])
        with doing(f"reading IAM Access Key ({resource_id})", "IAM"):
            answer = found(_NONE, connection.clients().iam.list_access_keys, UserName=user)
        for key in answer["AccessKeyMetadata"] if answer else []:
            if key.get("AccessKeyId") == resource_id:
                created = key.get("CreateDate")
                return {
                    "createDate": created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if created else "",
                    "status": key.get("Status"),
                    "user": user,
                }
        return None

    def update_live(self, connection: Account, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Enable or disable the key."""
        if state.get("status") != planned["status"]:
            with doing(f"updating IAM Access Key ({resource_id})", "IAM"):
                connection.clients().iam.update_access_key(
                    UserName=str(planned["user"]), AccessKeyId=resource_id, Status=planned["status"]
                )
        return self.read_live(connection, resource_id, planned)

    def delete_live(self, connection: Account, resource_id: str, state: Bag) -> None:
        """Delete the key."""
        with doing(f"deleting IAM Access Key ({resource_id})", "IAM"):
            found(
                _NONE, connection.clients().iam.delete_access_key, UserName=str(state["user"]), AccessKeyId=resource_id
            )

    def import_live(self, connection: Account, resource_id: str) -> tuple[str, Bag] | None:
        """Read the owner of the key; its secret cannot be read again."""
        with doing(f'fetching IAM Access Key ({resource_id}) "user" via GetAccessKeyLastUsed', "IAM"):
            answer = connection.clients().iam.get_access_key_last_used(AccessKeyId=resource_id)
        return resource_id, {"user": answer["UserName"]}


_NO_PGP: Final = "the stand-in encrypts nothing; leave pgpKey out, the secret is a Pulumi secret"


def _smtp_password(secret: str, region: str) -> str:
    """Return the secret as an SMTP password, by AWS's published conversion."""
    # https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html#smtp-credentials-convert
    signature = f"AWS4{secret}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.new(signature, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(b"\x04" + signature).decode()
