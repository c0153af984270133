"""Stores the bundle of a vault's history, and fetches it.

The rule: a history that did not change is not sent again, as long as its bundle is young enough for the snapshot. A
bundle lies beside the notes' packs and never among the notes, so no name of a note can stand for it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from object_store import NotFound
from workloads.archive import clock
from workloads.archive.age import encrypted
from workloads.archive.commit import History, prefix_of
from workloads.archive.disk import on_disk
from workloads.archive.pack import BLOCK, DamagedError
from workloads.archive.proven import ColdError, put_proven, read_back, read_blocks
from workloads.archive.run import Stage
from workloads.context import Context
from workloads.vault.git import GitError, bundle, look
from workloads.vault.snapshots import SOURCE, Snapshot, last_with_history

_SUFFIX: Final = ".git.bundle"


@dataclass
class Told:
    """What came of a vault's history.

    Attributes:
        history: What is committed; None if the vault has no repository, or it cannot be read.
        problems: What makes the snapshot incomplete.
        notes: What a reader should know.
    """

    history: History | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def store_history(
    context: Context,
    root: Path,
    last: Sequence[Snapshot],
    stage: Callable[[str], None] | None = None,
    *,
    meant: bool = False,
) -> Told:
    """Store the history of a vault, unless the last snapshots have it.

    Args:
        context: The opened store.
        root: The vault.
        last: The last snapshots, the one that was committed last first.
        stage: Called at each point where a kill must do no harm.
        meant: Whether the history may be gone.

    Raises:
        DamagedError: What was stored does not come back.
        ObjectStoreError: The store is away, or denies it.
        OSError: The local disk cannot hold the bundle.
    """
    told = Told()
    try:
        found = look(root)
        if (found is None or not found.refs) and not meant:
            told.problems += _lost(last)
        if found is None:
            told.notes.append("the vault has no git repository")
            return told
        told.problems += [f"{what} is in progress in git, which a bundle does not hold" for what in found.in_progress]
        told.problems += [f"the history of git would not come back: {why}" for why in found.lost]
        told.notes += [f"the git bundle: {lack}" for lack in found.lacks]
        recipients = context.keys.recipients
        history = History(refs_sha256=found.refs_sha256, branch="" if recipients else found.branch, dirty=found.dirty)
        held = _held(context, history, last, told.problems)
        if held is not None or not found.refs:
            told.history = history.model_copy(update={"bundle": held and held.bundle})
            return told
        path = context.state.work / f"vault{_SUFFIX}"
        found = bundle(root, path, found)
    except GitError as fault:
        told.problems.append(f"the history of git is not in it: {fault}")
        return told
    (stage or Stage())("bundle written")
    sealed = path.with_name(f"{path.name}.age") if recipients else path
    digest = hashlib.sha256()
    with on_disk(sealed), path.open("rb") as plain:
        if recipients:
            with sealed.open("xb") as file:
                encrypted(iter(lambda: plain.read(BLOCK), b""), recipients, file.write)
    with sealed.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    sha256 = digest.hexdigest()
    now = clock.now_utc()
    stem = f"{prefix_of(context.machine, SOURCE)}{now:%Y/%m/%d}/{sha256[:24]}"
    suffix = f"{_SUFFIX}.age" if recipients else _SUFFIX
    stored, _ = put_proven(
        context.store,
        context.bucket,
        lambda number: f"{stem}{suffix}" if number == 1 else f"{stem}.{number}{suffix}",
        sealed,
        sha256,
        content_type="application/x-git-bundle",
        recipients=recipients,
    )
    path.unlink()
    sealed.unlink(missing_ok=True)
    (stage or Stage())("bundle stored")
    told.history = history.model_copy(update={"bundle": stored, "refs_sha256": found.refs_sha256})
    return told


def _lost(last: Sequence[Snapshot]) -> list[str]:
    """What is wrong if there is no history now, and was one in the last weeks, since a loss that was meant."""
    one = last_with_history(last)
    return [f"the history of git is gone, which {one.key} has; if that is meant: --meant"] if one is not None else []


def _held(context: Context, history: History, last: Sequence[Snapshot], problems: list[str]) -> History | None:
    """The stored history that is the same, young enough, encrypted to each of today's recipients, and comes back."""
    oldest = clock.now_utc() - timedelta(days=context.settings.vault.renew_after_days)
    damaged: set[str] = set()
    for one in last:
        held = one.commit.history
        if held is None or held.bundle is None or held.refs_sha256 != history.refs_sha256:
            continue
        if held.bundle.stored_at < oldest or not set(context.keys.recipients) <= set(held.bundle.recipients):
            continue
        if held.bundle.key in damaged:
            continue
        # A snapshot that leans on it says that it comes back. It is as much as is sent on a day with a commit.
        try:
            read_back(context.store, context.bucket, held.bundle)
        except (ColdError, DamagedError) as fault:
            what = str(fault)
        except NotFound:
            what = f"{held.bundle.key} is gone"
        else:
            return held
        damaged.add(held.bundle.key)
        problems.append(f"{what}; the history is stored again")
    return None


def fetch_history(context: Context, history: History, path: Path) -> None:
    """Write a stored bundle to a new file.

    Raises:
        ClosedError: No identity opens it.
        DamagedError: It is not what was committed.
        ObjectStoreError: The store is away, or denies it.
        OSError: The file cannot be written.
    """
    if history.bundle is None:
        raise ValueError("the history has no bundle")
    blocks = read_blocks(context.store, context.bucket, history.bundle)
    with path.open("xb") as file:
        for block in context.keys.opened(blocks, history.bundle):
            file.write(block)
