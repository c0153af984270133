"""`otel gaps`: what the table holds and the store does not, and what the table no longer has."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.clickhouse.conditions import Fault
from sandbox.clickhouse.tables import TABLE
from sandbox.otel_events import Events, late, three_days
from tests.workloads.otel.conftest import FIRST, NOW, days
from workloads.archive import clock
from workloads.otel import slice_export

if TYPE_CHECKING:
    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]


def found(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The gaps; the status must fit."""
    capsys.readouterr()
    status = exporter.gaps(last=str(LAST))
    gaps: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["gaps"]
    assert status == bool(gaps)
    return gaps


def test_outbox_is_looked_at(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that wait for more than an hour are named, those that a crash left half done for themselves."""
    exporter.insert(three_days(FIRST, rows=5))
    assert exporter.export(last=str(LAST)) == 0
    box = exporter.world.home / "outbox"
    box.mkdir()
    for name, age in (("1-a.json", 7200), ("2-b.json", 0), ("3-c.json.processing", 7200)):
        (box / name).write_text("{}")
        when = NOW.timestamp() - age
        os.utime(box / name, (when, when))

    gaps = found(exporter, capsys)

    assert [(gap["kind"], gap["rows"]) for gap in gaps] == [("outbox", 1), ("outbox", 1)]
    assert "3-c.json.processing" in gaps[0]["what"]
    assert "1-a.json" in gaps[1]["what"]


def test_clock_that_is_ahead(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of days that have not come, and rows that were received in the future, are named and not exported."""
    events = three_days(FIRST, rows=5)
    row = events.rows[0]
    ahead = Events(
        (
            {**row, "id": "a", "timestamp": "2027-03-01T00:00:00.000Z", "date": "2027-03-01"},
            {**row, "id": "b", "received_at": "2027-03-01T00:00:00.000Z"},
        )
    )
    exporter.insert(events + ahead)
    assert exporter.export(last=str(LAST)) == 0

    gaps = found(exporter, capsys)

    assert [(gap["kind"], gap["rows"], gap["day"]) for gap in gaps] == [("future", 1, "2027-03-01"), ("clock", 1, "")]


def test_part_that_is_gone(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A deleted part is named, and the next export stores its slice again."""
    exporter.insert(three_days(FIRST, rows=5))
    assert exporter.export(last=str(LAST)) == 0
    (key,) = [key for key in exporter.world.keys(".ndjson.gz") if f"date={FIRST}/" in key]
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)

    gaps = found(exporter, capsys)
    assert [gap["kind"] for gap in gaps] == ["damaged", "uncommitted"]
    assert key in gaps[0]["what"]

    assert exporter.export(last=str(LAST)) == 0
    assert found(exporter, capsys) == []


def test_part_that_is_gone_with_rows_of_its_own(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """If the table no longer has all rows of a lost part, it stays named: only its version can bring them back."""
    events = three_days(FIRST, rows=5)
    exporter.insert(events)
    assert exporter.export(last=str(LAST)) == 0
    (key,) = [key for key in exporter.world.keys(".ndjson.gz") if f"date={FIRST}/" in key]
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)
    name = next(iter(events.of_day(str(FIRST))))
    exporter.server.ask(f"ALTER TABLE {TABLE} DELETE WHERE id = '{name}' SETTINGS mutations_sync = 2")

    assert exporter.export(last=str(LAST)) == 0

    (gap,) = found(exporter, capsys)
    assert (gap["day"], gap["kind"]) == (str(FIRST), "damaged")
    assert key in gap["what"]


def test_commit_that_was_copied(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A commit under another name counts for nothing, and is named."""
    exporter.insert(three_days(FIRST, rows=5))
    assert exporter.export(last=str(FIRST)) == 0
    source = f"v1/date={FIRST}/commit-000001.json"
    copied = f"v1/date={days()[1]}/commit-000001.json"
    exporter.world.client.copy_object(
        Bucket=exporter.world.bucket, Key=copied, CopySource=f"{exporter.world.bucket}/{source}"
    )

    gaps = found(exporter, capsys)

    assert [gap["kind"] for gap in gaps if gap["day"] == str(days()[1])] == ["damaged", "uncommitted"]
    assert f"is a copy of {source}" in next(gap["what"] for gap in gaps if gap["kind"] == "damaged")


@pytest.fixture(name="aged")
def _aged(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> Exporter:
    """The table's TTL is ten years, and the days are nearly as old."""
    exporter.create(ttl_days=3650)
    monkeypatch.setattr(clock, "now_utc", lambda: NOW + timedelta(days=3640))
    return exporter


def test_day_that_comes_near_the_ttl(aged: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A day that is not stored and is older than the alarm says so, with the table's TTL."""
    aged.insert(three_days(FIRST, rows=5))

    gaps = found(aged, capsys)

    assert [gap["is_near"] for gap in gaps if gap["kind"] == "uncommitted"] == [True] * 3
    assert "the table deletes it after 3650 days, and it is 3649 days old" in gaps[0]["what"]


def test_rows_that_the_ttl_took_while_they_were_read(aged: Exporter) -> None:
    """Rows that go between the count and the lines are said, the others are stored, and the next run has no more."""
    events = three_days(FIRST, rows=20)
    aged.insert(events)
    row = next(row for row in events.rows if row["date"] == str(FIRST))
    before = len(events.of_day(str(FIRST)))
    asked: Any = vars(slice_export)["ask"]

    def taking(*arguments: object) -> object:
        answer = asked(*arguments)
        aged.server.ask(f"ALTER TABLE {TABLE} DELETE WHERE id = '{row['id']}' SETTINGS mutations_sync = 2")
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slice_export, "ask", taking)
        assert aged.export(first=str(FIRST), last=str(FIRST)) == 1

    (commit,) = aged.commits()
    assert (commit["removed"], commit["part"]["rows"]) == (1, before - 1)
    receipt = aged.world.receipts()[-1]
    assert "the table's TTL took 1 ids while they were read" in str(receipt["sources"])
    assert aged.export(first=str(FIRST), last=str(FIRST)) == 0
    assert len(aged.commits()) == 1


def test_day_that_was_never_stored_and_is_gone(
    exporter: Exporter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day between stored ones that the table's TTL took before it was stored is named as lost."""
    exporter.insert(Events(tuple(row for row in three_days(FIRST, rows=5).rows if row["date"] == str(FIRST))))
    assert exporter.export(last=str(FIRST)) == 0
    monkeypatch.setattr(clock, "now_utc", lambda: NOW + timedelta(days=182))
    exporter.server.ask(f"TRUNCATE TABLE {TABLE}")
    exporter.insert(late(LAST + timedelta(days=182), datetime(2027, 5, 4, tzinfo=UTC), 5))

    capsys.readouterr()
    assert exporter.gaps() == 1
    gaps = json.loads(capsys.readouterr().out)["gaps"]

    assert [gap["day"] for gap in gaps if gap["kind"] == "lost"][:2] == [str(days()[1]), str(days()[2])]


def test_bad_days_are_refused(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A day in the future, a last day before the first, and what is no day: exit status 2, with the line to write."""
    for first, last, said in (
        ("", "2026-11-09", "write: --to 2026-11-08"),
        ("2026-11-08", "2026-11-01", "write: --from 2026-11-01"),
        ("yesterday", "", "write: --from 2026-11-30"),
    ):
        assert exporter.export(first, last) == 2
        assert said in capsys.readouterr().err
        assert exporter.gaps(first, last) == 2


def test_table_that_is_not_the_events(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown table, one without the columns, a wrong password and a server that is away: exit status 2, and why."""
    exporter.insert(three_days(FIRST, rows=5))
    exporter.more = {"table": "nothing"}
    assert exporter.export() == 2
    assert "there is no table joelclaw.nothing" in capsys.readouterr().err
    exporter.server.ask("CREATE TABLE IF NOT EXISTS joelclaw.other (id String) ENGINE = MergeTree ORDER BY id")
    exporter.more = {"table": "other"}
    assert exporter.gaps() == 2
    assert "timestamp (missing), received_at (missing)" in capsys.readouterr().err
    exporter.more = {}
    exporter.server.order(Fault(refuses_password=True))
    assert exporter.export() == 2
    said = capsys.readouterr().err
    assert "CLICKHOUSE_PASSWORD" in said
    assert exporter.server.password not in said
    exporter.server.order()
    exporter.more = {"url": "http://127.0.0.1:9"}
    assert exporter.gaps() == 2
    assert "http://127.0.0.1:9" in capsys.readouterr().err


def test_new_column_is_kept(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A column that comes later is named, and in the next parts; one that changes or goes is named, too."""
    exporter.insert(three_days(FIRST, rows=5))
    assert exporter.export(last=str(FIRST)) == 0
    exporter.server.ask(f"ALTER TABLE {TABLE} ADD COLUMN region String DEFAULT 'here'")

    assert exporter.export(last=str(LAST)) == 0

    columns = [[name for name, _ in commit["columns"]] for commit in exporter.commits()]
    assert ["region" in each for each in columns] == [False, True, True]
    (note,) = notes(exporter)
    assert "columns changed since 2026-11-09: region String is new" in note
    exporter.server.ask(f"ALTER TABLE {TABLE} MODIFY COLUMN duration_ms Nullable(UInt64), DROP COLUMN region")
    assert exporter.export(last=str(LAST)) == 0
    (note,) = notes(exporter)
    assert "region is gone, duration_ms was Nullable(UInt32) and is Nullable(UInt64)" in note
    capsys.readouterr()
    sql = "SELECT count(region) < count() AS fewer, max(region) AS region FROM otel_events"
    assert exporter.query(sql, FIRST, LAST) == 0
    assert json.loads(capsys.readouterr().out) == {"fewer": True, "region": "here"}


def notes(exporter: Exporter) -> list[str]:
    """The notes of the last receipt."""
    found: Any = exporter.world.receipts()[-1]["notes"]
    return list(found)
