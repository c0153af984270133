"""A local file goes only after its content was read back, and nothing goes that was not proven."""

import errno
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.transcripts import truth_of
from trials.faulty_proxy import shut_endpoint
from workloads.archive import holders, prune
from workloads.sessions import prune as command
from workloads.sessions.prune import PruneOptions
from workloads.sessions.restoring import RestoreOptions, run_restore

RULE = {"after_days": 7, "sources": ["s"]}


@pytest.fixture(name="old")
def _old(world: Any) -> Path:  # noqa: ANN401 - the fixture's own class
    """A file of 8 days ago, archived; its change time is the test's, and the receipt is newer."""
    path: Path = world.home / "s/old.jsonl"
    path.write_bytes(b'{"n":1}\n' * 100)
    os.utime(path, (time.time() - 86400 * 8,) * 2)
    young = world.home / "s/young.jsonl"
    young.write_bytes(b"{}\n")
    os.utime(young, (time.time() - 86400 * 6,) * 2)
    assert world.archive() == 0
    return path


def _prune(world: Any, **more: Any) -> int:  # noqa: ANN401 - the fixture's own class
    return command.run(PruneOptions(config=world.write(prune=RULE), quiet=True, **more))


def test_old_file_goes_and_comes_back(world: Any, old: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """Only what is old enough goes; the receipt names it with its commit, and a restore gives it back."""
    truth = truth_of(world.home / "s")

    assert _prune(world, dry_run=True) == 0
    assert old.exists()
    assert _prune(world) == 0

    assert sorted(truth_of(world.home / "s")) == [b"young.jsonl"]
    receipt = world.receipts()[-1]
    assert receipt["pruned"] == [["s/old.jsonl", world.keys(".commit.json")[0]]]
    assert receipt["expires_after_days"] == 365
    to = world.folder / "back"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 0
    assert truth_of(to / "s") == truth
    assert world.archive() == 0  # what was pruned is no loss


def test_without_the_opt_in_nothing_goes(world: Any, old: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401 - the fixture's own class
    """The message has the line to paste."""
    assert command.run(PruneOptions(config=world.write(), quiet=True)) == 2
    assert "prune: {after_days" in capsys.readouterr().err
    assert old.exists()


def test_store_that_is_down(world: Any, old: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """Nothing goes."""
    world.endpoint = shut_endpoint().replace("https:", "http:")

    assert _prune(world) == 2

    assert old.exists()
    assert world.receipts()[-1]["status"] == "failed"


@pytest.mark.parametrize("damage", ["pack gone", "pack replaced", "commit gone", "receipts gone", "receipt older"])
def test_what_is_not_proven_stays(world: Any, old: Path, damage: str) -> None:  # noqa: ANN401 - the fixture's own class
    """A HEAD is no proof: the content is read back, and its receipt is looked at."""
    (pack,), (commit,) = world.keys(".tar.zst"), world.keys(".commit.json")
    if damage == "pack gone":
        world.client.delete_object(Bucket=world.bucket, Key=pack)
    elif damage == "pack replaced":
        size = world.client.head_object(Bucket=world.bucket, Key=pack)["ContentLength"]
        world.client.put_object(Bucket=world.bucket, Key=pack, Body=bytes(size))
    elif damage == "commit gone":
        world.client.delete_object(Bucket=world.bucket, Key=commit)
    else:
        for path in (world.folder / "receipts").iterdir():
            if damage == "receipts gone":
                path.unlink()
            else:
                long_ago = datetime.fromtimestamp(time.time() - 86400 * 9, UTC).isoformat()
                path.write_text(json.dumps(json.loads(path.read_text()) | {"ended_at": long_ago}))
        for one in world.client.list_objects_v2(Bucket=world.bucket, Prefix="receipts/")["Contents"]:
            world.client.delete_object(Bucket=world.bucket, Key=one["Key"])

    assert _prune(world) == 1

    assert old.exists()
    (kept,) = world.receipts()[-1]["kept"]
    assert kept.startswith("s/old.jsonl: ")


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "a file system without hard links"])
def test_file_that_changes_between_check_and_removal(
    world: Any,  # noqa: ANN401 - the fixture's own class
    old: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    links: bool,
) -> None:
    """It is put back, with what was written."""
    held = holders.held

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refused)

    def late(_: object) -> set[int]:
        with old.open("ab") as file:
            file.write(b"late\n")
        monkeypatch.setattr(prune, "held", held)
        return set()

    monkeypatch.setattr(prune, "held", late)

    assert _prune(world) == 1

    assert old.read_bytes().endswith(b"late\n")
    assert sorted(truth_of(world.home / "s")) == [b"old.jsonl", b"young.jsonl"]


