"""The client speaks to the store over TLS, and reports the server's answers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from sandbox.server.minio_iam_client import MinioIamClient, MinioIamError

if TYPE_CHECKING:
    from tests.sandbox.serving import Aistor


def test_commands_go_there_and_back(aistor: Aistor) -> None:
    """A user, its policy and a service account can be created, read and removed."""
    iam, name = aistor.iam, f"user-{uuid.uuid4().hex[:8]}"
    iam.add_user(name, "secret-of-the-user")
    iam.set_user_or_group_policy(name, "readonly,writeonly")
    key = iam.add_service_account(name, name="generation-2")["credentials"]["accessKey"]

    assert iam.user_info(name)["policyName"] == "readonly,writeonly"
    assert iam.policy_entities([name])["userMappings"][0]["policies"] == ["readonly", "writeonly"]
    assert iam.info_service_account(key)["name"] == "generation-2"
    assert [one["accessKey"] for one in iam.list_service_accounts(name)["accounts"]] == [key]
    assert iam.update_service_account(key, new_status="off") == {}
    assert iam.delete_service_account(key) == {}
    iam.detach_policy(name, ["readonly"])
    iam.set_user_status(name, "disabled")
    assert iam.list_users()[name]["status"] == "disabled"
    iam.remove_user(name)


def test_refusals_carry_code_message_and_status(aistor: Aistor) -> None:
    """The error has the server's code, message and status."""
    with pytest.raises(MinioIamError) as caught:
        aistor.iam.user_info("nobody-at-all")

    assert (caught.value.code, caught.value.status) == ("XMinioAdminNoSuchUser", 404)
    assert caught.value.message == "The specified user does not exist. (Specified user does not exist)"


def test_wrong_password_and_lesser_users_are_refused(aistor: Aistor) -> None:
    """Only an administrator has access; consoleAdmin makes a user an administrator."""
    server, name = aistor.server, f"user-{uuid.uuid4().hex[:8]}"
    wrong = MinioIamClient(server.endpoint, server.admin.user, "not-the-password", server.ca_bundle)
    aistor.iam.add_user(name, "secret-of-the-user")
    lesser = MinioIamClient(server.endpoint, name, "secret-of-the-user", server.ca_bundle)
    for client, code in ((wrong, "SignatureDoesNotMatch"), (lesser, "AccessDenied")):
        with pytest.raises(MinioIamError) as caught:
            client.list_users()
        assert (caught.value.code, caught.value.status) == (code, 403)
    aistor.iam.attach_policy(name, ["consoleAdmin"])

    assert name in lesser.list_users()
    assert "secret" not in repr(lesser)


def test_unknown_command_and_bad_body(aistor: Aistor) -> None:
    """An unknown command gives 404 with the legal ones; the refusal names a field of the wrong kind."""
    with pytest.raises(MinioIamError, match="add-user") as unknown:
        aistor.iam.call("make-coffee")
    with pytest.raises(MinioIamError, match="accessKey") as bad:
        aistor.iam.call("user-info", accessKey=["x"])

    assert (unknown.value.status, bad.value.status) == (404, 400)
