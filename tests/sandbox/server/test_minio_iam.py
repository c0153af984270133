"""The store of MinIO's IAM answers like the recorded real server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.server import minio_iam_commands
from sandbox.server.answers import ApiError
from sandbox.server.minio_iam import MinioIam

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "minio-admin-calls.jsonl").read_text().splitlines()]
#: Refused before the store runs; the tests of the gate cover these.
OF_THE_GATE = ("wrong admin password", "unsigned info")
PLACEHOLDERS = ("<time>", "<access-key>", "<secret>")
ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}],
}


def command_of(call: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The command and its fields, from a recorded call."""
    command = call["path"].removeprefix("/minio/admin/{version}/")
    command = {
        "idp/builtin/policy/attach": "attach-policy",
        "idp/builtin/policy/detach": "detach-policy",
        "idp/builtin/policy-entities": "policy-entities",
    }.get(command, command)
    fields = dict(call["query"]) | call.get("request_encrypted", {})
    if "request_plain" in call:
        fields["policy"] = call["request_plain"]
    return command, fields


def comparable(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The value without differences from run to run: the order of actions, and JSON within JSON."""
    if isinstance(value, dict):
        return {key: comparable(one) for key, one in value.items()}
    if isinstance(value, list):
        listed = [comparable(one) for one in value]
        return sorted(listed) if all(isinstance(one, str) for one in listed) else listed
    if isinstance(value, str) and value.startswith("{"):
        return comparable(json.loads(value))
    return value


def assert_same(wanted: Any, found: Any) -> None:  # noqa: ANN401 - any JSON
    """Whether two values are equal, except placeholders."""
    if isinstance(wanted, dict):
        assert sorted(wanted) == sorted(found)
        for key in wanted:
            assert_same(wanted[key], found[key])
    elif isinstance(wanted, list):
        assert len(wanted) == len(found)
        for one, other in zip(wanted, found, strict=True):
            assert_same(one, other)
    elif wanted in PLACEHOLDERS:
        assert isinstance(found, str)
    else:
        assert wanted == found


def test_recorded_calls_are_answered_the_same() -> None:
    """Every recorded call gets the recorded status, body, code and message, in the recorded order."""
    iam = MinioIam("root-user")
    replayed = 0
    for call in RECORDED:
        if call["call"].startswith(OF_THE_GATE):
            continue
        name, fields = command_of(call)
        try:
            command = minio_iam_commands.find(minio_iam_commands.PREFIX + name)
            answer = minio_iam_commands.run(command, iam, json.dumps(fields).encode(), "root-user")
        except ApiError as error:
            wanted = call.get("error", {})

            assert (call["call"], call["status"]) == (call["call"], error.status)
            assert (call["call"], wanted.get("Code"), wanted.get("Message")) == (
                call["call"],
                error.code,
                error.message,
            )
        else:
            wanted = call.get("response_encrypted", call.get("response_plain"))
            found = json.loads(answer.body) if answer.body else None
            if name == "list-canned-policies":  # the record holds two of them
                assert found is not None
                found = {key: found[key] for key in wanted}

            assert (call["call"], call["status"]) == (call["call"], answer.status)
            assert_same(comparable(wanted), comparable(found))
        replayed += 1

    assert replayed == 45


def test_vendor_policies_exist() -> None:
    """A new server has the vendor's own policies, and they can be attached."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")

    assert sorted(iam.list_canned_policies()) == ["consoleAdmin", "diagnostics", "readonly", "readwrite", "writeonly"]
    assert iam.attach_policy("somebody", ["consoleAdmin"])["policiesAttached"] == ["consoleAdmin"]


def test_service_account_updated_without_its_policy_inherits() -> None:
    """An update with only a status removes a service account's own policy."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")
    iam.attach_policy("somebody", ["readwrite"])
    iam.add_service_account("somebody", policy=ALLOW_ALL, access_key="SERVICE", secret_key="service-secret")
    assert len(iam.credential("SERVICE").layers) == 2  # type: ignore[union-attr]  # it exists

    iam.update_service_account("SERVICE", new_status="on")

    assert iam.info_service_account("SERVICE")["impliedPolicy"] is True
    assert len(iam.credential("SERVICE").layers) == 1  # type: ignore[union-attr]  # it exists


def test_removed_user_takes_its_service_accounts_along() -> None:
    """A service account of a removed user is unknown."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")
    iam.add_service_account("somebody", access_key="SERVICE", secret_key="service-secret")

    iam.remove_user("somebody")

    assert iam.credential("SERVICE") is None


