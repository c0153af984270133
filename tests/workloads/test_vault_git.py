"""The history of a vault travels as a bundle, and what a bundle cannot hold is named."""

import errno
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from object_store import Unavailable
from sandbox.notes import git, write_vault
from sandbox.transcripts import write_file
from tests.workloads.test_vault import history_of, last_problems, notes_of, restored, snapshots, stored
from workloads.archive import clock
from workloads.vault import drill
from workloads.vault import git as of_vault
from workloads.vault.drill import DrillOptions
from workloads.vault.restoring import RestoreOptions, run_restore

World = Any


@pytest.fixture(name="vault")
def _vault(notes: World) -> Path:
    """A small vault with plain names."""
    root: Path = notes.home / "Vault"
    write_vault(root, notes=4, seed=1, now=time.time(), odd=False)
    return root


def said(world: World) -> str:
    """The notes of the last receipt."""
    return "\n".join(map(str, world.receipts()[-1]["notes"]))


def test_no_repository(notes: World, vault: Path) -> None:
    """A vault without a repository is complete, and says that it has none."""
    shutil.rmtree(vault / ".git")

    assert stored(notes) == 0

    assert "has no git repository" in said(notes)
    assert not (restored(notes) / ".git").exists()


def _said(notes: World, capsys: pytest.CaptureFixture[str]) -> str:
    """What a restore says."""
    capsys.readouterr()
    restored(notes)
    return capsys.readouterr().err


@pytest.mark.parametrize("left", ["nothing", "an empty repository"])
def test_repository_that_went_away(
    notes: World,
    vault: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    left: str,
) -> None:
    """The snapshot is incomplete and names the last one with the history, until the loss is said to be meant.

    Until then a restore says which snapshot has it, and the line brings that one.
    """
    with monkeypatch.context() as yesterday:
        when = datetime.now(UTC) - timedelta(days=1)
        yesterday.setattr(clock, "now_utc", lambda: when)
        assert stored(notes) == 0
    shutil.rmtree(vault / ".git")
    if left != "nothing":
        git(vault, "init", "--quiet")
    with_history = snapshots(notes)[0].key

    for _ in range(2):
        assert stored(notes) == 1
        assert f"the history of git is gone, which {with_history} has" in "".join(last_problems(notes))
        write_file(vault / "another.md", os.urandom(9), time.time() - 90)
    (then,) = re.findall("the last one that has it: --at (.*)", _said(notes, capsys))
    assert history_of(restored(notes, at=then))
    assert stored(notes, meant=True) == 0
    assert "--at" not in _said(notes, capsys)
    write_file(vault / "another.md", os.urandom(9), time.time() - 90)
    assert stored(notes) == 0


def test_repository_without_a_commit(notes: World, vault: Path) -> None:
    """It is complete without a bundle."""
    shutil.rmtree(vault / ".git")
    git(vault, "init", "--quiet")

    assert stored(notes) == 0

    assert "has no commit" in said(notes)
    assert notes.keys(".git.bundle") == []
    assert notes_of(restored(notes)) == notes_of(vault)


def test_detached_commit(notes: World, vault: Path) -> None:
    """A commit on no branch comes back, and is checked out."""
    git(vault, "checkout", "--quiet", "--detach")
    git(vault, "commit", "--quiet", "--allow-empty", "-m", "on no branch", when=time.time())
    head = of_vault._git(vault, "rev-parse", "HEAD")

    assert stored(notes) == 0

    folder = restored(notes)
    assert of_vault._git(folder, "rev-parse", "HEAD") == head
    assert (folder / ".git/HEAD").read_text() == head


def test_what_a_bundle_lacks(notes: World, vault: Path) -> None:
    """Older stashes and objects of Git LFS are named; the last stash is there, and can be applied."""
    for number in range(2):
        write_file(vault / "docs.md", f"{number}\n".encode(), time.time() - 100)
        git(vault, "add", "docs.md")
        git(vault, "stash", when=time.time())
    (vault / ".git/lfs/objects").mkdir(parents=True)

    assert stored(notes) == 0

    assert "1 of 2 stashes" in said(notes)
    assert "Git LFS" in said(notes)
    stash = of_vault._git(vault, "rev-parse", "refs/stash")
    folder = restored(notes)
    assert of_vault._git(folder, "rev-parse", "refs/stash") == stash
    assert len(of_vault._git(folder, "stash", "list").splitlines()) == 1
    assert of_vault._git(folder, "stash", "show", "--name-only") == "docs.md\n"


