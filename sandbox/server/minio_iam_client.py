"""A client of the MinIO IAM store in a running server, for the stand-in of the MinIO provider.

The rule: a method has the name of its command. It returns the decoded body, or `{}` for an empty one, and raises
MinioIamError with the server's code otherwise. Left out: S3.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from model.loaded_cas import loaded_once
from sandbox.server.minio_iam_commands import PREFIX

_OK = range(200, 300)


class MinioIamError(Exception):
    """A refusal by the server. The message holds no secret, because the server never repeats one."""

    def __init__(self, code: str, message: str, status: int) -> None:
        """Keep the values from the server."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class MinioIamClient:
    """Signs with the administrator's key; threads may share it."""

    def __init__(
        self, endpoint: str, access_key: str, secret_key: str, ca_bundle: str | None, region: str = "us-west-2"
    ) -> None:
        """Without a CA bundle the client uses the system's."""
        self._endpoint = endpoint.rstrip("/")
        self._credentials = Credentials(access_key, secret_key)
        self._region = region
        self._session = loaded_once(URLLib3Session(verify=ca_bundle or True, timeout=30))  # type: ignore[arg-type]  # a path is taken too

    def __repr__(self) -> str:
        """Without the secret."""
        return f"MinioIamClient({self._endpoint!r}, {self._credentials.access_key!r})"

    def call(self, command: str, **fields: object) -> dict[str, Any]:
        """Run one command, with the server's names of its fields."""
        body = json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
        request = AWSRequest(
            "POST",
            f"{self._endpoint}{PREFIX}{command}",
            headers={"Content-Type": "application/json"},
            data=body,
        )
        S3SigV4Auth(self._credentials, "s3", self._region).add_auth(request)
        response = self._session.send(request.prepare())
        answer = json.loads(response.content) if response.content else {}
        if response.status_code not in _OK:
            raise MinioIamError(answer.get("Code", "Unknown"), answer.get("Message", ""), response.status_code)
        decoded: dict[str, Any] = answer
        return decoded

    def add_user(self, access_key: str, secret_key: str, status: str = "enabled") -> dict[str, Any]:
        """Create a user; an existing one gets this secret."""
        return self.call("add-user", accessKey=access_key, secretKey=secret_key, status=status)

    def remove_user(self, access_key: str) -> dict[str, Any]:
        """Remove a user and its service accounts."""
        return self.call("remove-user", accessKey=access_key)

    def user_info(self, access_key: str) -> dict[str, Any]:
        """Status and policies of a user."""
        return self.call("user-info", accessKey=access_key)

    def set_user_status(self, access_key: str, status: str) -> dict[str, Any]:
        """Set the status to `enabled` or `disabled`."""
        return self.call("set-user-status", accessKey=access_key, status=status)

    def list_users(self) -> dict[str, Any]:
        """Every user by name."""
        return self.call("list-users")

    def add_canned_policy(self, name: str, policy: object) -> dict[str, Any]:
        """Create or replace a policy: a document, or its JSON text."""
        return self.call("add-canned-policy", name=name, policy=policy)

    def remove_canned_policy(self, name: str) -> dict[str, Any]:
        """Remove a policy that is not attached."""
        return self.call("remove-canned-policy", name=name)

    def info_canned_policy(self, name: str) -> dict[str, Any]:
        """The document of a policy."""
        return self.call("info-canned-policy", name=name)

    def list_canned_policies(self) -> dict[str, Any]:
        """Every policy document by name."""
        return self.call("list-canned-policies")

    def attach_policy(self, user: str, policies: list[str]) -> dict[str, Any]:
        """Attach policies to a user."""
        return self.call("attach-policy", user=user, policies=policies)

    def detach_policy(self, user: str, policies: list[str]) -> dict[str, Any]:
        """Detach policies from a user."""
        return self.call("detach-policy", user=user, policies=policies)

    def set_user_or_group_policy(self, user: str, policy_name: str) -> dict[str, Any]:
        """Replace all of a user's policies by these, separated by commas; an empty name removes all."""
        return self.call("set-user-or-group-policy", userOrGroup=user, isGroup="false", policyName=policy_name)

    def policy_entities(self, users: list[str]) -> dict[str, Any]:
        """The policies of these users."""
        return self.call("policy-entities", user=users)

    def add_service_account(
        self,
        target_user: str,
        *,
        policy: object = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> dict[str, Any]:
        """Create a service account; the response holds `credentials`."""
        return self.call(
            "add-service-account",
            targetUser=target_user,
            policy=policy,
            accessKey=access_key,
            secretKey=secret_key,
            name=name,
            description=description,
        )

    def info_service_account(self, access_key: str) -> dict[str, Any]:
        """Owner, status and policy (as JSON text) of a service account."""
        return self.call("info-service-account", accessKey=access_key)

    def update_service_account(
        self,
        access_key: str,
        *,
        new_policy: object = None,
        new_secret_key: str | None = None,
        new_status: str | None = None,
        new_name: str | None = None,
        new_description: str | None = None,
    ) -> dict[str, Any]:
        """Change a service account. Send its policy again, or it inherits its user's."""
        return self.call(
            "update-service-account",
            accessKey=access_key,
            newPolicy=new_policy,
            newSecretKey=new_secret_key,
            newStatus=new_status,
            newName=new_name,
            newDescription=new_description,
        )

    def delete_service_account(self, access_key: str) -> dict[str, Any]:
        """Remove a service account."""
        return self.call("delete-service-account", accessKey=access_key)

    def list_service_accounts(self, user: str) -> dict[str, Any]:
        """The service accounts of a user, under `accounts`."""
        return self.call("list-service-accounts", user=user)
