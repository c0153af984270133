"""The window of the event days: each part and each commit is on the NAS and in the store, and either side can fail."""

from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from model.exit_codes import ExitCode
from sandbox.clickhouse.tables import TABLE
from sandbox.otel_events import late, three_days
from sandbox.typesense import running_typesense
from tests.workloads.otel.conftest import FIRST, NOW, days
from tests.workloads.otel.ending import run_until
from tests.workloads.otel.test_backfill import documents_of, point_at
from tests.workloads.otel.test_backfill import run as backfill
from workloads.archive import clock, patience
from workloads.context import OTEL
from workloads.window import end, reconcile, status
from workloads.window.nas import MARKER, Nas
from workloads.window.sides import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter

LAST = str(days()[-1])
EVENTS = three_days(FIRST, rows=5, longest=1000)


@pytest.fixture(name="nas")
def _nas(exporter: Exporter, tmp_path: Path) -> Path:
    """The owner's folder of OTEL on the mounted NAS, with a month of before in it, and a window since October."""
    folder = tmp_path / "nas" / "otel"
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    (folder / "otel-202610.jsonl").write_text("{}\n")
    opened(exporter, folder, "2026-10-01")
    exporter.insert(EVENTS)
    return folder


def opened(exporter: Exporter, nas: Path, since: str) -> None:
    """Write the window into the configuration."""
    exporter.world.more["window"] = {"otel": {"nas": str(nas), "since": since, "reason": "both for a week"}}


@pytest.fixture(name="at")
def _at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], datetime]:
    """Sets the clock to so many days after the fixture's."""

    def moved(number: float) -> datetime:
        now = NOW + timedelta(days=number)
        monkeypatch.setattr(clock, "now_utc", lambda: now)
        return now

    return moved


def files(nas: Path) -> dict[str, bytes]:
    """What the NAS holds under its keys."""
    return {str(one.relative_to(nas)): one.read_bytes() for one in (nas / "v1").rglob("*") if one.is_file()}


def stored(exporter: Exporter) -> dict[str, bytes]:
    """What the store holds, without receipts."""
    world = exporter.world
    return {key: world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read() for key in world.keys("")}


def seen(exporter: Exporter) -> dict[str, Any]:
    """The window in the last receipt."""
    found: Any = exporter.world.receipts()[-1]["window"]
    return dict(found)


def gaps(exporter: Exporter, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str]]:
    """Day, kind and text of each gap; the status must fit."""
    capsys.readouterr()
    code = exporter.gaps(last=LAST)
    found = [(one["day"], one["kind"], one["what"]) for one in json.loads(capsys.readouterr().out)["gaps"]]
    assert code == bool(found)
    return found


def away(nas: Path) -> Path:
    """Unmount the NAS; return where it is. An empty folder is left."""
    place = nas.rename(nas.with_name("unmounted"))
    nas.mkdir()
    return place


