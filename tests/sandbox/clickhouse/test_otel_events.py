"""The made-up events are in the owner's table as their truth says."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from sandbox.clickhouse.tables import TABLE, columns, create_table
from sandbox.otel_events import EXTREMES, Events, digest_sql, insert, late, storm_row, storm_sql, three_days
from tests.sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.clickhouse.running import RunningClickHouse
    from sandbox.otel_events import Row

FIRST = date(2026, 10, 31)
READ: dict[str, str | int] = {
    "date_time_output_format": "iso",
    "session_timezone": "UTC",
    "output_format_json_quote_64bit_integers": 0,
}


@pytest.fixture(name="table", params=["ReplacingMergeTree", "MergeTree", "no zone"])
def _table(request: pytest.FixtureRequest, clickhouse: RunningClickHouse) -> Iterator[str]:
    """An empty table that keeps old rows, in each form that the owner may have; the server is in Los Angeles."""
    instant = "DateTime64(3)" if request.param == "no zone" else "DateTime64(3, 'UTC')"
    is_replacing = request.param != "MergeTree"
    clickhouse.ask(create_table(is_replacing=is_replacing, ttl_days=None, instant=instant, more=EXTREMES))
    yield TABLE
    clickhouse.ask(f"DROP TABLE {TABLE}")


def read(clickhouse: RunningClickHouse, table: str, day: str) -> Mapping[str, Row]:
    """The rows of a day by id, each as it was received last."""
    where = f"toDate(timestamp, 'UTC') = '{day}'"
    sql = f"SELECT * FROM {table} WHERE {where} ORDER BY id, received_at DESC LIMIT 1 BY id FORMAT JSONEachRow"  # noqa: S608 - names of a test
    body = clickhouse.ask(sql, b"", **READ)
    rows = [json.loads(line.decode("utf-8", "surrogateescape")) for line in body.split(b"\n")[:-1]]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def test_table_has_the_days(clickhouse: RunningClickHouse, table: str) -> None:
    """Each day's rows come back as the truth has them, odd texts and the ends of 64 bits included."""
    events = three_days(FIRST, rows=sized(100, 7000), longest=sized(20_000, 1_000_000), has_extremes=True)
    insert(clickhouse, table, events)

    assert events.days() == ["2026-10-31", "2026-11-01", "2026-11-02"]
    for day in events.days():
        assert read(clickhouse, table, day) == events.of_day(day)


def test_late_rows_join_their_day(clickhouse: RunningClickHouse, table: str) -> None:
    """Rows that come later, with any time of receipt, belong to the day of their event."""
    first = three_days(FIRST, rows=5, has_extremes=True)
    received = datetime(2026, 10, 31, 23, tzinfo=UTC)
    drained = late(FIRST, received, 10)
    more = Events(tuple({**row, "sequence": 1, "shift": -1} for row in drained.rows))
    insert(clickhouse, table, first)
    insert(clickhouse, table, more)

    assert {row["received_at"] for row in more.rows} == {"2026-10-31T23:00:00.000Z"}
    assert read(clickhouse, table, "2026-10-31") == (first + more).of_day("2026-10-31")
    assert len((first + more).of_day("2026-10-31")) == len(first.of_day("2026-10-31")) + 10


def test_days_have_what_they_are_for() -> None:
    """Edges to the millisecond, an id that comes thrice, both ends of the lag, and rows received days late."""
    events = three_days(FIRST, rows=2000)
    again = three_days(FIRST, rows=2000)
    times = {row["timestamp"] for row in events.rows}
    ids = [row["id"] for row in events.of_day("2026-10-31").values()]
    most = max(Counter(row["id"] for row in events.rows).values())

    assert events == again
    assert three_days(FIRST, rows=2000, seed=1) != events
    for day in events.days():
        assert {f"{day}T00:00:00.000Z", f"{day}T23:59:59.999Z", f"{day}T13:00:00.000Z", f"{day}T00:00:59.999Z"} <= times
    assert most == 3
    of_first = [row for row in events.rows if row["date"] == "2026-10-31"]
    share = len(of_first) / len(ids) - 1
    assert 0.002 < share < 0.02
    lags = [datetime.fromisoformat(row["received_at"]) - datetime.fromisoformat(row["timestamp"]) for row in of_first]
    assert (min(lags).total_seconds(), max(lags).days) == (0, 5)


def test_storm_is_as_its_numbers_say(clickhouse: RunningClickHouse, table: str) -> None:
    """What counts of each number is in the table; nearly all is one component, and much is in one millisecond."""
    rows = sized(10_000, 200_000)
    for statement in storm_sql(table, FIRST, rows):
        clickhouse.ask(statement)
    zeros = {"sequence": 0, "shift": 0}
    expected = {row["id"]: {**row, **zeros} for row in (storm_row(FIRST, number) for number in range(rows))}

    assert read(clickhouse, table, "2026-10-31") == expected
    share = sum(row["component"] == "redis-channel" for row in expected.values()) / rows
    assert round(share, 4) == 0.9978
    assert sum(row["timestamp"] == "2026-10-31T20:30:00.000Z" for row in expected.values()) >= rows // 100


def test_digest_tells_tables_apart(clickhouse: RunningClickHouse, table: str) -> None:
    """A day has one digest in any order and with any duplicates; a lost row or a changed value has another."""
    rows = [row for row in three_days(FIRST, rows=30, has_extremes=True).rows if row["date"] == "2026-10-31"]
    asked = digest_sql(table, FIRST, columns=[*columns(), *EXTREMES])
    digests = []
    oldest = min(rows, key=lambda row: str(row["received_at"]))
    before = {**oldest, "received_at": "2026-10-30T00:00:00.000Z", "error": "zzz"}
    changes: tuple[Events, ...] = (
        Events(tuple(rows)),
        Events((*reversed(rows), before)),
        Events(tuple(row for row in rows if row["id"] != oldest["id"])),
        *(
            Events(tuple({**row, name: value} if row["id"] == oldest["id"] else row for row in rows))
            for name, value in (("duration_ms", 77), ("sessionId", "other"), ("error", "other"), ("sequence", 77))
        ),
    )
    for events in changes:
        clickhouse.ask(f"TRUNCATE TABLE {table}")
        insert(clickhouse, table, events)
        digests.append(clickhouse.ask(asked))

    assert digests[0] == digests[1]
    assert len(set(digests)) == len(digests) - 1


def test_rows_past_their_time_to_live_go(clickhouse: RunningClickHouse) -> None:
    """The owner's table takes an old row and drops it when it merges; one without a time to live keeps it."""
    old = three_days(date(2020, 1, 1), rows=1)
    for table, days, kept in ((f"{TABLE}_live", 180, False), (f"{TABLE}_kept", None, True)):
        clickhouse.ask(create_table(table, ttl_days=days))
        insert(clickhouse, table, old)
        clickhouse.ask(f"OPTIMIZE TABLE {table} FINAL")

        assert (clickhouse.ask(f"SELECT count() FROM {table}") != b"0\n") is kept  # noqa: S608 - names of a test
