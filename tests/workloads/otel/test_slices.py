"""Where a slice ends, and which of several rows of one id counts: no row is lost between two, and none is in both."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.clickhouse.tables import TABLE
from sandbox.otel_events import Events, late
from tests.workloads.otel.conftest import FIRST, days
from workloads.otel.restoring import RestoreOptions
from workloads.otel.restoring import run as restore
from workloads.otel.span import Slice, divided, span_of, uncovered

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]
SECOND = f"{FIRST}T23:59:59"


def at(times: Iterable[str], seed: int = 1) -> Events:
    """One event for each time."""
    moments = list(times)
    rows = late(FIRST, datetime(2026, 11, 1, tzinfo=UTC), len(moments), seed=seed).rows
    return Events(
        tuple({**row, "timestamp": moment, "date": moment[:10]} for row, moment in zip(rows, moments, strict=True))
    )


def parts(exporter: Exporter) -> dict[str, bytes]:
    """The lines of each part in the store."""
    client, bucket = exporter.world.client, exporter.world.bucket
    return {
        key: gzip.decompress(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        for key in exporter.world.keys(".ndjson.gz")
    }


def ids(lines: bytes) -> list[str]:
    """The ids of a part."""
    return [json.loads(line)["id"] for line in lines.splitlines()]


@given(
    st.lists(st.sampled_from(["00", "61", "6100", "6161", "62", "7f", "ff", "ff00"]), max_size=60).map(sorted),
    st.integers(1, 9),
    st.sets(st.integers(0, 60)),
)
def test_slices_cover_all_ids_once(names: list[str], rows: int, lost: set[int]) -> None:
    """Each id is in one slice, which has at most so many rows, or one id; what is lost of them is what is missing."""
    day = Slice(span_of(FIRST))
    slices = divided(day, names, rows)

    def within(name: str, parts: Iterable[Slice]) -> int:
        return sum(one.low <= name and (not one.high or name < one.high) for one in parts)

    assert all(within(name, slices) == 1 for name in ["", *names, "ff" * 9])
    for one in slices:
        held = [name for name in names if within(name, [one])]
        assert len(held) <= rows or len(set(held)) == 1
    there = [one for number, one in enumerate(slices) if number not in lost]
    missing = uncovered(day, there)
    assert all(within(name, missing) + within(name, there) == 1 for name in ["", *names, "ff" * 9])
    for one in slices:
        assert uncovered(one, there) == ([] if one in there else [one])


def test_slices_of_one_second(exporter: Exporter, tmp_path: Path) -> None:
    """Slices that end in the same second, a late part and an empty one have keys of their own, and none is replaced.

    https://github.com/langfuse/langfuse/issues/15617
    """
    exporter.more = {"slice_rows": 20}
    events = at(f"{SECOND}.{number:03}Z" for number in (*range(1, 21), *range(500, 520)))
    exporter.insert(events)
    assert exporter.export(last=str(FIRST)) == 0
    before = parts(exporter)
    assert sorted(len(ids(lines)) for lines in before.values()) == [20, 20]
    more = at([f"{SECOND}.250Z"], seed=2)
    exporter.insert(more)
    assert exporter.export(last=str(FIRST)) == 0
    exporter.server.ask(f"ALTER TABLE {TABLE} DELETE WHERE 1 SETTINGS mutations_sync = 2")
    exporter.insert(at([f"{LAST}T00:00:00.000Z"], seed=3))

    assert exporter.export(last=str(LAST)) == 0

    after = parts(exporter)
    assert after.items() >= before.items()
    commits = exporter.commits()
    named = [one["part"]["stored"]["key"] for one in commits if one["part"]]
    assert sorted(named) == sorted(after)
    assert all(one["part"]["rows"] == len(ids(after[one["part"]["stored"]["key"]])) for one in commits if one["part"])
    assert any(one["part"] is None and one["day"] == str(FIRST) for one in commits)
    assert exporter.restored(tmp_path / "back", FIRST, FIRST) == (
        0,
        {row["id"]: dict(row) for row in (events + more).rows},
    )


@pytest.mark.parametrize("digits", [6, 9])
def test_digits_after_the_second(exporter: Exporter, digits: int) -> None:
    """Rows on both sides of midnight, of an hour and of a minute, to the last digit of the column: each is there once.

    https://github.com/langfuse/langfuse/pull/16613
    """
    exporter.more = {"slice_rows": 1}
    exporter.create(instant=f"DateTime64({digits}, 'UTC')")
    ends = [f"{FIRST}T{clock}" for clock in ("23:59:59", "12:59:59")]
    events = at(
        [
            *(f"{end}.{digit * digits}Z" for end in ends for digit in ("9", "0")),
            f"{ends[0]}.999{'0' * (digits - 3)}Z",
            f"{FIRST}T13:00:00.{'0' * digits}Z",
            f"{days()[1]}T00:00:00.{'0' * digits}Z",
        ]
    )
    exporter.insert(events)

    assert exporter.export(last=str(days()[1])) == 0

    found = parts(exporter)
    assert sorted(name for lines in found.values() for name in ids(lines)) == sorted(row["id"] for row in events.rows)
    (second,) = [lines for key, lines in found.items() if f"date={days()[1]}/" in key]
    assert json.loads(second)["timestamp"] == events.rows[-1]["timestamp"]
    assert exporter.gaps(last=str(days()[1])) == 0


def test_column_without_a_time_zone(exporter: Exporter) -> None:
    """On a server in Los Angeles, days and bytes are those of a column in UTC, and a restored table has the instants.

    https://github.com/ClickHouse/ClickHouse/issues/93613
    """
    events = at([f"{days()[1]}T00:30:00.000Z", f"{FIRST}T23:30:00.000Z", f"{days()[1]}T08:30:00.000Z"])
    found = []
    for number, instant in enumerate(("DateTime64(3, 'UTC')", "DateTime64(3)", "DateTime64(3, 'Asia/Tokyo')")):
        exporter.world.bucket = f"{exporter.world.bucket}{number}"
        exporter.world.client.create_bucket(Bucket=exporter.world.bucket)
        exporter.create(instant=instant)
        exporter.insert(events)
        assert exporter.export(last=str(days()[1])) == 0
        found.append(parts(exporter))
        exporter.server.ask("DROP TABLE IF EXISTS joelclaw.zones")
        options = RestoreOptions(exporter.config(), quiet=True, first=str(FIRST), last=str(LAST), table="zones")
        assert restore(options) == 1  # of the last day nothing is stored
        instants = "SELECT toUnixTimestamp64Milli(timestamp) FROM {} ORDER BY 1 FORMAT TSV"
        back = exporter.server.ask(instants.format("joelclaw.zones"))
        assert back == exporter.server.ask(instants.format(TABLE))

    assert [len(each) for each in found] == [2, 2, 2]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("is_replacing", [True, False])
def test_rows_of_one_id_and_equal_received_at(
    exporter: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, is_replacing: bool
) -> None:
    """They are one version: the same row counts in whichever order they came, for export, `restore` and `query`."""
    (row,) = at([f"{FIRST}T10:00:00.000Z"]).rows
    versions: list[dict[str, Any]] = [
        {**row, "error": "a", "duration_ms": 7},
        {**row, "error": "c", "duration_ms": None},
        {**row, "error": "b", "duration_ms": 7},
        {**row, "error": "z", "timestamp": f"{FIRST}T09:00:00.000Z"},
    ]
    found = []
    for number, order in enumerate(((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1))):
        exporter.world.bucket = f"{exporter.world.bucket}{number}"
        exporter.world.client.create_bucket(Bucket=exporter.world.bucket)
        exporter.create(is_replacing=is_replacing)
        for one in order:
            exporter.insert(Events((versions[one],)))
        assert exporter.export(last=str(FIRST)) == 0
        found.append(parts(exporter))

    assert len({tuple(each.items()) for each in found}) == 1
    winner = exporter.restored(tmp_path / "back", FIRST, FIRST)[1][row["id"]]
    assert winner == versions[2]
    capsys.readouterr()
    assert exporter.query("SELECT error, duration_ms FROM otel_events", FIRST, FIRST) == 0
    assert json.loads(capsys.readouterr().out) == {"error": "b", "duration_ms": 7}


def test_equal_received_at_on_two_days(exporter: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two rows of one id with the same `received_at`, the later `timestamp` counts, in whichever part it is."""
    (row,) = at([f"{FIRST}T10:00:00.000Z"]).rows
    later = {**row, "timestamp": f"{LAST}T10:00:00.000Z", "date": str(LAST)}
    exporter.insert(Events((later, row)))
    assert exporter.export(last=str(LAST)) == 0

    assert exporter.restored(tmp_path / "back", FIRST, LAST)[1] == {row["id"]: later}
    capsys.readouterr()
    assert exporter.query("SELECT count() AS n, max(date) AS day FROM otel_events", FIRST, LAST) == 0
    assert json.loads(capsys.readouterr().out) == {"n": 1, "day": str(LAST)}
    assert exporter.restored(tmp_path / "back", FIRST, FIRST)[1] == {row["id"]: row}  # as the table says of that day


