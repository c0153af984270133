"""model.trust: what a trust may contain, and the message for each mistake in one."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from model.plan import StorePlan, build_plan
from model.policies import as_json, trust_policy
from model.problems import InvalidInputError
from model.shared_issuers import too_wide, wild
from model.taxonomy import Taxonomy
from model.taxonomy_file import extended, load
from model.trust import GITHUB_ISSUER, OidcTrust, check_trusts, provider_arn

WHERE = "Pulumi.aws.yaml: object-store:"
MAIN = "repo:joelhooks/joelclaw:ref:refs/heads/main"
CLUSTER = "https://oidc.eks.us-west-2.amazonaws.com/id/ABC123"
ACCOUNT = "123456789012"


def trusting(trust: object, name: str = "reader") -> Taxonomy:
    """The shipped taxonomy, with a trust that a stack adds."""
    return extended(load(), domains={}, identities={name: {"trust": trust}}, where=WHERE)


def planned(trust: object, name: str = "reader") -> StorePlan:
    """The plan with that trust."""
    return build_plan(trusting(trust, name), env="prod", region_code="usw2", tls_only=True, where=WHERE)


@pytest.mark.parametrize("name", ["reader", "verifier"])
def test_a_stack_gives_a_declared_identity_a_trust(name: str) -> None:
    """The grants stay as in the taxonomy, and the audience defaults to AWS's."""
    plan = planned({"oidc": {"issuer": GITHUB_ISSUER, "subject": MAIN}}, name)
    identities = {identity.name: identity for identity in plan.identities}
    before = build_plan(load(), env="prod", region_code="usw2", tls_only=True, where=WHERE)

    assert identities[name].trust == OidcTrust(issuer=GITHUB_ISSUER, audience="sts.amazonaws.com", subject=(MAIN,))
    assert [identity.model_copy(update={"trust": None}) for identity in plan.identities] == list(before.identities)
    assert [other for other, identity in identities.items() if identity.trust] == [name]


def test_a_plan_with_a_trust_is_read_back() -> None:
    """The deployment contains the plan as JSON."""
    plan = planned({"oidc": {"issuer": CLUSTER, "subject": ["system:serviceaccount:joelclaw:worker"]}})

    assert StorePlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"issuer": "http://token.example.com"}, "an https URL"),
        ({"issuer": "https://token.example.com?x=1"}, "an https URL"),
        ({"issuer": "https://token.example.com:8443"}, "an https URL"),
        ({"issuer": "https://user@token.example.com"}, "an https URL"),
        ({"audience": "*"}, "one audience without wildcards"),
        ({"audience": ""}, "one audience without wildcards"),
        ({"subject": "*"}, "accepts repositories of any owner"),
        ({"subject": "**"}, "accepts repositories of any owner"),
        ({"subject": "?*"}, "accepts repositories of any owner"),
        ({"subject": "repo:*"}, "name the owner"),
        ({"subject": "repo:*/joelclaw:ref:refs/heads/main"}, "name the owner"),
        ({"subject": "repo:joel*/joelclaw:ref:refs/heads/main"}, "name the owner"),
        ({"subject": [MAIN, "*"]}, "accepts repositories of any owner"),
        ({"subject": "a b"}, "white space"),
        ({"subject": "${aws:username}"}, "`$`"),
        ({"subject": ""}, "white space"),
        ({"subject": []}, "at least 1 item"),
        ({"issuer": CLUSTER, "subject": "system:serviceaccount:*"}, "name the callers"),
        ({"issuer": CLUSTER, "subject": "system:serviceaccount:*:worker"}, "name the callers"),
        ({"issuer": CLUSTER, "subject": "*"}, "name the callers"),
        ({"issuer": f"{GITHUB_ISSUER}/", "subject": "repo:*/joelclaw:*"}, "without the slash at the end"),
        ({"issuer": f"https://{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 63}.example.com"}, "at most 255 characters"),
        ({"audience": "a" * 256}, "at most 255 characters"),
        ({"issuer": "https://gitlab.com", "subject": "project_path:*:ref_type:branch:ref:main"}, "name the group"),
        ({"issuer": "https://app.terraform.io", "subject": "organization:*:project:p:*"}, "name the organization"),
        ({"issuer": "https://agent.buildkite.com", "subject": "organization:*"}, "name the organization"),
        ({"subject": "environment:production"}, "name the owner"),
        ({"issuer": "https://Token.actions.githubusercontent.com"}, "in lower case"),
    ],
)
def test_what_a_trust_must_not_say(change: dict[str, Any], expected: str) -> None:
    """Each mistake is refused with the place, the legal form, and a trust to paste."""
    with pytest.raises(InvalidInputError) as caught:
        trusting({"oidc": {"issuer": GITHUB_ISSUER, "subject": MAIN, **change}})

    said = str(caught.value)
    assert expected in said
    assert "Pulumi.aws.yaml: object-store:identities.reader.trust.oidc" in said
    assert "trust: {oidc: {issuer:" in said


