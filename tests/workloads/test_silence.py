"""Silence is an alarm: what stopped, hangs, or went missing is found by the daily runs alone."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from model.exit_codes import ExitCode
from tests.workloads.conftest import old
from workloads import receipts
from workloads.archive import clock
from workloads.context import SESSIONS, VAULT, Options
from workloads.receipt import Receipt, keep
from workloads.scrubbing import ScrubOptions
from workloads.scrubbing import run as scrub
from workloads.sessions import coverage
from workloads.vault import snapshot
from workloads.vault.snapshot import SnapshotOptions

World = Any
SOURCES = 9
DAYS = 10
BEGIN = 40
"""The day on which the daily runs are looked at; one pack is of day 0."""


class Days:
    """A machine with some sources and a clock; its daily runs are those of the schedule."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        """Make the sources."""
        self.world, self._patch, self.start = world, monkeypatch, datetime.now(UTC)
        for number in range(count):
            (world.home / f"source-{number}").mkdir()
            self.write(number, 0)
        world.sources = {f"source-{number}": str(world.home / f"source-{number}") for number in range(count)}
        self.last = f"source-{count - 1}"
        self.at(0)

    def at(self, day: float) -> None:
        """Set the clock."""
        self._patch.setattr(clock, "now_utc", lambda: self.start + timedelta(days=day))

    def write(self, number: int, day: int) -> None:
        """Write a new file of a source."""
        path = self.world.home / f"source-{number}/{day}.jsonl"
        path.write_bytes(b'{"day":%d}\n' % day * 50)
        old(path)

    def runs(self, day: int, *, asleep: bool = False) -> Iterator[tuple[str, int]]:
        """What the jobs of a day end with."""
        config = self.world.write()
        self.at(day)
        if not asleep:
            yield "archive", self.world.archive()
            self.at(day + 0.02)
            yield "scrub", scrub(ScrubOptions(config=config, quiet=True), SESSIONS)
            self.at(day + 0.04)
            yield "coverage", coverage.run(Options(config=config, quiet=True))
        self.at(day + 0.06)
        yield "receipts", receipts.run(Options(config=config, quiet=True), SESSIONS, 30)


@pytest.fixture(name="nine")
def _nine(world: World, monkeypatch: pytest.MonkeyPatch) -> Days:
    """A machine with nine sources that has run well until the day before."""
    return _run_well(Days(world, monkeypatch, SOURCES))


@pytest.fixture(name="days")
def _days(world: World, monkeypatch: pytest.MonkeyPatch) -> Days:
    """Likewise with two sources."""
    return _run_well(Days(world, monkeypatch, 2))


def _run_well(days: Days) -> Days:
    world = days.world
    assert world.archive() == 0
    days.write(0, 1)
    assert dict(days.runs(BEGIN - 1)) == dict.fromkeys(("archive", "scrub", "coverage", "receipts"), 0)
    return days


def flipped(days: Days) -> None:
    """A byte of a pack of 40 days ago."""
    world = days.world
    key = min(key for key in world.keys(".tar.zst") if "/source-4/" in key)
    body = bytearray(world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    world.client.put_object(Bucket=world.bucket, Key=key, Body=bytes(body))


def deleted(days: Days) -> None:
    """The newest commit."""
    world = days.world
    key = max(world.keys(".commit.json"), key=lambda key: key.rpartition("/")[2])
    world.client.delete_object(Bucket=world.bucket, Key=key)


def copied(days: Days) -> None:
    """A commit, to another name."""
    world = days.world
    key = next(key for key in world.keys(".commit.json") if "/source-5/" in key)
    held = world.client.get_object(Bucket=world.bucket, Key=key)
    other = f"{key.rpartition('/')[0]}/20200101T000000Z-00000000.commit.json"
    world.client.put_object(Bucket=world.bucket, Key=other, Body=held["Body"].read(), Metadata=held["Metadata"])


def one_gone(days: Days) -> None:
    """One source of nine, with its folder."""
    for path in (days.world.home / "source-7").iterdir():
        path.unlink()
    (days.world.home / "source-7").rmdir()


def unlisted(days: Days) -> None:
    """One source of nine, out of the configuration: its runs say nothing of it."""
    del days.world.sources[days.last]


def hung(days: Days) -> None:
    """A run that began, and neither ended nor left the state to the next one."""
    world = days.world
    days.at(BEGIN)
    now = clock.now_utc()
    run = Receipt(kind="sessions.archive", run="20990101T000000Z-0", machine="box", store="", started_at=now)
    keep(run.model_copy(update={"store": f"{world.endpoint} {world.bucket}"}), world.folder / "receipts")


FAULTS: dict[str, tuple[Callable[[Days], None], str]] = {
    "a byte flipped": (flipped, "needed by source-4/0.jsonl"),
    "the newest commit deleted": (deleted, "is gone, and what is still here is stored again; it held source-0/1.jsonl"),
    "a commit copied": (copied, "it names source-5/0.jsonl"),
    "one source of nine gone": (one_gone, "source-7"),
    "one source of nine not listed": (unlisted, "box: the source source-8 was last archived as a whole"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_found_by_the_daily_runs(nine: Days, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Within ten days a daily run ends with 1, and it or its receipt names the files; none before it does."""
    fault, names = FAULTS[name]
    fault(nine)
    capsys.readouterr()
    for day in range(BEGIN, BEGIN + DAYS):
        for job, status in nine.runs(day):
            said = capsys.readouterr().out + json.dumps(nine.world.receipts()[-1])
            assert status in (ExitCode.DONE, ExitCode.WRONG), (job, said)
            if status == ExitCode.WRONG:
                assert names in said, (job, day)
                return
    pytest.fail(f"{name}: no run found it")


