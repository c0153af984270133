"""What a workload needs is what the taxonomy grants its identity, and nothing more."""

import pytest

from model.taxonomy_file import load
from workloads.needs import NEEDS


@pytest.mark.parametrize("workload", NEEDS)
def test_needs_are_the_grants(workload: str) -> None:
    """The identity exists, and its grants are just these."""
    need = NEEDS[workload]
    identity = load().identities[need.identity]

    assert dict(identity.grants) == dict(need.access)
    assert not identity.overwrites
