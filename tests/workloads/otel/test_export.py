"""`otel export`, `gaps` and `restore`: what the table held comes back row by row."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.clickhouse.conditions import Fault, Profile
from sandbox.clickhouse.tables import TABLE
from sandbox.otel_events import EXTREMES, Events, late, newest, three_days
from tests.workloads.otel.conftest import FIRST, days

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]


def expected(events: Events) -> dict[str, dict[str, object]]:
    """What a reader must get: of each id the row that was received last, with 64-bit integers quoted."""
    return {
        name: {key: str(value) if key in EXTREMES else value for key, value in row.items()}
        for name, row in newest(events.rows).items()
    }


@pytest.mark.parametrize("is_replacing", [True, False])
def test_three_days_come_back(
    exporter: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, is_replacing: bool
) -> None:
    """Late events, duplicates, midnight edges, odd texts and the ends of 64 bits, from either engine, row by row."""
    exporter.create(is_replacing=is_replacing, more=EXTREMES)
    events = three_days(FIRST, rows=60, longest=30_000, has_extremes=True)
    exporter.insert(events)
    assert exporter.gaps(last=str(LAST)) == 1
    assert [gap["kind"] for gap in json.loads(capsys.readouterr().out)["gaps"]] == ["uncommitted"] * 3

    assert exporter.export(last=str(LAST)) == 0

    assert exporter.gaps(last=str(LAST)) == 0
    assert json.loads(capsys.readouterr().out) == {"gaps": []}
    status, found = exporter.restored(tmp_path / "back", FIRST, LAST)
    assert status == 0
    assert found == expected(events)
    for day in days():
        status, found = exporter.restored(tmp_path / "back", day, day)
        assert (status, found.keys()) == (0, events.of_day(str(day)).keys())


def test_second_run_stores_nothing(exporter: Exporter) -> None:
    """A run without new rows leaves the keys and their bytes as they were."""
    exporter.insert(three_days(FIRST, rows=20))
    assert exporter.export(last=str(LAST)) == 0
    before = {
        one["Key"]: one["ETag"]
        for one in exporter.world.client.list_objects_v2(Bucket=exporter.world.bucket)["Contents"]
    }
    exporter.server.ask(f"OPTIMIZE TABLE {TABLE} FINAL")  # merging takes duplicates away, and that is no difference

    assert exporter.export(last=str(LAST)) == 0

    after = {
        one["Key"]: one["ETag"]
        for one in exporter.world.client.list_objects_v2(Bucket=exporter.world.bucket)["Contents"]
    }
    assert {key for key in after if not key.startswith("receipts/")} == {
        key for key in before if not key.startswith("receipts/")
    }
    assert all(after[key] == etag for key, etag in before.items())


def test_slices_share_no_row(exporter: Exporter, tmp_path: Path) -> None:
    """A day in slices of 7 rows, with many rows on their borders: each row is in one part, and the parts differ."""
    exporter.more = {"slice_rows": 7}
    events = three_days(FIRST, rows=30)
    exporter.insert(events)

    assert exporter.export(last=str(FIRST)) == 0

    commits = exporter.commits()
    assert all(commit["part"]["rows"] <= 7 for commit in commits if commit["part"])
    assert len({commit["part"]["stored"]["key"] for commit in commits if commit["part"]}) > 10
    ids: list[str] = []
    for commit in commits:
        body = exporter.world.client.get_object(Bucket=exporter.world.bucket, Key=commit["part"]["stored"]["key"])[
            "Body"
        ]
        lines = gzip.decompress(body.read()).decode("utf-8", "surrogateescape").splitlines()
        ids += [json.loads(line)["id"] for line in lines if line]
        assert {name for name, _ in commit["columns"]} == set(json.loads(lines[0]))
    rows = newest(events.rows)
    assert set(ids) == events.of_day(str(FIRST)).keys()
    assert exporter.restored(tmp_path / "back", FIRST, FIRST)[1] == {
        name: dict(row) for name, row in rows.items() if row["date"] == str(FIRST)
    }


@pytest.mark.parametrize("age", [timedelta(minutes=40), timedelta(hours=26)])
def test_row_that_became_visible_late(
    exporter: Exporter, tmp_path: Path, capsys: pytest.CaptureFixture[str], age: timedelta
) -> None:
    """Rows with a `received_at` before the exported ones, as of a drained outbox, are named, and the next run has them.

    https://github.com/PostHog/posthog/issues/25850
    """
    events = three_days(FIRST, rows=20)
    exporter.insert(events)
    assert exporter.export(last=str(LAST)) == 0
    drained = late(FIRST, datetime(2026, 11, 2, 23, tzinfo=UTC) - age, 10)
    exporter.insert(drained)

    assert exporter.gaps(last=str(LAST)) == 1
    (gap,) = json.loads(capsys.readouterr().out)["gaps"]
    assert (gap["day"], gap["kind"], gap["rows"]) == (str(FIRST), "late", 10)

    assert exporter.export(last=str(LAST)) == 0
    assert exporter.gaps(last=str(LAST)) == 0
    assert exporter.restored(tmp_path / "back", FIRST, LAST)[1] == {
        name: dict(row) for name, row in newest((events + drained).rows).items()
    }


def test_id_that_moved_to_another_day(exporter: Exporter, tmp_path: Path) -> None:
    """A row of a known id on a day that was exported is found, and counts because it was received last."""
    events = three_days(FIRST, rows=20)
    exporter.insert(events)
    assert exporter.export(last=str(LAST)) == 0
    row = events.rows[0]
    moved = Events(
        ({**row, "timestamp": f"{LAST}T11:00:00.000Z", "date": str(LAST), "received_at": "2026-11-08T00:00:00.000Z"},)
    )
    exporter.insert(moved)

    assert exporter.gaps(last=str(LAST)) == 1
    assert exporter.export(last=str(LAST)) == 0

    assert exporter.restored(tmp_path / "back", FIRST, LAST)[1][row["id"]]["date"] == str(LAST)


def test_equal_stamps_beyond_one_slice(exporter: Exporter, tmp_path: Path) -> None:
    """More rows of one millisecond than a slice may have are divided by their ids."""
    exporter.more = {"slice_rows": 10}
    events = late(FIRST, datetime(2026, 11, 1, tzinfo=UTC), 57)
    events = Events(tuple({**row, "timestamp": f"{FIRST}T23:59:59.999Z"} for row in events.rows))
    exporter.insert(events)

    assert exporter.export(last=str(FIRST)) == 0

    assert len(exporter.commits()) == 6
    assert exporter.restored(tmp_path / "back", FIRST, FIRST)[1].keys() == {row["id"] for row in events.rows}
    assert exporter.gaps(last=str(FIRST)) == 0


def test_empty_day_is_committed_as_zero(exporter: Exporter) -> None:
    """A day without a row between days with rows has a commit that says so, and no part."""
    events = three_days(FIRST, rows=20)
    exporter.insert(Events(tuple(row for row in events.rows if row["date"] != str(days()[1]))))

    assert exporter.export(last=str(LAST)) == 0

    (empty,) = [commit for commit in exporter.commits() if commit["day"] == str(days()[1])]
    assert (empty["part"], empty["tally"]) == (None, {})
    assert exporter.gaps(last=str(LAST)) == 0


FAULTS = {
    "error as text": Fault("LIMIT 1 BY `id` FORMAT", error_after_rows=9, form="bare"),
    "error as a row": Fault("LIMIT 1 BY `id` FORMAT", error_after_rows=9, form="row"),
    "error after a mark": Fault("LIMIT 1 BY `id` FORMAT", error_after_rows=9, form="marked"),
    "error with a tag": Fault("LIMIT 1 BY `id` FORMAT", error_after_rows=9, form="tagged"),
    "cut in a chunk": Fault("LIMIT 1 BY `id` FORMAT", end_after_bytes=5000),
    "ended as if whole": Fault("LIMIT 1 BY `id` FORMAT", end_after_bytes=5000, ending="whole"),
    "reset": Fault("LIMIT 1 BY `id` FORMAT", end_after_bytes=5000, ending="reset"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_answer_that_is_not_whole(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Status 200 and then an error or an early end: nothing is committed; once the server is well, all is."""
    monkeypatch.setattr("workloads.otel.slice_export._WAITS", (0.0, 0.0))
    events = three_days(FIRST, rows=60)
    exporter.insert(events)
    exporter.server.order(FAULTS[name])
    assert exporter.export(last=str(FIRST)) in (1, 2)
    assert exporter.commits() == []

    exporter.server.order()
    assert exporter.export(last=str(FIRST)) == 0
    assert exporter.restored(tmp_path / "back", FIRST, FIRST)[1].keys() == events.of_day(str(FIRST)).keys()