def test_each_part_is_on_both_sides(exporter: Exporter, nas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also a late one: the same bytes, named in the receipt; a second run writes nothing, and other files stay."""
    assert exporter.export(last=LAST) == ExitCode.DONE

    assert files(nas) == stored(exporter)
    window = seen(exporter)
    assert (window["missing"], window["equal"], window["unequal"]) == ("", 6, 0)
    assert {(one["key"], one["nas"], one["store"]) for one in window["files"]} == {
        (key, "equal", "equal") for key in files(nas)
    }
    assert gaps(exporter, capsys) == []
    exporter.insert(late(FIRST, NOW - timedelta(hours=1), 3))
    assert exporter.export(last=LAST) == ExitCode.DONE
    assert files(nas) == stored(exporter)
    assert len(files(nas)) == 8
    rows = [line for key, body in files(nas).items() if key.endswith(".gz") for line in gzip.decompress(body).split()]
    assert len(rows) >= len({row["id"] for row in EVENTS.rows}) + 3

    before = {path: path.stat().st_ino for path in nas.rglob("*")}
    assert exporter.export(last=LAST) == ExitCode.DONE
    assert {path: path.stat().st_ino for path in nas.rglob("*")} == before
    assert seen(exporter)["files"] == []
    assert status.run(exporter.options(), OTEL) == ExitCode.DONE


def _refused(code: int, nas: Path, patch: pytest.MonkeyPatch) -> None:
    """Let each new file on the NAS be refused."""
    whole = os.open

    def opening(path: Any, flags: int, *more: Any, **named: Any) -> int:  # noqa: ANN401 - what it takes
        if flags & os.O_CREAT and str(path).startswith(str(nas)):
            raise OSError(code, os.strerror(code), str(path))
        return whole(path, flags, *more, **named)

    patch.setattr("object_store.partials.os.open", opening)


@pytest.mark.parametrize("fault", ["gone", "read-only", "full", "hangs"])
def test_nas_that_fails(
    exporter: Exporter, nas: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    """The store has all, the receipt says why the NAS has not, `gaps` names it; the next run completes the NAS."""
    back = threading.Event()
    with monkeypatch.context() as patch:
        if fault == "gone":
            elsewhere = away(nas)
        elif fault == "hangs":
            patch.setattr(patience, "STALL_SECONDS", 0.2)
            patch.setattr(patience, "LOOK_SECONDS", 0.1)
            patch.setattr(Nas, "keys", lambda *_: iter(str(back.wait())))
        else:
            _refused({"read-only": errno.EROFS, "full": errno.ENOSPC}[fault], nas, patch)
        assert exporter.export(last=LAST) == ExitCode.WRONG
        back.set()

    said = {"gone": "is not mounted", "read-only": "Read-only file", "full": "No space left", "hangs": "not answer"}
    assert said[fault] in seen(exporter)["missing"]
    assert exporter.world.receipts()[-1]["status"] == "incomplete"
    assert len(exporter.commits()) == 3
    assert status.run(exporter.options(), OTEL) == ExitCode.WRONG
    if fault == "gone":
        assert list(nas.iterdir()) == []
        ((day, kind, what),) = gaps(exporter, capsys)
        assert (day, kind) == ("", "window")
        assert "NAS missing" in what
        nas.rmdir()
        elsewhere.rename(nas)
    assert [(day, kind) for day, kind, _ in gaps(exporter, capsys)] == [(str(day), "window") for day in days()]
    assert files(nas) == {}
    assert exporter.export(last=LAST) == ExitCode.DONE
    assert files(nas) == stored(exporter)
    assert gaps(exporter, capsys) == []


def test_other_file_in_the_place_of_a_part(exporter: Exporter, nas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run and `gaps` name it and leave it; `reconcile` puts it aside."""
    assert exporter.export(last=LAST) == ExitCode.DONE
    part = next(nas.rglob("*.ndjson.gz"))
    part.write_bytes(b"other")

    assert exporter.export(last=LAST) == ExitCode.WRONG

    ((day, kind, what),) = gaps(exporter, capsys)
    assert (f"date={day}", kind) == (part.parent.name, "window")
    assert f"{part.name}: NAS different, store equal: object-store window reconcile --workload otel" in what
    assert part.read_bytes() == b"other"
    assert reconcile.run(exporter.options(), OTEL) == ExitCode.DONE
    assert files(nas) == stored(exporter)
    assert [one.read_bytes() for one in (nas / "aside").rglob("*.gz")] == [b"other"]
    assert (nas / "otel-202610.jsonl").read_text() == "{}\n"


@pytest.mark.parametrize("end_of_key", [".ndjson.gz", ".json"])
def test_store_that_lost_an_object(
    exporter: Exporter, nas: Path, capsys: pytest.CaptureFixture[str], end_of_key: str
) -> None:
    """`gaps` names it, `reconcile` stores it again from the NAS, and nothing is exported twice; also a commit's."""
    assert exporter.export(last=LAST) == ExitCode.DONE
    before = stored(exporter)
    key = next(key for key in before if key.endswith(end_of_key))  # not the last commit, which the receipt names anyway
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)
    exporter.server.ask(f"TRUNCATE TABLE {TABLE}")  # so the NAS alone has it
    assert "window" in {kind for _, kind, _ in gaps(exporter, capsys)}

    assert reconcile.run(exporter.options(), OTEL) == ExitCode.DONE

    assert stored(exporter) == before == files(nas)
    held = exporter.world.client.head_object(Bucket=exporter.world.bucket, Key=key)
    assert held["ContentType"] == {".ndjson.gz": "application/gzip", ".json": "application/json"}[end_of_key]
    assert "window" not in {kind for _, kind, _ in gaps(exporter, capsys)}


