"""Bad input and faults: a clear error that names it, and nothing lost."""

import errno
import io
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from sandbox.transcripts import truth_of
from tests.sizes import sized
from trials.faults import Hook, On, Request, ResetAnswer, ResetRequest, Response, SlowDown, TruncateAnswer
from trials.faulty_proxy import FaultyProxy
from workloads import receipts
from workloads.archive import clock, reading
from workloads.archive.pack import PackWriter
from workloads.archive.state import Local, State, signature_of
from workloads.context import SESSIONS, Options
from workloads.sessions import coverage, restoring
from workloads.sessions.restoring import RestoreOptions, run_cat, run_restore

DAY = 86400
SECRET = "planted/workload+secret=nobody-may-see"  # noqa: S105 - planted, to be searched for


def fill(world: Any, count: int = 3, days: float = 3) -> None:  # noqa: ANN401 - the fixture's own class
    """Some files that were last written some days ago."""
    for number in range(count):
        path = world.home / f"s/{number}.jsonl"
        path.write_bytes(b'{"n":%d}\n' % number * 200)
        os.utime(path, (time.time() - DAY * days,) * 2)


def back(world: Any) -> dict[bytes, Any]:  # noqa: ANN401 - the fixture's own class
    """What a restore gives."""
    to = world.folder / f"back-{time.time_ns()}"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 0
    return truth_of(to / "s")


