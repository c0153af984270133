"""Snapshots of a vault: exact, on young packs alone, and back byte for byte."""

import errno
import io
import json
import os
import random
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest

from sandbox.notes import git, live_a_day, write_vault
from sandbox.transcripts import truth_of, write_file
from tests.sizes import sized
from workloads.archive import clock, source
from workloads.archive.sealing import NO_KEYS
from workloads.archive.source import Found
from workloads.context import VAULT, Options
from workloads.receipts import run as receipts
from workloads.vault import drill, snapshot
from workloads.vault.drill import DrillOptions
from workloads.vault.restoring import RestoreOptions, run_list, run_restore
from workloads.vault.snapshot import SnapshotOptions
from workloads.vault.snapshots import Snapshot, read_entries, read_snapshots

LEFT_OUT = (b".git", b".obsidian/workspace.json")
World = Any


def notes_of(folder: Path) -> dict[bytes, Any]:
    """What a snapshot must hold of a vault, without the folder of git."""
    return {
        path: (one.kind, one.mode, one.mtime_ns, one.content)
        for path, one in truth_of(folder).items()
        if not any(path == left or path.startswith(left + b"/") for left in LEFT_OUT)
    }


def history_of(folder: Path) -> str:
    """All names and commits of a repository, and what differs from the last commit."""
    told = [
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout  # noqa: S603, S607
        for words in (
            ["for-each-ref", "--format=%(objectname) %(refname)"],
            ["log", "--all", "--format=%H %ct %s"],
            ["symbolic-ref", "HEAD"],
            ["status", "--porcelain", "-z", "--", ".", ":!.obsidian/workspace.json"],
        )
    ]
    return "\n".join(told)


def stored(world: World, **more: Any) -> int:  # noqa: ANN401 - options
    """The exit status of a snapshot."""
    return snapshot.run(SnapshotOptions(config=world.write(), quiet=True, **more))


def restored(world: World, status: int = 0, **more: Any) -> Path:  # noqa: ANN401 - options
    """The folder of a restore."""
    folder: Path = world.folder / f"restored-{time.time_ns()}"
    assert run_restore(RestoreOptions(config=world.write(), quiet=True, to=folder, **more)) == status
    return folder


def snapshots(world: World) -> list[Snapshot]:
    """All snapshots, the last one first."""
    with world.store() as store:
        found, damaged = read_snapshots(store, world.bucket, world.name)
    assert not damaged
    return found


def packs_of(world: World, one: Snapshot) -> dict[str, Any]:
    """The packs that a snapshot leans on."""
    with world.store() as store:
        packs, entries = read_entries(store, world.bucket, one.commit, NO_KEYS)
    return {key: packs[key] for entry in entries.values() for key in entry.packs}


def last_problems(world: World) -> list[str]:
    """What the last receipt says is wrong."""
    found: list[dict[str, Any]] = world.receipts()
    return [*found[-1]["sources"][0]["problems"]]


@pytest.fixture(name="vault")
def _vault(notes: World) -> Path:
    """A small vault."""
    root: Path = notes.home / "Vault"
    write_vault(root, notes=20, seed=1, now=time.time())
    return root