def test_the_example_of_the_page_is_accepted_in_both_forms_of_github() -> None:
    """A repository has names alone in its subject, or since July 2026 names with ids; a trust may list both."""
    page = (Path(__file__).parents[2] / "docs" / "oidc.md").read_text(encoding="utf-8")
    example = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])["config"]
    plan = planned(example["object-store:identities"]["reader"]["trust"])
    trust = {identity.name: identity for identity in plan.identities}["reader"].trust

    assert trust is not None
    assert trust.subject == (MAIN, "repo:joelhooks@123456/joelclaw@456789:ref:refs/heads/main")


def test_a_subject_that_is_missing_is_named() -> None:
    """Without a subject the role would accept every caller of the issuer."""
    with pytest.raises(InvalidInputError, match=r"trust\.oidc\.subject.*is missing"):
        trusting({"oidc": {"issuer": GITHUB_ISSUER}})


@pytest.mark.parametrize(
    ("trust", "legal"),
    [
        ({"oidc": {"issuer": GITHUB_ISSUER, "subject": MAIN, "subjects": "x"}}, "issuer, audience, subject"),
        ({"saml": {}}, "oidc"),
    ],
)
def test_an_unknown_key_names_the_legal_ones(trust: object, legal: str) -> None:
    """At each level an unknown key is reported with the legal keys."""
    with pytest.raises(InvalidInputError) as caught:
        trusting(trust)

    assert legal in str(caught.value)


def test_nothing_else_of_a_declared_identity_is_a_stacks() -> None:
    """A stack may not change a declared identity's purpose, with or without a trust."""
    legal = "for a declared identity only trust, and grants on domains that this stack adds"
    with pytest.raises(InvalidInputError, match=legal):
        extended(load(), domains={}, identities={"reader": {"trust": {}, "purpose": "x"}}, where=WHERE)


def test_aistor_has_no_roles() -> None:
    """The problem says that AIStor has no roles and that the identity gets a key."""
    with pytest.raises(InvalidInputError, match="AIStor has no roles"):
        check_trusts(["reader"], "aistor", [], WHERE)


@pytest.mark.parametrize("accounts", [[], [ACCOUNT, "210987654321"]])
def test_the_account_must_be_certain(accounts: list[str]) -> None:
    """The provider's ARN contains the account, so exactly one must be configured."""
    with pytest.raises(InvalidInputError, match="exactly one account"):
        check_trusts(["reader"], "aws", accounts, WHERE)


def test_without_a_trust_nothing_is_asked() -> None:
    """A stack without a trust needs no account."""
    check_trusts([], "aws", [], WHERE)
    check_trusts([], "aistor", [], WHERE)
    check_trusts(["reader"], "aws", [ACCOUNT], WHERE)


def test_the_trust_policy_asks_for_audience_and_subject() -> None:
    """The trust policy requires both, by equality if there is no wildcard."""
    trust = OidcTrust(issuer=GITHUB_ISSUER, subject=MAIN)

    (statement,) = trust_policy(trust, provider_arn(trust, ACCOUNT))["Statement"]

    assert statement["Principal"] == {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    }
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": [MAIN],
        }
    }


def test_a_wildcard_is_compared_as_one() -> None:
    """A wildcard uses StringLike, because StringEquals would compare the star literally."""
    trust = OidcTrust(issuer=CLUSTER, subject=("system:serviceaccount:joelclaw:*",))

    (statement,) = trust_policy(trust, provider_arn(trust, ACCOUNT))["Statement"]

    assert statement["Principal"]["Federated"].endswith(":oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/ABC123")
    assert statement["Condition"] == {
        "StringEquals": {"oidc.eks.us-west-2.amazonaws.com/id/ABC123:aud": "sts.amazonaws.com"},
        "StringLike": {"oidc.eks.us-west-2.amazonaws.com/id/ABC123:sub": ["system:serviceaccount:joelclaw:*"]},
    }


_TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(subject=_TEXTS.map(lambda text: f"repo:{text}"))
def test_no_subject_of_github_leaves_the_owner_open(subject: str) -> None:
    """Every accepted wildcard subject names its owner before the first wildcard."""
    if too_wide(GITHUB_ISSUER, subject) or not wild(subject):
        return
    owner, slash, _ = subject.removeprefix("repo:").partition("/")
    assert slash
    assert owner
    assert not wild(owner)


@given(subjects=st.lists(_TEXTS.filter(lambda text: not set(text) & set('$"*?')), min_size=1, max_size=5))
def test_every_trust_policy_has_both_conditions(subjects: list[str]) -> None:
    """For any legal subjects the document is JSON that contains them."""
    trust = OidcTrust(issuer=CLUSTER, subject=tuple(subjects))

    (statement,) = json.loads(as_json(trust_policy(trust, provider_arn(trust, ACCOUNT))))["Statement"]
    asked = {key: value for keys in statement["Condition"].values() for key, value in keys.items()}

    assert asked[f"{trust.provider}:aud"] == "sts.amazonaws.com"
    assert asked[f"{trust.provider}:sub"] == subjects