class TestSources:
    """What may be wrong on this machine."""

    def test_root_is_missing(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """The run fails and names it; the other source is archived."""
        fill(world)
        world.sources["t"] = str(world.home / "nothing")

        assert world.archive() == 1

        by_name = {one["name"]: one for one in world.receipts()[-1]["sources"]}
        assert "No such file" in by_name["t"]["problems"][0]
        assert "--meant t" in by_name["t"]["problems"][0]
        assert by_name["s"]["commit"]
        assert world.archive("t") == 0
        assert world.archive() == 1

    @pytest.mark.parametrize("kind", ["empty", "pipe"])
    def test_root_is_empty_or_no_folder(self, world: Any, kind: str) -> None:  # noqa: ANN401 - the fixture's own class
        """Likewise."""
        root = world.home / "t"
        root.mkdir() if kind == "empty" else os.mkfifo(root)
        world.sources = {"t": str(root)}

        assert world.archive() == 1
        (problem,) = world.receipts()[-1]["sources"][0]["problems"]
        assert {"empty": "no file was found", "pipe": "neither a folder nor a file"}[kind] in problem

    def test_root_is_a_link_or_one_file(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Both are legal: a link is followed, and the file keeps its name."""
        fill(world)
        (world.home / "link").symlink_to(world.home / "s")
        (world.home / "index.jsonl").write_bytes(b"{}\n")
        world.sources = {"s": str(world.home / "link"), "i": str(world.home / "index.jsonl")}

        assert world.archive() == 0

        to = world.folder / "back"
        assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 0
        assert sorted(truth_of(to)) == [b"i", b"i/index.jsonl", b"s", b"s/0.jsonl", b"s/1.jsonl", b"s/2.jsonl"]

    def test_pipe_socket_and_unreadable_file(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """A pipe and a socket are named; a file that cannot be read makes the run incomplete."""
        fill(world)
        os.mkfifo(world.home / "s/pipe")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(world.home / "s/socket"))
            assert world.archive() == 0
        (one,) = world.receipts()[-1]["sources"]
        assert one["left_out"] == ["pipe: it is a pipe", "socket: it is a socket"]
        (world.home / "s/locked.jsonl").write_bytes(b"{}\n")
        whole = os.open

        def refused(path: Any, *rest: Any, **named: Any) -> int:  # noqa: ANN401 - what it takes
            if os.fsencode(path).endswith(b"locked.jsonl"):
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return whole(path, *rest, **named)

        monkeypatch.setattr("workloads.archive.reading.os.open", refused)
        assert world.archive() == 1
        assert world.receipts()[-1]["sources"][0]["problems"] == ["locked.jsonl: Permission denied"]

    def test_folder_that_macos_refuses(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """The message names the grant that is missing."""
        fill(world)

        def refused(_: object) -> Iterator[Any]:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        with monkeypatch.context() as patched:
            patched.setattr("workloads.archive.source.os.scandir", refused)
            assert world.archive() == 1
        assert "Full Disk Access" in world.receipts()[-1]["sources"][0]["problems"][0]

    def test_file_that_shrinks_while_it_is_read(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """It is read again; no byte comes back that it never held."""
        path = world.home / "s/big.txt"
        path.write_bytes(b"x" * 3_000_000)
        os.utime(path, (time.time() - DAY * 3,) * 2)
        whole = reading.fill

        def short(file: io.FileIO, buffer: memoryview, at: int) -> int:
            count = whole(file, buffer, at)
            if at == 0 and os.fstat(file.fileno()).st_size == 3_000_000:
                os.truncate(path, 1_000_000)
            return count

        monkeypatch.setattr(reading, "fill", short)
        assert world.archive() == 0
        assert back(world)[b"big.txt"].content == b"x" * 1_000_000

    def test_file_that_changes_all_the_time(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """After three tries it is named, and the run is incomplete."""
        fill(world, 1)
        path = world.home / "s/0.jsonl"
        whole = reading.fill

        def changing(file: io.FileIO, buffer: memoryview, at: int) -> int:
            os.utime(path, ns=(time.time_ns(), time.time_ns()))
            return whole(file, buffer, at)

        monkeypatch.setattr(reading, "fill", changing)
        assert world.archive() == 1
        assert "it changed each time it was read" in world.receipts()[-1]["sources"][0]["problems"][0]

    def test_disk_full_while_packing(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """Exit status 2 with the reason and the folder; the next run completes it."""
        fill(world)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(PackWriter, "finish", full)
        assert world.archive() == 2
        work = world.folder / "state/sessions" / world.bucket / "work"
        assert world.receipts()[-1]["error"] == f"{work}: No space left on device"
        assert world.keys() == []
        monkeypatch.undo()
        assert world.archive() == 0
        assert back(world) == truth_of(world.home / "s")

    @pytest.mark.parametrize("where", ["frame", "pack", "manifest"])
    def test_disk_full_at_a_write(self, world: Any, monkeypatch: pytest.MonkeyPatch, where: str) -> None:  # noqa: ANN401 - the fixture's own class
        """Likewise wherever a run writes; nothing of the full disk is taken for a file that cannot be read."""
        fill(world)

        def full(*_: object, **__: object) -> Any:  # noqa: ANN401 - as what it stands for
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            if where == "frame":
                patched.setattr("workloads.archive.pack.SpooledTemporaryFile", full)
            elif where == "pack":
                patched.setattr(PackWriter, "_put", full)
            else:
                patched.setattr("workloads.archive.run.write_manifest", full)
            assert world.archive() == 2
        assert "No space left" in world.receipts()[-1]["error"]
        assert world.keys(".commit.json") == []
        assert world.archive() == 0
        assert back(world) == truth_of(world.home / "s")

    def test_disk_of_the_state_is_full(self, world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
        """Exit status 2 with the reason, also if it fills up in the middle; with room the same command completes it."""
        fill(world, 1)
        assert world.archive() == 0
        fill(world, 300)
        whole = State._opened
        room = 0

        def small(state: State) -> sqlite3.Connection:
            base = whole(state)
            (pages,) = base.execute("PRAGMA page_count").fetchone()
            base.execute(f"PRAGMA max_page_count={pages + room}")
            return base

        for room in (0, 4, 12):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(State, "_opened", small)
                assert world.archive() == 2, room
            where = world.folder / "state/sessions" / world.bucket
            assert f"state.sqlite: database or disk is full, in {where}" in capsys.readouterr().err
        assert world.archive() == 0
        assert back(world) == truth_of(world.home / "s")

    def test_state_is_damaged_in_the_middle(self, world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
        """What SQLite finds only when it reads on: it is named and put aside, and the same command makes it again."""
        fill(world, 300)
        assert world.archive() == 0
        (path,) = (world.folder / "state/sessions").rglob("state.sqlite")
        with path.open("r+b") as file:
            for page in range(4, path.stat().st_size // 4096):
                file.seek(page * 4096)
                file.write(b"\xff" * 4096)

        assert world.archive() == 2

        said = "state.sqlite: database disk image is malformed; it is put aside"
        assert said in capsys.readouterr().err
        assert said in world.receipts()[-1]["error"]
        assert world.archive() == 0
        assert back(world) == truth_of(world.home / "s")
        assert len(world.keys(".commit.json")) == 1

    def test_state_that_cannot_be_opened_is_kept(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """A full or read-only disk does not make the file a damaged one."""
        fill(world)
        assert world.archive() == 0
        whole = sqlite3.connect

        class Full(sqlite3.Connection):
            def executescript(self, _: str, /) -> sqlite3.Cursor:
                raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(sqlite3, "connect", lambda path, **named: whole(path, factory=Full, **named))
            assert world.archive() == 2
        assert not list((world.folder / "state").rglob("*.damaged*"))
        assert world.archive() == 0
        assert world.receipts()[-1]["sources"][0]["counts"]["unchanged"] == 3

    def test_disk_full_while_restoring(
        self,
        world: Any,  # noqa: ANN401 - the fixture's own class
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Exit status 2 with the reason; neither the folder nor anything beside it is left."""
        fill(world)
        world.archive()
        to = world.folder / "back"
        full = OSError(errno.ENOSPC, "No space left on device")
        for name in ("pwrite", "mkdir", "symlink", "utime"):
            (world.home / "s/link").unlink(missing_ok=True)
            (world.home / "s/link").symlink_to("0.jsonl")
            world.archive()
            with monkeypatch.context() as patched:
                patched.setattr(f"workloads.archive.restore.os.{name}", Mock(side_effect=full))
                assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 2
            assert f"{to}: No space left on device" in capsys.readouterr().err
            assert not to.exists()
            assert not list(world.folder.glob(".back*"))
        assert back(world) == truth_of(world.home / "s")

    def test_disk_that_cannot_read_a_file(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """A bad block: the file is named, the run is incomplete, and all else is archived."""
        fill(world)
        broken = (world.home / "s/1.jsonl").stat().st_ino

        class Broken(io.FileIO):
            def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - what it takes
                if os.fstat(self.fileno()).st_ino == broken:
                    raise OSError(errno.EIO, "Input/output error")
                return super().readinto(buffer) or 0

        monkeypatch.setattr("workloads.archive.reading.io.FileIO", Broken)
        assert world.archive() == 1
        assert world.receipts()[-1]["sources"][0]["problems"] == ["1.jsonl: Input/output error"]
        assert sorted(back(world)) == [b"0.jsonl", b"2.jsonl"]

    def test_times_names_and_depths(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Years before 1970 and after 2262, a loop of links, and folders that lie deeper than Python calls."""
        fill(world, 1)
        for name, year in (("before", -1), ("epoch", 0), ("2200", 7_258_118_400), ("2286", 9_999_999_999)):
            (world.home / "s" / name).write_bytes(b"1")
            os.utime(world.home / "s" / name, (year, year))
        (world.home / "s/loop").symlink_to("loop")
        (world.home / "s" / ("n" * 255)).write_bytes(b"1")
        assert world.archive() == 0
        assert back(world) == truth_of(world.home / "s")
        for path in (world.folder / "state/sessions").rglob("state.sqlite*"):
            path.unlink()
        at = os.open(world.home / "s", os.O_RDONLY)
        for _ in range(1200):
            os.mkdir("d", dir_fd=at)
            below = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)

        assert world.archive() == 0
        subprocess.run(["rm", "-r", str(world.home / "s/d")], check=True)  # noqa: S603, S607 - Python's own calls itself

    def test_inode_of_64_bits(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Network file systems have such; SQLite's numbers end before."""
        far = os.stat_result((0o100644, 2**64 - 5, *[0] * 8), {"st_mtime_ns": 2**70, "st_ctime_ns": -(2**70)})
        with State(world.folder / "x") as state, state.transaction():
            state.note("s", b"p", Local(*signature_of(far), 1), 1.0)
            assert state.local("s", b"p") == Local(-5, 0, 2**63 - 1, -(2**63), 1)

    def test_folder_that_is_renamed_during_the_walk(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """Nothing comes back that was not there, and the next run has all."""
        for name in ("a", "b", "c"):
            (world.home / "s" / name).mkdir()
            for number in range(3):
                (world.home / "s" / name / f"{number}.txt").write_bytes(name.encode() * 100)
        whole, left = reading.fill, [1]

        def renaming(file: io.FileIO, buffer: memoryview, at: int) -> int:
            if left:
                left.pop()
                (world.home / "s/b").rename(world.home / "s/z")
            return whole(file, buffer, at)

        monkeypatch.setattr(reading, "fill", renaming)
        assert world.archive() in (0, 1)
        assert world.archive() == 0
        found, truth = back(world), truth_of(world.home / "s")
        assert {path: found[path].content for path in truth} == {path: truth[path].content for path in truth}


class TestDisksThatFoldNames:
    """A disk on which two names are one."""

    @pytest.mark.parametrize(
        ("one", "two", "same"), [("A.jsonl", "a.jsonl", "Aa"), ("caf\u00e9", "cafe\u0301", "\u00e9")]
    )
    def test_restore_names_both(
        self,
        world: Any,  # noqa: ANN401 - the fixture's own class
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        one: str,
        two: str,
        same: str,
    ) -> None:
        """Exit status 2, both names, and nothing is written; each alone comes back."""
        (world.home / "s/below").mkdir()
        for name in (one, two):
            (world.home / "s/below" / name).write_bytes(name.encode() + b"\n")
        world.archive()
        monkeypatch.setattr("workloads.archive.restore._is_same", lambda _, first, __: first in same.lower().encode())
        to = world.folder / "back"

        assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 2

        said = capsys.readouterr().err
        assert f"below/{one}" in said
        assert f"below/{two}" in said
        assert not to.exists()
        assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to, names=(f"below/{two}",))) == 0
        assert (to / "s/below" / two).read_bytes() == two.encode() + b"\n"

    def test_folders_that_only_paths_name(
        self,
        world: Any,  # noqa: ANN401 - the fixture's own class
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Some files of two folders that are one there: both folders are named, and nothing is written."""
        for name, file in (("B", "one"), ("b", "two")):
            (world.home / "s" / name).mkdir()
            (world.home / "s" / name / f"{file}.jsonl").write_bytes(b"{}\n")
        world.archive()
        monkeypatch.setattr("workloads.archive.restore._is_same", lambda _, first, __: first == b"a")
        to = world.folder / "back"

        assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to, names=("s/B/", "s/b/"))) == 2

        assert "s/B and s/b are one name on this disk" in capsys.readouterr().err
        assert not to.exists()


class TestLosses:
    """What was there and is gone."""

    def test_slow_loss_and_the_flag(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """19 % at a time is caught against the weeks before; the flag holds for one run."""
        fill(world, 100)
        assert world.archive() == 0
        paths = sorted((world.home / "s").iterdir())
        for path in paths[:19]:
            path.unlink()
        assert world.archive() == 0
        for path in paths[19:34]:
            path.unlink()
        assert world.archive() == 1
        assert "34 of 100 files" in world.receipts()[-1]["sources"][0]["problems"][0]
        assert world.archive("s") == 0
        assert world.archive() == 0
        for path in paths[34:60]:
            path.unlink()
        assert world.archive() == 1

    def test_old_files_and_few_files_may_go(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Other programs delete after 30 days; one of four is no loss."""
        fill(world, 40, days=29)
        (world.home / "s/young.jsonl").write_bytes(b"{}\n")
        world.archive()
        for number in range(40):
            (world.home / f"s/{number}.jsonl").unlink()
        assert world.archive() == 0
        for number in range(4):
            (world.home / f"s/few{number}.jsonl").write_bytes(b"{}\n")
        world.archive()
        (world.home / "s/few1.jsonl").unlink()
        assert world.archive() == 0


class TestStore:
    """What the store, or the way to it, may do."""

    @pytest.mark.parametrize(
        "fault",
        [
            lambda on: ResetRequest(when=on),
            lambda on: ResetAnswer(when=on),
            lambda on: TruncateAnswer(when=on),
            lambda on: SlowDown(when=on),
        ],
        ids=["request reset", "answer lost", "answer cut", "slow down"],
    )
    @pytest.mark.parametrize("method", ["PUT", "GET"])
    def test_network_fault(self, world: Any, fault: Any, method: str) -> None:  # noqa: ANN401 - the fixture's own class
        """One lost request is repeated; with all lost the run fails, and the same command completes it."""
        fill(world)
        truth = truth_of(world.home / "s")
        upstream = world.endpoint
        with FaultyProxy(upstream, None, plain=True) as proxy:
            world.endpoint = proxy.endpoint_plain
            proxy.faults = (fault(On(method=method, path="tar", times=1)),)
            assert world.archive() in (0, 2)
        world.endpoint = upstream
        assert world.archive() == 0

        assert back(world) == truth
        assert len(world.keys(".commit.json")) == 1

    def test_listing_that_is_cut(self, world: Any) -> None:  # noqa: ANN401 - the fixture's own class
        """Nothing is taken for missing: exit status 2."""
        fill(world)
        world.archive()

        def cut(_: Request, response: Response) -> Response:
            return Response(200, response.headers, response.body[: len(response.body) // 2])

        upstream = world.endpoint
        with FaultyProxy(upstream, None, Hook(when=On(query="list-type"), altering=cut), plain=True) as proxy:
            world.endpoint = proxy.endpoint_plain
            options = Options(config=world.write(), quiet=True)
            assert coverage.run(options) == 2
            assert receipts.run(options, SESSIONS, 30) == 2
        world.endpoint = upstream
        assert coverage.run(Options(config=world.write(), quiet=True)) == 0

    @pytest.mark.parametrize("which", [".tar.zst", ".manifest.ndjson.zst", ".commit.json"])
    @pytest.mark.parametrize("damage", ["flipped", "cut", "copied"])
    def test_tampered_object(self, world: Any, capsys: pytest.CaptureFixture[str], which: str, damage: str) -> None:  # noqa: ANN401 - the fixture's own class
        """A restore gives nothing, exits 2, and names the object; the folder does not exist."""
        fill(world)
        world.archive()
        (key,) = world.keys(which)
        held = world.client.get_object(Bucket=world.bucket, Key=key)
        body = bytearray(held["Body"].read())
        if damage == "flipped":
            body[len(body) // 2] ^= 1
        elif damage == "cut":
            del body[-10:]
        else:
            body += b"\n"
        world.client.put_object(Bucket=world.bucket, Key=key, Body=bytes(body), Metadata=held["Metadata"])
        for path in (world.folder / "state/sessions").rglob("state.sqlite*"):
            path.unlink()
        to = world.folder / "back"

        assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 2

        assert key.rpartition("/")[2] in capsys.readouterr().err
        assert not to.exists()
        assert not list(world.folder.glob(".back*"))

    def test_wrong_key_bucket_and_clock(self, world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
        """A missing bucket, and a server that says 403: exit status 2, and no secret in any output or receipt."""
        fill(world)
        bucket, world.bucket = world.bucket, "b-not-there"
        assert world.archive() == 2
        world.bucket = bucket
        for code in ("InvalidAccessKeyId", "AccessDenied", "ExpiredToken", "RequestTimeTooSkewed"):
            body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()

            def denied(_: Request, body: bytes = body) -> Response:
                return Response(403, (("Content-Type", "application/xml"),), body)

            upstream = world.endpoint
            with FaultyProxy(upstream, None, Hook(when=On(method="PUT"), answering=denied), plain=True) as proxy:
                world.endpoint = proxy.endpoint_plain
                assert world.archive() == 2
            world.endpoint = upstream
            assert code in json.dumps(world.receipts()[-1]) or world.receipts()[-1]["status"] == "failed"
        said = capsys.readouterr()
        assert SECRET not in said.out + said.err + json.dumps(world.receipts())
        assert world.archive() == 0

    def test_old_damage_is_found(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """A later run reads old packs back in turn, and names what leans on a damaged one; the next stores it again."""
        fill(world)
        world.archive()
        (key,) = world.keys(".tar.zst")
        world.client.put_object(Bucket=world.bucket, Key=key, Body=b"damaged")
        later = datetime.now(UTC) + timedelta(days=2)
        monkeypatch.setattr(clock, "now_utc", lambda: later)

        assert world.archive() == 1

        (wrong,) = world.receipts()[-1]["proven"].values()
        assert "needed by s/0.jsonl, s/1.jsonl" in wrong
        assert world.archive() == 0
        assert world.receipts()[-1]["sources"][0]["counts"]["renewed"] == 3
        assert back(world) == truth_of(world.home / "s")


class TestRuns:
    """Two runs, signals, and time."""

    @pytest.mark.parametrize("copied", [False, True], ids=["new", "copied"])
    def test_two_machines_with_one_name(self, world: Any, copied: bool) -> None:  # noqa: ANN401, FBT001 - the fixture's own class; a parameter
        """The first one names the other, also if the other's state folder is a copy of its own."""
        fill(world)
        assert world.archive() == 0
        other = replace(world, folder=world.folder.with_name("other"), home=world.folder / "home", sources={})
        (other.home / "s").mkdir(parents=True)
        other.sources = {"s": str(other.home / "s")}
        if copied:
            shutil.copytree(world.folder / "state", other.folder / "state")
        fill(other, 9)
        (other.home / "s/0.jsonl").write_bytes(b"another machine's\n")
        assert other.archive() in (0, 1)
        fill(world, 4)

        assert world.archive() == 1

        assert "another installation" in world.receipts()[-1]["sources"][0]["problems"][0]
        to = world.folder / "back"
        assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 0

    def test_clock_that_is_hours_off(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
        """Two hours back or ahead: the last commit is the newest by its number, and all of it comes back."""
        path = world.home / "s/a.jsonl"
        for number, hours in enumerate((0, -2, 2, -2, 0)):
            later = datetime.now(UTC) + timedelta(hours=hours)
            monkeypatch.setattr(clock, "now_utc", lambda later=later: later)
            path.write_bytes(b'{"n":%d}\n' % number)
            os.utime(path, (time.time() - DAY + number,) * 2)
            assert world.archive() == 0
            assert back(world)[b"a.jsonl"].content == b'{"n":%d}\n' % number
        for state in (world.folder / "state/sessions").rglob("state.sqlite*"):
            state.unlink()
        assert back(world)[b"a.jsonl"].content == b'{"n":4}\n'

    def test_receipts_while_a_run_hangs(self, world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
        """They do not wait for it, and show it as open."""
        fill(world)
        program = (
            "import os, signal, sys\nfrom cli.main import main\nfrom workloads.sessions import archive\n"
            "whole = archive.archive\n"
            "def stage(name):\n"
            "    print(flush=True)\n"
            "    if name == 'before the walk': os.kill(os.getpid(), signal.SIGSTOP)\n"
            "archive.archive = lambda *a, **k: whole(*a, **{**k, 'stage': stage})\n"
            f"sys.exit(main(['sessions', 'archive', '--quiet', '--config', {str(world.write())!r}]))"
        )
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as run:  # noqa: S603 - our own text
            assert run.stdout is not None
            run.stdout.readline()
            try:
                assert receipts.run(Options(config=world.write(), quiet=True), SESSIONS, 30) == 1
            finally:
                run.kill()
        assert " open " in capsys.readouterr().out

    def test_two_at_once(self, world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
        """The second names the first's process, and changes nothing."""
        fill(world)
        seen = []

        def stage(name: str) -> None:
            if name == "before the walk":
                seen.append(world.archive())

        assert world.archive(stage=stage) == 0
        assert seen == [2]
        assert f"process {os.getpid()}, since" in capsys.readouterr().err
        assert len(world.keys(".commit.json")) == 1

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_signal(self, world: Any, number: signal.Signals) -> None:  # noqa: ANN401 - the fixture's own class
        """The run ends with 128 + the signal, its receipt says stopped, and the next one completes it."""
        fill(world)
        program = (
            "import os, sys\nfrom cli.main import main\nfrom workloads.sessions import archive\n"
            f"whole = archive.archive\n"
            f"def stage(name):\n    if name == 'before the walk': os.kill(os.getpid(), {int(number)})\n"
            "archive.archive = lambda *a, **k: whole(*a, **{**k, 'stage': stage})\n"
            f"sys.exit(main(['sessions', 'archive', '--quiet', '--config', {str(world.write())!r}]))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)  # noqa: S603 - our own text

        assert done.returncode == 128 + number, done.stderr
        assert world.receipts()[-1]["status"] == "stopped"
        assert world.archive() == 0
        assert len(world.keys(".commit.json")) == 1

    @pytest.mark.parametrize("seed", range(sized(1, 3)))
    def test_400_days(
        self,
        world: Any,  # noqa: ANN401 - the fixture's own class
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        seed: int,
    ) -> None:
        """With all gone after 365 days, what is live on two machines comes back each day; one is off for 60 days."""
        chance = random.Random(seed)  # noqa: S311 - not for secrets
        other = replace(world, folder=world.folder.with_name("box2"), home=world.folder / "home2", name="box2")
        (other.home / "s").mkdir(parents=True)
        other.sources = {"s": str(other.home / "s")}
        start = datetime.now(UTC)
        now = start
        monkeypatch.setattr(clock, "now_utc", lambda: now)
        stored: dict[str, datetime] = {}
        for box in (world, other):
            fill(box, 2)
        for day in range(0, 401, sized(40, 1)):
            now = start + timedelta(days=day)
            off = (other,) if 100 <= day < 160 else ()
            for box in (world, other):
                if box not in off:
                    if chance.random() < 0.3:
                        grown = box.home / f"s/{chance.randrange(2)}.jsonl"
                        with grown.open("ab") as file:
                            file.write(b'{"day":%d}\n' % day)
                        os.utime(grown, (now.timestamp() - 300,) * 2)
                    assert box.archive("s") == 0, day
                    capsys.readouterr()
                    coverage.run(Options(config=box.write(), quiet=True, as_json=True))
                    wrong = json.loads(capsys.readouterr().out)["wrong"]
                    meant = ("the last complete run was", "packs were last read back in turn never")
                    assert [text for text in wrong if not any(one in text for one in meant)] == [], day
            for key in world.keys(""):
                stored.setdefault(key, now)
                if now - stored[key] >= timedelta(days=365):
                    world.client.delete_object(Bucket=world.bucket, Key=key)
            for box in (world, other):  # each from the other machine
                asked = world if box is other else other
                to = world.folder / f"day-{day}-{box.name}"
                options = RestoreOptions(config=asked.write(), quiet=True, to=to, machine=box.name)
                assert run_restore(options) == 0, day
                found, truth = truth_of(to / "s"), truth_of(box.home / "s")
                assert {k: v.content for k, v in found.items()} == {k: v.content for k, v in truth.items()}, day
        assert now - min(stored.values()) == timedelta(days=400)
        assert min(stored.values()) < now - timedelta(days=365)

    def test_receipts_are_listed(self, world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
        """Newest first, the failed one marked; the store alone gives the same; a late machine fails the command."""
        fill(world)
        world.archive()
        world.sources["t"] = str(world.home / "nothing")
        world.archive()
        options = Options(config=world.write(), quiet=True, as_json=True)
        capsys.readouterr()
        assert receipts.run(options, SESSIONS, 30) == 1
        local = json.loads(capsys.readouterr().out)
        assert [one["status"] for one in local] == ["incomplete", "complete"]
        for path in (world.folder / "receipts").iterdir():
            path.unlink()
        assert receipts.run(options, SESSIONS, 30) == 1
        assert json.loads(capsys.readouterr().out) == local


def test_cat_of_an_unknown_or_ambiguous_name(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Exit status 1, and the names."""
    fill(world)
    world.archive()
    config = world.write()

    assert run_cat(RestoreOptions(config=config, names=("no-such",), quiet=True)) == 1
    assert "no commit names 'no-such'" in capsys.readouterr().err
    assert run_cat(RestoreOptions(config=config, names=("jsonl",), quiet=True)) == 1
    assert "s/2.jsonl" in capsys.readouterr().err


def test_target_is_not_empty(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """Nothing is written into a folder that holds something; an unknown machine, source or time is named."""
    fill(world)
    world.archive()
    to = world.folder / "full"
    to.mkdir()
    (to / "mine").touch()
    config = world.write()
    for options, said in (
        (RestoreOptions(config=config, to=to), "is not empty"),
        (RestoreOptions(config=config, to=to / "x", machine="bax"), "legal: box"),
        (RestoreOptions(config=config, to=to / "x", sources=("t",)), "unknown source 't'"),
        (RestoreOptions(config=config, to=to / "x", at="yesterday"), "'yesterday' is not a time"),
        (RestoreOptions(config=config), "--to: is missing"),
    ):
        assert restoring.run_restore(options) == 2
        assert said in capsys.readouterr().err
    assert [path.name for path in to.iterdir()] == ["mine"]


def test_target_is_the_working_folder(
    world: Any,  # noqa: ANN401 - the fixture's own class
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It would be replaced under the feet of whoever is in it; the line to paste works."""
    fill(world)
    world.archive()
    here = world.folder / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=Path())) == 2

    assert "write: --to restored" in capsys.readouterr().err
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=Path("restored"))) == 0
    assert truth_of(here / "restored/s") == truth_of(world.home / "s")
    long = here / ("n" * 255)
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=long)) == 0


def test_source_that_is_meant_is_known(world: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """A slip of the pen is no answer to a loss."""
    fill(world)

    assert world.archive("z") == 2

    err = capsys.readouterr().err
    assert "--meant: unknown source 'z'" in err
    assert "write: --meant s" in err
    assert world.keys() == []


def test_locale_without_these_letters(world: Any) -> None:  # noqa: ANN401 - the fixture's own class
    """Names come back by their bytes, whatever the locale of the restore."""
    (world.home / "s/\u00e9.jsonl").write_bytes(b"{}\n")
    os.utime(world.home / "s/\u00e9.jsonl", (time.time() - DAY * 3,) * 2)
    assert world.archive() == 0
    to = world.folder / "back"
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = ["sessions", "restore", "--to", str(to), "--config", str(world.write())]

    subprocess.run([sys.executable, "-m", "cli", *command], env={**os.environ, **locale}, check=True)  # noqa: S603 - our own command

    assert truth_of(to / "s") == truth_of(world.home / "s")
