"""The history of a vault's git repository: into a bundle, and back.

The rule: git reads the repository and never writes to it, runs no hook of it, and takes no setting of its own from this
process. What a bundle cannot hold is named. Without git there is no history, and the run says so.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workloads.archive.commit import History

FOLDER: Final = b".git"
_SECONDS: Final = 1800
_TRIES: Final = 3
_HEADER: Final = 256
"""Bytes of a bundle in which it says how it names its objects."""
#: What git keeps while something is in progress, and how that is called.
_IN_PROGRESS: Final = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisect",
}


class GitError(Exception):
    """The history cannot be read or brought back; the message says why."""


@dataclass(frozen=True)
class Repository:
    """What a repository holds.

    Attributes:
        refs: What a bundle of it has: a line for each name with its commit.
        branch: The branch that is checked out; empty if there is none.
        dirty: How many paths differ from the last commit.
        in_progress: What is in progress, such as a rebase; a bundle does not have that.
        lacks: What else a bundle does not have.
        lost: Why a bundle would not come back.
    """

    refs: tuple[str, ...]
    branch: str
    dirty: int
    in_progress: tuple[str, ...]
    lacks: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def refs_sha256(self) -> str:
        """Of all that a bundle has."""
        return hashlib.sha256("\n".join(self.refs).encode("utf-8", "surrogateescape")).hexdigest()


def look(root: Path) -> Repository | None:
    """Look at a folder's repository; None if it has none.

    Raises:
        GitError: git is not installed, or does not read it.
    """
    if not os.path.lexists(root / ".git"):
        return None
    # As few calls as can be: each is a process.
    places = _git(root, "rev-parse", "--git-dir", "--git-common-dir").splitlines()
    folder, common = root / places[0], root / places[-1]
    refs = _git(root, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
    lines = _git(root, "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--no-renames", "-z").split("\0")
    told = dict(line.split(" ", 2)[1:] for line in lines if line.startswith("# "))
    head, branch = (told.get(name, "(").strip() for name in ("branch.oid", "branch.head"))
    if not head.startswith("("):  # which is how git says that there is none
        refs.append(f"{head} HEAD")
    lacks: list[str] = []
    lost: list[str] = []
    if not refs:
        lacks.append("the repository has no commit")
    stashes = len(_git(root, "stash", "list").splitlines()) if any(one.endswith(" refs/stash") for one in refs) else 0
    if stashes > 1:
        lacks.append(f"{stashes - 1} of {stashes} stashes are not in it: it has only the last one")
    if (common / "lfs/objects").is_dir():
        lacks.append("objects of Git LFS are not in it")
    if (common / "shallow").exists():
        lost.append(
            f"the repository is shallow, so git cannot bring its bundle back; write: git -C {root} fetch --unshallow"
        )
    return Repository(
        refs=tuple(sorted(set(refs))),
        branch="" if branch.startswith("(") else branch,
        dirty=sum(bool(line) and not line.startswith("# ") for line in lines),
        in_progress=tuple(dict.fromkeys(name for file, name in _IN_PROGRESS.items() if (folder / file).exists())),
        lacks=tuple(lacks),
        lost=tuple(lost),
    )


def bundle(root: Path, path: Path, found: Repository) -> Repository:
    """Write all branches, tags and HEAD of a repository to a new file, and say what is in it.

    Args:
        root: The folder with the repository.
        path: The file.
        found: What `look` found just now.

    Raises:
        GitError: git cannot write it, or the repository changed each time.
    """
    for number in range(_TRIES):
        again = look(root) if number else found
        if again is None or not again.refs:
            raise GitError(f"{root}: the repository went away while it was read")
        head = ("HEAD",) if any(line.endswith(" HEAD") for line in again.refs) else ()
        # With one thread the same history gives the same bytes.
        _git(root, "-c", "pack.threads=1", "bundle", "create", "--quiet", str(path), "--all", *head)
        # It may have more: what is checked out in other work trees.
        if set(again.refs) <= set(_git(root, "bundle", "list-heads", str(path)).splitlines()):
            return again
        path.unlink()
    raise GitError(f"{root}: the repository changed each time it was read, {_TRIES} times")


def unbundle(path: Path, history: History, folder: Path) -> None:
    """Bring a repository back into a folder that holds the files already; they are not touched.

    Raises:
        GitError: git is not installed, or the bundle is not whole.
    """
    with path.open("rb") as file:
        hashes = ["--object-format=sha256"] if b"\n@object-format=sha256\n" in file.read(_HEADER) else []
    _git(folder, "init", "--quiet", "--template=", *hashes)
    lines = _git(folder, "bundle", "list-heads", str(path)).splitlines()
    named = {name: commit for commit, _, name in (line.partition(" ") for line in lines)}
    head = named.pop("HEAD", "")
    sources = ["+refs/*:refs/*"] if named else []
    _git(folder, "fetch", "--quiet", "--update-head-ok", str(path), *sources, *(["HEAD"] if head else []))
    same = [name.removeprefix("refs/heads/") for name, commit in named.items() if commit == head]
    branches = [name for name in same if f"refs/heads/{name}" in named]
    branch = history.branch or next((name for name in ("main", "master") if name in branches), "".join(branches[:1]))
    if branch:
        _git(folder, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    elif head:
        _git(folder, "update-ref", "--no-deref", "HEAD", head)
    if head:
        _git(folder, "reset", "--quiet")
    if stash := named.get("refs/stash"):
        # `git stash` finds it by its log, which a fetch does not write, nor an update to what it is already.
        subject = _git(folder, "log", "-1", "--format=%s", stash).strip()
        _git(folder, "update-ref", "-d", "refs/stash")
        _git(folder, "update-ref", "--create-reflog", "-m", subject or "a stash", "refs/stash", stash)
    _git(folder, "fsck", "--connectivity-only", "--no-progress", "--no-dangling")
    (folder / ".git/FETCH_HEAD").unlink(missing_ok=True)


def _git(root: Path, *arguments: str) -> str:
    """Run git in a folder; what it prints. Raise GitError."""
    program = shutil.which("git")
    if program is None:
        raise GitError(f"git is not installed, or not in PATH ({os.environ.get('PATH', 'which is not set')})")
    settings = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0")
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # A bundle of a grafted history lacks commits that git asks for when it comes back.
    environ = {
        **own,
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(  # noqa: S603 - no shell, arguments of ours
            [program, *settings, *arguments],
            cwd=root,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"{root}: git {_named(arguments)} did not end within {_SECONDS} seconds") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(f"{root}: git {_named(arguments)} failed: {lines[0] if lines else done.returncode}")
    return os.fsdecode(done.stdout)


def _named(arguments: Sequence[str]) -> str:
    words = [word for word in arguments if not word.startswith("-") and "=" not in word]
    return words[0] if words else "command"