def test_forged_settings(notes: World, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot with settings of git among its notes is refused: git would run what they say."""
    with monkeypatch.context() as patch:
        patch.setattr(of_vault, "FOLDER", b"none")
        assert stored(notes) == 0

    assert not restored(notes, 2).exists()
    assert vault.exists()


def test_shallow(notes: World, vault: Path) -> None:
    """A shallow repository makes the snapshot incomplete, for its bundle cannot come back; the advice mends it."""
    origin = notes.home / "origin"
    shutil.move(vault, origin)
    git(notes.home, "clone", "--quiet", "--depth", "1", f"file://{origin}", str(vault))

    assert stored(notes) == 1

    advice = last_problems(notes)[0].partition("write: git ")[2].split()
    git(vault, *advice)
    assert stored(notes) == 0
    assert history_of(restored(notes)) == history_of(vault)


def test_grafts(notes: World, vault: Path) -> None:
    """What a graft hides is in the bundle, which would not come back without it."""
    git(vault, "commit", "--quiet", "--allow-empty", "-m", "one more", when=time.time())
    head = of_vault._git(vault, "rev-parse", "HEAD")
    (vault / ".git/info").mkdir(exist_ok=True)
    (vault / ".git/info/grafts").write_text(head)

    assert stored(notes) == 0

    assert of_vault._git(restored(notes), "rev-list", "--count", "HEAD") != "1\n"


def test_sha256_repository(notes: World, vault: Path) -> None:
    """A repository that names its objects by SHA-256 comes back."""
    shutil.rmtree(vault / ".git")
    git(vault, "init", "--quiet", "--object-format=sha256")
    git(vault, "commit", "--quiet", "--allow-empty", "-m", "first", when=time.time())

    assert stored(notes) == 0

    assert history_of(restored(notes)) == history_of(vault)


def test_history_that_cannot_be_fetched(
    notes: World,
    vault: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,  # noqa: ANN401
) -> None:
    """The disk is full, or the store goes away: the notes are there, and the message says what is not, and where."""
    assert stored(notes) == 0
    full, away = OSError(errno.ENOSPC, "No space left on device"), Unavailable("the store is away")
    for fault in (full, away):
        monkeypatch.setattr("workloads.vault.restoring.fetch_history", Mock(side_effect=fault))
        folder = restored(notes, 1)
        assert notes_of(folder) == notes_of(vault)
        said = f"{folder}: No space left on device" if fault is full else "the store is away"
        assert f"the history did not come back: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x" * 250, "new/../back"])
def test_folder_with_a_long_name_or_a_way_back(notes: World, vault: Path, name: str) -> None:
    """The history comes back as the notes do."""
    assert stored(notes) == 0
    to = notes.folder / name

    assert run_restore(RestoreOptions(config=notes.write(), quiet=True, to=to)) == 0

    there = Path(os.path.normpath(to))
    assert notes_of(there) == notes_of(vault)
    assert history_of(there) == history_of(vault)
    assert not [path for path in notes.folder.iterdir() if path.name.startswith(".x")]


def test_name_that_is_git_on_some_disks(
    notes: World,
    vault: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What would become git's own folder is named before anything is written; elsewhere, and by its name, it comes."""
    write_file(vault / ".GIT/config", b"[core]\n  fsmonitor = touch ran\n", time.time() - 90)
    assert stored(notes) == 0
    assert notes_of(restored(notes)) == notes_of(vault)
    monkeypatch.setattr("workloads.archive.restore._is_same", lambda _, first, __: first == b"a")

    to = restored(notes, 2)

    assert ".GIT is .git on this disk" in capsys.readouterr().err
    assert not to.exists()
    assert drill.run(DrillOptions(config=notes.write(), quiet=True)) == 2
    assert (restored(notes, names=(".GIT/",)) / ".GIT/config").exists()


@pytest.mark.parametrize("fault", ["gone", "replaced", "rotten"])
def test_damaged_bundle(notes: World, vault: Path, fault: str, capsys: Any) -> None:  # noqa: ANN401
    """A restore without its bundle has the notes and says so; the next snapshot stores the history again."""
    assert stored(notes) == 0
    key = notes.keys(".git.bundle")[0]
    held = notes.client.get_object(Bucket=notes.bucket, Key=key)
    body = held["Body"].read()
    if fault == "gone":
        notes.client.delete_object(Bucket=notes.bucket, Key=key)
    else:
        kept = held["Metadata"] if fault == "rotten" else {}
        notes.client.put_object(Bucket=notes.bucket, Key=key, Body=body[:-1] + bytes([body[-1] ^ 1]), Metadata=kept)

    folder = restored(notes, 1)
    assert notes_of(folder) == notes_of(vault)
    assert "the history did not come back" in capsys.readouterr().err
    assert stored(notes) == 1
    assert key in last_problems(notes)[0]
    assert stored(notes) == 0
    assert history_of(restored(notes)) == history_of(vault)


@pytest.mark.parametrize(("file", "name"), [("rebase-merge", "a rebase"), ("MERGE_HEAD", "a merge")])
def test_in_the_middle(notes: World, vault: Path, file: str, name: str) -> None:
    """A rebase or a merge in progress is named, and the notes and commits are stored nevertheless."""
    head = of_vault._git(vault, "rev-parse", "HEAD")
    (vault / ".git" / file).write_text(head)

    assert stored(notes) == 1

    assert f"{name} is in progress" in last_problems(notes)[0]
    folder = restored(notes)
    assert notes_of(folder) == notes_of(vault)
    assert of_vault._git(folder, "rev-parse", "HEAD") == head


def test_worktree(notes: World, vault: Path) -> None:
    """A vault whose `.git` is a file brings its branch and its commits."""
    tree = notes.home / "tree"
    git(vault, "worktree", "add", "--quiet", "-b", "of-the-tree", str(tree))
    notes.more = {"vault": {"path": str(tree)}}

    assert stored(notes) == 0

    folder = restored(notes)
    assert notes_of(folder) == notes_of(tree)
    assert of_vault._git(folder, "symbolic-ref", "--short", "HEAD").strip() == "of-the-tree"


def test_no_git(notes: World, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:  # noqa: ANN401
    """Without git a snapshot has the notes and is incomplete; a restore puts the bundle beside the folder."""
    assert stored(notes) == 0
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        assert stored(notes) == 1
        folder = restored(notes, 0)
        assert snapshots(notes)[0].commit.history is None
        before = restored(notes, 1, at=snapshots(notes)[1].at.isoformat())

    assert "git is not installed" in last_problems(notes)[0]
    assert notes_of(folder) == notes_of(before) == notes_of(vault)
    assert not (before / ".git").exists()
    bundle = before.with_name(f"{before.name}.bundle")
    assert f"git clone {bundle} FOLDER" in capsys.readouterr().err
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(tmp_path / "clone")], check=True)  # noqa: S603, S607
    assert (tmp_path / "clone/system-log.jsonl").exists()


