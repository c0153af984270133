"""Brings the state up to what the store's commits say.

The rule: all commits are listed each time, because a clock that was set back makes keys that sort before known ones. A
commit is taken in whole, with its manifest proven against it, or not at all: one that is damaged is named, hides no
other, and is read again each time. One whose manifest is encrypted to other keys is taken in as closed: its packs are
known and its entries are not, until a key that opens it is at hand.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from model.problems import InvalidInputError
from object_store import CorruptBody, NotFound, ObjectStore
from workloads.archive import clock
from workloads.archive.commit import (
    COMMIT_SUFFIX,
    SHA256_METADATA,
    Commit,
    Stored,
    commit_of,
    prefix_of,
    sha256_of,
    stem_of,
)
from workloads.archive.manifest import read_manifest
from workloads.archive.pack import DamagedError
from workloads.archive.proof import Needs, has_expired, names_of
from workloads.archive.proven import read_back, read_blocks
from workloads.archive.sealing import NO_KEYS, Keys
from workloads.archive.state import State

_AT_ONCE: Final = 8
_UNNAMED: Final = "what it names cannot be told; what is still here is stored again"


class CopiedError(DamagedError):
    """A commit is under another key than its own.

    Attributes:
        own: The key that its content belongs to.
    """

    def __init__(self, text: str, own: str) -> None:
        """Say it, and name the key."""
        super().__init__(text)
        self.own = own


@dataclass(frozen=True)
class Followed:
    """What the store has of a machine.

    Attributes:
        there: The keys of all objects of its archive: a pack that is not among them is gone.
        damaged: By the keys of commits and manifests that cannot be read, what is wrong with each.
        needs: As `proof.faults` has it.
    """

    there: Collection[str]
    damaged: Mapping[str, str] = field(default_factory=dict)
    needs: Needs | None = None


def follow(
    store: ObjectStore,
    bucket: str,
    machine: str,
    state: State,
    progress: Callable[[int], None],
    keys: Keys = NO_KEYS,
    *,
    latest: bool = False,
    expires_after_days: int | None = None,
) -> Followed:
    """Take in the commits of a machine that are not known, and forget those that have expired.

    With `latest` each commit is the whole state of its source, so only the manifest of the last one is read. A commit
    that is gone before it can have expired, one that is damaged or whose manifest is, and a copy of a commit under
    another key are remembered in the state as faults, and count for nothing: what they held is stored again. With
    `latest` a damaged commit is left to those who read the snapshots.

    Raises:
        ObjectStoreError: The store is away, or denies it.
    """
    there = frozenset(ref.key for ref in store.list(bucket, prefix_of(machine)))
    commits = {key for key in there if key.endswith(COMMIT_SUFFIX)}
    known = state.commits(machine)
    with state.transaction():
        for key in sorted(known - commits):
            _miss(state, machine, key, expires_after_days)
        state.forget(known - commits, there)
    opened = {key for key, to in state.closed(machine).items() if keys.opens(to)}
    new = sorted(commits - (known - opened))
    copies: dict[str, CopiedError] = {}
    damaged: dict[str, str] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = pool.map(lambda key: _read_or_copy(store, bucket, key, machine, copies, damaged), new)
        found = ((key, commit) for key, commit in zip(new, read, strict=True) if commit is not None)
        newest: dict[str, Commit] = {}
        if latest:
            ordered = sorted(found, key=lambda one: (one[1].sequence, one[1].run))
            newest = {one.source: one for _, one in ordered if one.sequence >= state.sequence(machine, one.source)}
            found = (one for one in ordered)
        for key, commit in found:
            is_last = newest.get(commit.source) is commit
            if wrong := _taken(store, bucket, state, key, commit, keys, latest=latest, is_last=is_last):
                damaged[commit.manifest.key] = wrong
            progress(1)
    lost = {key: (wrong, f"needed by a commit of {machine}") for key, wrong in damaged.items() if key not in commits}
    if not latest:
        lost |= {key: (wrong, _UNNAMED) for key, wrong in damaged.items() if key in commits}
    for key, copy in copies.items():
        lost[key] = (str(copy), f"it names {names_of(state.of_commit(copy.own)) or 'no last state of a file'}")
    with state.transaction():
        for key, (wrong, needed) in lost.items():
            state.remember_fault(machine, key, wrong, needed)
    return Followed(there, damaged)


def _taken(
    store: ObjectStore, bucket: str, state: State, key: str, commit: Commit, keys: Keys, *, latest: bool, is_last: bool
) -> str:
    """Take one commit in; what is wrong with its manifest, and then it is not, or with no entries of `latest`."""
    manifest, source = commit.manifest, commit.source
    wrong = _wrong(store, bucket, manifest) if is_last else ""
    try:
        with state.transaction():
            if wrong or (latest and not is_last):
                state.add_commit(key, commit, commit.packs, ())
            elif keys.opens(manifest.recipients):
                blocks = keys.opened(read_blocks(store, bucket, manifest), manifest)
                state.add_commit(key, commit, *read_manifest(blocks, manifest.key), exact=latest)
            elif state.is_unfinished(commit):
                state.add_commit(key, commit, state.leaning(source), None, exact=latest)
            else:
                state.add_commit(key, commit, commit.packs, (), closed=True, exact=latest)
            if not wrong:  # an administrator may have brought it back
                state.mend(key)
                state.mend(manifest.key)
    except DamagedError as fault:
        return str(fault)
    except NotFound:
        return f"{manifest.key} is gone"
    return wrong


def _miss(state: State, machine: str, key: str, expires_after_days: int | None) -> None:
    """Remember a commit that is gone before it can have expired, within a transaction."""
    if not has_expired(state.started(key), expires_after_days, clock.now_utc()):
        held = names_of(state.of_commit(key)) or "no last state of a file"
        state.remember_fault(machine, key, f"{key} is gone, and what is still here is stored again", f"it held {held}")


def _wrong(store: ObjectStore, bucket: str, manifest: Stored) -> str:
    """What is wrong with a manifest as it is stored; empty if nothing is."""
    try:
        read_back(store, bucket, manifest)
    except DamagedError as fault:
        return str(fault)
    except NotFound:
        return f"{manifest.key} is gone"
    return ""


def _read_or_copy(
    store: ObjectStore,
    bucket: str,
    key: str,
    machine: str,
    copies: dict[str, CopiedError],
    damaged: dict[str, str],
) -> Commit | None:
    """Read one commit; one that is damaged, or a copy of another that is there, is noted, and None."""
    try:
        return read_commit(store, bucket, key, machine)
    except CopiedError as fault:
        try:
            store.stat(bucket, fault.own)
        except NotFound:
            damaged[key] = str(fault)
        else:
            copies[key] = fault
    except DamagedError as fault:
        damaged[key] = str(fault)
    return None


def read_commit(store: ObjectStore, bucket: str, key: str, machine: str) -> Commit:
    """Read one commit and compare it with the SHA-256 in its metadata, and with its own key.

    Raises:
        CopiedError: It belongs to another key.
        DamagedError: It is not what was committed, or has another form.
        ObjectStoreError: The store is away, or denies it.
    """
    try:
        got = store.fetch(bucket, key)
    except CorruptBody as fault:
        raise DamagedError(str(fault)) from None
    found, named = sha256_of(got.body), got.metadata.get(SHA256_METADATA)
    if named != found:
        raise DamagedError(f"{key} has SHA-256 {found}; committed was {named}")
    try:
        commit = commit_of(got.body, key)
    except InvalidInputError as fault:
        raise DamagedError("; ".join(map(str, fault.problems))) from None
    if commit.machine != machine or key != f"{stem_of(machine, commit.source, commit.run)}{COMMIT_SUFFIX}":
        own = f"{stem_of(commit.machine, commit.source, commit.run)}{COMMIT_SUFFIX}"
        text = f"{key} is a commit of {commit.machine}, {commit.source}, {commit.run}: it was copied here"
        raise CopiedError(f"{text} from {own}, and counts for nothing", own)
    return commit


def machines(store: ObjectStore, bucket: str) -> Iterator[str]:
    """The machines that have an archive, by listing past each one's keys."""
    after = "v1/"
    while True:
        ref = next(iter(store.list(bucket, "v1/", after=after)), None)
        if ref is None:
            return
        machine = ref.key.split("/")[1]
        if machine:  # else it is the mark of a folder that another program made
            yield machine
        after = f"v1/{machine}0"  # the character after a slash
