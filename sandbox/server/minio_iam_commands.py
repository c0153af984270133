"""The commands of the MinIO IAM store over HTTP: names and fields of MinIO's admin API, bodies in clear JSON.

The rule: in `POST /sandbox/minio-iam/<command>`, the fields of one JSON object are the query parameters and body of the
real call. The real API (`minio_admin_api`) encrypts its bodies with the caller's secret. This one is for the stand-in
plugin and relies on TLS and the signature, which the gate checks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.server.answers import Answer, ApiError, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server.minio_iam import MinioIam

PREFIX = "/sandbox/minio-iam/"
#: The admin API version that the plugin speaks. A server of another version refuses these commands like the plugin's.
OF_VERSION = "v3"


class _Fields:
    """The fields of a command's body; the refusal names a missing one."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def text(self, name: str, default: str | None = None) -> str:
        value = self._raw.get(name, default)
        if not isinstance(value, str):
            raise _bad(f"field {name!r} must be a string")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise _bad(f"field {name!r} must be a list of strings")
        return value

    def any(self, name: str) -> object:
        return self._raw.get(name)


@dataclass(frozen=True, slots=True)
class Command:
    """The action of a command, the permission that it needs, and the status of its success."""

    action: str
    run: Callable[[MinioIam, _Fields, str], object]
    status: int = 200


def _add_service_account(iam: MinioIam, fields: _Fields, caller: str) -> object:
    return iam.add_service_account(
        fields.text("targetUser", "") or caller,
        policy=fields.any("policy"),
        access_key=fields.text("accessKey", ""),
        secret_key=fields.text("secretKey", ""),
        name=fields.text("name", ""),
        description=fields.text("description", ""),
        expiration=fields.text("expiration", ""),
    )


def _update_service_account(iam: MinioIam, fields: _Fields, _: str) -> None:
    iam.update_service_account(
        fields.text("accessKey"),
        new_policy=fields.any("newPolicy"),
        new_secret_key=fields.text("newSecretKey", ""),
        new_status=fields.text("newStatus", ""),
        new_name=fields.text("newName", ""),
        new_description=fields.text("newDescription", ""),
        new_expiration=fields.text("newExpiration", ""),
    )


def _limits(fields: _Fields) -> dict[str, object]:
    return {
        name: fields.any(name) for name in ("size", "rate", "requests", "quotatype") if fields.any(name) is not None
    }


