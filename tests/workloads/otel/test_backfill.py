"""`otel backfill`: what Typesense has from before ClickHouse, each event once for a reader."""

from __future__ import annotations

import gzip
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.clickhouse.tables import columns
from sandbox.otel_events import Events, document, late, newest, three_days
from sandbox.typesense import ExportFault, RunningTypesense, running_typesense
from tests.sizes import sized
from tests.workloads.otel.conftest import FIRST, NOW, days
from tests.workloads.otel.ending import calls_of, run_calls, run_until
from workloads.otel.backfill import Spool
from workloads.otel.backfill import run as backfill
from workloads.otel.documents import COLUMNS, NoEventError, event_of
from workloads.otel.export import ExportOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]
EVENTS = three_days(FIRST, rows=40, longest=30_000)


def documents_of(events: Events) -> list[Mapping[str, Any]]:
    """The documents of the rows that count, in the order of their insertion."""
    return [document(row) for row in newest(events.rows).values()]


def expected(events: Events) -> dict[str, dict[str, Any]]:
    """What a reader gets of documents: a row without what they do not have."""
    return {
        name: {key: value for key, value in row.items() if value is not None and key != "received_at"}
        for name, row in newest(events.rows).items()
    }


@pytest.fixture(name="typesense")
def _typesense(exporter: Exporter) -> Iterator[RunningTypesense]:
    """A collection with the three days, named in the machine's configuration."""
    with running_typesense(otel_events=documents_of(EVENTS)) as server:
        point_at(exporter, server)
        yield server


def point_at(exporter: Exporter, server: RunningTypesense) -> None:
    """Write the collection into the configuration."""
    key = exporter.world.home / "typesense.key"
    key.write_text(f"{server.key}\n")
    exporter.more = {**exporter.more, "typesense": {"url": server.endpoint, "api_key_file": str(key)}}


def run(exporter: Exporter, first: str = "", last: str = "") -> int:
    """Run `otel backfill`."""
    return backfill(ExportOptions(exporter.config(), quiet=True, first=first, last=last))


def stored(exporter: Exporter) -> dict[str, str]:
    """The etag of each key except receipts."""
    found = exporter.world.client.list_objects_v2(Bucket=exporter.world.bucket).get("Contents", [])
    return {one["Key"]: one["ETag"] for one in found if not one["Key"].startswith("receipts/")}


def parts(exporter: Exporter) -> Iterator[Sequence[bytes]]:
    """The lines of each part in the store."""
    for key in exporter.world.keys(".ndjson.gz"):
        body = exporter.world.client.get_object(Bucket=exporter.world.bucket, Key=key)["Body"].read()
        yield gzip.decompress(body).splitlines(keepends=True)


