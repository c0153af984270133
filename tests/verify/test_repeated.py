"""Runs on few and on many domains, one after the other: none fails by itself, with keys that are new each time.

The rule: the race that once failed was between identities at one lock, so in CI the many domains are the locked ones.
`make long` runs everything, on 300 domains, 20 times.
"""

import threading
from collections.abc import Callable

import pytest

from bench.stores import plan_of
from tests.sizes import IS_LONG, sized
from tests.verify.test_new_keys import VirtualTime
from trials.stores import AistorIdentities, Store, running_store
from verify.checks import Status, judge
from verify.gather import gather_facts
from verify.probe.session import StoreSession
from verify.selection import EVERYTHING, Part, Selection

NEW_FOR_SECONDS = 15
FEW, MANY = 9, sized(40, 300)


class NewKeys(VirtualTime):
    """Time that passes only by pauses; after some seconds of it the keys are known."""

    def __init__(self, known: Callable[[], None]) -> None:
        """Take what makes them known."""
        super().__init__()
        self._known = known
        self._lock = threading.Lock()
        self._are_known = False

    def pause(self, seconds: float) -> None:
        """Let time pass; it stands still while the keys become known."""
        super().pause(seconds)
        with self._lock:
            if self.seconds >= NEW_FOR_SECONDS and not self._are_known:
                self._known()
                self._are_known = True


def switch_users(store: Store, status: str) -> None:
    """Switch every user, and so its keys, off or on."""
    assert isinstance(store.identities, AistorIdentities)
    for identity in store.plan.identities:
        store.identities.iam.set_user_status(identity.user_name, status)


def selection_of(store: Store, domains: int) -> Selection:
    """Everything, or of many domains what identities try at once in the locked buckets."""
    if IS_LONG:
        return EVERYTHING
    if domains == FEW:
        return Selection(parts=frozenset(Part) - {Part.OBJECTS})
    locked = frozenset(bucket.name for bucket in store.plan.buckets if bucket.locked)
    identities = frozenset({"worker", "reader", "verifier"})
    return Selection(parts=frozenset({Part.GRANTS, Part.LOCK}), buckets=locked, identities=identities)


@pytest.mark.parametrize("domains", [FEW, MANY])
def test_no_run_fails_by_itself(domains: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys are refused for 15 seconds at the beginning of each run, and no check fails."""
    with running_store("aistor", plan_of(domains)) as store:
        selection = selection_of(store, domains)
        for _ in range(sized(1 if domains == FEW else 2, 20)):
            switch_users(store, "disabled")
            time = NewKeys(lambda: switch_users(store, "enabled"))
            monkeypatch.setattr(StoreSession, "pause", time.pause)
            facts = gather_facts(store.target, selection=selection)
            findings = judge(store.deployment, facts, selection)

            assert [str(finding) for finding in findings if finding.status is Status.FAIL] == []
            assert time.seconds >= NEW_FOR_SECONDS
            assert all(answer.ok for answer in facts.introduced.values())
