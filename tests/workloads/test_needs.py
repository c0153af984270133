"""What a workload needs is what the taxonomy grants its identity, and nothing more."""

import pytest

from model.problems import InvalidInputError
from model.taxonomy import READ_DOMAINS
from model.taxonomy_file import load
from workloads.context import WORKS, Work, expires_after_days
from workloads.needs import NEEDS


@pytest.mark.parametrize("workload", NEEDS)
def test_needs_are_the_grants(workload: str) -> None:
    """The identity exists, and has these grants, and no others but those of other workloads that have its key."""
    need = NEEDS[workload]
    identity = load().identities[need.identity]

    assert need.access.items() <= identity.grants.items()
    assert not identity.overwrites
    if need.identity != "worker":  # the producers of the system bus share it
        assert dict(identity.grants) == dict(need.access)


def test_what_is_read_is_readable_at_once() -> None:
    """Each workload reads its archive back, so the taxonomy keeps those domains out of the archive classes."""
    assert {domain for need in NEEDS.values() for domain in need.access} <= READ_DOMAINS


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_domain_that_the_taxonomy_lacks_is_named(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taxonomy of which the workload's domain was taken out: the error has its key."""
    taxonomy = load()
    domains = {name: domain for name, domain in taxonomy.domains.items() if name != work.domain}
    monkeypatch.setattr("workloads.context.load_taxonomy", lambda: taxonomy.model_copy(update={"domains": domains}))

    with pytest.raises(InvalidInputError, match=f"domains.{work.domain}: is missing, and {work.name} is stored there"):
        expires_after_days(work)
