"""The window between NAS and store: each run writes both, and it ends when both were equal for seven days."""

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyrage import x25519

from model.exit_codes import ExitCode
from sandbox.transcripts import truth_of
from tests.workloads.conftest import old
from trials.faults import Hook, On, Request, Response
from trials.faulty_proxy import FaultyProxy
from workloads.archive import clock, patience
from workloads.archive.proven import read_blocks
from workloads.context import SESSIONS, VAULT, WORKS, Options
from workloads.receipts import run as receipts
from workloads.sessions import prune
from workloads.sessions.restoring import RestoreOptions, run_restore
from workloads.vault.snapshot import SnapshotOptions
from workloads.vault.snapshot import run as snapshot
from workloads.window import end, reconcile, status
from workloads.window.nas import MARKER, Nas
from workloads.window.record import Ended

BEGAN = datetime(2026, 11, 1, 4, tzinfo=UTC)


@pytest.fixture(name="nas")
def _nas(world: Any, tmp_path: Path) -> Path:  # noqa: ANN401 - the fixture's own class
    """The mounted NAS of the machine's sessions, since the first of November."""
    folder = tmp_path / "nas" / "sessions"
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    world.more["window"] = {"sessions": {"nas": str(folder), "since": "2026-11-01", "reason": "both for a week"}}
    return folder


def _write(world: Any, name: str = "a", text: str = "{}\n" * 100) -> Path:  # noqa: ANN401 - the fixture's own class
    path: Path = world.home / f"s/{name}.jsonl"
    path.write_text(text)
    return old(path)


def _files(nas: Path) -> dict[str, bytes]:
    """What the NAS holds under its keys."""
    return {str(one.relative_to(nas)): one.read_bytes() for one in (nas / "v1").rglob("*") if one.is_file()}


def _stored(world: Any) -> dict[str, bytes]:  # noqa: ANN401 - the fixture's own class
    """What the store holds, without receipts."""
    return {key: world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read() for key in world.keys("")}


def _status(world: Any) -> int:  # noqa: ANN401 - the fixture's own class
    return status.run(Options(config=world.write(), quiet=True), SESSIONS)


def _reconcile(world: Any) -> int:  # noqa: ANN401 - the fixture's own class
    return reconcile.run(Options(config=world.write(), quiet=True), SESSIONS)


def _end(world: Any, reason: str = "a week was green") -> int:  # noqa: ANN401 - the fixture's own class
    return end.run(end.EndOptions(config=world.write(), quiet=True, reason=reason), SESSIONS)


def _last(world: Any) -> dict[str, Any]:  # noqa: ANN401 - the fixture's own class
    """The window in the last receipt."""
    found: dict[str, Any] = world.receipts()[-1]["window"]
    return found


class Day:
    """A clock that a test sets."""

    now = BEGAN

    def set(self, number: int, hour: int = 0) -> None:
        """Go to an hour of a day, the first of which is 0, after the run's hour."""
        self.now = BEGAN + timedelta(days=number, hours=hour)


@pytest.fixture(name="day")
def _day(monkeypatch: pytest.MonkeyPatch) -> Day:
    day = Day()
    monkeypatch.setattr(clock, "now_utc", lambda: day.now)
    return day


def _away(nas: Path) -> Path:
    """Unmount the NAS; return where it is. An empty folder is left."""
    away = nas.rename(nas.with_name("unmounted"))
    nas.mkdir()
    return away