@pytest.mark.parametrize("name", FAULTS)
def test_answer_that_fails_once(exporter: Exporter, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A slice is asked for again."""
    monkeypatch.setattr("workloads.otel.slice_export._WAITS", (0.0, 0.0))
    fault = FAULTS[name]
    exporter.insert(three_days(FIRST, rows=60))
    exporter.server.order(Fault(**{**vars(fault), "times": 1}))

    assert exporter.export(last=str(FIRST)) == 0
    assert exporter.gaps(last=str(FIRST)) == 0


PROFILES: tuple[dict[str, str], ...] = (
    {"max_result_rows": "20", "result_overflow_mode": "break"},
    {"max_rows_to_group_by": "1", "group_by_overflow_mode": "break"},  # cuts the counts
    {"max_rows_to_read": "20", "read_overflow_mode": "break"},
    {"max_execution_time": "0.001", "timeout_overflow_mode": "break"},
    {"limit": "2"},  # cuts both
    {"offset": "3"},
    {"empty_result_for_aggregation_by_empty_set": "1"},  # leaves a count of nothing without a row
    {"additional_table_filters": f"{{'{TABLE}': 'level != \\'info\\''}}"},  # hides rows
    {"session_timezone": "Asia/Tokyo", "date_time_output_format": "simple"},
    {"output_format_json_quote_64bit_integers": "0", "output_format_json_quote_denormals": "0"},
)


def test_profile_changes_nothing(exporter: Exporter) -> None:
    """An account whose profile cuts answers or counts, or writes them in another form: the bytes are the same.

    https://github.com/ClickHouse/ClickHouse/issues/9271
    """
    exporter.create(more=EXTREMES)
    exporter.insert(three_days(FIRST, rows=60, has_extremes=True))
    keys = []
    for number, settings in enumerate(({}, *PROFILES)):
        exporter.world.bucket = f"{exporter.world.bucket}{number}"
        exporter.world.client.create_bucket(Bucket=exporter.world.bucket)
        exporter.server.order(profile=Profile(settings))
        assert exporter.export(last=str(LAST)) == 0, settings
        keys.append(exporter.world.keys(".ndjson.gz"))  # they hold the hashes

    assert len(keys[0]) == len(days())
    for settings, found in zip(PROFILES, keys[1:], strict=True):
        assert found == keys[0], settings


def test_profile_that_may_not_be_changed_is_named(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> None:
    """A setting that cuts answers and is constant in the profile, or all of them: exit status 2, and it is named."""
    exporter.insert(three_days(FIRST, rows=60))
    cutting = {"max_result_rows": "20", "result_overflow_mode": "break"}
    for profile, said in (
        (Profile(cutting, fixed=("result_overflow_mode",)), "result_overflow_mode"),
        (Profile({**cutting, "readonly": "1"}), "give it `readonly` 0 or 2"),
    ):
        exporter.server.order(profile=profile)
        assert exporter.export(last=str(LAST)) == 2
        assert said in capsys.readouterr().err
        assert exporter.gaps(last=str(LAST)) == 2
    assert exporter.commits() == []


@pytest.mark.parametrize("is_known", [False, True])
def test_row_that_comes_during_the_export(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    """A row that becomes visible while its day is read, a new one or a newer version: the slice is read again."""
    monkeypatch.setattr("workloads.otel.slice_export._WAITS", (0.0, 0.0))
    events = three_days(FIRST, rows=20)
    exporter.insert(events)
    (row,) = late(FIRST, datetime(2026, 11, 8, tzinfo=UTC), 1).rows
    more = Events(({**row, "id": events.rows[0]["id"]} if is_known else row,))
    left = [more]

    def stage(name: str) -> None:
        if name == "streamed" and left:
            exporter.insert(left.pop())

    assert exporter.export(last=str(FIRST), stage=stage) == 0

    (commit,) = exporter.commits()
    assert commit["part"]["rows"] == len((events + more).of_day(str(FIRST)))
    assert exporter.gaps(first=str(FIRST), last=str(FIRST)) == 0
    assert exporter.restored(tmp_path / "back", FIRST, FIRST)[1][more.rows[0]["id"]] == more.rows[0]
