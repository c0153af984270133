"""`object-store scrub` of event days: damage in a part of long ago is found, named, and said until mended."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from sandbox.clickhouse.tables import TABLE
from sandbox.otel_events import late, three_days
from tests.workloads.otel.conftest import FIRST, NOW, days
from trials.faults import Hook, On, Request, Response
from trials.faulty_proxy import FaultyProxy
from workloads.archive import clock
from workloads.context import OTEL
from workloads.scrubbing import ScrubOptions
from workloads.scrubbing import run as scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]
EVENTS = three_days(FIRST, rows=5, longest=1000)


@pytest.fixture(name="day")
def _day(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock to so many days after the export."""
    return lambda number: monkeypatch.setattr(clock, "now_utc", lambda: NOW + timedelta(days=number))


@pytest.fixture(name="old")
def _old(exporter: Exporter, day: Callable[[float], None]) -> Iterator[tuple[Exporter, str, set[str]]]:
    """Days that were exported 40 days ago; the key of a part, and a set: a part in it comes back with a flipped bit."""
    rotten: set[str] = set()

    def altered(request: Request, response: Response) -> Response:
        if not any(unquote(request.path).endswith(key) for key in rotten):
            return response
        body = bytearray(response.body)
        body[len(body) // 2] ^= 1
        return Response(response.status, response.headers, bytes(body))

    with FaultyProxy(exporter.world.endpoint, None, Hook(when=On("GET"), altering=altered), plain=True) as proxy:
        exporter.world.endpoint = proxy.endpoint_plain
        exporter.insert(EVENTS)
        assert exporter.export(last=str(LAST)) == 0
        day(40)
        yield exporter, min(exporter.world.keys(".ndjson.gz")), rotten


def scrubbed(exporter: Exporter) -> tuple[int, dict[str, str]]:
    """The status of a scrub, and what its receipt says is wrong, by the key."""
    status = scrub(ScrubOptions(exporter.config(), quiet=True), OTEL)
    proven = exporter.world.receipts()[-1]["proven"]
    assert isinstance(proven, dict)
    return status, {key: text for key, text in proven.items() if text}


def flip(exporter: Exporter, key: str) -> None:
    """Change one byte of an object, as its administrator can."""
    world = exporter.world
    body = bytearray(world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    world.client.put_object(Bucket=world.bucket, Key=key, Body=bytes(body))


@pytest.mark.parametrize("how", ["replaced", "rotten"])
def test_damaged_part_that_the_table_still_has(
    old: tuple[Exporter, str, set[str]], day: Callable[[float], None], tmp_path: Path, how: str
) -> None:
    """The scrub names it, the export stores its slice again, once, and says so; then all comes back, and is quiet."""
    exporter, key, rotten = old
    if how == "replaced":
        flip(exporter, key)
    else:
        rotten.add(key)

    status, wrong = scrubbed(exporter)

    rows = exporter.commits()[0]["part"]["rows"]
    assert (status, set(wrong)) == (1, {key})
    assert f"{rows} rows of {FIRST} were not stored again" in wrong[key]
    status, found = exporter.restored(tmp_path / "back", FIRST, LAST)
    assert (status, len(found)) == (1, len({row["id"] for row in EVENTS.rows}) - rows)
    for number in (41, 42):
        day(number)
        assert exporter.export(last=str(LAST)) == 0
        assert [one["day"] for one in exporter.commits()] == [str(FIRST), *map(str, days())]
        assert scrubbed(exporter) == (0, {})
    notes = [note for one in exporter.world.receipts() for note in one["notes"]]  # type: ignore[attr-defined]
    assert [note for note in notes if "stored again" in note and key in note] != []
    status, found = exporter.restored(tmp_path / "back", FIRST, LAST)
    assert (status, set(found)) == (0, {row["id"] for row in EVENTS.rows})


def test_damaged_part_that_the_table_no_longer_has(
    old: tuple[Exporter, str, set[str]], day: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each scrub names it until its version is restored, and so does `gaps`, though the table's TTL is long over."""
    exporter, key, _ = old
    world = exporter.world
    right = world.client.get_object(Bucket=world.bucket, Key=key)
    body = right["Body"].read()
    flip(exporter, key)
    exporter.server.ask(f"TRUNCATE TABLE {TABLE}")
    exporter.insert(late(FIRST + timedelta(days=200), NOW + timedelta(days=201), 2))
    day(205)
    capsys.readouterr()
    assert exporter.gaps() == 1
    gaps = json.loads(capsys.readouterr().out)["gaps"]
    assert [one["what"] for one in gaps if one["kind"] == "damaged"] == [
        f"{key} was replaced by another object; v1/date={FIRST}/commit-000001.json names it"
    ]

    for number in (205, 206):
        day(number)
        status, wrong = scrubbed(exporter)
        assert (status, set(wrong)) == (1, {key})

    world.client.put_object(Bucket=world.bucket, Key=key, Body=body, Metadata=right["Metadata"])
    day(208)
    assert scrubbed(exporter) == (0, {})
    assert scrub(ScrubOptions(exporter.config(), quiet=True, show=True, as_json=True), OTEL) == 0
    listed = json.loads(capsys.readouterr().out)["packs"]
    assert {one["pack"]: one["proven_at"][:10] for one in listed}[key] == f"{clock.now_utc():%Y-%m-%d}"


def test_part_that_was_gone_and_is_stored_again(
    old: tuple[Exporter, str, set[str]], day: Callable[[float], None]
) -> None:
    """It has the same key again: later exports do not take it for damaged, and store nothing."""
    exporter, key, _ = old
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)
    status, wrong = scrubbed(exporter)
    assert status == 1
    assert "hidden by a delete marker" in wrong[key]

    for number in (41, 42):
        day(number)
        assert exporter.export(last=str(LAST)) == 0
        assert len(exporter.commits()) == 4
    assert key in exporter.world.keys(".ndjson.gz")
    assert scrubbed(exporter) == (0, {})
