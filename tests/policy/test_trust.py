"""The policy on roles."""

import json
from typing import Any

import pytest

from model.policies import as_json, trust_policy
from model.trust import GITHUB_ISSUER, OidcTrust, provider_arn
from policy.resources import AWS_ROLE
from tests.policy.conftest import Thing, judged

HOST = GITHUB_ISSUER.removeprefix("https://")
STATEMENT: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{HOST}"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {
        "StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{HOST}:sub": "repo:joelhooks/joelclaw:*"},
    },
}


def role(policy: str, **more: object) -> Thing:
    """A role with a trust policy."""
    return Thing(AWS_ROLE, {"assumeRolePolicy": policy, **more}, "role")


def with_condition(condition: dict[str, Any]) -> dict[str, Any]:
    """The statement with another condition."""
    return {"Condition": condition}


@pytest.mark.parametrize("subject", ["repo:joelhooks/joelclaw:*", "repo:joelhooks/joelclaw:ref:refs/heads/main"])
def test_what_the_program_makes_is_let_through(subject: str) -> None:
    """The program's trust policies pass, with and without a wildcard."""
    trust = OidcTrust(issuer=GITHUB_ISSUER, subject=(subject,))

    assert judged("role-trust", role(as_json(trust_policy(trust, provider_arn(trust, "123456789012"))))) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"Effect": "Deny", "Principal": "*", "Condition": {}}, None),
        ({"Principal": "*"}, "allows principals other than"),
        ({"Principal": {"AWS": "*"}}, "allows principals other than"),
        ({"Principal": {"AWS": "arn:aws:iam::210987654321:root"}}, "allows principals other than"),
        ({"Principal": {"Federated": "*"}}, "allows principals other than"),
        ({"Principal": None}, "allows principals other than"),
        ({"Action": ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"]}, "allows actions other than"),
        (with_condition({}), "does not require an audience"),
        (with_condition({"StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"}}), "does not require a subject"),
        (
            with_condition(
                {
                    "StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"},
                    "StringLike": {f"{HOST}:sub": ["repo:x/y:*", "*"]},
                }
            ),
            "does not name the accepted callers",
        ),
        (
            with_condition({"StringEquals": {f"{HOST}:aud": "a"}, "StringLike": {f"{HOST}:sub": "repo:*"}}),
            "does not name the accepted callers",
        ),
        (
            with_condition({"StringEquals": {f"{HOST}:aud": "a"}, "StringLikeIfExists": {f"{HOST}:sub": "repo:x/y:*"}}),
            "does not require a subject",
        ),
        (
            with_condition({"StringEquals": {f"{HOST}:aud": "a", "other.example.com:sub": "repo:x/y:main"}}),
            "does not require a subject",
        ),
    ],
)
def test_a_trust_that_lets_anybody_in_is_refused(change: dict[str, Any], problem: str | None) -> None:
    """A missing or unspecific subject, or a principal other than the issuer, is refused."""
    found = judged("role-trust", role(json.dumps({"Statement": [{**STATEMENT, **change}]})))

    assert any(problem in one for one in found) if problem else found == []


@pytest.mark.parametrize(
    ("host", "subject"),
    [
        ("gitlab.com", "project_path:*:ref_type:branch:ref:main"),
        ("app.terraform.io", "organization:*:project:p:workspace:w:run_phase:apply"),
        ("agent.buildkite.com", "organization:*:pipeline:deploy:*"),
        ("oidc.circleci.com/org/0a1b2c3d", "org/*"),
        ("api.bitbucket.org/2.0/workspaces/w/pipelines-config/identity/oidc", "{*}:{*}"),
        (f"{HOST}/", "repo:*/joelclaw:*"),
        ("Token.Actions.GithubUserContent.com", "repo:*/joelclaw:*"),
        (HOST, "environment:production"),
    ],
)
def test_a_subject_of_strangers_is_refused(host: str, subject: str) -> None:
    """The pack judges by the provider that IAM finds, in whatever case and with whatever slash it is written."""
    condition = {"StringEquals": {f"{host}:aud": "sts.amazonaws.com"}, "StringLike": {f"{host}:sub": subject}}
    principal = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{host}"}
    found = judged(
        "role-trust", role(json.dumps({"Statement": {**STATEMENT, "Principal": principal, "Condition": condition}}))
    )

    assert found == ["statement 1 has a subject that does not name the accepted callers"]


def test_the_names_of_conditions_have_no_case() -> None:
    """IAM compares them so, and a trust whose two conditions differ in case is as narrow as one whose do not."""
    subject = {f"{HOST.upper()}:SUB": "repo:joelhooks/joelclaw:*"}
    condition = {"StringEquals": {f"{HOST}:AUD": "sts.amazonaws.com"}, "StringLike": subject}

    assert judged("role-trust", role(json.dumps({"Statement": {**STATEMENT, "Condition": condition}}))) == []


def test_inline_policies_of_a_role_are_refused() -> None:
    """Inline policies are refused, because no policy of the pack checks them."""
    found = judged("role-trust", role(json.dumps({"Statement": STATEMENT}), inlinePolicies=[{"name": "x"}]))

    assert found == ["the role has inline policies, which no other policy of this pack checks"]


def test_what_is_no_document_is_refused_without_showing_it() -> None:
    """An unreadable trust policy is refused."""
    assert judged("role-trust", role("planted")) == ["the policy is not JSON"]
