"""The embedded AWS refuses what IAM refuses because of its default quotas, in IAM's words."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.server.iam_quotas import QUOTAS, sized, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.serving import Aws


def document(characters: int, *, spaces: str = "") -> str:
    """A policy with exactly this number of characters that are not white space."""
    one = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}]}
    text = json.dumps({**one, "Id": ""}, separators=(",", ":"))
    return json.dumps({**one, "Id": "x" * (characters - len(text))}, separators=(",", ":")).replace(",", f",{spaces}")


def message(call: Callable[..., Any], **arguments: str) -> tuple[str, str]:
    """Code and message of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def new_name() -> str:
    """A name that no other test uses."""
    return f"quota-{uuid.uuid4().hex[:8]}"


def test_policy_has_a_size(aws: Aws) -> None:
    """6144 characters fit, white space does not count, and one more is refused, also in a new version."""
    iam, too_large = aws.client(service="iam"), ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    arn = iam.create_policy(PolicyName=new_name(), PolicyDocument=document(6144, spaces="  "))["Policy"]["Arn"]

    assert message(iam.create_policy, PolicyName=new_name(), PolicyDocument=document(6145)) == too_large
    assert message(iam.create_policy_version, PolicyArn=arn, PolicyDocument=document(6145)) == too_large


def test_user_and_role_have_ten_policies(aws: Aws) -> None:
    """The eleventh managed policy is refused; attaching one of the ten again is not."""
    iam, name = aws.client(service="iam"), new_name()
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_user(UserName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)
    arns = [
        iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=document(200))["Policy"]["Arn"]
        for number in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)

    iam.attach_user_policy(UserName=name, PolicyArn=arns[0])
    assert message(iam.attach_user_policy, UserName=name, PolicyArn=arns[10]) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerUser: 10",
    )
    assert message(iam.attach_role_policy, RoleName=name, PolicyArn=arns[10]) == (
        "LimitExceeded",
        "Cannot exceed quota for PoliciesPerRole: 10",
    )


def test_trust_policy_has_a_size(aws: Aws) -> None:
    """IAM takes 2048 characters of a role's trust policy, at creation and afterwards."""
    iam, name = aws.client(service="iam"), new_name()
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    small = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    large = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Sid": "x" * 2048}]})
    refusal = ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")

    assert message(iam.create_role, RoleName=name, AssumeRolePolicyDocument=large) == refusal
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=small)
    assert message(iam.update_assume_role_policy, RoleName=name, PolicyDocument=large) == refusal


def test_names_have_a_length(aws: Aws) -> None:
    """IAM takes 64 characters for a user, and 128 for a policy."""
    iam, long = aws.client(service="iam"), "a" * 129

    code, told = message(iam.create_user, UserName=long[:65])
    assert (code, told.rpartition(" ")[2]) == ("ValidationError", "64")
    code, told = message(iam.create_policy, PolicyName=long, PolicyDocument=document(200))
    assert (code, told.rpartition(" ")[2]) == ("ValidationError", "128")


@pytest.mark.parametrize("quota", ["PoliciesPerAccount", "UsersPerAccount", "RolesPerAccount"])
def test_account_has_quotas(quota: str) -> None:
    """The quota itself is legal, one more is not."""
    within(quota, QUOTAS[quota])
    sized("PolicySize", "x " * 6144)

    with pytest.raises(Exception, match=f"Cannot exceed quota for {quota}"):
        within(quota, QUOTAS[quota] + 1)