def test_commit_that_was_lost_and_made_again(exporter: Exporter, nas: Path, at: Callable[[float], datetime]) -> None:
    """The export's new commit under the same key is right; the NAS's old one is named, and put aside."""
    assert exporter.export(last=LAST) == ExitCode.DONE
    key = next(key for key in stored(exporter) if key.endswith(".json"))
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)
    at(1)

    assert exporter.export(last=LAST) == ExitCode.WRONG

    (wrong,) = [one for one in seen(exporter)["files"] if one["nas"] != "equal"]
    assert (wrong["key"], wrong["nas"], wrong["store"]) == (key, "different", "equal")
    assert reconcile.run(exporter.options(), OTEL) == ExitCode.DONE
    assert files(nas) == stored(exporter)
    assert status.run(exporter.options(), OTEL) == ExitCode.DONE


def test_commits_that_share_a_part(exporter: Exporter, nas: Path) -> None:
    """Neither comes to the NAS before the part, which only one of them brought."""
    assert exporter.export(last=str(FIRST)) == ExitCode.DONE
    (key,) = exporter.world.keys(".ndjson.gz")
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)
    assert exporter.export(last=str(FIRST)) == ExitCode.DONE
    assert [one["part"]["stored"]["key"] for one in exporter.commits()] == [key, key]
    for path in (nas / "v1").rglob("*.*"):
        path.unlink()
    exporter.world.client.put_object(Bucket=exporter.world.bucket, Key=key, Body=b"other")

    assert reconcile.run(exporter.options(), OTEL) == ExitCode.WRONG

    assert files(nas) == {}


def test_window_ends_and_begins_again(
    exporter: Exporter,
    nas: Path,
    at: Callable[[float], datetime],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Green days after a red one open the gate; then the NAS gets nothing, until a later `since` is configured."""
    monkeypatch.setattr(status, "DAYS", 2)
    elsewhere = away(nas)
    assert exporter.export(last=LAST) == ExitCode.WRONG
    nas.rmdir()
    elsewhere.rename(nas)
    ending = end.EndOptions(exporter.config(), reason="the days were green")
    for number in (1, 2):
        now = at(number)
        exporter.insert(late(FIRST, now - timedelta(hours=1), 2, seed=number))
        assert end.run(ending, OTEL) == ExitCode.WRONG
        assert exporter.export(last=LAST) == ExitCode.DONE
    capsys.readouterr()
    assert status.run(replace(exporter.options(), quiet=False), OTEL) == ExitCode.DONE
    assert "box: 2 of 2 days are green" in capsys.readouterr().out

    assert end.run(ending, OTEL) == ExitCode.DONE

    held = files(nas)
    now = at(3)
    exporter.insert(late(FIRST, now - timedelta(hours=1), 2))
    assert exporter.export(last=LAST) == ExitCode.DONE
    assert exporter.world.receipts()[-1]["window"] is None
    assert (files(nas), len(stored(exporter))) == (held, len(held) + 2)
    assert exporter.gaps(last=LAST) == ExitCode.DONE
    opened(exporter, nas, f"{now:%Y-%m-%dT%H:%M:%SZ}")
    assert exporter.gaps(last=LAST) == ExitCode.WRONG
    assert exporter.export(last=LAST) == ExitCode.DONE
    assert files(nas) == stored(exporter)


def test_machines_share_the_archive(
    exporter: Exporter, nas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each sees the one archive; one that writes the very file that another one writes loses to it, and is green."""
    assert exporter.export(last=LAST) == ExitCode.DONE
    key = next(key for key in stored(exporter) if key.endswith(".json"))
    world = replace(exporter.world, folder=tmp_path / "two", name="two")
    two = replace(exporter, world=world)
    exporter.insert(late(FIRST, NOW - timedelta(hours=1), 3))

    def quicker(stage: str) -> None:
        if stage == "nas: read back":
            for path, body in stored(exporter).items():
                (nas / path).write_bytes(body)

    assert two.export(last=LAST, stage=quicker) == ExitCode.DONE

    assert files(nas) == stored(exporter)
    assert status.run(exporter.options(), OTEL) == ExitCode.DONE
    exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)
    assert reconcile.run(two.options(), OTEL) == ExitCode.DONE  # by the receipt of the other machine
    capsys.readouterr()
    assert status.run(replace(two.options(), as_json=True), OTEL) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert set(found["days"]) == {"box", "two"}
    assert {name: one["equal"] for name, one in found["machines"].items()} == {"two": 8}


