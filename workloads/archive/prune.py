"""Removes local files whose archived content was just read back, and nothing else.

The rule: a file goes only if it is as it was archived, byte for byte; if a receipt newer than its last change names the
commit; if the store gave its whole content back just now; if, in the window, the NAS holds it, too; and if no program
has it open. It is put aside by a rename, looked at again, and only then removed. What was put aside by a run that was
killed is put back by the next one.
"""

import json
import os
import secrets
import stat
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeGuard

from model.whole_file import write_whole
from object_store import ObjectStore
from workloads.archive.entry import Entry, shown
from workloads.archive.holders import held
from workloads.archive.pack import DamagedError
from workloads.archive.patience import StalledError
from workloads.archive.proven import ColdError
from workloads.archive.reading import sha256_of_file
from workloads.archive.restore import RestoreError, content
from workloads.archive.sealing import NO_KEYS, ClosedError, Keys
from workloads.archive.source import Found, Refused, Root, SourceError, walk
from workloads.archive.state import State

ASIDE = ".object-store-aside-"


@dataclass
class Pruned:
    """What a prune did in one source.

    Attributes:
        removed: The files that are gone, with the key of the commit that holds each.
        kept: The files that were to go and are still there, with the reason.
    """

    removed: list[tuple[bytes, str]] = field(default_factory=list)
    kept: list[tuple[bytes, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Ready:
    """A file that may go."""

    path: bytes
    status: os.stat_result
    commit: str


@dataclass(frozen=True)
class Rule:
    """Which files may go.

    Attributes:
        machine: This machine.
        source: The source's name.
        written_before: Only files that were last written before this time go, in seconds since 1970.
        receipts: When each commit's receipt was written, by the commit's key.
        dry_run: Judge, and remove nothing.
        keys: What opens encrypted packs: what they do not open is not proven.
        on_both_sides: In the window between NAS and store, the keys of what both hold; None outside of it.
    """

    machine: str
    source: str
    written_before: float
    receipts: Mapping[str, float]
    dry_run: bool = False
    keys: Keys = NO_KEYS
    on_both_sides: Container[str] | None = None


def prune(
    root: Root,
    rule: Rule,
    store: ObjectStore,
    bucket: str,
    state: State,
    *,
    progress: Callable[[int], None] = lambda _: None,
    stage: Callable[[str], None] = lambda _: None,
) -> Pruned:
    """Remove the old files of one source.

    Args:
        root: The source's root, a folder.
        rule: Which files may go.
        store: The store.
        bucket: The bucket's name.
        state: The machine's state; it must follow the store.
        progress: Called with bytes that were read back since the last call.
        stage: Called at each point where a kill must do no harm.

    Raises:
        SourceError: Its disk does not answer; nothing was removed.
        CannotTellError: The system does not say which files are open; nothing was removed.
        ObjectStoreError: The store is away, or denies it; nothing more is removed.
    """
    done = Pruned()
    ready = []
    try:
        for found in walk(root):
            if _is_old(found, rule):
                commit = ""
                why = "it is in no commit"
                committed = state.committed(rule.machine, rule.source, found.path)
                if committed is not None:
                    entry, commit = committed
                    why = _objection(root, found, rule, entry, commit)
                    why = why or _not_back(store, bucket, entry, state, rule.keys, progress)
                if why:
                    done.kept.append((found.path, why))
                else:
                    ready.append(_Ready(found.path, found.status, commit))
    except StalledError as fault:
        raise SourceError(f"{root.path}: {fault}; nothing was removed") from None
    stage("judged")
    open_now = held(os.path.join(root.base, one.path) for one in ready)
    for one in ready:
        if one.status.st_ino in open_now:
            done.kept.append((one.path, "a program has it open"))
        elif rule.dry_run:
            done.removed.append((one.path, one.commit))
        else:
            _remove(root, one, state, rule.source, done, stage)
    return done


def put_back(state: State) -> list[str]:
    """Put back what a killed run had put aside; return what could not be, because something new has its name."""
    journal = state.folder / "aside.json"
    if not journal.exists():
        return []
    left = []
    with suppress(ValueError):
        for aside, path in json.loads(journal.read_text(encoding="utf-8")).items():
            left += _back(os.fsencode(aside), os.fsencode(path))
    journal.unlink()
    return left


def _is_old(found: Found | Refused, rule: Rule) -> TypeGuard[Found]:
    """Whether something is a file that was last written long ago."""
    if not isinstance(found, Found) or not stat.S_ISREG(found.status.st_mode):
        return False
    return found.status.st_mtime < rule.written_before


def _objection(root: Root, found: Found, rule: Rule, entry: Entry, commit: str) -> str:
    """Why a file may not go, by what is known here; empty if nothing is against it."""
    if commit not in rule.receipts:
        return "no receipt names its commit"
    for key in (commit, *(one.pack for one in entry.segments)):
        if rule.on_both_sides is not None and key not in rule.on_both_sides:
            return f"in the window the NAS must hold it, too, and {key} is not proven there"
    if rule.receipts[commit] < found.status.st_mtime:
        return "it changed after the receipt was written"
    if entry.hollow:
        return "it shrank by more than half: an earlier state is worth more"
    if (
        entry.kind != "file"
        or entry.size != found.status.st_size
        or sha256_of_file(os.path.join(root.base, found.path)) != entry.sha256
    ):
        return "it is not what is archived"
    return ""


def _not_back(
    store: ObjectStore, bucket: str, entry: Entry, state: State, keys: Keys, progress: Callable[[int], None]
) -> str:
    """Why the whole content does not come back from the store; empty if it does."""
    try:
        for block in content(store, bucket, entry, state.pack, keys):
            progress(len(block))
    except (ClosedError, ColdError, DamagedError, RestoreError) as fault:
        return f"it does not come back: {fault}"
    return ""


def _remove(root: Root, one: _Ready, state: State, source: str, done: Pruned, stage: Callable[[str], None]) -> None:
    """Put one file aside, look again, and remove it."""
    path = os.path.join(root.base, one.path)
    aside = os.path.join(os.path.dirname(path), f"{ASIDE}{secrets.token_hex(8)}".encode())
    journal = state.folder / "aside.json"
    write_whole(journal, json.dumps({os.fsdecode(aside): os.fsdecode(path)}), 0o600)
    stage("noted")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        done.kept.append((one.path, "it is gone already"))
        journal.unlink()
        return
    except OSError as fault:  # its folder may not be written, or became something else
        done.kept.append((one.path, fault.strerror or str(fault)))
        journal.unlink()
        return
    stage("aside")
    now = os.lstat(aside)
    before, after = one.status, now
    same = (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
    if same and now.st_ino not in held([aside]):
        os.unlink(aside)
        stage("removed")
        with state.transaction():
            state.gone(source, [one.path], "pruned")
        done.removed.append((one.path, one.commit))
    else:
        left = _back(aside, path)
        done.kept.append((one.path, "it changed, or was opened, at the last moment" + "".join(left)))
    journal.unlink()


def _back(aside: bytes, path: bytes) -> list[str]:
    """Give a file its name again; nothing that has the name is replaced."""
    if not os.path.lexists(aside):
        return []
    try:
        os.link(aside, path, follow_symlinks=False)
    except OSError:  # something has the name, or the file system has no hard links
        if os.path.lexists(path):
            return [f"; something new has its name, it is now {shown(aside)}"]
        os.rename(aside, path)
    else:
        os.unlink(aside)
    return []
