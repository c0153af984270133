"""Policies on policy documents."""

import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from pulumi_policy.proxy import UnknownValueError

from model.plan import build_plan
from model.policies import (
    SERVICE_ACCOUNT_POLICY_CHARACTERS,
    Cloud,
    as_json,
    bucket_policy,
    identity_policies,
    service_account_policy,
)
from model.taxonomy_file import extended, load
from tests.policy.conftest import BUCKET, TYPES, UNKNOWN, Thing, bucket, judged

ALLOW = {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::*"]}
WITHIN = [f"arn:aws:s3:::joelclaw-test-usw2-*{end}" for end in ("", "/*")]
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": "s3:*",
    "Resource": [f"arn:aws:s3:::{BUCKET}/*", f"arn:aws:s3:::{BUCKET}"],
    "Condition": {"Bool": {"AWS:SecureTransport": False}},
}


def document(*statements: Mapping[str, Any]) -> str:
    """A policy as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def carrier(cloud: str, kind: str, policy: object) -> Thing:
    """A resource that carries a policy."""
    return Thing(TYPES[cloud][kind], {"policy": policy, "bucket": BUCKET}, kind)


EVERYWHERE = [(cloud, kind) for cloud in TYPES for kind in ("policy", "bucket policy")] + [
    ("aistor", "key"),
    ("own", "key"),
]


@pytest.mark.parametrize(("cloud", "kind"), EVERYWHERE)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"Effect": "Deny", "Action": ["s3:*"], "Principal": "*"}, None),
        ({"Action": "s3:*"}, "statement Read allows actions with a wildcard"),
        ({"Action": ["s3:GetObject", "s3:Put*"]}, "statement Read allows actions with a wildcard"),
        ({"Action": ["s3:GetObjec?"]}, "statement Read allows actions with a wildcard"),
        ({"NotAction": ["s3:DeleteObject"]}, "statement Read allows actions with a wildcard"),
        ({"Principal": "*"}, "statement Read allows every caller (a wildcard principal)"),
        (
            {"Principal": {"AWS": ["arn:aws:iam::1:user/a", "*"]}},
            "statement Read allows every caller (a wildcard principal)",
        ),
        (
            {"NotPrincipal": {"AWS": "arn:aws:iam::1:user/a"}},
            "statement Read allows every caller (a wildcard principal)",
        ),
        ({"Principal": {"AWS": "arn:aws:iam::1:user/a"}}, None),
    ],
)
def test_allowing_statement_has_no_wildcard(cloud: str, kind: str, change: dict[str, Any], problem: str | None) -> None:
    """No Allow statement has a wildcard action or principal, in any resource; Deny statements may."""
    policy = document({**ALLOW, "Sid": "Other"}, {**ALLOW, **change})

    assert judged("wildcard-grants", carrier(cloud, kind, policy)) == ([problem] if problem else [])


def test_single_statement_and_document_as_a_value_are_read() -> None:
    """IAM accepts one statement without a list, and pulumi-aws accepts a value instead of JSON."""
    wide = {**ALLOW, "Action": "s3:*"}

    assert len(judged("wildcard-grants", carrier("aws", "policy", json.dumps({"Statement": wide})))) == 1
    assert len(judged("wildcard-grants", carrier("aws", "policy", {"Statement": [wide]}))) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"Statement": []}', '{"Statement": ["s3:*"]}'])
def test_what_is_no_document_is_refused_and_not_shown(text: str) -> None:
    """An unreadable policy is refused, and its text is not shown."""
    (problem,) = judged("wildcard-grants", carrier("aws", "policy", text))

    assert problem in ("the policy is not JSON", "the policy contains no statements")


def test_unknown_document_is_neither_right_nor_wrong() -> None:
    """An unknown document is judged in the update, when it is known."""
    with pytest.raises(UnknownValueError):
        judged("wildcard-grants", carrier("aws", "bucket policy", UNKNOWN))


@pytest.mark.parametrize("domains", [0, 60, 300])
def test_documents_of_the_program_pass(domains: int) -> None:
    """Every document of the plan passes, including the wide service account policy over MinIO's limit."""
    more: dict[str, object] = {f"domain-{number}": {"band": "hot"} for number in range(domains)}
    taxonomy = extended(load(), domains=more, identities={}, where="x:")
    plan = build_plan(taxonomy, env="local", region_code="usw2", tls_only=True, where="x:")
    wide = 0

    for identity in plan.identities:
        own = service_account_policy(plan, identity)
        wide += own["Statement"][0]["Action"] == ["s3:*"]
        documents = [
            carrier("aistor", "key", as_json(own)),
            *(
                carrier(cloud, "policy", as_json(part))
                for cloud in get_args(Cloud)
                for part in identity_policies(plan, identity, cloud)
            ),
        ]
        assert judged("wildcard-grants", *documents) == []
    assert (wide > 0) is (domains > 0), SERVICE_ACCOUNT_POLICY_CHARACTERS


