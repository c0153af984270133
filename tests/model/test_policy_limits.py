"""model.policy_limits: what a server would refuse in the middle of an update."""

import re
from bisect import bisect_left
from functools import cache

import pytest

from model import policy_limits
from model.plan import StorePlan, build_plan
from model.policies import Cloud
from model.policy_limits import check_policies
from model.problems import InvalidInputError
from model.taxonomy_file import extended, load

WHERE = "Pulumi.aws.yaml: object-store:"
GITHUB = "https://token.actions.githubusercontent.com"
ACCOUNT = "123456789012"
WRITER: dict[str, object] = {"writer": {"grants": {"*": "write"}}}
SHIPPED = len(load().domains)


def plan(domains: int = 0, identities: dict[str, object] | None = None) -> StorePlan:
    """The shipped plan with more domains and identities."""
    more = {f"domain-{number:03}": {"band": "hot"} for number in range(domains)}
    taxonomy = extended(load(), domains=more, identities=identities or {}, where=WHERE)
    return build_plan(taxonomy, env="prod", region_code="usw2", tls_only=True, where=WHERE)


def trusting(subjects: int) -> StorePlan:
    """A plan with a role for some callers."""
    listed = [f"repo:joelhooks/joelclaw:ref:refs/heads/branch-{number:02}" for number in range(subjects)]
    return plan(identities={"reader": {"trust": {"oidc": {"issuer": GITHUB, "subject": listed}}}})


def fitting(identities: dict[str, object], cloud: Cloud, most: int) -> int:
    """How many domains a cloud accepts, found by trying; at most `most`."""

    def refused(count: int) -> bool:
        try:
            check_policies(plan(count - SHIPPED, identities), cloud, ACCOUNT)
        except InvalidInputError:
            return True
        return False

    return bisect_left(range(SHIPPED, most + 1), 1, key=refused) + SHIPPED - 1


@cache
def most_on_aws() -> int:
    """How many domains fit on AWS with a writer of all of them."""
    return fitting(WRITER, "aws", 700)


def test_aistor_takes_any_number_of_domains() -> None:
    """An identity has as many policies as it needs there."""
    check_policies(plan(2000, WRITER), "aistor", ACCOUNT)


@pytest.mark.no_cover
def test_identity_on_aws_has_at_most_ten_policies() -> None:
    """The default quota of IAM; the message says how many domains fit, and that many do fit."""
    with pytest.raises(InvalidInputError) as caught:
        check_policies(plan(700 - SHIPPED, WRITER), "aws", ACCOUNT)

    told = re.findall(
        r"identities\.(\w+): its 700 domains need (\d+) managed policies\n  legal: at most 10 per user or role .* and "
        r"so at most (\d+) domains",
        str(caught.value),
    )
    assert [name for name, _, _ in told] == ["reader", "verifier", "writer"]
    assert "two identities with fewer domains each" in str(caught.value)
    assert "write: (fewer domains in the stack)" in str(caught.value)
    assert most_on_aws() == min(int(count) for _, _, count in told)


@pytest.mark.no_cover
def test_three_hundred_domains_fit_on_aws() -> None:
    """With names as long as those of the shipped domains, on each identity."""
    assert most_on_aws() >= 300


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_two_policies_have_two_names(cloud: Cloud) -> None:
    """A second policy of `reader` and the policy of `reader-2` cannot both be."""
    second: dict[str, object] = {"reader-2": {"grants": {"media-raw": "read"}}}

    with pytest.raises(InvalidInputError, match="reader would both have the name joelclaw-prod-usw2-reader-2"):
        check_policies(plan(300, second), cloud, ACCOUNT)
    check_policies(plan(0, second), cloud, ACCOUNT)


@pytest.mark.parametrize(
    ("quota", "most", "said"),
    [
        ("BUCKETS", 9, "domains: the stack needs 10 buckets\n  legal: at most 9 in an account"),
        ("USERS", 6, "identities: the stack needs 7 users"),
        ("ROLES", 0, "identities: the stack needs 1 roles"),
        ("MANAGED_POLICIES", 7, "identities: the stack needs 8 managed policies"),
    ],
)
def test_account_has_quotas(monkeypatch: pytest.MonkeyPatch, quota: str, most: int, said: str) -> None:
    """Below, in miniature, the default quotas of an AWS account; AIStor has none of them."""
    identities: dict[str, object] = {
        "reader": {"trust": {"oidc": {"issuer": GITHUB, "subject": ["repo:a/b:ref:refs/heads/main"]}}},
        "other": {"grants": {"media-raw": "read"}},
        "third": {"grants": {"media-raw": "read"}},
    }
    small = plan(1, identities)
    assert (len(small.buckets), len(small.identities)) == (10, 8)
    check_policies(small, "aws", ACCOUNT)

    monkeypatch.setattr(policy_limits, quota, most)

    with pytest.raises(InvalidInputError) as caught:
        check_policies(small, "aws", ACCOUNT)
    assert said in str(caught.value)
    check_policies(small, "aistor", ACCOUNT)


def test_trust_policy_has_a_size() -> None:
    """IAM's default quota is 2048 characters, which some 30 subjects exceed."""
    check_policies(trusting(20), "aws", ACCOUNT)

    with pytest.raises(InvalidInputError, match=r"reader\.trust\.oidc\.subject: its 40 subjects need a trust policy"):
        check_policies(trusting(40), "aws", ACCOUNT)
