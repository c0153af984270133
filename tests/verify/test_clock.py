"""Clocks that differ: every date is by the server's clock, so a difference is a warning and no failure."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from sandbox.server.clock import ahead
from trials.faults import Hook, On, Request
from trials.mutations import through
from verify.checks import Status, judge
from verify.gather import gather_facts
from verify.probe.session import clock_ahead
from verify.probe.standstill import STILL_SECONDS, Standstill
from verify.selection import Part, Selection

if TYPE_CHECKING:
    from trials.stores import Store

NOON = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [4, -4, 70, -70, 600, -600])
def test_a_difference_is_a_warning(store: "Store", seconds: int) -> None:
    """Links, locks and the matrix are proven as with one clock; the first check says by how much the clocks differ."""
    parts = frozenset({Part.LINKS, Part.LOCK, Part.GRANTS})
    selection = Selection(parts=parts, buckets=frozenset({store.plan.bucket("archive").name}))

    with ahead(Path(store.server.ca_bundle).parent, seconds):
        facts = gather_facts(store.target, selection=selection)
    findings = judge(store.deployment, facts, selection)

    assert [str(f) for f in findings if f.status not in (Status.PASS, Status.NOT_ASKED, Status.CANNOT_TELL)] == []
    assert abs(facts.door.ahead_seconds - seconds) <= 1.5
    (reached,) = [f for f in findings if f.check == "endpoint_reached"]
    assert f"s {'ahead of' if seconds > 0 else 'behind'} this machine's: set the clocks" in reached.remedy


def test_one_clock_is_no_warning(store: "Store") -> None:
    """The `Date` of an answer has whole seconds, which is no difference."""
    facts = gather_facts(store.target, selection=Selection(parts=frozenset()))
    (reached,) = [f for f in judge(store.deployment, facts, Selection()) if f.check == "endpoint_reached"]

    assert (facts.door.ahead_seconds, reached.status, reached.remedy) == (0, Status.PASS, "")


def test_clocks_that_differ_too_much_end_the_run(store: "Store") -> None:
    """The server refuses every signed request, so one check fails with the reason, and nothing else is sent."""
    with ahead(Path(store.server.ca_bundle).parent, -1200):
        facts = gather_facts(store.target, selection=Selection(parts=frozenset()))
    failed = [f for f in judge(store.deployment, facts, Selection(parts=frozenset())) if f.status is Status.FAIL]

    assert [f.check for f in failed] == ["endpoint_reached"]
    assert "s behind this machine's, so the server refuses every signed request" in failed[0].found
    assert facts.unfinished


@pytest.mark.parametrize("minutes", [33, -33])
def test_machine_that_stood_still_ends_the_run(store: "Store", monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """No answer after it counts, the run says so and cannot tell, and all that it has written is removed."""
    slept: list[None] = []
    clock = SimpleNamespace(time=lambda: time.time() + (60 * minutes if slept else 0))
    monkeypatch.setattr("verify.probe.standstill.time", clock)

    def sleep(request: Request) -> Request:
        slept.append(None)
        return request

    selection = Selection(buckets=frozenset({store.plan.bucket("archive").name}))
    with through(lambda _: (Hook(rewriting=sleep, when=On(skip=60, times=1)),))(store) as target:
        facts = gather_facts(target, selection=selection)
    failed = [f for f in judge(store.deployment, facts, selection) if f.status is Status.FAIL]

    assert "stood still, or its clock was set, for 33 minutes" in facts.unfinished
    assert [f.check for f in failed] == ["endpoint_reached"]
    assert failed[0].remedy.startswith("verify again")
    assert {f.status for f in judge(store.deployment, facts, selection)} > {Status.NOT_ASKED}
    left = store.client.list_object_versions(Bucket=store.plan.bucket("archive").name, Prefix=".verify/")
    assert "Versions" not in left


def test_busy_machine_does_not_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause that a run bears is none, and the thread that looks makes short pauses of a long one."""
    now = [1000.0]
    monkeypatch.setattr("verify.probe.standstill.time", SimpleNamespace(time=lambda: now[0]))
    monkeypatch.setattr("verify.probe.standstill._LOOK_SECONDS", 0.01)
    with Standstill() as still:
        for _ in range(4):
            now[0] += STILL_SECONDS - 1
            while still._looked != now[0]:
                time.sleep(0.001)
        assert still.found == ""
        now[0] += STILL_SECONDS
        assert still.found == "this machine stood still, or its clock was set, for 2 minutes"


@pytest.mark.parametrize(
    ("said", "sent_after", "took", "expected"),
    [
        (0, 0.0, 0.1, 0.0),
        (0, 0.9, 0.2, 0.0),  # the server's second had begun before
        (-1, 0.1, 0.1, -0.65),
        (4, 0.5, 0.0, 4.0),
        (-70, 0.0, 2.0, -70.5),
    ],
)
def test_what_a_date_says(said: int, sent_after: float, took: float, expected: float) -> None:
    """A whole second that fits this clock is no difference; any other is measured to its middle."""
    sent_at = NOON + timedelta(seconds=sent_after)
    date = format_datetime(NOON + timedelta(seconds=said), usegmt=True)

    assert clock_ahead(date, sent_at, sent_at + timedelta(seconds=took)).total_seconds() == pytest.approx(expected)


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 29 Nov 2026 12:00:00 -0000", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_a_date_that_says_nothing(date: str) -> None:
    """Without a date this machine's clock is used."""
    assert clock_ahead(date, NOON, NOON) == timedelta()