@pytest.mark.parametrize(
    ("cloud", "kind", "changes"),
    [
        ("aistor", "policy", {}),
        ("aws", "policy", {}),
        ("aistor", "key", {"Resource": ["arn:aws:s3:::joelclaw-*", "arn:aws:s3:::joelclaw-*/*"]}),
        ("own", "key", {"Resource": ["arn:aws:s3:::joelclaw-*", "arn:aws:s3:::joelclaw-*/*"]}),
        ("own", "policy", {}),
        ("aistor", "key", {"Resource": ["arn:aws:s3:::joelclaw-*-usw2-*", "arn:aws:s3:::joelclaw-*-usw2-*/*"]}),
        ("aistor", "key", {"Resource": [*WITHIN, "arn:aws:s3:::other"]}),
        ("aistor", "key", {"Resource": WITHIN[:1]}),
        ("aistor", "key", {"Action": ["s3:*", "admin:*"]}),
        ("aistor", "key", {"Principal": "*"}),
    ],
)
def test_wide_document_is_allowed_to_service_accounts_only(cloud: str, kind: str, changes: dict[str, Any]) -> None:
    """Only s3:* on exactly one environment's buckets is allowed, where the user's policy narrows it."""
    within = {"Sid": "Within", "Effect": "Allow", "Action": ["s3:*"], "Resource": WITHIN}

    assert judged("wildcard-grants", carrier("aistor", "key", document(within))) == []
    assert judged("wildcard-grants", carrier(cloud, kind, document({**within, **changes})))
    assert judged("wildcard-grants", carrier("aistor", "key", document(within, {**ALLOW, "Action": "s3:*"})))


def test_aws_bucket_refuses_plain_http() -> None:
    """The program's own policy passes, and so does another spelling of it."""
    assert judged("tls-only", bucket("aws"), carrier("aws", "bucket policy", as_json(bucket_policy(BUCKET)))) == []
    assert judged("tls-only", bucket("aws"), carrier("aws", "bucket policy", document(ALLOW, TLS_ONLY))) == []
    assert judged("tls-only", bucket("aistor")) == []


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::1:user/a"}},
        {"Action": ["s3:GetObject"]},
        {"Resource": [f"arn:aws:s3:::{BUCKET}/*"]},
        {"Resource": ["arn:aws:s3:::joelclaw-test-usw2-other", "arn:aws:s3:::joelclaw-test-usw2-other/*"]},
        {"Condition": {}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {**TLS_ONLY["Condition"], "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},  # type: ignore[dict-item]  # a mapping
        {"Condition": {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "true"}}},
    ],
)
def test_refusal_that_does_not_cover_all_is_refused(change: dict[str, Any]) -> None:
    """A policy is refused if it misses a caller, an action or an object, or adds a condition."""
    policy = carrier("aws", "bucket policy", document({**TLS_ONLY, **change}))

    (problem,) = judged("tls-only", bucket("aws"), policy)

    assert "aws:SecureTransport" in problem


def test_aws_bucket_has_one_readable_policy() -> None:
    """A missing or unreadable bucket policy is refused."""
    assert judged("tls-only", bucket("aws")) == ["media-raw: the bucket has 0 bucket policies instead of one"]
    assert judged("tls-only", bucket("aws"), carrier("aws", "bucket policy", "{")) == [
        "media-raw: the policy is not JSON"
    ]
