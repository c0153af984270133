"""An export that ends at any moment, beside another one, or in front of a server that goes away: no row is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model.exit_codes import ExitCode
from sandbox.clickhouse.conditions import Fault
from sandbox.otel_events import three_days
from tests.sizes import sized
from tests.workloads.otel.conftest import FIRST, NOW, days
from tests.workloads.otel.ending import EXPORT_POINTS, begun, calls_of, joined, run_calls, run_until

if TYPE_CHECKING:
    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]
EXPORT = "otel export"
EVENTS = three_days(FIRST, rows=20, longest=10_000)


@pytest.fixture(name="filled")
def _filled(exporter: Exporter) -> Exporter:
    """Three days in slices of 60 rows; a run looks at every day until the fixture's."""
    exporter.more = {"slice_rows": 60}
    exporter.insert(EVENTS)
    return exporter


def stored(exporter: Exporter) -> dict[str, str]:
    """The etags of parts and commits, by their keys."""
    found = exporter.world.client.list_objects_v2(Bucket=exporter.world.bucket).get("Contents", [])
    return {one["Key"]: one["ETag"] for one in found if one["Key"].startswith("v1/")}


def check(exporter: Exporter, before: dict[str, str], folder: Path, case: object) -> None:
    """A reader gets each row once, nothing was written over, no commit is twice, and nothing is left on the disk."""
    assert stored(exporter).items() >= before.items(), case
    status, found = exporter.restored(folder / "back", FIRST, LAST)
    assert (status, set(found)) == (0, {row["id"] for row in EVENTS.rows}), case
    slices = [(one["day"], one["first"], one["low"], one["buckets"]) for one in exporter.commits()]
    assert len(slices) == len(set(map(str, slices))), case
    assert list((exporter.world.folder / "state/otel").rglob("part-*")) == [], case


@pytest.mark.parametrize("point", EXPORT_POINTS, ids=lambda point: f"{point[0]}-{point[1]}")
def test_killed_at_a_point(filled: Exporter, tmp_path: Path, point: tuple[str, int]) -> None:
    """SIGKILL at each stage: the same command completes the days, and stores nothing again that was committed."""
    assert run_until(filled.config(), NOW, EXPORT, *point) == -signal.SIGKILL
    before = stored(filled)

    assert filled.export() == 0

    check(filled, before, tmp_path, point)


def test_killed_at_any_time(filled: Exporter, tmp_path: Path) -> None:
    """Likewise at any of its calls."""
    made = calls_of(filled.config(), NOW, EXPORT)
    chance = random.Random(27)  # noqa: S311 - not for secrets
    for number in range(sized(3, 30)):
        world = replace(filled.world, bucket=f"{filled.world.bucket}-{number}", folder=tmp_path / f"box{number}")
        world.client.create_bucket(Bucket=world.bucket)
        other = replace(filled, world=world)
        calls = chance.randrange(1, made * 8 // 10)
        assert run_calls(other.config(), NOW, EXPORT, calls) == -signal.SIGKILL
        before = stored(other)

        assert other.export() == 0, calls

        check(other, before, tmp_path, calls)


SIGNALS = (
    (signal.SIGTERM, "stored", 2),
    (signal.SIGINT, "stored", 2),
    (signal.SIGHUP, "streamed", 1),
    (signal.SIGHUP, "put", 2),
    (signal.SIGTERM, "read back", 3),
)


@pytest.mark.parametrize(("number", "point", "times"), SIGNALS, ids=lambda value: getattr(value, "name", str(value)))
def test_ended_by_a_signal(filled: Exporter, tmp_path: Path, number: signal.Signals, point: str, times: int) -> None:
    """The receipt says that it was stopped, and the same command completes the days."""
    assert run_until(filled.config(), NOW, EXPORT, point, times, number) == ExitCode.INTERRUPTED
    assert filled.world.receipts()[-1]["status"] == "stopped"
    before = stored(filled)

    assert filled.export() == 0

    check(filled, before, tmp_path, number)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells by /proc when a process has stopped")
def test_lid_that_was_closed(filled: Exporter, tmp_path: Path) -> None:
    """A run that stands still before an upload goes on where it was, and all of its days are there."""
    process = begun(filled.config(), NOW, EXPORT, "put", 2, signal.SIGSTOP)
    held = Path(f"/proc/{process.pid}/stat")
    while held.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)
    before = stored(filled)

    os.kill(process.pid, signal.SIGCONT)

    assert joined(process) == 0
    check(filled, before, tmp_path, "stopped")


def test_two_at_once(filled: Exporter, tmp_path: Path) -> None:
    """Two machines export at the same time: both end well, and every commit is read by both."""
    one = replace(filled, world=replace(filled.world, folder=tmp_path / "one", name="one"))
    two = replace(filled, world=replace(filled.world, folder=tmp_path / "two", name="two"))
    processes = [begun(each.config(), NOW, EXPORT) for each in (one, two)]

    assert [joined(process) for process in processes] == [0, 0]

    status, found = filled.restored(tmp_path / "back", FIRST, LAST)
    assert (status, set(found)) == (0, {row["id"] for row in EVENTS.rows})
    assert filled.gaps() == 0
    before = stored(filled)
    assert filled.export() == 0
    assert stored(filled) == before


def test_server_that_restarts_in_the_middle(filled: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice whose answer ends with the server is asked for again, or the next run has it."""
    monkeypatch.setattr("workloads.otel.slice_export._WAITS", (0.0,))
    filled.server.order(Fault("LIMIT 1 BY `id` FORMAT", skipped=2, times=1, end_after_bytes=2000, ending="restart"))
    assert filled.export() in (ExitCode.WRONG, ExitCode.CANNOT)
    before = stored(filled)
    filled.server.wait()

    assert filled.export() == 0

    check(filled, before, tmp_path, "restart")


def test_store_that_is_away(filled: Exporter, tmp_path: Path) -> None:
    """Nothing is exported, the status is 2, and the next run does all."""
    away = replace(filled, world=replace(filled.world, endpoint="http://127.0.0.1:9"))
    assert away.export() == ExitCode.CANNOT

    assert filled.export() == 0

    check(filled, {}, tmp_path, "away")