@pytest.mark.usefixtures("typesense")
def test_documents_come_back(exporter: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A day has one part, sorted by id, and one commit; every event comes back, and nothing is missing."""
    assert run(exporter) == 0

    assert [(one["day"], one["origin"], one["sequence"]) for one in exporter.commits()] == [
        (str(day), "typesense", 1) for day in days()
    ]
    for lines in parts(exporter):
        ids = [json.loads(line.decode("utf-8", "surrogateescape"))["id"] for line in lines]
        assert ids == sorted(ids)
    status, found = exporter.restored(tmp_path / "back", FIRST, LAST)
    assert status == 0
    assert found == expected(EVENTS)
    assert exporter.gaps(last=str(LAST)) == 0
    assert exporter.world.receipts()[-1]["kind"] == "otel.backfill"
    capsys.readouterr()
    assert exporter.query("SELECT count(*) AS n, count(received_at) AS received FROM otel_events", FIRST, LAST) == 0
    assert json.loads(capsys.readouterr().out) == {"n": len(found), "received": 0}


@pytest.mark.usefixtures("typesense")
def test_lines_are_those_of_the_table(exporter: Exporter) -> None:
    """But for what a document does not have, the line of an event is byte for byte the one that ClickHouse gives."""
    assert run(exporter) == 0
    from_documents = {line for lines in parts(exporter) for line in lines}
    exporter.insert(EVENTS)
    assert exporter.export(last=str(LAST)) == 0

    assert from_documents
    from_table = {line for lines in parts(exporter) for line in lines} - from_documents
    bare = set()
    for line in from_table:
        row = json.loads(line.decode("utf-8", "surrogateescape"))
        kept = {key: value for key, value in row.items() if value is not None and key != "received_at"}
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        bare.add(text.encode("utf-8", "surrogateescape") + b"\n")
    assert bare == from_documents


@pytest.mark.usefixtures("typesense")
def test_second_run_stores_nothing(exporter: Exporter) -> None:
    """A day whose bytes are stored is neither stored nor committed once more."""
    assert run(exporter) == 0
    before = stored(exporter)

    assert run(exporter) == 0

    assert stored(exporter) == before


FAULTS = {
    "ended early": ExportFault(ends_after=50),
    "torn": ExportFault(tears=True),
    "ended early and torn": ExportFault(ends_after=50, tears=True),
    "another number after": ExportFault(counts=(len(documents_of(EVENTS)), len(documents_of(EVENTS)) + 1)),
    "another number before": ExportFault(counts=(len(documents_of(EVENTS)) - 1, len(documents_of(EVENTS)))),
    "ended early at no document": ExportFault(ends_after=0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_export_that_is_not_whole(exporter: Exporter, typesense: RunningTypesense, name: str) -> None:
    """Fewer documents than the collection has, a torn one, or another number: exit status 1, and nothing is committed.

    https://github.com/typesense/typesense/issues/830
    """
    typesense.order(FAULTS[name])
    assert run(exporter) == 1
    assert stored(exporter) == {}
    assert "nothing was committed" in str(exporter.world.receipts()[-1]["sources"])

    typesense.order(ExportFault())
    assert run(exporter) == 0
    assert len(exporter.commits()) == 3


def test_empty_line_is_no_row(exporter: Exporter, tmp_path: Path, typesense: RunningTypesense) -> None:
    """An empty line after the last document is not counted."""
    typesense.order(ExportFault(empty_line=True))

    assert run(exporter) == 0

    assert exporter.restored(tmp_path / "back", FIRST, LAST)[1] == expected(EVENTS)


@pytest.mark.parametrize("is_first", [True, False])
def test_days_that_come_from_both(
    exporter: Exporter,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    typesense: RunningTypesense,
    *,
    is_first: bool,
) -> None:
    """Each id counts once, as ClickHouse has it; what only Typesense has is there; `gaps` calls neither double.

    https://github.com/PostHog/posthog/issues/27699
    """
    alone = late(FIRST, datetime(2026, 11, 1, tzinfo=UTC), 20, seed=5)
    typesense.collections = {"otel_events": [*typesense.collections["otel_events"], *documents_of(alone)]}
    exporter.insert(EVENTS)
    if is_first:
        assert run(exporter) == 0
    assert exporter.export(last=str(LAST)) == 0
    if not is_first:
        assert run(exporter) == 0

    status, found = exporter.restored(tmp_path / "back", FIRST, LAST)
    assert status == 0
    assert found == {name: dict(row) for name, row in newest(EVENTS.rows).items()} | expected(alone)
    assert exporter.gaps(last=str(LAST)) == 0
    capsys.readouterr()
    assert exporter.query("SELECT count(*) AS n, count(received_at) AS received FROM otel_events", FIRST, LAST) == 0
    assert json.loads(capsys.readouterr().out) == {"n": len(found), "received": len(found) - 20}


def test_types_are_those_of_the_table(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A column that the table has in another type is read as that, though the backfill came later."""
    exporter.create(more={"duration_ms": "Nullable(UInt64)"})
    longest = Events(({**EVENTS.rows[0], "duration_ms": 2**63}, *EVENTS.rows[1:]))
    exporter.insert(longest)
    assert exporter.export(last=str(LAST)) == 0
    with running_typesense(otel_events=documents_of(EVENTS)[1:]) as server:
        point_at(exporter, server)
        assert run(exporter) == 0

    capsys.readouterr()
    assert exporter.query("SELECT max(duration_ms) AS longest FROM otel_events", FIRST, LAST) == 0
    assert json.loads(capsys.readouterr().out) == {"longest": 2**63}


@pytest.mark.usefixtures("typesense")
def test_some_days(exporter: Exporter) -> None:
    """`--from` and `--to` choose days; the whole collection is counted all the same."""
    middle = str(days()[1])
    assert run(exporter, middle, middle) == 0
    assert [one["day"] for one in exporter.commits()] == [middle]

    assert run(exporter, last=middle) == 0
    assert [one["day"] for one in exporter.commits()] == [str(FIRST), middle]


def test_quiet_day_is_committed_as_zero(exporter: Exporter, typesense: RunningTypesense) -> None:
    """A day without a document between days that have some is no gap."""
    middle = str(days()[1])
    held = typesense.collections["otel_events"]
    typesense.collections = {"otel_events": [one for one in held if one["date"][:10] != middle]}

    assert run(exporter) == 0

    assert [one["day"] for one in exporter.commits() if one["part"] is None] == [middle]
    assert exporter.gaps(last=str(LAST)) == 0


def test_part_that_went_is_stored_again(exporter: Exporter, tmp_path: Path, typesense: RunningTypesense) -> None:
    """A day whose part is gone is named by `gaps`, and the same command stores it once more."""
    assert typesense.collections
    assert run(exporter) == 0
    part = exporter.commits()[0]["part"]["stored"]["key"]
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=part)
    assert exporter.gaps(last=str(LAST)) == 1

    assert run(exporter) == 0

    assert exporter.gaps(last=str(LAST)) == 0
    assert exporter.restored(tmp_path / "back", FIRST, LAST) == (0, expected(EVENTS))