def test_bare_surroundings(notes: World, vault: Path) -> None:
    """Without anything in the environment a snapshot is incomplete and says why; with git in PATH it is complete."""
    write_file(vault / "Notes/\u65e5\u8a18.md", b"# diary\n", time.time() - 90)
    git(vault, "add", "--all", ".")
    git(vault, "commit", "--quiet", "-m", "diary")
    command = [sys.executable, "-m", "cli", "vault", "snapshot", "--config", str(notes.write())]
    program = shutil.which("git")
    assert program is not None

    for path, status in (("/nonexistent", 1), (os.path.dirname(program), 0)):  # noqa: PTH120 - as PATH has it
        done = subprocess.run(command, env={"PATH": path, "LANG": "C"}, check=False, capture_output=True, text=True)  # noqa: S603
        assert done.returncode == status, done.stdout + done.stderr
        assert ("git is not installed, or not in PATH (/nonexistent)" in done.stdout) == bool(status)

    folder = restored(notes)
    assert notes_of(folder) == notes_of(vault)
    assert history_of(folder) == history_of(vault)


@pytest.mark.parametrize(("what", "reason"), [("nonsense", "not a git repository"), ("owner", "dubious ownership")])
def test_git_refuses(
    notes: World, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, reason: str
) -> None:
    """A repository that git does not read, or that is another user's, is named; the notes are stored."""
    if what == "owner":
        # Only root can give it away; git takes it for another user's by the variable of its own tests (`t/README`).
        program = tmp_path / "bin/git"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    else:
        (vault / ".git/HEAD").write_text("nonsense\n")

    assert stored(notes) == 1

    problem = last_problems(notes)[0]
    assert "the history of git is not in it" in problem
    assert reason in problem
    assert notes_of(restored(notes)) == notes_of(vault)


def test_changes_while_it_is_read(vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit between the look and the bundle: it is read again, and then given up by name."""
    whole, times = of_vault.look, 0

    def busy(root: Path) -> Any:  # noqa: ANN401 - as the call
        nonlocal times
        found = whole(root)
        if times:
            times -= 1
            git(vault, "commit", "--quiet", "--allow-empty", "-m", f"{times}", when=time.time())
        return found

    monkeypatch.setattr(of_vault, "look", busy)
    found = whole(vault)
    assert found
    git(vault, "commit", "--quiet", "--allow-empty", "-m", "before the bundle", when=time.time())
    times = 1
    assert of_vault.bundle(vault, tmp_path / "bundle", found).refs == getattr(whole(vault), "refs", None)
    (tmp_path / "bundle").unlink()
    times = 2
    with pytest.raises(of_vault.GitError, match="changed each time"):
        of_vault.bundle(vault, tmp_path / "bundle", found)


def test_nothing_in_git_is_changed(notes: World, vault: Path) -> None:
    """A snapshot writes nothing in the repository, and runs no hook of it."""
    hook = vault / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {notes.home}/ran\n")
    hook.chmod(0o755)
    before, history = {p: p.stat().st_mtime_ns for p in (vault / ".git").rglob("*")}, history_of(vault)
    before = {p: p.stat().st_mtime_ns for p in (vault / ".git").rglob("*")}

    assert stored(notes) == 0

    assert {p: p.stat().st_mtime_ns for p in (vault / ".git").rglob("*")} == before
    assert history_of(restored(notes)) == history
    assert not (notes.home / "ran").exists()
