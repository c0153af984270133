"""What a refusal proves: nothing, unless the server accepted the same key somewhere.

The rule: a check names the identities on whose refusals its PASS leans (`Verdict.leans_on`). Here, in one place, such a
PASS becomes CANNOT TELL if the server never accepted one of them: it would refuse a key that it does not know, and a
server that is out of order refuses everything.
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from verify.checks.finding import Status, Verdict
from verify.facts import Facts
from verify.probe.actions import ACTIONS


def let_in(facts: Facts) -> frozenset[str]:
    """The identities of which the server ever allowed a request."""
    in_cells = {
        identity
        for identity, cells in facts.grants.items()
        if any(name in ACTIONS and ACTIONS[name].let_in(one) for cell in cells.values() for name, one in cell.items())
    }
    return frozenset(in_cells | {identity for identity, answer in facts.introduced.items() if answer.ok})


def weighed(verdict: Verdict, known: AbstractSet[str]) -> Verdict:
    """The verdict, or CANNOT TELL if it leans on refusals of an identity that the server never accepted."""
    unknown = sorted(verdict.leans_on - known)
    if verdict.status is not Status.PASS or not unknown:
        return verdict
    names = " and ".join(unknown)
    return replace(
        verdict,
        status=Status.CANNOT_TELL,
        found=f"{verdict.found}, but no request of {names} ever succeeded, so its refusals prove nothing",
        remedy=f"check that the server knows the key of {names}, and that the plan grants it something",
    )
