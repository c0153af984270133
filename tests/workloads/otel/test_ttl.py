"""The table's TTL: which rule of it counts, and that no day which the table has is passed over."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.clickhouse.tables import TABLE
from sandbox.otel_events import three_days
from tests.workloads.otel.conftest import FIRST, NOW, days
from workloads.otel.calendar import begin_of, days_to_look_at, filled
from workloads.otel.clickhouse import Address, ClickHouse
from workloads.otel.table import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]
RULES = {
    "date + INTERVAL 180 DAY": 180,
    "toDate(timestamp) + INTERVAL 6 MONTH": 168,
    "toDateTime(timestamp, 'UTC') + INTERVAL 26 WEEK": 182,
    "toDateTime(timestamp) + INTERVAL 1 YEAR": 365,
    "toDateTime(timestamp + INTERVAL 2 QUARTER)": 180,
    "toDateTime(received_at) + INTERVAL 30 DAY": 30,
    "toDateTime(timestamp) + INTERVAL 3 DAY DELETE WHERE level = 'TTL timestamp + INTERVAL 1 DAY'": 3,
    "toDateTime(timestamp) + INTERVAL 2 DAY TO VOLUME 'default', toDateTime(timestamp) + INTERVAL 180 DAY": 180,
    "toDateTime(timestamp) + INTERVAL 2 DAY RECOMPRESS CODEC(ZSTD(9)), toDateTime(timestamp) + INTERVAL 90 DAY": 90,
    "toDateTime(timestamp) + INTERVAL 2 DAY TO VOLUME 'default'": None,
}


@pytest.mark.parametrize(("rule", "expected"), RULES.items(), ids=[rule[:60] for rule in RULES])
def test_rule_that_removes_rows_first(exporter: Exporter, rule: str, expected: float | None) -> None:
    """The first rule that removes rows counts, in any unit and by any time of a row; not one that moves them."""
    exporter.create(ttl_days=None)
    exporter.server.ask(f"ALTER TABLE {TABLE} MODIFY TTL {rule}")
    server = exporter.server
    address = Address(server.endpoint, "joelclaw", "otel_events", server.user, server.password)

    with ClickHouse(address) as opened:
        table = described(opened)

    assert table.ttl_days == expected
    assert table.has_ttl


@pytest.mark.parametrize(
    ("column", "has_ttl"),
    [
        ("String TTL toDateTime(timestamp) + INTERVAL 2 DAY", True),
        ("String COMMENT 'has no TTL timestamp + INTERVAL 2 DAY'", False),
    ],
    ids=["ttl", "comment"],
)
def test_ttl_of_a_column(exporter: Exporter, column: str, *, has_ttl: bool) -> None:
    """A TTL that empties one column, or a comment that speaks of one, makes the export pass over no day."""
    exporter.create(ttl_days=None, more={"error": column})
    exporter.insert(three_days(FIRST, rows=5))
    server = exporter.server
    with ClickHouse(Address(server.endpoint, "joelclaw", "otel_events", server.user, server.password)) as opened:
        assert described(opened).has_ttl is has_ttl

    assert exporter.export(last=str(LAST)) == 0

    assert len(exporter.commits()) == 3
    assert exporter.gaps(last=str(LAST)) == 0


def test_days_that_the_table_keeps_longer_than_its_ttl(exporter: Exporter) -> None:
    """ClickHouse takes rows at a merge, weeks later perhaps; what is there until then is named and stored."""
    exporter.create(ttl_days=None)
    exporter.insert(three_days(FIRST, rows=5))
    exporter.server.ask("SYSTEM STOP TTL MERGES")
    exporter.server.ask(
        f"ALTER TABLE {TABLE} MODIFY TTL toDateTime(timestamp) + INTERVAL 3 DAY "
        "SETTINGS materialize_ttl_after_modify = 0, mutations_sync = 2"
    )
    assert int(exporter.server.ask(f"SELECT count() FROM {TABLE}"))  # noqa: S608 - a test's table
    assert exporter.gaps(last=str(LAST)) == 1

    assert exporter.export(last=str(LAST)) == 0

    assert len(exporter.commits()) == 3
    assert exporter.gaps(last=str(LAST)) == 0


def test_ttl_that_is_too_short(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A TTL that takes rows before a daily export can store them is a gap by itself: all looks well otherwise."""
    exporter.create(ttl_days=None)
    exporter.server.ask(f"ALTER TABLE {TABLE} MODIFY TTL toDateTime(timestamp) + INTERVAL 12 HOUR")
    capsys.readouterr()

    assert exporter.gaps(last=str(LAST)) == 1

    kinds: list[Mapping[str, str]] = json.loads(capsys.readouterr().out)["gaps"]
    assert "after 0.5 days" in next(gap["what"] for gap in kinds if gap["kind"] == "ttl")


def test_first_day_of_a_table(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """While the table has only days that have not ended, or later ones than were asked for, nothing is missing."""
    exporter.insert(three_days(NOW.date(), rows=5))
    asked = str(NOW.date() - timedelta(days=1))
    assert exporter.export(last=asked) == 0
    capsys.readouterr()

    exporter.gaps(last=asked)

    assert "uncommitted" not in capsys.readouterr().out


def test_event_of_1970_makes_no_empty_days() -> None:
    """Days between events are looked at, so that they are proven empty; not thousands after a wrong clock."""
    then, one, other = date(1970, 1, 1), date(2026, 11, 1), date(2026, 11, 4)

    begin = begin_of([then, one], None, NOW, other)

    assert days_to_look_at([then, one], [], begin, None, other) == [
        then,
        one,
        date(2026, 11, 2),
        date(2026, 11, 3),
        other,
    ]
    assert filled([then, other]) == [then, other]