def test_file_that_a_program_holds_open(world: Any, old: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """A writer goes on writing into a file that was removed, and what it writes would be lost."""
    program = f"f = open({str(old)!r}, 'ab'); print(flush=True); input(); f.write(b'more\\n')"
    with subprocess.Popen(  # noqa: S603 - our own text
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()

        assert _prune(world) == 1
        writer.communicate("\n")

    assert old.read_bytes().endswith(b"more\n")
    assert world.receipts()[-1]["kept"] == ["s/old.jsonl: a program has it open"]


def test_system_that_cannot_tell(world: Any, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """Without /proc and lsof nothing goes; lsof's answer is heeded."""
    monkeypatch.setattr(holders, "PROC", world.folder / "no proc")
    monkeypatch.setenv("PATH", str(world.folder / "bin"))
    assert _prune(world) == 2
    (world.folder / "bin").mkdir()
    program = world.folder / "bin/lsof"
    program.write_text(f"#!/bin/sh\necho p1\necho i{old.stat().st_ino}\n")
    program.chmod(0o755)
    assert _prune(world) == 1
    assert old.exists()
    program.write_text("#!/bin/sh\nexit 1\n")
    assert _prune(world) == 0
    assert not old.exists()


@pytest.mark.parametrize("point", ["judged", "noted", "aside", "removed"])
@pytest.mark.usefixtures("old")
def test_killed_prune_is_put_right(world: Any, monkeypatch: pytest.MonkeyPatch, point: str) -> None:  # noqa: ANN401 - the fixture's own class
    """The next run finds the file under its name, or gone and archived."""

    class Killed(BaseException):
        """As a power cut."""

    def stage(name: str) -> None:
        if name == point:
            raise Killed

    whole = prune.prune
    monkeypatch.setattr(command, "prune", lambda *given, **named: whole(*given, **named, stage=stage))
    with pytest.raises(Killed):
        _prune(world)
    monkeypatch.undo()

    assert world.archive() == 0
    assert _prune(world) == 0

    assert sorted(truth_of(world.home / "s")) == [b"young.jsonl"]
    to = world.folder / "back"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=to)) == 0
    assert (to / "s/old.jsonl").read_bytes() == b'{"n":1}\n' * 100


def test_hollow_state_is_not_the_last(world: Any, old: Path) -> None:  # noqa: ANN401 - the fixture's own class
    """A file that was emptied stays: its earlier state is worth more, and only a person can say so."""
    old.write_bytes(b"{}\n" * 5000)
    os.utime(old, (time.time() - 86400 * 8,) * 2)
    world.archive()
    old.write_bytes(b"{}\n")
    os.utime(old, (time.time() - 86400 * 8,) * 2)
    world.archive()

    assert _prune(world) == 1
    assert old.exists()


def test_folder_that_cannot_be_written(world: Any, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """The file stays with the reason, and the others go."""
    other = world.home / "s/other.jsonl"
    other.write_bytes(b"{}\n" * 9)
    os.utime(other, (time.time() - 86400 * 8,) * 2)
    assert world.archive() == 0
    whole = os.rename

    def refused(one: Any, two: Any) -> None:  # noqa: ANN401 - what it takes
        if os.fsencode(one) == os.fsencode(old):
            raise PermissionError(errno.EACCES, "Permission denied")
        whole(one, two)

    monkeypatch.setattr("workloads.archive.prune.os.rename", refused)

    assert _prune(world) == 1

    assert world.receipts()[-1]["kept"] == ["s/old.jsonl: Permission denied"]
    assert [name for name, _ in world.receipts()[-1]["pruned"]] == ["s/other.jsonl"]
    assert old.exists()


def test_file_that_became_a_pipe(world: Any, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - the fixture's own class
    """It is not opened for ever."""
    whole = prune._objection

    def late(*given: Any) -> str:  # noqa: ANN401 - what it takes
        old.unlink(missing_ok=True)
        os.mkfifo(old)
        return whole(*given)

    monkeypatch.setattr(prune, "_objection", late)
    assert _prune(world) == 1
    assert world.receipts()[-1]["kept"] == ["s/old.jsonl: it is not what is archived"]