def test_machine_that_looks_while_another_one_exports(exporter: Exporter, nas: Path, tmp_path: Path) -> None:
    """What comes to both sides after the store was listed does not look like something that the store lost."""
    assert exporter.export(last=str(FIRST)) == ExitCode.DONE
    two = replace(exporter, world=replace(exporter.world, folder=tmp_path / "two", name="two"))
    listed = Comparison.read_store

    with pytest.MonkeyPatch.context() as patch:

        def other(compared: Comparison, tell: Callable[[int], None]) -> None:
            patch.undo()
            listed(compared, tell)
            assert two.export(last=LAST) == ExitCode.DONE

        patch.setattr(Comparison, "read_store", other)
        assert status.run(exporter.options(), OTEL) == ExitCode.DONE

    assert len(files(nas)) == 6


@pytest.mark.parametrize("point", [("nas: read back", 2), ("nas: named", 1)], ids=lambda one: one[0])
def test_killed_while_the_nas_is_completed(exporter: Exporter, nas: Path, point: tuple[str, int]) -> None:
    """Under its name each file is whole, and the same command completes the NAS without storing anything again."""
    assert run_until(exporter.config(), NOW, "otel export", *point) == -signal.SIGKILL
    before = stored(exporter)
    assert {key: body for key, body in files(nas).items() if "partial" not in key}.items() <= before.items()

    assert exporter.export() == ExitCode.DONE

    assert files(nas) == stored(exporter) == before


def test_backfill_goes_to_both_sides(exporter: Exporter, nas: Path) -> None:
    """What comes from Typesense is on the NAS, too, and in the receipt."""
    with running_typesense(otel_events=documents_of(EVENTS)) as server:
        point_at(exporter, server)
        assert backfill(exporter) == ExitCode.DONE

    assert files(nas) == stored(exporter)
    assert seen(exporter)["equal"] == 6


def test_what_the_store_has_deleted_in_its_time(
    exporter: Exporter, nas: Path, at: Callable[[float], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the bucket expires, what is older may stay on the NAS, and is no difference; before, it is one."""
    monkeypatch.setattr("workloads.window.beside.expires_after_days", lambda _: 30)
    assert exporter.export(last=LAST) == ExitCode.DONE
    for key in exporter.world.keys(""):
        exporter.world.client.delete_object(Bucket=exporter.world.bucket, Key=key)

    assert status.run(exporter.options(), OTEL) == ExitCode.WRONG
    at(31)
    assert status.run(exporter.options(), OTEL) == ExitCode.DONE
    assert len(files(nas)) == 6
    next(nas.rglob("commit-*.json")).unlink()
    assert status.run(exporter.options(), OTEL) == ExitCode.DONE
