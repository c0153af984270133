"""What a workload needs is what the taxonomy grants its identity, and nothing more."""

import pytest

from model.taxonomy import READ_DOMAINS
from model.taxonomy_file import load
from workloads.needs import NEEDS


@pytest.mark.parametrize("workload", NEEDS)
def test_needs_are_the_grants(workload: str) -> None:
    """The identity exists, and its grants are just these."""
    need = NEEDS[workload]
    identity = load().identities[need.identity]

    assert dict(identity.grants) == dict(need.access)
    assert not identity.overwrites


def test_what_is_read_is_readable_at_once() -> None:
    """Each workload reads its archive back, so the taxonomy keeps those domains out of the archive classes."""
    assert {domain for need in NEEDS.values() for domain in need.access} <= READ_DOMAINS