COMMANDS: dict[str, Command] = {
    "add-user": Command(
        "admin:CreateUser",
        lambda iam, fields, _: iam.add_user(
            fields.text("accessKey"), fields.text("secretKey"), fields.text("status", "enabled")
        ),
    ),
    "remove-user": Command("admin:DeleteUser", lambda iam, fields, _: iam.remove_user(fields.text("accessKey"))),
    "user-info": Command("admin:GetUser", lambda iam, fields, _: iam.user_info(fields.text("accessKey"))),
    "set-user-status": Command(
        "admin:EnableUser",
        lambda iam, fields, _: iam.set_user_status(fields.text("accessKey"), fields.text("status")),
    ),
    "list-users": Command("admin:ListUsers", lambda iam, _fields, _: iam.list_users()),
    "add-canned-policy": Command(
        "admin:CreatePolicy",
        lambda iam, fields, _: iam.add_canned_policy(fields.text("name"), fields.any("policy")),
    ),
    "remove-canned-policy": Command(
        "admin:DeletePolicy", lambda iam, fields, _: iam.remove_canned_policy(fields.text("name"))
    ),
    "info-canned-policy": Command(
        "admin:GetPolicy", lambda iam, fields, _: iam.info_canned_policy(fields.text("name"))
    ),
    "list-canned-policies": Command("admin:ListUserPolicies", lambda iam, _fields, _: iam.list_canned_policies()),
    "attach-policy": Command(
        "admin:AttachUserOrGroupPolicy",
        lambda iam, fields, _: iam.attach_policy(
            fields.text("user", ""), fields.texts("policies"), fields.text("group", "")
        ),
    ),
    "detach-policy": Command(
        "admin:AttachUserOrGroupPolicy",
        lambda iam, fields, _: iam.detach_policy(
            fields.text("user", ""), fields.texts("policies"), fields.text("group", "")
        ),
    ),
    "set-user-or-group-policy": Command(
        "admin:AttachUserOrGroupPolicy",
        lambda iam, fields, _: iam.set_user_or_group_policy(fields.text("userOrGroup"), fields.text("policyName")),
    ),
    "policy-entities": Command(
        "admin:ListUserPolicies", lambda iam, fields, _: iam.policy_entities(fields.texts("user"))
    ),
    "update-group-members": Command(
        "admin:AddUserToGroup",
        lambda iam, fields, _: iam.update_group_members(
            fields.text("group"), fields.texts("members"), remove=fields.any("isRemove") is True
        ),
    ),
    "groups": Command("admin:ListGroups", lambda iam, _fields, _: iam.list_groups()),
    "group": Command("admin:GetGroup", lambda iam, fields, _: iam.group(fields.text("group"))),
    "set-group-status": Command(
        "admin:EnableGroup",
        lambda iam, fields, _: iam.set_group_status(fields.text("group"), fields.text("status")),
    ),
    "set-bucket-quota": Command(
        "admin:SetBucketQuota",
        lambda iam, fields, _: iam.set_bucket_quota(fields.text("bucket"), _limits(fields)),
    ),
    "get-bucket-quota": Command("admin:GetBucketQuota", lambda iam, fields, _: iam.bucket_quota(fields.text("bucket"))),
    "list-access-keys-bulk": Command("admin:ListServiceAccounts", lambda iam, _fields, _: iam.list_access_keys()),
    "add-service-account": Command("admin:CreateServiceAccount", _add_service_account),
    "info-service-account": Command(
        "admin:ListServiceAccounts",
        lambda iam, fields, _: iam.info_service_account(fields.text("accessKey")),
    ),
    "update-service-account": Command("admin:UpdateServiceAccount", _update_service_account, 204),
    "delete-service-account": Command(
        "admin:RemoveServiceAccount",
        lambda iam, fields, _: iam.delete_service_account(fields.text("accessKey")),
        204,
    ),
    "list-service-accounts": Command(
        "admin:ListServiceAccounts",
        lambda iam, fields, caller: iam.list_service_accounts(fields.text("user", "") or caller),
    ),
}


def refusal(command: Command) -> ApiError:
    """The refusal for a caller without permission.

    If a caller may not delete another user's service account, the server answers that the account does not exist, to
    prevent guessing (MinIO: cmd/admin-handlers-users.go, DeleteServiceAccount).
    """
    if command is COMMANDS["delete-service-account"]:
        return ApiError("XMinioInvalidIAMCredentials", "The specified service account is not found", 404)
    return ApiError("AccessDenied", "Access Denied.", 403)


def _bad(detail: str) -> ApiError:
    return ApiError("XMinioAdminConfigBadJSON", f"JSON configuration provided is of incorrect format ({detail})", 400)


def find(path: str) -> Command:
    """The command in a path."""
    command = COMMANDS.get(path.removeprefix(PREFIX))
    if command is None:
        raise ApiError("XMinioAdminInvalidRequest", f"no such command; legal: {', '.join(COMMANDS)}", 404)
    return command


def run(command: Command, iam: MinioIam, body: bytes, caller: str) -> Answer:
    """Run a command and answer as the real server does."""
    try:
        raw = json.loads(body or b"{}")
    except ValueError as error:
        raise _bad(str(error)) from None
    if not isinstance(raw, dict):
        raise _bad("an object is wanted")
    return json_answer(command.status, command.run(iam, _Fields(raw), caller))
