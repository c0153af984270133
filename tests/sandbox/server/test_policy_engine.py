"""Policies have the meaning of AWS's documentation of policy evaluation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.server.policy_engine import Access, PolicyError, Verdict, evaluate, parse, parse_text

OBJECT = "arn:aws:s3:::bucket/folder/key"


def verdict(statement: dict[str, Any], access: Access, *names: str) -> Verdict:
    """The verdict of one statement."""
    return evaluate([parse({"Version": "2012-10-17", "Statement": [statement]})], access, frozenset(names))


def allowing(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a statement
    """A statement that allows reading everything."""
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **more}


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", "arn:aws:s3:::bucket/*", Verdict.ALLOWED),
        ("S3:getobject", "arn:aws:s3:::bucket/*", Verdict.ALLOWED),
        ("s3:Get*", "arn:aws:s3:::bucket/folder/???", Verdict.ALLOWED),
        ("s3:GetObject", "arn:aws:s3:::bucket", Verdict.SILENT),
        ("s3:GetObject", "arn:aws:s3:::bucket/Folder/*", Verdict.SILENT),
        ("s3:PutObject", "arn:aws:s3:::bucket/*", Verdict.SILENT),
        ("s3:GetObject", "arn:aws:s3:::bucket/[f]older/key", Verdict.SILENT),
    ],
)
def test_patterns(action: str, resource: str, expected: Verdict) -> None:
    """Actions ignore case, resources do not, and only * and ? are wild."""
    assert verdict(allowing(Action=action, Resource=resource), Access("s3:GetObject", OBJECT)) is expected


def test_deny_wins_whatever_the_order() -> None:
    """One Deny that matches outweighs every Allow."""
    allow, deny = parse({"Statement": allowing()}), parse({"Statement": allowing(Effect="Deny")})

    assert evaluate([allow, deny], Access("s3:GetObject", OBJECT)) is Verdict.DENIED
    assert evaluate([deny, allow], Access("s3:GetObject", OBJECT)) is Verdict.DENIED


@given(allows=st.integers(0, 3), position=st.integers(0, 3))
def test_deny_cannot_be_outvoted(allows: int, position: int) -> None:
    """One Deny refuses the access, for any number of Allows and in any position."""
    policies = [parse({"Statement": allowing()})] * allows
    policies.insert(min(position, allows), parse({"Statement": allowing(Effect="Deny")}))

    assert evaluate(policies, Access("s3:GetObject", OBJECT)) is Verdict.DENIED


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": ("true",)}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": ("false",)}, True),
        ({"StringLike": {"s3:prefix": ["a/*", "b/*"]}}, {"s3:prefix": ("b/c",)}, True),
        ({"StringLike": {"s3:prefix": "a/*"}}, {}, False),
        ({"StringLikeIfExists": {"s3:prefix": "a/*"}}, {}, True),
        ({"StringEquals": {"s3:prefix": ""}}, {"s3:prefix": ("",)}, True),
        ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": ("b",)}, False),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"Null": {"s3:prefix": "false"}}, {}, False),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3:max-keys": ("9",)}, True),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3:max-keys": ("many",)}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, {"aws:currenttime": ("2027-01-01",)}, True),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {"aws:sourceip": ("127.0.0.1",)}, True),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {"aws:sourceip": ("127.0.0.1",)}, False),
        ({"StringEquals": {"made:Up": "x"}}, {}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:tagkeys": ("a", "b")}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:tagkeys": ("a", "b")}, True),
        ({"StringLike": {"s3:prefix": "${aws:username}/*"}}, {"s3:prefix": ("me/x",), "aws:username": ("me",)}, True),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, tuple[str, ...]], *, holds: bool) -> None:
    """A condition holds exactly when its operator accepts the values of the access."""
    expected = Verdict.ALLOWED if holds else Verdict.SILENT

    assert verdict(allowing(Condition=condition), Access("s3:GetObject", OBJECT, context)) is expected


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("*", Verdict.ALLOWED),
        ({"AWS": "*"}, Verdict.ALLOWED),
        ({"AWS": ["arn:aws:iam::1:user/other", "arn:aws:iam::1:user/me"]}, Verdict.ALLOWED),
        ({"AWS": "arn:aws:iam::1:user/other"}, Verdict.SILENT),
    ],
)
def test_principals(principal: object, expected: Verdict) -> None:
    """A statement of a bucket applies only to its principals."""
    statement = allowing(Principal=principal)

    assert verdict(statement, Access("s3:GetObject", OBJECT), "arn:aws:iam::1:user/me") is expected


def test_not_action_and_not_resource() -> None:
    """NotAction and NotResource match everything else."""
    statement = {"Effect": "Deny", "NotAction": "s3:Get*", "NotResource": "arn:aws:s3:::bucket/*"}

    assert verdict(statement, Access("s3:PutObject", "arn:aws:s3:::other/key")) is Verdict.DENIED
    assert verdict(statement, Access("s3:PutObject", OBJECT)) is Verdict.SILENT
    assert verdict(statement, Access("s3:GetObject", "arn:aws:s3:::other/key")) is Verdict.SILENT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be a JSON object"),
        ("{", "not JSON"),
        ('{"Statement": []}', "at least one"),
        ('{"Version": "2020-01-01", "Statement": [{}]}', "Version"),
        ('{"Statement": [{"Effect": "Allow"}]}', "exactly one of Action and NotAction"),
        ('{"Statement": [{"Effect": "allow", "Action": "s3:*"}]}', "legal: Allow, Deny"),
        (
            '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Condition": {"StringSame": {}}}]}',
            "StringSame",
        ),
    ],
)
def test_malformed_document_says_what_is_wrong(text: str, message: str) -> None:
    """A document that is not a policy is refused with the place and the legal values."""
    with pytest.raises(PolicyError, match=message):
        parse_text(text)


@pytest.mark.parametrize(
    ("statement", "access", "on_aws", "on_minio"),
    [
        ({"Action": "S3:getobject"}, Access("s3:GetObject", OBJECT), True, False),
        ({"Action": "s3:GetObjectVersion"}, Access("s3:GetObject", OBJECT), False, True),
        ({"Action": "*", "Resource": "arn:aws:s3:::other/*"}, Access("s3:GetObject", OBJECT), False, True),
        ({"Action": "admin:CreateUser"}, Access("admin:CreateUser", "arn:aws:s3:::/"), False, True),
        ({"Resource": "arn:aws:s3:::bucket"}, Access("s3:GetObject", "arn:aws:s3:::bucket/"), False, True),
        ({"Condition": {"NumericNotEquals": {"s3:max-keys": "1"}}}, Access("s3:GetObject", OBJECT), True, False),
        (
            {"Condition": {"ForAllValues:StringNotEquals": {"s3:prefix": "a"}}},
            Access("s3:GetObject", OBJECT),
            *(True, False),
        ),
        (
            {"Condition": {"ForAnyValue:StringNotEquals": {"s3:prefix": "a"}}},
            Access("s3:GetObject", OBJECT),
            False,
            True,
        ),
        (
            {"Condition": {"ForAnyValue:StringNotEquals": {"s3:prefix": "a"}}},
            Access("s3:GetObject", OBJECT, {"s3:prefix": ("a", "b")}),
            *(True, False),
        ),
    ],
)
def test_minio_reads_a_document_in_its_own_way(
    statement: dict[str, Any], access: Access, *, on_aws: bool, on_minio: bool
) -> None:
    """MinIO's policy package gave each of these answers (v3.1.3); AWS's documentation says the other."""
    document = {
        "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"} | statement
    }
    answers = [evaluate([parse(document, minio=minio)], access) is Verdict.ALLOWED for minio in (False, True)]

    assert answers == [on_aws, on_minio]
