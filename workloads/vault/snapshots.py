"""The snapshots of a machine's vault, as the store has them.

The rule: they are read from the store alone, so a new machine needs nothing but a key. The order is that of the
commits' own numbers, and not of names or clocks. One that is damaged hides no other.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from object_store import ObjectStore
from workloads.archive.commit import COMMIT_SUFFIX, Commit, Stored, prefix_of
from workloads.archive.entry import Entry
from workloads.archive.history import CopiedError, read_commit
from workloads.archive.manifest import read_manifest
from workloads.archive.pack import DamagedError
from workloads.archive.proven import read_blocks
from workloads.archive.sealing import Keys
from workloads.vault import git

SOURCE: Final = "vault"
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Snapshot:
    """One snapshot.

    Attributes:
        key: The commit's key.
        commit: The commit.
    """

    key: str
    commit: Commit

    @property
    def at(self) -> datetime:
        """Its moment, by the machine's clock."""
        return self.commit.started_at


def read_snapshots(
    store: ObjectStore, bucket: str, machine: str, since: datetime | None = None
) -> tuple[list[Snapshot], dict[str, str]]:
    """The snapshots of a machine, the one that was committed last first, and by their keys what is wrong with others.

    Args:
        store: The store.
        bucket: The bucket's name.
        machine: The machine.
        since: The first day; None for all.

    Raises:
        ObjectStoreError: The store is away, or denies it.
    """
    prefix = prefix_of(machine, SOURCE)
    first = first_key(machine, since) if since is not None else prefix
    keys = [ref.key for ref in store.list(bucket, prefix) if ref.key.endswith(COMMIT_SUFFIX) and ref.key >= first]

    def read(key: str) -> Snapshot | str | None:
        try:
            return Snapshot(key, read_commit(store, bucket, key, machine))
        except CopiedError as fault:
            return None if fault.own in keys else str(fault)  # a copy takes nothing away; `history` names it
        except DamagedError as fault:
            return str(fault)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read_all = list(pool.map(read, keys))
    found = [one for one in read_all if isinstance(one, Snapshot)]
    found.sort(key=lambda one: (one.commit.sequence, one.commit.run), reverse=True)
    return found, {key: one for key, one in zip(keys, read_all, strict=True) if isinstance(one, str)}


def first_key(machine: str, since: datetime) -> str:
    """Where the keys of a machine's snapshots since a day begin."""
    return f"{prefix_of(machine, SOURCE)}{since.astimezone(UTC):%Y/%m/%d}"


def read_entries(
    store: ObjectStore, bucket: str, commit: Commit, keys: Keys
) -> tuple[dict[str, Stored], dict[bytes, Entry]]:
    """The packs of a snapshot by their keys, and its entries by their paths.

    Raises:
        ClosedError: No identity opens the manifest.
        DamagedError: The manifest is not what was committed.
        ObjectStoreError: The store is away, or denies it.
    """
    manifest = commit.manifest
    packs, entries = read_manifest(keys.opened(read_blocks(store, bucket, manifest), manifest), manifest.key)
    # git runs what its folder says while the history comes back, and no snapshot has ever stored that folder.
    found = {one.path: one for one in entries}
    if any(path.split(b"/", 1)[0] == git.FOLDER for path in found):
        raise DamagedError(f"{manifest.key} has entries in .git, which no snapshot stores: it was not made by one")
    return {one.key: one for one in packs}, found


def last_with_history(found: Sequence[Snapshot]) -> Snapshot | None:
    """The last snapshot with a history, unless one after it was meant to have lost it."""
    for one in found:
        if one.commit.history is not None and one.commit.history.bundle is not None:
            return one
        if one.commit.meant:
            break
    return None


def set_back(found: Sequence[Snapshot]) -> list[str]:
    """The runs that were committed after one that began later by its clock: a clock was set back."""
    runs, latest = [], datetime.min.replace(tzinfo=UTC)
    for one in reversed(found):
        if one.at < latest:
            runs.append(one.commit.run)
        latest = max(latest, one.at)
    return runs