@pytest.mark.parametrize("digits", [7, 9])
def test_versions_that_differ_by_nanoseconds(
    exporter: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str], digits: int
) -> None:
    """A newer version of a row is found as late, and counts, where `received_at` has more than six digits."""
    exporter.create(more={"received_at": f"DateTime64({digits}, 'UTC')"})
    (row,) = at([f"{FIRST}T10:00:00.000Z"]).rows
    then, now = (f"{FIRST}T10:00:00.{f'000000{last}'.ljust(digits, '0')}Z" for last in "12")
    exporter.insert(Events(({**row, "received_at": then},)))
    assert exporter.export(last=str(FIRST)) == 0
    exporter.insert(Events(({**row, "received_at": now},)))
    assert exporter.gaps(last=str(FIRST)) == 1

    assert exporter.export(last=str(FIRST)) == 0

    assert exporter.gaps(last=str(FIRST)) == 0
    assert exporter.restored(tmp_path / "back", FIRST, FIRST)[1][row["id"]]["received_at"] == now
    capsys.readouterr()
    assert exporter.query("SELECT max(received_at) AS newest FROM otel_events", FIRST, FIRST) == 0
    assert json.loads(capsys.readouterr().out)["newest"].rstrip("Z").ljust(len(now) - 1, "0") == now.rstrip("Z")


def test_years_that_32_bits_do_not_have(exporter: Exporter, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Events of 1925 and 1969 are stored on their days, without a day between; those of 2107 and 2299 are named."""
    exporter.create(ttl_days=None)
    events = at(f"{year}-12-31T23:59:59.999Z" for year in (1925, 1969, FIRST.year - 1, 2107, 2299))
    exporter.insert(events)
    assert exporter.export(last=str(FIRST)) == 0

    stored = {str(commit["day"]): commit["tally"] for commit in exporter.commits()}
    assert [day for day, tally in stored.items() if tally] == [str(row["date"]) for row in events.rows[:3]]
    assert len(stored) < 400
    capsys.readouterr()
    assert exporter.gaps(last=str(FIRST)) == 1
    gaps = json.loads(capsys.readouterr().out)["gaps"]
    assert [(gap["kind"], gap["day"]) for gap in gaps] == [("future", "2107-12-31"), ("future", "2299-12-31")]
    first = date(1925, 12, 31)
    status, back = exporter.restored(tmp_path / "back", first, first)
    assert (status, [row["timestamp"] for row in back.values()]) == (0, [events.rows[0]["timestamp"]])