@pytest.mark.usefixtures("typesense")
def test_lost_part_of_the_table_stays_named(exporter: Exporter, tmp_path: Path) -> None:
    """Documents of a day do not stand for a part of the table that is gone."""
    exporter.insert(EVENTS)
    assert exporter.export(last=str(LAST)) == 0
    exporter.world.client.delete_object(
        Bucket=exporter.world.bucket, Key=exporter.commits()[0]["part"]["stored"]["key"]
    )

    assert run(exporter) == 0

    assert exporter.restored(tmp_path / "back", FIRST, FIRST)[0] == 1


BAD: dict[str, Mapping[str, Any]] = {
    "no id": {"timestamp": 1},
    "no time": {"id": "x"},
    "time as text": {"id": "x", "timestamp": "2026-11-01"},
    "time beyond all days": {"id": "x", "timestamp": 10**17},
    "twice": documents_of(EVENTS)[0],
}


@pytest.mark.parametrize("name", BAD)
def test_document_that_is_no_event(
    exporter: Exporter, capsys: pytest.CaptureFixture[str], typesense: RunningTypesense, name: str
) -> None:
    """It is named, and nothing is committed."""
    typesense.collections = {"otel_events": [*typesense.collections["otel_events"], BAD[name]]}
    config = exporter.config()

    assert backfill(ExportOptions(config)) == 1

    assert ("came twice" if name == "twice" else "is not an event") in capsys.readouterr().out
    assert stored(exporter) == {}


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b'{"id":"a","timestamp":-1}', b'{"id":"a","timestamp":"1969-12-31T23:59:59.999Z","date":"1969-12-31"}\n'),
        (
            b'{"more":"x","success":true,"date":"old","timestamp":86400000,"id":"a","duration_ms":null}',
            b'{"id":"a","timestamp":"1970-01-02T00:00:00.000Z","date":"1970-01-02","success":1,"more":"x"}\n',
        ),
        (
            b'{"id":"a","timestamp":0,"error":"\\ud83e-\\udc80\\u0000"}',
            b'{"id":"a","timestamp":"1970-01-01T00:00:00.000Z","date":"1970-01-01","error":"\\ud83e-\\udc80\\u0000"}\n',
        ),
        (
            b'{"id":"a","timestamp":0,"error":"\xff"}',
            b'{"id":"a","timestamp":"1970-01-01T00:00:00.000Z","date":"1970-01-01","error":"\xff"}\n',
        ),
    ],
)
def test_line_of_a_document(line: bytes, row: bytes) -> None:
    """A time is UTC, a truth is a number, what is not there is left out, and no byte of a text changes."""
    assert event_of(line).line == row


DEEP = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'{"id":1,"timestamp":1}',
        b'{"id":"a","timestamp":true}',
        b'{"id":"a","timestamp":0,"duration_ms":1e999}',
        b'{"id":"a","timestamp":0,"duration_ms":NaN}',
        b'{"id":"a","timestamp":0,"more":%b}' % DEEP,
    ],
    ids=["empty", "cut", "list", "id", "time", "infinite", "no number", "deep"],
)
def test_line_that_is_no_document(line: bytes) -> None:
    """What is no document of an event is an error."""
    with pytest.raises(NoEventError):
        event_of(line)