def _switched_off() -> MinioIam:
    """A store with a user who has a policy and a service account, and is switched off."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")
    iam.attach_policy("somebody", ["readwrite"])
    iam.add_service_account("somebody", policy=ALLOW_ALL, access_key="SERVICE", secret_key="service-secret")
    iam.set_user_status("somebody", "disabled")
    return iam


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda iam: iam.set_user_or_group_policy("somebody", ""), "(Specified user does not exist)"),
        (lambda iam: iam.attach_policy("somebody", ["readonly"]), "(Specified user does not exist)"),
        (lambda iam: iam.detach_policy("somebody", ["readwrite"]), "(Specified user does not exist)"),
        (lambda iam: iam.add_service_account("somebody"), "Specified target user somebody does not exist"),
    ],
    ids=["set", "attach", "detach", "add-service-account"],
)
def test_a_user_switched_off_is_no_user(call: Callable[[MinioIam], object], message: str) -> None:
    """Policies of a user who is switched off cannot change, and the user gets no service account.

    Source: MinIO, cmd/iam.go, CheckKey; one of them is recorded (pulumi-minio-gone-calls.jsonl, call 233).
    """
    iam = _switched_off()
    with pytest.raises(ApiError, match=re.escape(message)) as refused:
        call(iam)

    assert (refused.value.code, refused.value.status) == ("XMinioAdminNoSuchUser", 404)
    assert iam.user_info("somebody")["policyName"] == "readwrite"


def test_a_service_account_may_nothing_while_its_user_is_switched_off() -> None:
    """The key is known and on, but its user has no policies then (MinIO, cmd/iam-store.go, policyDBGet)."""
    iam = _switched_off()

    assert iam.info_service_account("SERVICE")["accountStatus"] == "on"
    assert iam.credential("SERVICE").layers == ((), (iam.info_canned_policy("readwrite"),))  # type: ignore[union-attr]  # it exists

    iam.set_user_status("somebody", "enabled")

    assert iam.credential("SERVICE").layers[0]  # type: ignore[union-attr]  # it exists


def test_a_user_switched_off_can_be_read_and_removed() -> None:
    """Reading, listing, removing and switching on work, and service accounts of the user can be read and removed."""
    iam = _switched_off()
    iam.delete_service_account("SERVICE")

    assert iam.user_info("somebody")["status"] == "disabled"
    assert sorted(iam.list_users()) == ["somebody"]

    iam.remove_user("somebody")

    assert iam.list_users() == {}


def test_detaching_a_policy_that_does_not_exist_changes_nothing() -> None:
    """A policy that is not attached has nothing to detach, whether it exists or not (MinIO, PolicyDBUpdate)."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")
    for policy in ("readonly", "no-such-policy"):
        with pytest.raises(ApiError, match="no net effect"):
            iam.detach_policy("somebody", [policy])


@pytest.mark.parametrize("status", ["on", "off", "", "Enabled"])
def test_a_users_status_is_enabled_or_disabled(status: str) -> None:
    """Any other word is refused, even for an unknown user (MinIO, cmd/iam-store.go, SetUserStatus)."""
    with pytest.raises(ApiError, match="Invalid arguments specified") as refused:
        MinioIam("root-user").set_user_status("somebody", status)

    assert (refused.value.code, refused.value.status) == ("XMinioAdminInvalidArgument", 400)


