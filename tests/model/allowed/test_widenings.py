"""Every widening of the planned documents is found and shown by the server; a harmless rewrite raises nothing."""

from random import Random

import pytest

from model.allowed import example, more_allowed, sentence
from model.allowed.statements import Cloud
from tests.model.allowed import servers
from tests.model.allowed.plans import CLOUDS
from tests.model.allowed.widenings import KINDS, rewritten, widened
from tests.sizes import sized


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_widening_is_found(cloud: Cloud) -> None:
    """The request that is printed is one that the server allows, and would refuse by the plan."""
    for seed in range(sized(2 * len(KINDS), 500)):
        rng = Random(seed)  # noqa: S311 - the same changes each time
        live, planned, proof = widened(rng, cloud, KINDS[seed % len(KINDS)])

        found = more_allowed(live, planned)

        assert found is not None, f"seed {seed}: the server allows {proof}"
        assert not found.unknown, f"seed {seed}: {found}"
        assert servers.shown(live, found), f"seed {seed}: {found}"
        assert not servers.shown(planned, found), f"seed {seed}: {found}"
        assert sentence(found)
        assert example(found)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_harmless_rewrite_raises_nothing(cloud: Cloud) -> None:
    """Order, list or string, split statements and documents, and what is allowed and denied again."""
    for seed in range(sized(10, 200)):
        rng = Random(seed)  # noqa: S311 - the same changes each time
        live, planned = rewritten(rng, cloud)

        assert more_allowed(live, planned) is None, f"seed {seed}"
