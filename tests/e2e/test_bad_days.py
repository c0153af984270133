"""A few bad days on the real engine; with `make long` all of them."""

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.sizes import IS_LONG
from trials.bad_days.__main__ import rehearsed
from trials.bad_days.damages import COLD, HOT, WARM
from trials.bad_days.days import ALL, DAYS
from trials.bad_days.places import in_sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from model.resources import By

# The day of each kind of stack for a change, and the domains that it takes: every step of a small stack is faster.
# `make bad-days` and `make long` have all days, with all domains.
FEW: "dict[By, tuple[str, tuple[str, ...]]]" = {
    "v3": ("a versioned bucket is deleted", (WARM, HOT)),
    "v4": ("the state is emptied", (COLD,)),
    "aws": ("a role is deleted", (WARM,)),
}


@pytest.mark.e2e
@pytest.mark.parametrize("by", ALL)
def test_days_end_well(engine: None, by: "By", tmp_path: "Path") -> None:
    """The documented lines lead back: an empty preview, a proven store, and the keys that the day did not cost."""
    del engine
    name, domains = FEW[by]
    place = partial(in_sandbox, domains=None if IS_LONG else domains)
    chosen = [day for day in DAYS if by in day.kinds and (IS_LONG or day.name == name)]

    outcomes = {said: outcome.wrong for said, _, outcome in rehearsed(by, chosen, tmp_path, place)}

    assert outcomes == dict.fromkeys(outcomes, ())
    assert len(outcomes) == len(chosen)