def test_machine_asleep_for_three_periods(days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own check finds it when it wakes, and so does another machine's, however long it lasts."""
    found = [dict(days.runs(day, asleep=True))["receipts"] for day in range(BEGIN, BEGIN + 3)]

    assert found == [0, 1, 1]
    assert "LATE box: the last complete run was" in capsys.readouterr().out
    for path in (days.world.folder / "receipts").iterdir():
        path.unlink()  # as on another machine
    assert dict(days.runs(BEGIN + 300, asleep=True))["receipts"] == 1
    assert "LATE box" in capsys.readouterr().out
    days.world.more["retired"] = ["box"]
    assert dict(days.runs(BEGIN + 300, asleep=True))["receipts"] == 0


def test_run_that_hangs(days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    """The check that takes no lock names it as open."""
    hung(days)

    assert dict(days.runs(BEGIN, asleep=True))["receipts"] == 1
    assert " open " in capsys.readouterr().out


def test_check_waits_for_an_open_run(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a sleep all jobs start at once: the check judges when the run has ended, or when its wait is over."""
    hung(days)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        for path in (days.world.folder / "receipts").glob("*20990101*"):
            path.unlink()

    monkeypatch.setattr(time, "sleep", sleep)
    config = days.world.write()

    assert receipts.run(Options(config=config, quiet=True, wait_seconds=60), SESSIONS, 30) == 0
    assert len(waits) == 1


def test_run_that_began_elsewhere(days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    """What its machine wrote at the beginning is in the store, so another machine sees that it did not end."""
    world = days.world

    class Killed(BaseException):
        """As a power cut."""

    def stage(name: str) -> None:
        if name == "run begun":
            raise Killed

    days.at(BEGIN)
    with pytest.raises(Killed):
        world.archive(stage=stage)
    for path in (world.folder / "receipts").iterdir():
        path.unlink()

    assert receipts.run(Options(config=world.write(), quiet=True), SESSIONS, 30) == 1
    assert " open " in capsys.readouterr().out
    days.at(BEGIN + 0.5)
    assert world.archive() == 0
    assert receipts.run(Options(config=world.write(), quiet=True), SESSIONS, 30) == 0


def test_source_that_is_meant_to_be_gone(days: Days) -> None:
    """`null` says so, and there is no alarm."""
    unlisted(days)
    days.world.sources[days.last] = None

    for day in range(BEGIN, BEGIN + 4):
        assert set(dict(days.runs(day)).values()) == {0}


def test_run_of_one_source_hides_no_other(days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    """A complete run of one source is not one of all."""
    whole = dict(days.world.sources)
    for day in range(BEGIN, BEGIN + 3):
        days.world.sources = {"source-1": whole["source-1"]}
        days.at(day)
        assert days.world.archive() == 0
    days.world.sources = whole

    assert dict(days.runs(BEGIN + 2, asleep=True))["receipts"] == 1
    assert "SILENT box: the source source-0 was last" in capsys.readouterr().out


def test_scrub_that_stopped(days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    """Archives alone go on: the check names when packs were last read back in turn."""
    config = days.world.write()
    found = []
    for day in range(BEGIN, BEGIN + 3):
        days.at(day)
        assert days.world.archive() == 0
        found.append(receipts.run(Options(config=config, quiet=True), SESSIONS, 30))

    assert found == [0, 0, 1]
    assert "SILENT box: packs were last read back in turn" in capsys.readouterr().out


def test_other_store_than_the_receipts_speak_of(days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    """The check compares where it looks with the last complete run; an emptied bucket is seen by its commits."""
    world = days.world
    there = world.bucket
    world.bucket = f"{there}-other"
    world.client.create_bucket(Bucket=world.bucket)
    assert receipts.run(Options(config=world.write(), quiet=True), SESSIONS, 30) == 1
    assert f"and this is {world.endpoint} {world.bucket}" in capsys.readouterr().out
    world.bucket = there
    for key in list(world.keys()):
        world.client.delete_object(Bucket=there, Key=key)

    assert receipts.run(Options(config=world.write(), quiet=True), SESSIONS, 30) == 1
    assert "is gone, which the receipt of" in capsys.readouterr().out


def test_drill_that_stopped(notes: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A vault that no drill restores is an alarm, although its snapshots are complete."""
    (notes.home / "Vault").mkdir()
    (notes.home / "Vault/a.md").write_bytes(b"a\n")
    monkeypatch.setattr(clock, "now_utc", lambda: datetime.now(UTC))
    assert snapshot.run(SnapshotOptions(config=notes.write(), quiet=True)) == 0

    assert receipts.run(Options(config=notes.write(), quiet=True), VAULT, 30) == 1
    assert "UNPROVEN box: a restore was last proven never" in capsys.readouterr().out


def test_run_of_a_time_to_come(days: Days, capsys: pytest.CaptureFixture[str]) -> None:
    """A clock that was years ahead for one run silences nothing: the run is named, and does not count."""
    days.at(BEGIN + 3000)
    assert days.world.archive() == 0

    found = [dict(days.runs(day, asleep=True))["receipts"] for day in range(BEGIN, BEGIN + 3)]

    assert found == [0, 1, 1]
    said = capsys.readouterr().out
    assert "LATE box: the last complete run was" in said
    assert "NOT COUNTED receipts/v1/box/" in said
    config = days.world.write()
    assert coverage.run(Options(config=config, quiet=True)) == 1
    assert "the last complete run was" in capsys.readouterr().out
    receipts.run(Options(config=config, quiet=True, as_json=True), SESSIONS, 30)
    told = capsys.readouterr()
    assert json.loads(told.out)
    assert "LATE box" in told.err


def test_no_run_at_all(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A schedule that never began is silence, too."""
    assert receipts.run(Options(config=world.write(), quiet=True), SESSIONS, 30) == 1
    assert (
        f"SILENT no run of sessions.archive is recorded in {world.endpoint} {world.bucket}" in capsys.readouterr().out
    )
