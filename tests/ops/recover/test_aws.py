"""ops.recover.aws: what IAM says of identities."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from model.resources import TYPES, About
from ops.recover.aws import check_account, live_identities
from ops.recover.lost import CannotTellError, Held, Live, held_in
from tests.ops.recover.states import ACCOUNT, NAMES, exported, one_of

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

DOCUMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}'
TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": '
    '{"Service": "ec2.amazonaws.com"}}]}'
)


@pytest.fixture(name="iam")
def _iam(monkeypatch: pytest.MonkeyPatch) -> Iterator["IAMClient"]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("iam", region_name="us-east-1")


@pytest.fixture(name="held")
def _held(iam: "IAMClient") -> list[Held]:
    """The identities of a state that IAM has, and a role."""
    state = exported("aws")
    for name in NAMES:
        iam.create_user(UserName=f"u-{name}")
        arn = iam.create_policy(PolicyName=f"u-{name}", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
        assert arn == one_of(state, About.POLICY, name).id
        iam.attach_user_policy(UserName=f"u-{name}", PolicyArn=arn)
        key = iam.create_access_key(UserName=f"u-{name}")["AccessKey"]["AccessKeyId"]
        state["deployment"]["resources"][one_of(state, About.KEY, name).place]["id"] = key
    iam.create_role(RoleName="u-job", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="u-job", PolicyArn=arn)
    for what, own_id in ((About.ROLE, "u-job"), (About.ROLE_ATTACHMENT, "u-job/x")):
        state["deployment"]["resources"].append(
            {
                "urn": f"urn::{what}::job-role",
                "id": own_id,
                "type": TYPES["aws"][what],
                "inputs": {"role": "u-job", "policyArn": arn},
            }
        )
    return held_in(state)


def changed(iam: "IAMClient", held: list[Held]) -> dict[tuple[About, str], Live]:
    """What IAM says is not there, by what it is and of whom."""
    found = live_identities(iam, held)
    return {(one.what, one.of): live for one, live in found.items() if live is not Live.THERE}


def the(held: list[Held], what: About, of: str) -> Held:
    """One of them."""
    return next(one for one in held if (one.what, one.of) == (what, of))


def lose_user(iam: "IAMClient", held: list[Held]) -> None:
    """Delete a user as IAM wants it: key and attachment first."""
    iam.delete_access_key(UserName="u-worker", AccessKeyId=the(held, About.KEY, "u-worker").id)
    iam.detach_user_policy(UserName="u-worker", PolicyArn=the(held, About.ATTACHMENT, "u-worker").policy)
    iam.delete_user(UserName="u-worker")


def test_what_is_there_is_there(iam: "IAMClient", held: list[Held]) -> None:
    """Nothing of a whole account is gone."""
    assert changed(iam, held) == {}


def test_missing_user_has_no_attachment_and_no_key(iam: "IAMClient", held: list[Held]) -> None:
    """A user is gone with its attachment and key; its policy stays."""
    lose_user(iam, held)

    assert changed(iam, held) == {(what, "u-worker"): Live.GONE for what in (About.USER, About.ATTACHMENT, About.KEY)}


def test_each_single_loss_is_seen(iam: "IAMClient", held: list[Held]) -> None:
    """A policy with its attachment, a key, and a role's attachment."""
    policy = the(held, About.ATTACHMENT, "u-worker").policy
    iam.detach_user_policy(UserName="u-worker", PolicyArn=policy)
    iam.delete_policy(PolicyArn=policy)
    iam.delete_access_key(UserName="u-reader", AccessKeyId=the(held, About.KEY, "u-reader").id)
    iam.detach_role_policy(RoleName="u-job", PolicyArn=the(held, About.ROLE_ATTACHMENT, "u-job").policy)

    assert changed(iam, held) == {
        (About.POLICY, policy): Live.GONE,
        (About.ATTACHMENT, "u-worker"): Live.GONE,
        (About.KEY, "u-reader"): Live.GONE,
        (About.ROLE_ATTACHMENT, "u-job"): Live.GONE,
    }


def test_missing_role_is_gone(iam: "IAMClient", held: list[Held]) -> None:
    """A role is gone with its attachment."""
    iam.detach_role_policy(RoleName="u-job", PolicyArn=the(held, About.ROLE_ATTACHMENT, "u-job").policy)
    iam.delete_role(RoleName="u-job")

    assert changed(iam, held) == {(what, "u-job"): Live.GONE for what in (About.ROLE, About.ROLE_ATTACHMENT)}


def test_inactive_key_is_off(iam: "IAMClient", held: list[Held]) -> None:
    """A key that was made inactive is off."""
    iam.update_access_key(UserName="u-worker", AccessKeyId=the(held, About.KEY, "u-worker").id, Status="Inactive")

    assert changed(iam, held) == {(About.KEY, "u-worker"): Live.OFF}


def test_refusal_is_never_gone(iam: "IAMClient") -> None:
    """Who may not read a user does not know whether it exists."""
    with Stubber(iam) as stub:
        stub.add_client_error("get_user", "AccessDenied", http_status_code=403)
        with pytest.raises(
            CannotTellError, match="the user of u-worker is there: IAM answered AccessDenied to GetUser"
        ):
            live_identities(iam, [one_of(exported("aws"), About.USER, "worker")])


def test_other_account_is_refused() -> None:
    """In another account everything would seem to be gone."""
    held = held_in(exported("aws"))

    check_account(ACCOUNT, held)
    with pytest.raises(CannotTellError, match=f"of account 999988887777, but the state's policies are of {ACCOUNT}"):
        check_account("999988887777", held)