@pytest.mark.parametrize(
    "call",
    [
        lambda iam: iam.user_info("SERVICE"),
        lambda iam: iam.set_user_status("SERVICE", "disabled"),
        lambda iam: iam.remove_user("SERVICE"),
    ],
    ids=["info", "status", "remove"],
)
def test_a_service_account_is_no_user(call: Callable[[MinioIam], object]) -> None:
    """A user's commands on a service account are refused (MinIO: errIAMActionNotAllowed)."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")
    iam.add_service_account("somebody", access_key="SERVICE", secret_key="service-secret")
    with pytest.raises(ApiError, match="Specified IAM action is not allowed") as refused:
        call(iam)

    assert (refused.value.code, refused.value.status) == ("XMinioIAMActionNotAllowed", 403)


def test_a_list_without_service_accounts_is_null() -> None:
    """Go's encoding/json writes an empty list that was never made as null (MinIO, ListServiceAccounts)."""
    assert MinioIam("root-user").list_service_accounts("nobody") == {"accounts": None}


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("{not json", "invalid character"),
        ({"Version": "2012-10-17", "Statement": [], "Extra": 1}, 'unknown field "Extra"'),
        (
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*"}]},
            "Resource must not be empty",
        ),
        (
            {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}]},
            "invalid Effect Maybe",
        ),
        (
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListObjects", "Resource": "*"}]},
            "unsupported action 's3:ListObjects'",
        ),
        (
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "s3:*",
                        "Resource": "*",
                        "Condition": {"StringSame": {"s3:prefix": "b"}},
                    }
                ],
            },
            "StringSame",
        ),
        (
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Deny",
                        "Action": "s3:PutObject",
                        "Resource": "arn:aws:s3:::b/*",
                        "Condition": {"Null": {"s3:if-none-match": "true"}},
                    }
                ],
            },
            "invalid condition key 's3:if-none-match'",
        ),
    ],
)
def test_malformed_policy_is_refused(policy: object, message: str) -> None:
    """An invalid policy gives 400 XMinioMalformedIAMPolicy with the reason."""
    with pytest.raises(ApiError, match="XMinioMalformedIAMPolicy") as caught:
        MinioIam("root-user").add_canned_policy("bad", policy)

    assert caught.value.status == 400
    assert message in caught.value.message


def policy_of(size: int) -> str:
    """A policy whose text, in MinIO's own form, has this size in bytes."""
    statement = {"Effect": "Deny", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    condition = {"Bool": {"aws:SecureTransport": ["false"]}}

    def text(sid: str) -> str:
        document = {"Version": "2012-10-17", "Statement": [{"Sid": sid, **statement, "Condition": condition}]}
        return json.dumps(document, separators=(",", ":"))

    return text("x" * (size - len(text(""))))


def test_policy_has_a_size() -> None:
    """MinIO takes 20 KiB as a policy's body, and answers one byte more with 400 EntityTooLarge."""
    iam = MinioIam("root-user")
    iam.add_canned_policy("large", policy_of(20480))

    with pytest.raises(ApiError) as caught:
        iam.add_canned_policy("larger", policy_of(20481))

    assert (caught.value.status, caught.value.code) == (400, "EntityTooLarge")
    assert "larger" not in iam.list_canned_policies()


def test_policy_of_a_service_account_has_a_size_in_the_form_of_the_server() -> None:
    """4096 bytes fit; MinIO measures what it writes itself, where a condition's single value is a list."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")
    iam.add_service_account("somebody", policy=policy_of(4096), access_key="SERVICE", secret_key="service-secret")
    shorter = policy_of(4098).replace('["false"]', '"false"')
    assert len(shorter) == 4096

    for larger in (policy_of(4097), shorter):
        with pytest.raises(ApiError, match="XMinioIAMServiceAccountSessionPolicyTooLarge"):
            iam.add_service_account("somebody", policy=larger, access_key="OTHER", secret_key="service-secret")
        with pytest.raises(ApiError, match="XMinioIAMServiceAccountSessionPolicyTooLarge"):
            iam.update_service_account("SERVICE", new_policy=larger)
    assert iam.credential("OTHER") is None


def test_names_with_reserved_signs_are_refused() -> None:
    """A user's name contains neither `=` nor `,`, and a policy's no `,`."""
    iam = MinioIam("root-user")

    for name in ("some=body", "some,body"):
        with pytest.raises(ApiError, match="reserved characters"):
            iam.add_user(name, "secret-of-somebody")
    with pytest.raises(ApiError, match="comma"):
        iam.add_canned_policy("a,b", ALLOW_ALL)


def test_secrets_do_not_show() -> None:
    """A refusal never repeats a sent secret."""
    iam = MinioIam("root-user")
    iam.add_user("somebody", "secret-of-somebody")
    with pytest.raises(ApiError) as caught:
        iam.add_service_account("somebody", access_key="SERVICE", secret_key="s" * 41)

    assert "sssss" not in str(caught.value)
