"""The gate of the end: seven days in a row on which every run found both sides equal. Pure.

The rule: a day counts by its runs alone, in UTC; one run of it without proof, and the count begins again after it. A
day without a run counts for nothing, and more than two periods without one begin the count again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from workloads.receipt import Receipt, until

DAYS: Final = 7
"""Days that must be green."""
ACTIVE_DAYS: Final = 28
"""A machine without a run in these days keeps no window open."""


@dataclass(frozen=True)
class Days:
    """The days of one machine.

    Attributes:
        green: How many in a row are green, up to the last one.
        why: Why there are no more.
    """

    green: int
    why: str


def days_of(
    receipts: Iterable[Receipt], kind: str, since: datetime, every: timedelta, now: datetime
) -> dict[str, Days]:
    """The green days of each machine that ran lately.

    Args:
        receipts: Those of the workload.
        kind: Of the regular run.
        since: When the window began.
        every: How often it runs.
        now: The time.
    """
    runs: dict[str, list[Receipt]] = {}
    for one in until(receipts, now):
        if one.kind == kind and one.started_at >= now - timedelta(days=ACTIVE_DAYS):
            runs.setdefault(one.machine, []).append(one)
    return {
        machine: _row([one for one in found if one.started_at >= since], every, now)
        for machine, found in sorted(runs.items())
    }


def _row(runs: Sequence[Receipt], every: timedelta, now: datetime) -> Days:
    newest = sorted(runs, key=lambda one: one.started_at, reverse=True)
    green: set[date] = set()
    later = now
    red: date | None = None
    for one in newest:
        day = one.started_at.astimezone(UTC).date()
        if later - one.started_at > 2 * every:
            return Days(len(green), f"there was no run between {one.started_at:%Y-%m-%d} and {later:%Y-%m-%d}")
        later = one.started_at
        if one.window is None or not one.window.green:
            red = day
            return Days(len(green - {red}), f"{day}: {_fault(one)}")
        green.add(day)
    return Days(len(green), "the window was not open before" if newest else "there was no run in the window")


def _fault(one: Receipt) -> str:
    window = one.window
    if window is None:
        return f"the run {one.run} compared no sides ({'open' if one.ended_at is None else one.status})"
    if window.missing:
        return f"the run {one.run} says NAS missing: {window.missing}"
    such = next((each.key for each in window.files if not each.equal), "")
    return f"the run {one.run} found {window.unequal} objects that are not equal, such as {such}"