def test_document_of_1970(exporter: Exporter, typesense: RunningTypesense) -> None:
    """A time that was written in seconds is stored on its day of 1970, and no commit says that decades were empty."""
    old = {**documents_of(EVENTS)[0], "id": "seconds", "timestamp": 1_793_000_000}
    typesense.collections = {"otel_events": [*typesense.collections["otel_events"], old]}

    assert run(exporter) == 0

    held = [commit["day"] for commit in exporter.commits()]
    assert held[0] == "1970-01-21"
    assert held[1:] == [str(day) for day in days()]


@pytest.mark.parametrize("wrong", ["key", "collection", "away", "no key", "url"])
def test_typesense_cannot_be_asked(
    exporter: Exporter, typesense: RunningTypesense, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    """Exit status 2, with the setting that is wrong, and without the key."""
    given: dict[str, Any] = dict(exporter.more["typesense"])  # type: ignore[call-overload]  # a mapping
    if wrong == "key":
        (exporter.world.home / "typesense.key").write_text("planted-wrong-key")
    changes: dict[str, dict[str, Any]] = {
        "key": {},
        "collection": {"collection": "events"},
        "away": {"url": "http://127.0.0.1:9"},
        "no key": {"api_key_file": None},
        "url": {"url": "ftp://typesense"},
    }
    exporter.more = {"typesense": given | changes[wrong]}

    assert run(exporter) == 2

    text = capsys.readouterr().err
    said = {"key": "api_key_file", "collection": "otel.typesense.collection", "away": "127.0.0.1:9"}
    assert said.get(wrong, f"otel.typesense.{'url' if wrong == 'url' else 'api_key_file'}") in text
    assert typesense.key not in text
    assert "planted-wrong-key" not in text
    assert stored(exporter) == {}


def test_killed_twice(exporter: Exporter, tmp_path: Path) -> None:
    """A backfill that is killed twice is completed by the same command; no key is written a second time."""
    number = sized(400, 50_000)
    events = Events(
        tuple(
            row
            for day in days()
            for row in late(day, datetime(2026, 11, 4, tzinfo=UTC), number // 3 + 1, seed=day.day).rows
        )
    )
    with running_typesense(otel_events=documents_of(events)) as server:
        point_at(exporter, server)
        command = "otel backfill"
        made = calls_of(exporter.config(), NOW, command)
        exporter.world.client.create_bucket(Bucket=f"{exporter.world.bucket}-2")
        exporter.world.bucket += "-2"
        assert run_calls(exporter.config(), NOW, command, made * 7 // 10) == -9
        assert stored(exporter) == {}  # the documents were still being read
        assert run_until(exporter.config(), NOW, command, "stored", 2) == -9
        before = stored(exporter)
        assert (len(exporter.world.keys(".ndjson.gz")), len(exporter.commits())) == (2, 1)

        assert run(exporter) == 0

    assert stored(exporter).items() >= before.items()
    assert exporter.restored(tmp_path / "back", FIRST, LAST) == (0, expected(events))
    assert [one["day"] for one in exporter.commits()] == [str(day) for day in days()]
    assert list((exporter.world.folder / "state/otel").rglob("part-*")) == []


def test_day_that_is_not_over_is_left(
    exporter: Exporter, typesense: RunningTypesense, capsys: pytest.CaptureFixture[str]
) -> None:
    """Documents of a day that has not ended are left, and said."""
    today = late(days()[0] + timedelta(days=9), datetime(2026, 11, 9, tzinfo=UTC), 4)
    typesense.collections = {"otel_events": [*typesense.collections["otel_events"], *documents_of(today)]}

    assert backfill(ExportOptions(exporter.config())) == 0

    assert "4 documents are of days after 2026-11-08, and were left" in capsys.readouterr().out


def test_columns_are_those_of_the_table() -> None:
    """A backfilled day has the columns of a day that ClickHouse exported, in their order."""
    held = {name: kind.partition(" DEFAULT")[0] for name, kind in columns().items()}

    assert list(COLUMNS.items()) == list(held.items())


def test_spool_that_finds_no_room(
    exporter: Exporter, typesense: RunningTypesense, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file of the spool is named, the machine's state is left alone, and nothing is committed."""
    del typesense
    monkeypatch.setattr(Spool, "_filled", _no_room)

    assert run(exporter) == 2

    said = capsys.readouterr().err
    assert "part-documents: database or disk is full" in said
    assert "state.sqlite" not in said
    assert exporter.commits() == []


def _no_room(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")
