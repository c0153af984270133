"""`otel query` and `otel restore --to-table`: the same answers as the table gives."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.clickhouse.tables import TABLE, create_table
from sandbox.otel_events import EXTREMES, Events, digest_sql, late, three_days
from tests.workloads.otel.conftest import FIRST, days
from workloads.otel.restoring import RestoreOptions
from workloads.otel.restoring import run as restore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]
QUESTION = (
    "SELECT component, level, count() AS events, sum(success) AS good, max(duration_ms) AS longest FROM {} "
    "GROUP BY ALL ORDER BY ALL"
)


def rows_of(text: str) -> list[dict[str, Any]]:
    """The rows of an answer in JSON."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(name="stored")
def _stored(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> Exporter:
    """Three days with duplicates, and a late part, in the store."""
    exporter.create(more=EXTREMES)
    exporter.insert(three_days(FIRST, rows=60, has_extremes=True))
    assert exporter.export(last=str(LAST)) == 0
    drained = late(FIRST, datetime(2026, 11, 1, tzinfo=UTC), 10)
    exporter.insert(Events(tuple({**row, "sequence": 7, "shift": -7} for row in drained.rows)))
    assert exporter.export(last=str(LAST)) == 0
    capsys.readouterr()
    return exporter


def test_same_answer_as_the_table(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts and sums over all days, each id once."""
    newest = f"(SELECT * FROM {TABLE} ORDER BY id, received_at DESC LIMIT 1 BY id)"  # noqa: S608 - a test's table
    expected = stored.server.ask(
        f"{QUESTION.format(newest)} FORMAT JSONEachRow", output_format_json_quote_64bit_integers=0
    )

    assert stored.query(QUESTION.format("otel_events"), FIRST, LAST) == 0

    assert rows_of(capsys.readouterr().out) == rows_of(expected.decode())


def test_values_come_back_digit_for_digit(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """The ends of 64 bits, instants, and what JavaScript would round."""
    sql = (
        "SELECT max(sequence) AS most, min(shift) AS least, min(timestamp) AS first, max(date) AS last FROM otel_events"
    )
    assert stored.query(sql, FIRST, LAST) == 0

    assert rows_of(capsys.readouterr().out) == [
        {"most": 2**64 - 1, "least": -(2**63), "first": f"{FIRST}T00:00:00Z", "last": str(LAST)}
    ]


def test_part_of_a_day(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """Times as bounds: the first belongs to the span, and the last does not."""
    sql = "SELECT count() AS n, min(timestamp) AS first, max(timestamp) AS last FROM otel_events"
    assert stored.query(sql, f"{FIRST}T01:00:00Z", f"{FIRST}T02:00:00Z") == 0

    (row,) = rows_of(capsys.readouterr().out)
    assert (row["first"], row["last"]) == (f"{FIRST}T01:00:00Z", f"{FIRST}T01:59:59.999000Z")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM otel_events",
        "SELEC 1",
        "",
        " ; -- nothing",
        "COPY otel_events TO '{folder}/out.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SET memory_limit = '9GB'",
    ],
)
def test_question_that_is_none(stored: Exporter, capsys: pytest.CaptureFixture[str], tmp_path: Path, sql: str) -> None:
    """A wrong column, what is no SQL, and what would read or write other files: exit status 2."""
    assert stored.query(sql.format(folder=tmp_path), FIRST, LAST) == 2

    captured = capsys.readouterr()
    assert "SQL: " in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out.csv").exists()


def test_bad_span_is_refused(stored: Exporter, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A first day after the last one, a time without its zone, and what is no day: exit status 2, and the option."""
    for first, last in ((str(LAST), str(FIRST)), (f"{FIRST}T00:00:00", str(LAST)), ("yesterday", str(LAST))):
        assert stored.query("SELECT 1", first, last) == 2
        to = tmp_path / "back"
        assert restore(RestoreOptions(stored.config(), quiet=True, first=first, last=last, to=to)) == 2
        assert capsys.readouterr().err.count("--from") >= 2
        assert not to.exists()


def test_damaged_part_is_left_out(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A part with another byte than was committed: exit status 1, the part is named, and its rows do not count."""
    sql = "SELECT count() AS n FROM otel_events"
    assert stored.query(sql, FIRST, LAST) == 0
    (whole,) = rows_of(capsys.readouterr().out)
    key = stored.world.keys(".ndjson.gz")[0]
    client, bucket = stored.world.client, stored.world.bucket
    body = bytearray(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    client.put_object(Bucket=bucket, Key=key, Body=bytes(body))

    assert stored.query(sql, FIRST, LAST) == 1

    captured = capsys.readouterr()
    assert key in captured.err
    (left,) = rows_of(captured.out)
    assert left["n"] < whole["n"]


def test_days_that_are_not_stored_are_named(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is over what is stored, and the exit status 1; over nothing it is 2."""
    assert (
        stored.query("SELECT count() > 0 AS some FROM otel_events", LAST, datetime(2026, 11, 4, tzinfo=UTC).date()) == 1
    )
    captured = capsys.readouterr()
    assert rows_of(captured.out) == [{"some": True}]
    assert "2026-11-03 to 2026-11-04: nothing of these 2 days is stored" in captured.err

    day = datetime(2026, 11, 4, tzinfo=UTC).date()
    assert stored.query("SELECT 1", day, day) == 2
    assert f"days that are stored: {FIRST} to {LAST}" in capsys.readouterr().err


def test_restored_to_a_table(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A new table gets every row that counts, each instant the same; the live table, and one with a TTL, none."""
    stored.server.ask("DROP TABLE IF EXISTS joelclaw.back")
    options = RestoreOptions(stored.config(), quiet=True, first=str(FIRST), last=str(LAST), table="joelclaw.back")
    assert restore(options) == 0

    names = stored.server.ask("SELECT name FROM system.columns WHERE table = 'back' FORMAT TSV").decode().split()
    for day in days():
        assert stored.server.ask(digest_sql("joelclaw.back", day, columns=names)) == stored.server.ask(
            digest_sql(TABLE, day, columns=names)
        )
    capsys.readouterr()
    stored.server.ask("DROP TABLE IF EXISTS joelclaw.mortal")
    stored.server.ask(create_table("joelclaw.mortal", more=EXTREMES))
    for table, said in ((TABLE, "is the live table"), ("mortal", "joelclaw.mortal has a TTL")):
        assert restore(RestoreOptions(stored.config(), quiet=True, first=str(FIRST), last=str(LAST), table=table)) == 2
        assert said in capsys.readouterr().err


def test_file_is_never_written_over(stored: Exporter, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file that exists stays, and a restore that fails leaves none."""
    path = tmp_path / "back"
    path.write_text("mine")
    assert restore(RestoreOptions(stored.config(), quiet=True, first=str(FIRST), last=str(LAST), to=path)) == 2
    assert "exists" in capsys.readouterr().err
    assert path.read_text() == "mine"
    stored.world.client.delete_object(Bucket=stored.world.bucket, Key=stored.world.keys(".ndjson.gz")[0])

    assert (
        restore(RestoreOptions(stored.config(), quiet=True, first=str(FIRST), last=str(LAST), to=tmp_path / "b")) == 1
    )
    assert "is gone, or hidden by a delete marker" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 'nan'::DOUBLE AS a, ['-inf'::FLOAT] AS b", {"a": "nan", "b": ["-inf"]}),
        ("SELECT MAP {DATE '2026-11-01': 'inf'::DOUBLE} AS m", {"m": {"2026-11-01": "inf"}}),
        ("SELECT 1 AS a, 2 AS a, 3 AS a_1", {"a": 1, "a_1": 2, "a_1_1": 3}),
        (
            "SELECT TIMESTAMP_NS '2026-11-01 00:00:00.123456789' AS t, 1 AS t",
            {"t": "2026-11-01T00:00:00.123456789Z", "t_1": 1},
        ),
    ],
    ids=["numbers", "keys", "names", "nanoseconds"],
)
def test_row_in_json(stored: Exporter, capsys: pytest.CaptureFixture[str], sql: str, expected: object) -> None:
    """A row is JSON for any reader: no NaN, each column under a name of its own, all keys text, and all digits."""
    assert stored.query(sql, FIRST, LAST) == 0

    def refused(name: str) -> None:
        raise AssertionError(name)

    assert json.loads(capsys.readouterr().out, parse_constant=refused) == expected


def test_columns_that_differ_by_large_letters(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """ClickHouse keeps `level` and `Level` apart, and DuckDB does not: the answer is an error that says so."""
    exporter.create(more={"Level": "String"})
    exporter.insert(three_days(FIRST, rows=5))
    assert exporter.export(last=str(LAST)) == 0
    capsys.readouterr()

    assert exporter.query("SELECT 1", FIRST, LAST) == 2

    assert "which DuckDB takes for one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "last"),
    [("0001-01-01T00:00:00+10:00", str(LAST)), (str(FIRST), "9999-12-31T23:59:59-10:00")],
    ids=["before", "after"],
)
def test_span_outside_of_the_calendar(
    stored: Exporter, capsys: pytest.CaptureFixture[str], first: str, last: str
) -> None:
    """A time that is in the year 0 or 10000 by UTC is refused."""
    assert stored.query("SELECT 1", first, last) == 2

    assert "is neither a day nor a time" in capsys.readouterr().err


def test_days_that_are_not_stored_are_named_by_their_ends(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A span of years is one line, not one for each day."""
    assert stored.query("SELECT 1", "2000-01-01", LAST) == 1

    assert capsys.readouterr().err == "2000-01-01 to 2026-10-30: nothing of these 9800 days is stored\n"


def test_restored_to_a_table_twice(stored: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that has rows of the span is refused, as one that a killed restore left: no event is in it twice."""
    stored.server.ask("DROP TABLE IF EXISTS joelclaw.again")
    first, last = str(FIRST), str(LAST)
    one = RestoreOptions(stored.config(), quiet=True, first=first, last=first, table="again")
    assert restore(one) == 0
    count = "SELECT count(), uniqExact(id) FROM joelclaw.again"
    before = stored.server.ask(count)
    capsys.readouterr()

    assert restore(RestoreOptions(stored.config(), quiet=True, first=first, last=last, table="again")) == 2

    assert "joelclaw.again has rows of this span already" in capsys.readouterr().err
    assert stored.server.ask(count) == before
    assert restore(RestoreOptions(stored.config(), quiet=True, first=last, last=last, table="again")) == 0
    stored.server.ask("DROP TABLE joelclaw.again")
