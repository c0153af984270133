"""workloads.window.gate: which days are green."""

from datetime import UTC, datetime, timedelta

import pytest

from workloads.receipt import FileSides, Receipt, WindowReceipt
from workloads.window.gate import days_of

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
GREEN = WindowReceipt(nas="/n", since="2026-11-01", reason="both", equal=3)
AWAY = GREEN.model_copy(update={"missing": "/n: away"})
DIFFERS = GREEN.model_copy(
    update={"unequal": 1, "files": (FileSides(key="v1/k", sha256="0", nas="different", store="equal"),)}
)


def _run(day: float, window: WindowReceipt | None = GREEN, machine: str = "box", *, is_open: bool = False) -> Receipt:
    """A run at a time in days since the window began."""
    at = BEGAN + day * DAY
    return Receipt(
        kind="sessions.archive",
        run=f"run{day}",
        machine=machine,
        store="s",
        started_at=at,
        ended_at=None if is_open else at,
        status="incomplete",
        window=window,
    )


@pytest.mark.parametrize(
    ("runs", "now", "green", "why"),
    [
        ([_run(day + 0.2) for day in range(7)], 6.5, 7, "not open before"),
        ([_run(day + 0.2) for day in range(-3, 7)], 6.5, 7, "not open before"),
        ([_run(0.2, AWAY), _run(1.2), _run(2.2)], 2.5, 2, "2026-11-01: the run run0.2 says NAS missing: /n: away"),
        ([_run(0.2), _run(1.2, DIFFERS), _run(2.2)], 2.5, 1, "found 1 objects that are not equal, such as v1/k"),
        ([_run(0.2), _run(1.2, None), _run(2.2)], 2.5, 1, "the run run1.2 compared no sides (incomplete)"),
        ([_run(0.2), _run(1.2, None, is_open=True), _run(2.2)], 2.5, 1, "run1.2 compared no sides (open)"),
        ([_run(0.2), _run(1.2, AWAY), _run(1.4)], 1.5, 0, "run1.2"),
        ([_run(0.2), _run(0.4), _run(1.2)], 1.5, 2, "not open before"),
        ([_run(0.2), _run(2.1), _run(3.2)], 3.5, 3, "not open before"),
        ([_run(0.2), _run(2.3), _run(3.2)], 3.5, 2, "no run between 2026-11-01 and 2026-11-03"),
        ([_run(0.2), _run(1.2)], 3.5, 0, "no run between 2026-11-02 and 2026-11-04"),
        ([_run(-3)], 3.5, 0, "no run in the window"),
    ],
    ids=[
        "a week", "since before the window", "NAS away", "differs", "failed", "killed", "one of two on a day is red",
        "two on a day are one day", "a day without a run", "too long without a run", "late", "none",
    ],
)  # fmt: skip
def test_days_in_a_row(runs: list[Receipt], now: float, green: int, why: str) -> None:
    """A day counts by all of its runs, and what began the count again is named."""
    found = days_of(runs, "sessions.archive", BEGAN, DAY, BEGAN + now * DAY)

    assert found["box"].green == green
    assert why in found["box"].why


def test_machines_that_count() -> None:
    """Each one that ran in the last 28 days, by its own regular runs."""
    other = _run(30.2, machine="other").model_copy(update={"kind": "sessions.reconcile"})
    runs = [_run(1.2, machine="gone"), _run(30.2), _run(30.2, AWAY, machine="blaine"), other]

    found = days_of(runs, "sessions.archive", BEGAN, DAY, BEGAN + 30.5 * DAY)

    assert {machine: days.green for machine, days in found.items()} == {"box": 1, "blaine": 0}