def test_ten_days(world: Any, nas: Path, day: Day, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """The NAS is away on two days and differs on the third: the gate opens after seven green ones, and not before."""
    for number in range(2):
        day.set(number)
        _write(world, f"day{number}")
        away = _away(nas)
        assert world.archive() == ExitCode.WRONG
        window = _last(world)
        assert "is not there: the NAS is not mounted" in window["missing"]
        assert {one["store"] for one in window["files"]} == {"equal"}
        assert _status(world) == ExitCode.WRONG
        assert _end(world) == ExitCode.WRONG
        assert "box: NAS missing" in capsys.readouterr().out
        assert list(nas.iterdir()) == []
        nas.rmdir()
        away.rename(nas)
        assert _reconcile(world) == ExitCode.DONE
        assert _files(nas) == _stored(world)

    day.set(2)
    _write(world, "day2")
    pack = min((nas / "v1").rglob("*.tar.zst"))
    other = bytes(pack.stat().st_size)
    pack.write_bytes(other)
    assert world.archive() == ExitCode.WRONG
    (one,) = [one for one in _last(world)["files"] if one["nas"] != "equal"]
    assert (one["nas"], one["store"]) == ("different", "equal")
    assert pack.read_bytes() == other  # a run writes nothing over
    assert _reconcile(world) == ExitCode.DONE
    assert _files(nas) == _stored(world)
    (aside,) = (nas / "aside").rglob("*.tar.zst")
    assert aside.read_bytes() == other

    for number in range(3, 10):
        day.set(number)
        _write(world, f"day{number}")
        assert world.archive() == ExitCode.DONE, number
        assert (_last(world)["unequal"], _last(world)["missing"]) == (0, "")
        if number in (3, 8):
            capsys.readouterr()
            assert _end(world) == ExitCode.WRONG
            said = capsys.readouterr().out
            assert f"box: {number - 2} of 7 days are green; 2026-11-03: the run " in said
            assert "found 1 objects that are not equal, such as v1/box/s/" in said
    day.set(9, 1)  # what no commit names counts on neither side: a pack of a run that was given up, the NAS's own files
    world.client.put_object(Bucket=world.bucket, Key="v1/box/s/2026/11/01/orphan.tar.zst", Body=b"x")
    (nas / "v1/box/.DS_Store").write_bytes(b"x")
    assert _end(world) == ExitCode.DONE
    assert "s3 since now: a week was green" in capsys.readouterr().out
    (key,) = _ends(world)
    assert key.startswith("receipts/window/v1/sessions/20261110T05")


def _ends(world: Any) -> list[str]:  # noqa: ANN401 - the fixture's own class
    """The keys of the ends that are recorded in the store."""
    found = world.client.list_objects_v2(Bucket=world.bucket, Prefix="receipts/window/")
    return [one["Key"] for one in found.get("Contents", ())]


def _green_week(world: Any, day: Day) -> None:  # noqa: ANN401 - the fixture's own class
    _write(world)
    for number in range(7):
        day.set(number)
        assert world.archive() == ExitCode.DONE
    day.set(6, 1)


def test_rollback_is_configuration(world: Any, nas: Path, day: Day, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """After the end the store alone is written to; a window that begins later has all of it on the NAS again."""
    _green_week(world, day)
    assert _end(world) == ExitCode.DONE
    day.set(7)
    _write(world, "later")
    assert world.archive() == ExitCode.DONE
    assert _last(world) is None
    assert set(_stored(world)) - set(_files(nas))
    assert _status(world) == ExitCode.DONE
    assert "sessions: s3 since 2026-11-07 05:00 UTC: a week was green" in capsys.readouterr().out
    day.set(7, 1)
    assert _end(world) == ExitCode.CANNOT
    line = capsys.readouterr().err.rpartition("window: ")[2].strip()
    assert line == '{sessions: {nas: FOLDER, since: "2026-11-08T05:00:00Z", reason: TEXT}}'

    world.more["window"] = yaml.safe_load(line.replace("FOLDER", str(nas)))
    assert world.archive() == ExitCode.DONE

    assert _files(nas) == _stored(world)
    assert _end(world) == ExitCode.WRONG
    assert "box: 1 of 7 days are green" in capsys.readouterr().out


def test_folder_that_is_not_made_yet(world: Any, nas: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Before the first run, too, the NAS is missing, and the message has the line that begins the window."""
    shutil.rmtree(nas)
    _write(world)
    assert _status(world) == ExitCode.WRONG
    line = capsys.readouterr().out.rpartition("the window begins: ")[2]
    assert world.archive() == ExitCode.WRONG

    subprocess.run(line, shell=True, check=True)  # noqa: S602 - as the message has it

    assert world.archive() == ExitCode.DONE
    assert _files(nas) == _stored(world)


def test_end_is_seen_by_all(world: Any, nas: Path, day: Day) -> None:  # noqa: ANN401 - the fixture's own class
    """Another machine writes to the store alone with the same configuration, also after the store deleted the end.

    Of an archive that is encrypted, neither receipts nor the end name the folder in the store.
    """
    world.more["encryption"] = {"recipients": [str(x25519.Identity.generate().to_public())]}
    _green_week(world, day)
    assert _end(world) == ExitCode.DONE
    assert _files(nas) == _stored(world)
    assert [key for key in _files(nas) if key.endswith(".pack.age")]
    sent = world.client.list_objects_v2(Bucket=world.bucket, Prefix="receipts/")["Contents"]
    bodies = [world.client.get_object(Bucket=world.bucket, Key=one["Key"])["Body"].read() for one in sent]
    assert len(bodies) >= 8  # of seven runs and of the end
    assert not [body for body in bodies if str(nas.parent).encode() in body]

    world.name, world.folder = "blaine", world.folder.with_name("blaine")
    for _ in range(2):
        assert world.archive() == ExitCode.DONE
        assert _last(world) is None
        for key in _ends(world):
            world.client.delete_object(Bucket=world.bucket, Key=key)
    assert not [key for key in _files(nas) if "/blaine/" in key]


@pytest.mark.usefixtures("nas")
def test_every_machine_that_runs_counts(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """One that writes to the store alone keeps the gate shut."""
    _write(world)
    assert world.archive() == ExitCode.DONE
    window = world.more.pop("window")
    first, world.name, world.folder = world.folder, "blaine", world.folder.with_name("blaine")
    assert world.archive() == ExitCode.DONE
    world.name, world.folder, world.more["window"] = "box", first, window

    assert _end(world) == ExitCode.WRONG

    said = capsys.readouterr().out
    assert "blaine: 0 of 7 days are green" in said
    assert "blaine: v1/blaine/s/" in said


@pytest.mark.usefixtures("nas")
@pytest.mark.parametrize("place", ["pack", "manifest", "commit"])
def test_store_that_lost_an_object(world: Any, place: str) -> None:  # noqa: ANN401 - the fixture's own class
    """Its bytes come from the NAS, and the archive comes back."""
    truth = _truth(world)
    (key,) = world.keys({"pack": ".tar.zst", "manifest": ".ndjson.zst", "commit": ".commit.json"}[place])
    whole = _stored(world)
    world.client.delete_object(Bucket=world.bucket, Key=key)

    assert _status(world) == ExitCode.WRONG
    assert _reconcile(world) == ExitCode.DONE

    assert _stored(world) == whole
    to = world.folder / "back"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == ExitCode.DONE
    assert truth_of(to / "s") == truth


@pytest.mark.parametrize("place", [".tar.zst", ".commit.json"])
def test_store_with_other_bytes(world: Any, nas: Path, place: str) -> None:  # noqa: ANN401 - the fixture's own class
    """They are named and stay, and the right ones on the NAS stay, too."""
    _truth(world)
    held = _files(nas)
    (key,) = world.keys(place)
    other = bytes(len(held[key]))
    world.client.put_object(Bucket=world.bucket, Key=key, Body=other, Metadata={"sha256": "0" * 64})

    assert _reconcile(world) == ExitCode.WRONG

    (one,) = [one for one in _last(world)["files"] if one["store"] != "equal"]
    assert (one["key"], one["nas"], one["store"]) == (key, "equal", "different")
    assert "its administrator brings back the version" in one["reason"]
    assert _files(nas) == held
    assert _stored(world)[key] == other


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_is_no_file_is_put_aside(world: Any, nas: Path, what: str) -> None:  # noqa: ANN401 - the fixture's own class
    """A folder or a link under a pack's key differs, and the pack takes its place."""
    _truth(world)
    held = _files(nas)
    (key,) = world.keys(".tar.zst")
    (nas / key).unlink()
    if what == "folder":
        (nas / key).mkdir()
    else:
        (nas / key).symlink_to("nowhere")
    assert _status(world) == ExitCode.WRONG

    assert _reconcile(world) == ExitCode.DONE

    assert _files(nas) == held
    assert [one for one in (nas / "aside").rglob("*.tar.zst") if os.path.lexists(one)]


def test_commit_goes_last(world: Any, nas: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """Where it is on the NAS, there is all that it names: without the right pack it does not get there."""
    _truth(world)
    (key,) = world.keys(".tar.zst")
    world.client.put_object(Bucket=world.bucket, Key=key, Body=b"other")
    shutil.rmtree(nas / "v1")

    assert _reconcile(world) == ExitCode.WRONG

    assert [name.partition(".")[2] for name in _files(nas)] == ["manifest.ndjson.zst"]


def test_what_has_expired(world: Any, nas: Path, day: Day, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """What the store has deleted after its year is not missing there, and does not come back from the NAS."""
    _truth(world)
    expired = _stored(world)
    for key in expired:
        world.client.delete_object(Bucket=world.bucket, Key=key)
    assert _status(world) == ExitCode.WRONG
    capsys.readouterr()

    day.set(366)
    assert world.archive() == ExitCode.DONE
    assert _reconcile(world) == ExitCode.DONE

    assert not set(_stored(world)) & set(expired)
    assert _files(nas) == {**expired, **_stored(world)}


def test_commit_that_both_sides_lost(world: Any, nas: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """The receipt names it, so it is missing on both sides, and the gate is shut."""
    _write(world)
    assert world.archive() == ExitCode.DONE
    (commit,) = world.keys(".commit.json")
    world.client.delete_object(Bucket=world.bucket, Key=commit)
    (nas / commit).unlink()

    assert _status(world) == ExitCode.WRONG
    assert f"shut: box: {commit}: NAS missing, store missing" in capsys.readouterr().out
    assert _reconcile(world) == ExitCode.WRONG
    assert _end(world) == ExitCode.WRONG


def test_commit_that_no_receipt_names(world: Any, nas: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """What lies on the NAS alone, and is in no receipt, does not reach the store, and keeps the sides unequal."""
    _truth(world)
    (key,) = world.keys(".commit.json")
    planted = nas / key.replace(".commit.json", "0.commit.json")
    planted.write_bytes((nas / key).read_bytes())
    whole = _stored(world)

    assert _reconcile(world) == ExitCode.WRONG

    (one,) = [one for one in _last(world)["files"] if one["nas"] != "equal"]
    assert one["reason"] == "no receipt tells which bytes are right"
    assert _stored(world) == whole


@pytest.mark.parametrize("body", [b"junk", b"a copy"])
def test_record_of_an_end_that_is_none(world: Any, nas: Path, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Nothing says whether the window is over: what was committed stays, and each command names the object."""
    key = "receipts/window/v1/sessions/20261101T040000Z-00000000.json"
    ended = Ended(
        workload="sessions", run="20261101T050000Z-00000001", ended_at=BEGAN, reason="x", machine="box", nas="",
        since="2026-10-01", since_reason="x", green_days={}, objects=0,
    )  # fmt: skip
    world.client.put_object(Bucket=world.bucket, Key=key, Body=ended.to_text() if body == b"a copy" else body)
    _write(world)

    assert world.archive() == ExitCode.CANNOT

    assert key in world.receipts()[-1]["error"]
    assert world.keys(".commit.json")
    assert not (nas / "v1").exists()
    capsys.readouterr()
    assert _status(world) == _end(world) == ExitCode.CANNOT
    assert capsys.readouterr().err.count(key) == 2
    del world.more["window"]
    assert world.archive() == ExitCode.DONE


def test_name_that_is_a_line(world: Any, nas: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """A name on the NAS with a line break forges no line of a summary."""
    _truth(world)
    (key,) = world.keys(".commit.json")
    (nas / key).with_name("x\nthe gate of the end is open\n.commit.json").write_bytes(b"{}")
    capsys.readouterr()

    assert _status(world) == ExitCode.WRONG

    said = capsys.readouterr().out
    assert "\\nthe gate of the end is open\\n.commit.json: NAS unknown" in said
    assert "the gate of the end is open" not in said.splitlines()


def _truth(world: Any) -> dict[bytes, Any]:  # noqa: ANN401 - the fixture's own class
    """Archive a file, in the window."""
    _write(world)
    assert world.archive() == ExitCode.DONE
    return truth_of(world.home / "s")


@pytest.mark.parametrize("call", ["fsync", "close"])
def test_quota_that_is_told_late(world: Any, nas: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:  # noqa: ANN401 - the fixture's own class
    """EDQUOT at fsync, EIO at close: the store commits, the receipt says NAS missing, and no file has its name."""
    whole = {name: getattr(os, name) for name in ("fsync", "close")}
    code = {"fsync": errno.EDQUOT, "close": errno.EIO}[call]

    def refused(descriptor: int) -> None:
        where = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        whole[call](descriptor)
        if where.startswith(str(nas)) and ".object-store-partial-" in where:
            raise OSError(code, os.strerror(code))

    old(_write(world), 8)
    with monkeypatch.context() as patch:
        patch.setattr("workloads.window.nas.os." + call, refused)
        assert world.archive() == ExitCode.WRONG

    assert os.strerror(code) in _last(world)["missing"]
    assert world.receipts()[-1]["status"] == "incomplete"
    assert world.keys(".commit.json")
    assert _files(nas) == {}
    assert _prune(world) == ExitCode.WRONG
    assert world.archive() == ExitCode.DONE  # the quota was raised
    assert _files(nas) == _stored(world)


def test_file_that_is_cut_short_after_close(world: Any, nas: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """It is read afresh before it gets its name: a short one gets none."""
    whole = os.dup

    def cut(descriptor: int) -> int:
        os.ftruncate(descriptor, 10)
        return whole(descriptor)

    _write(world)
    monkeypatch.setattr("workloads.window.nas.os.dup", cut)

    assert world.archive() == ExitCode.WRONG

    assert "was written, and has SHA-256" in _last(world)["missing"]
    assert _files(nas) == {}


def test_nas_that_is_read_only(world: Any, nas: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """The store commits, and the receipt says why the NAS does not."""
    whole = os.open

    def refused(path: Any, flags: int, *more: Any, **named: Any) -> int:  # noqa: ANN401 - what it takes
        if flags & os.O_CREAT and str(path).startswith(str(nas)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return whole(path, flags, *more, **named)

    _write(world)
    with monkeypatch.context() as patch:
        patch.setattr("object_store.partials.os.open", refused)
        assert world.archive() == ExitCode.WRONG

    assert "Read-only file system" in _last(world)["missing"]
    assert world.keys(".commit.json")


def test_nas_that_is_unmounted_while_it_is_written(world: Any, nas: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """What was not given its name gets none, and nothing lands in the empty folder."""
    _write(world)

    def unmounted(name: str) -> None:
        if name == "nas: read back":
            _away(nas)

    assert world.archive(stage=unmounted) == ExitCode.WRONG

    assert "the NAS is not mounted" in _last(world)["missing"]
    assert list(nas.iterdir()) == []
    assert not list(nas.with_name("unmounted").rglob("*.zst"))


def test_nas_that_became_another(world: Any, nas: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """A folder that has the marker, too, and was mounted meanwhile, is noticed."""
    _write(world)

    def other(name: str) -> None:
        if name == "nas: read back":
            shutil.copytree(nas, nas.with_name("other"))
            _away(nas)
            nas.rmdir()
            nas.with_name("other").rename(nas)

    assert world.archive(stage=other) == ExitCode.WRONG

    assert "became another folder" in _last(world)["missing"]
    assert all(".object-store-partial-" in name for name in _files(nas))


def test_file_that_another_program_made_meanwhile(world: Any, nas: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """A run does not write over it."""
    _write(world)

    def made(name: str) -> None:
        if name == "nas: read back":
            (nas / world.keys(".tar.zst")[0]).write_bytes(b"other")

    assert world.archive(stage=made) == ExitCode.WRONG

    assert "another program writes there" in _last(world)["missing"]
    assert list(_files(nas).values()) == [b"other"]


def test_nas_that_hangs(world: Any, nas: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """It is left after a while, and what hung writes nothing any more when the NAS comes back."""
    monkeypatch.setattr(patience, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.1)
    back, gone = threading.Event(), threading.Event()
    whole = os.fsync

    def hung(descriptor: int) -> None:
        if threading.current_thread().name == "window":
            back.wait()
        whole(descriptor)

    class Gone(threading.Thread):
        """A thread whose end a test waits for."""

        def run(self) -> None:
            try:
                super().run()
            finally:
                if self.name == "window":
                    gone.set()

    monkeypatch.setattr("workloads.window.nas.os.fsync", hung)
    monkeypatch.setattr("workloads.archive.patience.threading.Thread", Gone)
    _write(world)

    assert world.archive() == ExitCode.WRONG
    assert "does not answer" in _last(world)["missing"]
    back.set()
    assert gone.wait(60)

    assert _files(nas) == {}
    assert world.archive() == ExitCode.DONE
    assert _files(nas) == _stored(world)


def test_store_that_hangs_is_not_the_nas(world: Any, nas: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """While the store is waited for, which has limits of its own, the NAS's do not count; its own reads do."""
    pulses: list[patience.Pulse] = []
    seen: dict[str, set[bool]] = {"store": set(), "NAS": set()}

    class Seen(patience.Pulse):
        def __init__(self) -> None:
            super().__init__()
            pulses.append(self)

    def watched(side: str, whole: Callable[..., Iterator[bytes]]) -> Callable[..., Iterator[bytes]]:
        def blocks(*given: Any) -> Iterator[bytes]:  # noqa: ANN401 - as what it stands for
            for block in whole(*given):
                seen[side].add(pulses[-1].is_elsewhere)
                yield block

        return blocks

    monkeypatch.setattr("workloads.window.beside.Pulse", Seen)
    monkeypatch.setattr("workloads.window.sides.read_blocks", watched("store", read_blocks))
    monkeypatch.setattr(Nas, "blocks", watched("NAS", Nas.blocks))
    _write(world)
    assert world.archive() == ExitCode.DONE
    world.client.delete_object(Bucket=world.bucket, Key=world.keys(".tar.zst")[0])

    _reconcile(world)

    assert seen == {"store": {True}, "NAS": {False}}
    assert _files(nas) == _stored(world)


def test_times_and_parts_are_no_difference(world: Any, nas: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """Whole seconds on the NAS, and an object that was put again in other parts: equal, and nothing is sent again."""
    _truth(world)
    for path in nas.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    (key,) = world.keys(".tar.zst")
    body = world.client.get_object(Bucket=world.bucket, Key=key)["Body"].read()
    upload = world.client.create_multipart_upload(Bucket=world.bucket, Key=key)["UploadId"]
    part = world.client.upload_part(Bucket=world.bucket, Key=key, UploadId=upload, PartNumber=1, Body=body)["ETag"]
    world.client.complete_multipart_upload(
        Bucket=world.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    monkeypatch.setattr("workloads.window.nas.Nas.write", None)

    assert _status(world) == ExitCode.DONE
    assert _reconcile(world) == ExitCode.DONE


def _prune(world: Any) -> int:  # noqa: ANN401 - the fixture's own class
    rule = {"after_days": 7, "sources": ["s"]}
    return prune.run(prune.PruneOptions(config=world.write(prune=rule), quiet=True))


@pytest.mark.parametrize("side", ["NAS away", "NAS differs", "both"])
def test_prune_waits_for_both_sides(world: Any, nas: Path, side: str) -> None:  # noqa: ANN401 - the fixture's own class
    """In the window a file goes only if the NAS holds its pack and its commit, too."""
    path = old(_write(world), 8)
    assert world.archive() == ExitCode.DONE
    if side == "NAS away":
        (nas / MARKER).unlink()
    elif side == "NAS differs":
        next(nas.rglob("*.tar.zst")).write_bytes(b"other")

    assert _prune(world) == (ExitCode.DONE if side == "both" else ExitCode.WRONG)

    assert path.exists() == (side != "both")
    if side != "both":
        (kept,) = world.receipts()[-1]["kept"]
        assert "in the window the NAS must hold it, too" in kept


@pytest.mark.parametrize("answer", ["cut", "no token", "empty"])
def test_listing_that_is_cut_short(world: Any, nas: Path, answer: str) -> None:  # noqa: ANN401 - the fixture's own class
    """It is no answer: each command cannot tell, and nothing counts as missing or equal."""
    _truth(world)
    held = _files(nas)

    def changed(_: Request, response: Response) -> Response:
        body = response.body
        if answer == "cut":
            body = body[: len(body) // 2]
        elif answer == "no token":
            body = body.replace(b"<IsTruncated>false", b"<IsTruncated>true")
        return Response(200, response.headers, b"" if answer == "empty" else body)

    upstream = world.endpoint
    with FaultyProxy(upstream, None, Hook(when=On(query="list-type"), altering=changed), plain=True) as proxy:
        world.endpoint = proxy.endpoint_plain
        for command in (_status, _reconcile, _end):
            assert command(world) == ExitCode.CANNOT, command
    world.endpoint = upstream
    assert _files(nas) == held


def test_vault_has_the_same_window(notes: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Packs, manifest, bundle and commit of a snapshot are on both sides."""
    nas = tmp_path / "nas"
    nas.mkdir()
    (nas / MARKER).touch()
    notes.more["window"] = {"vault": {"nas": str(nas), "since": "2026-11-01", "reason": "both"}}
    vault = notes.home / "Vault"
    vault.mkdir()
    (vault / "note.md").write_text("# a note\n")
    run = ("git", "-C", str(vault), "-c", "user.name=t", "-c", "user.email=t@t")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "one")):
        subprocess.run((*run, *words), check=True)  # noqa: S603 - our own words

    assert snapshot(SnapshotOptions(config=notes.write(), quiet=True)) == ExitCode.DONE

    assert _files(nas) == _stored(notes)
    assert {key.partition(".")[2].partition(".")[2] for key in _files(nas)} >= {"bundle"}
    next(nas.rglob("*.git.bundle")).unlink()
    assert reconcile.run(Options(config=notes.write(), quiet=True), VAULT) == ExitCode.DONE
    assert _files(nas) == _stored(notes)
    assert receipts(Options(config=notes.write(), quiet=True), WORKS["vault"], 30) == ExitCode.WRONG  # no drill yet
    assert "NAS" not in capsys.readouterr().out
