"""model.policy_limits: documents that a server would refuse in the middle of an update."""

from pathlib import Path

import pytest

from model.plan import StorePlan, build_plan
from model.policy_limits import check_policies
from model.problems import InvalidInputError
from model.taxonomy_file import extended, load

ROOT = Path(__file__).parents[2]
WHERE = "Pulumi.aws.yaml: object-store:"
GITHUB = "https://token.actions.githubusercontent.com"
ACCOUNT = "123456789012"


def plan(domains: int = 0, identities: dict[str, object] | None = None) -> StorePlan:
    """The shipped plan with more domains and identities."""
    more = {f"domain-{number:03}": {"band": "hot"} for number in range(domains)}
    taxonomy = extended(load(), domains=more, identities=identities or {}, where=WHERE)
    return build_plan(taxonomy, env="prod", region_code="usw2", tls_only=True, where=WHERE)


def trusting(subjects: int) -> StorePlan:
    """A plan with a role for some callers."""
    listed = [f"repo:joelhooks/joelclaw:ref:refs/heads/branch-{number:02}" for number in range(subjects)]
    return plan(identities={"reader": {"trust": {"oidc": {"issuer": GITHUB, "subject": listed}}}})


def test_policy_of_aistor_has_a_size() -> None:
    """MinIO refuses a body of more than 20 KiB; AWS gets the same grants in several policies."""
    check_policies(plan(100), "aistor", ACCOUNT)
    large = plan(200, {"writer": {"grants": {"*": "write"}}})

    with pytest.raises(InvalidInputError, match=r"identities\.writer: its grants need a policy of \d+ bytes") as caught:
        check_policies(large, "aistor", ACCOUNT)

    assert "at most 20480 bytes" in str(caught.value)
    assert "identities.verifier" in str(caught.value)
    assert "write: (fewer domains in the stack)" in str(caught.value)
    check_policies(large, "aws", ACCOUNT)


@pytest.mark.parametrize(("fitting", "writers"), [(133, False), (105, True)])
def test_page_of_limits_says_how_many_domains_fit(fitting: int, writers: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The figures of docs/limits.md: one domain more is refused."""
    identities: dict[str, object] = {"writer": {"grants": {"*": "write"}}} if writers else {}
    added = fitting - len(plan().buckets)

    check_policies(plan(added, identities), "aistor", ACCOUNT)
    with pytest.raises(InvalidInputError):
        check_policies(plan(added + 1, identities), "aistor", ACCOUNT)
    assert str(fitting) in (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")


def test_identity_on_aws_has_at_most_ten_policies() -> None:
    """The default quota of IAM."""
    with pytest.raises(InvalidInputError, match=r"its grants need \d+ managed policies\n  legal: at most 10"):
        check_policies(plan(700), "aws", ACCOUNT)


def test_two_policies_on_aws_have_two_names() -> None:
    """A second policy of `reader` and the policy of `reader-2` cannot both be; AIStor splits no policy."""
    twins = plan(100, {"reader-2": {"grants": {"media-raw": "read"}}})

    with pytest.raises(InvalidInputError, match="reader would both have the name joelclaw-prod-reader-2"):
        check_policies(twins, "aws", ACCOUNT)
    check_policies(twins, "aistor", ACCOUNT)
    check_policies(plan(0, {"reader-2": {"grants": {"media-raw": "read"}}}), "aws", ACCOUNT)


def test_trust_policy_has_a_size() -> None:
    """IAM's default quota is 2048 characters, which some 30 subjects exceed."""
    check_policies(trusting(20), "aws", ACCOUNT)

    with pytest.raises(InvalidInputError, match=r"reader\.trust\.oidc\.subject: its 40 subjects need a trust policy"):
        check_policies(trusting(40), "aws", ACCOUNT)