def test_vault_comes_back(notes: World, vault: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes, modes, times, links and empty folders, the history and what is not in it; also on a new machine."""
    assert stored(notes) == 0
    wanted, history = notes_of(vault), history_of(vault)

    notes.folder = tmp_path / "new machine"
    folder = restored(notes)

    assert notes_of(folder) == wanted
    assert not (folder / ".obsidian/workspace.json").exists()
    assert history_of(folder) == history
    assert run_list(Options(config=notes.write(), as_json=True)) == 0
    (listed,) = json.loads(capsys.readouterr().out)["snapshots"]
    assert (listed["history"]["dirty"], listed["history"]["branch"]) == (1, "main")
    assert listed["counts"]["seen"] == sum(one[0] == "file" for one in wanted.values())


def test_what_is_stored_is_not_sent_again(notes: World, vault: Path) -> None:
    """A second snapshot sends no pack and no bundle; a note that was renamed, or that came back, is not sent."""
    assert stored(notes) == 0
    first = notes.keys()
    assert stored(notes) == 0
    assert {key.rpartition(".")[2] for key in set(notes.keys()) - set(first)} == {"json", "zst"}
    assert notes.keys(".tar.zst") == [key for key in first if key.endswith(".tar.zst")]
    assert len(notes.keys(".git.bundle")) == 1
    name = next((vault / "Notes").rglob("note-*.md"))
    content = name.read_bytes()
    name.rename(name.with_name("renamed.md"))
    assert stored(notes) == 0
    name.with_name("renamed.md").unlink()
    assert stored(notes) == 0
    (vault / "back.md").write_bytes(content)
    assert stored(notes) == 0

    sent = [one.commit.counts.content_bytes for one in snapshots(notes)]
    assert sent[:4] == [0, 0, 0, 0]
    assert notes_of(restored(notes)) == notes_of(vault)


@pytest.mark.parametrize("pack_bytes", [2**20, 40_000])
def test_equal_notes_are_stored_once(
    notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch, pack_bytes: int
) -> None:
    """Also if both are new, in one pack or in the one before; each comes back."""
    monkeypatch.setattr(snapshot, "PACK_BYTES", pack_bytes)
    chance = random.Random(2)  # noqa: S311 - not for secrets
    body = chance.randbytes(30_000)
    for name in ("a one.md", "b same/one.md", "z last/one.md"):
        write_file(vault / name, body, time.time() - 90)
        write_file((vault / name).with_suffix(".bin"), chance.randbytes(9_000), time.time() - 90)

    assert stored(notes) == 0

    (made,) = snapshots(notes)
    contents = {one[3] for one in notes_of(vault).values() if one[0] == "file"}
    assert made.commit.counts.content_bytes == sum(map(len, contents))
    assert notes_of(restored(notes)) == notes_of(vault)
    assert len(packs_of(notes, made)) == (1 if pack_bytes > 40_000 else 2)


def test_run_of_days_leans_on_nothing_old(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends when a pack has become older than 30 days commits nothing; the next one keeps its new packs."""
    start, days = time.time(), 0.0
    monkeypatch.setattr(clock, "now_utc", lambda: datetime.fromtimestamp(start + days * 86400, UTC))
    assert stored(notes) == 0
    days = 27
    name = vault / "new.md"
    write_file(name, random.Random(3).randbytes(50_000), start)  # noqa: S311 - not for secrets

    def slow(stage: str) -> None:
        nonlocal days
        days = 30.5 if stage == "all packs stored" else days

    assert snapshot.run(SnapshotOptions(config=notes.write(), quiet=True), stage=slow) == 2

    assert "older than 30 days" in str(notes.receipts()[-1]["error"])
    assert len(snapshots(notes)) == 1
    kept = notes.keys(".tar.zst")
    assert stored(notes) == 0
    (made, _) = snapshots(notes)
    assert made.commit.history is not None
    leaning = [*packs_of(notes, made).values(), made.commit.history.bundle]
    assert max(made.at - one.stored_at for one in leaning) < timedelta(days=30)
    assert set(kept[1:]) < packs_of(notes, made).keys()
    assert notes_of(restored(notes)) == notes_of(vault)


def test_each_snapshot_is_the_state_of_its_moment(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 40 days each snapshot gives its own day back, and none leans on anything that is older than 30 days."""
    days, start = sized(33, 40), time.time()
    truths, histories = [], []
    for day in range(days):
        when = datetime.fromtimestamp(start + day * 86400, UTC)
        monkeypatch.setattr(clock, "now_utc", lambda when=when: when)
        if day:
            live_a_day(vault, 1, start + day * 86400 - 300)
        assert stored(notes) == 0
        truths.append(notes_of(vault))
        histories.append(history_of(vault))

    found = snapshots(notes)[::-1]

    assert len(found) == days
    for one in found:
        assert one.commit.history is not None
        packs = [*packs_of(notes, one).values(), one.commit.history.bundle, one.commit.manifest]
        assert max(one.at - pack.stored_at for pack in packs) < timedelta(days=30)
    whole = [one for one in found if one.commit.counts.renewed > 15]
    assert len(whole) == 1  # once a month
    for day in random.Random(1).sample(range(days), sized(4, days)):  # noqa: S311 - not for secrets
        folder = restored(notes, at=found[day].at.isoformat())
        assert notes_of(folder) == truths[day]
        assert history_of(folder) == histories[day]


def test_drill_proves_the_way_back(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says when that was proven; after 7 days, and before the first time, `--check` and `receipts` fail."""
    options = Options(config=notes.write(), quiet=True)
    assert stored(notes) == 0
    check = DrillOptions(config=notes.write(), quiet=True, check=True)
    assert (drill.run(check), receipts(options, VAULT, 30)) == (1, 1)

    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == 0

    assert (drill.run(check), receipts(options, VAULT, 30)) == (0, 0)
    last = notes.receipts()[-1]
    assert last["restore_proven_at"] is not None
    assert last["snapshot"] == snapshots(notes)[0].key
    assert not list((notes.folder / "state").rglob("*drill*"))
    later = datetime.now(UTC) + timedelta(days=7, hours=1)
    monkeypatch.setattr(clock, "now_utc", lambda: later)
    assert stored(notes) == 0
    assert (drill.run(check), receipts(options, VAULT, 30)) == (1, 1)
    assert vault.exists()


@pytest.mark.parametrize(("damaged", "days", "status"), [("first", 20, 1), ("first", 40, 0), ("last", 40, 1)])
def test_drill_beside_a_damaged_snapshot(
    notes: World,
    vault: Path,
    monkeypatch: pytest.MonkeyPatch,
    damaged: str,
    days: int,
    status: int,
) -> None:
    """One of the last weeks keeps the drill from being a proof; an older one is named, and cannot for a whole year."""
    for day in (0, days):
        monkeypatch.setattr(clock, "now_utc", lambda day=day: datetime.now(UTC) + timedelta(days=day))
        assert stored(notes) == 0
    first, last = sorted(notes.keys(".commit.json"))
    key = {"first": first, "last": last}[damaged]
    notes.client.put_object(Bucket=notes.bucket, Key=key, Body=b"{}", Metadata={"sha256": "0" * 64})

    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == status

    receipt = notes.receipts()[-1]
    assert key in "".join([*receipt["notes"], *receipt["sources"][0]["problems"]])
    assert bool(receipt["restore_proven_at"]) == (status == 0)
    assert vault.exists()


@pytest.mark.parametrize("what", ["content", "mode", "time", "gone", "more", "target", "kind"])
def test_drill_sees_each_difference(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Whatever a restore gives back wrongly is named, and nothing is proven."""
    assert stored(notes) == 0
    whole = vars(drill)["restore"]

    def wrong(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
        done = whole(*given, **named)
        folder: Path = given[4]
        note = folder / "odd/private.md"
        status = note.stat()
        match what:
            case "content":
                note.write_bytes(b"mode 60O\n")
                os.utime(note, ns=(status.st_atime_ns, status.st_mtime_ns))
            case "mode":
                note.chmod(0o644)
            case "time":
                os.utime(note, (1, 1))
            case "gone":
                note.unlink()
            case "more":
                (folder / "odd/more.md").touch()
            case "target":
                (folder / "odd/inside").unlink()
                (folder / "odd/inside").symlink_to("private.md")
            case _:
                note.unlink()
                note.symlink_to("empty.md")
        return done

    monkeypatch.setattr(drill, "restore", wrong)

    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == 1

    named = {"more": "odd/more.md", "target": "odd/inside"}.get(what, "odd/private.md")
    assert any(one.startswith(named) for one in last_problems(notes))
    assert notes.receipts()[-1]["restore_proven_at"] is None
    assert vault.exists()


def test_rounded_times_are_no_difference(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that keeps whole seconds is named in a note."""
    assert stored(notes) == 0
    whole = vars(drill)["restore"]

    def rounded(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
        done = whole(*given, **named)
        for path in (given[4] / "odd/private.md", given[4] / "odd/empty.md"):
            seconds = path.stat().st_mtime_ns // 10**9
            os.utime(path, (seconds, seconds))
        return done

    monkeypatch.setattr(drill, "restore", rounded)

    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == 0
    assert any("2 were rounded" in note for note in notes.receipts()[-1]["notes"])
    assert vault.exists()


def test_rounded_times_send_nothing(notes: World, vault: Path) -> None:
    """A disk that rounds times to seconds makes no content new."""
    assert stored(notes) == 0
    for path in vault.rglob("*"):
        if path.is_file() and not path.is_symlink() and ".git" not in path.parts:
            seconds = path.stat().st_mtime_ns // 10**9
            os.utime(path, (seconds, seconds))

    assert stored(notes) == 0

    assert snapshots(notes)[0].commit.counts.content_bytes == 0
    assert notes_of(restored(notes)) == notes_of(vault)


def test_damaged_pack(notes: World, vault: Path) -> None:
    """The drill fails and names the pack; the next snapshots store what leaned on it again."""
    assert stored(notes) == 0
    (key,) = packs_of(notes, snapshots(notes)[0])
    body = bytearray(notes.client.get_object(Bucket=notes.bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    notes.client.put_object(Bucket=notes.bucket, Key=key, Body=bytes(body))

    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == 2
    assert key in str(notes.receipts()[-1]["error"])

    later = datetime.now(UTC) + timedelta(days=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now_utc", lambda: later)
        assert stored(notes) == 1
        assert stored(notes) == 0
        assert key not in packs_of(notes, snapshots(notes)[0])
    assert notes_of(restored(notes)) == notes_of(vault)


@pytest.mark.parametrize("what", [".commit.json", ".manifest.ndjson.zst"])
def test_damaged_snapshot_and_no_state(notes: World, vault: Path, what: str) -> None:
    """A machine whose state is lost goes on beside a damaged snapshot: it names it, and stores the notes again."""
    assert stored(notes) == 0
    key = notes.keys(what)[0]
    body = notes.client.get_object(Bucket=notes.bucket, Key=key)["Body"].read()
    notes.client.put_object(Bucket=notes.bucket, Key=key, Body=body[:-1] + bytes([body[-1] ^ 1]))
    shutil.rmtree(notes.folder / "state")

    assert stored(notes) == 1

    receipt = notes.receipts()[-1]
    assert key in str([receipt["proven"], last_problems(notes)])
    assert notes_of(restored(notes, 1 if "commit" in what else 0)) == notes_of(vault)


def test_notes_that_cannot_be_read(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evicted and unreadable notes are named and not counted as deleted, and what was there before is restorable."""
    assert stored(notes) == 0
    first = datetime.now(UTC)
    script = vault / "odd/script.sh"
    script.write_bytes(b"#!/bin/sh\necho changed\n")
    away = script.stat().st_ino

    class Away(io.FileIO):
        def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - what it takes
            if os.fstat(self.fileno()).st_ino == away:
                raise OSError(errno.EDEADLK, "Resource deadlock avoided")
            return super().readinto(buffer) or 0

    note = vault / "Notes/Projects/note-0002.md"
    write_file(note.with_name(f".{note.name}.icloud"), b"a plist", time.time())
    note.unlink()
    walk = source.walk

    def evicted(*given: Any) -> Any:  # noqa: ANN401 - what the call takes
        for one in walk(*given):
            if isinstance(one, Found) and one.path == b"odd/private.md":
                yield source.Refused(one.path, "Permission denied", loses=True)
            else:
                yield one

    with monkeypatch.context() as patch:
        patch.setattr("workloads.archive.run.walk", evicted)
        patch.setattr("workloads.archive.reading.io.FileIO", Away)
        assert stored(notes) == 1

    problems = last_problems(notes)
    assert [one for one in problems if "note-0002.md" in one and "in the cloud" in one]
    assert [one for one in problems if "odd/private.md" in one]
    assert "odd/script.sh: Resource deadlock avoided" in problems
    assert snapshots(notes)[0].commit.problems == 3
    assert notes.receipts()[-1]["sources"][0]["missing"] == 0
    assert not {b"odd/private.md", b"odd/script.sh"} & notes_of(restored(notes)).keys()
    before = restored(notes, at=first.isoformat())
    assert (before / "Notes/Projects/note-0002.md").exists()
    assert (before / "odd/script.sh").read_bytes() == b"#!/bin/sh\n"
    (note.with_name(f".{note.name}.icloud")).unlink()
    assert stored(notes) == 0
    assert notes_of(restored(notes)) == notes_of(vault)


def test_lost_notes(notes: World, vault: Path) -> None:
    """A loss of a fifth is named, also if it is slow; `--meant` holds for one run; a renamed folder is no loss."""
    (vault / "Notes").rename(vault / "Renamed")
    assert stored(notes) == 0
    (vault / "Renamed").rename(vault / "Again")
    assert stored(notes) == 0
    names = sorted((vault / "Again").rglob("*.md"))
    for name in names[:8]:
        name.unlink()
    assert stored(notes) == 0
    for name in names[8:12]:
        name.unlink()
    assert stored(notes) == 1
    assert "12 notes fewer" in last_problems(notes)[-1]
    assert stored(notes) == 1
    assert stored(notes, meant=True) == 0
    assert stored(notes) == 0
    for name in (*names[12:], *(vault / "odd").glob("[a-n]*")):
        if name.is_file():
            name.unlink()
    assert stored(notes) == 1


def test_empty_or_missing_vault(notes: World, vault: Path) -> None:
    """No snapshot is made of nothing, unless that is meant, or of a file; the last one stays the last."""
    assert stored(notes) == 0
    vault.rename(vault.with_name("away"))
    assert stored(notes) == 2
    vault.mkdir()
    assert stored(notes) == 1
    assert len(snapshots(notes)) == 1
    assert notes_of(restored(notes)) == notes_of(vault.with_name("away"))
    assert stored(notes, meant=True) == 0
    assert snapshots(notes)[0].commit.counts.seen == 0
    assert notes_of(restored(notes)) == {}
    vault.rmdir()
    vault.write_text("a note")
    assert stored(notes) == 2
    assert "is a file, and not a folder" in str(notes.receipts()[-1]["error"])


@pytest.mark.parametrize("what", ["lost", "old"])
def test_state_is_lost(notes: World, vault: Path, what: str) -> None:
    """The next snapshot sends only what is new, and leans on what the store has; so does one with an old state."""
    assert stored(notes) == 0
    state = notes.folder / "state"
    if what == "old":
        shutil.copytree(state, notes.folder / "old")
        live_a_day(vault, 1, time.time() - 400)
        assert stored(notes) == 0
    packs = notes.keys(".tar.zst")
    state.rename(notes.folder / "gone")
    if what == "old":
        (notes.folder / "old").rename(state)
    live_a_day(vault, 2, time.time() - 300)

    assert stored(notes) == 0

    (new,) = set(notes.keys(".tar.zst")) - set(packs)
    assert snapshots(notes)[0].commit.counts.content_bytes < 20_000
    assert packs_of(notes, snapshots(notes)[0]).keys() == {*packs, new}
    assert notes_of(restored(notes)) == notes_of(vault)


def test_folder_must_be_empty(notes: World, vault: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with something in it, a link and a missing snapshot: nothing is written."""
    assert stored(notes) == 0
    full, link = notes.folder / "full", notes.folder / "link"
    full.mkdir()
    (full / "mine").touch()
    link.symlink_to(notes.folder / "elsewhere")
    for folder in (full, link):
        assert run_restore(RestoreOptions(config=notes.write(), quiet=True, to=folder)) == 2
    assert [path.name for path in full.iterdir()] == ["mine"]
    assert not (notes.folder / "elsewhere").exists()
    restored(notes, 2, machine="other")
    restored(notes, 2, at="2020-01-01")
    text = capsys.readouterr().err
    assert "machines with one: box" in text
    assert "no snapshot of box is that old" in text
    assert vault.exists()


def test_some_notes_alone(notes: World, vault: Path) -> None:
    """A part of a path brings those notes back, without the history."""
    assert stored(notes) == 0
    folder = restored(notes, names=("private", "script"))
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"private.md", "script.sh"}
    assert not (folder / ".git").exists()
    restored(notes, 1, names=("no such note",))
    assert vault.exists()


def test_clock_was_set_back(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:  # noqa: ANN401
    """What was committed last is restored, and the conflict is named."""
    assert stored(notes) == 0
    write_file(vault / "last.md", b"last\n", time.time() - 90)
    earlier = datetime.now(UTC) - timedelta(hours=2)
    monkeypatch.setattr(clock, "now_utc", lambda: earlier)
    assert stored(notes) == 0

    folder = restored(notes)

    assert (folder / "last.md").exists()
    assert "the clock was set back before" in capsys.readouterr().err


def test_encrypted(notes: World, vault: Path) -> None:
    """Notes and history come back with the key alone; the store shows no name of a note, branch or commit."""
    key = pyrage.x25519.Identity.generate()
    file: Path = notes.folder / "identity.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(0o600)
    file.write_text(str(key))
    notes.more["encryption"] = {"recipients": [str(key.to_public())]}
    write_file(vault / "a very private name.md", b"x" * 1000, time.time() - 90)
    git(vault, "branch", "a-private-branch")
    git(vault, "symbolic-ref", "HEAD", "refs/heads/a-private-branch")
    git(vault, "commit", "--quiet", "--allow-empty", "-m", "a private commit")
    assert stored(notes) == 0
    assert stored(notes) == 0
    assert snapshots(notes)[0].commit.counts.content_bytes == 0
    assert len(notes.keys(".git.bundle.age")) == 1
    for one in notes.client.list_objects_v2(Bucket=notes.bucket)["Contents"]:
        body = notes.client.get_object(Bucket=notes.bucket, Key=one["Key"])["Body"].read()
        assert not [secret for secret in (b"private", b"PACK", b"git bundle") if secret in body], one["Key"]

    restored(notes, 2)
    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == 2
    assert drill.run(DrillOptions(config=notes.write(), quiet=True, identities=(file,))) == 0
    folder = restored(notes, identities=(file,))

    assert notes_of(folder) == notes_of(vault)
    assert history_of(folder) == history_of(vault)


def test_old_bundle_is_stored_again(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that does not change is stored again before its bundle is 30 days old, and not earlier than needed."""
    for days, bundles in ((0, 1), (27, 1), (29, 2)):
        when = datetime.now(UTC) + timedelta(days=days)
        monkeypatch.setattr(clock, "now_utc", lambda when=when: when)
        assert stored(notes) == 0
        assert len(notes.keys(".git.bundle")) == bundles
    assert vault.exists()
