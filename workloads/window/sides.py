"""Compares what the NAS and the store hold of a machine's archive, and completes one from the other.

The rule: what an object must be is said by its commit, and what a commit must be by its receipt, or by the SHA-256 that
the store has with it. Names, sizes and times prove nothing. A side is only completed from one with the right SHA-256. A
commit goes last: where it is, there is all that it names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from model.problems import InvalidInputError
from object_store import (
    AccessDenied,
    AlreadyExists,
    Download,
    InvalidArgument,
    NotFound,
    ObjectRef,
    ObjectStore,
    RequestRefused,
)
from object_store.sides import digest_of
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
from workloads.archive.pack import DamagedError
from workloads.archive.patience import Pulse
from workloads.archive.proven import ColdError, as_cold, read_blocks
from workloads.receipt import FileSides, Side
from workloads.window.nas import Nas, NasError

_AT_ONCE: Final = 8
_COMMIT_BYTES_MAXIMUM: Final = 2**24
_TYPES: Final = {COMMIT_SUFFIX: "application/json", ".git.bundle": "application/x-git-bundle"}


@dataclass
class _Group:
    """A commit, and what it names."""

    files: dict[str, FileSides] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)


class Comparison:
    """Both sides of a machine's archive."""

    def __init__(
        self, store: ObjectStore, bucket: str, machine: str, known: Mapping[str, str], expires_after_days: int | None
    ) -> None:
        """Begin.

        Args:
            store: The store.
            bucket: The bucket's name.
            machine: The machine.
            known: SHA-256 of commits by their keys, from receipts.
            expires_after_days: Days after which the store deletes.
        """
        self.store, self.bucket, self.machine, self.known = store, bucket, machine, known
        days = expires_after_days or 36500
        self._live = clock.now_utc() - timedelta(days=days - 1)
        self._groups: dict[str, _Group] = {}
        self._taken: set[str] = set()
        self._listed: dict[str, ObjectRef] = {}
        self.done: list[str] = []

    @property
    def files(self) -> Iterator[FileSides]:
        """Each object once; a commit after what it names."""
        for group in list(self._groups.values()):
            yield from list(group.files.values())

    def read_store(self, progress: Callable[[int], None]) -> None:
        """Look at the store.

        Raises:
            ObjectStoreError: The store is away, denies it, or answers with a part of a listing.
        """
        self._listed = {ref.key: ref for ref in self.store.list(self.bucket, prefix_of(self.machine))}
        keys = [key for key in self._listed if key.endswith(COMMIT_SUFFIX)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for key, got in zip(keys, pool.map(self._fetched, keys), strict=True):
                progress(len(got.body) if got else 0)
                found = sha256_of(got.body) if got else ""
                wanted = self.known.get(key) or (got.metadata.get(SHA256_METADATA, "") if got else "")
                if got is None or found != wanted or not self._take(key, got.body, "equal"):
                    side: Side = "different" if got else "missing"
                    why = _OTHER_COMMIT if found == wanted else _OVERWRITTEN if got else ""
                    lone = FileSides(key=key, sha256=wanted, nas="unknown", store=side, reason=why)
                    self._groups[key] = _Group({key: lone})

    def read_nas(self, nas: Nas) -> None:
        """Look at the NAS.

        Raises:
            NasError: It is not there, or a folder cannot be read.
            ObjectStoreError: As `read_store`.
        """
        for key in sorted({*self._groups, *nas.commits(self.machine), *self.known}):
            if key not in self._groups:
                if not self._is_live(key):
                    continue  # the store has deleted it in its time
                missing = FileSides(key=key, sha256=self.known.get(key, ""), nas="unknown", store="missing")
                self._groups[key] = _Group({key: missing})
            lone = self._groups[key].files[key]
            if len(self._groups[key].files) == 1 and lone.sha256 and lone.store != "equal":
                body = nas.read(key, _COMMIT_BYTES_MAXIMUM)
                if body is not None and sha256_of(body) == lone.sha256:
                    with nas.pulse.elsewhere():
                        self._take(key, body, lone.store, lone.reason)
            for one in list(self._groups[key].files.values()):
                self._see(nas, key, one)
        nas.check()

    def complete(self, nas: Nas, *, repair: bool) -> None:
        """Write to the NAS what it has not; with `repair`, set right what differs, and give the store what it has not.

        Raises:
            NasError: The NAS takes no more.
            ObjectStoreError: The store is away, or denies it.
        """
        for at, group in self._groups.items():
            for key, one in list(group.files.items()):
                if one.equal or (key == at and not all(each.equal for each in group.files.values() if each != one)):
                    continue
                try:
                    self._complete(nas, at, one, repair=repair)
                except (ColdError, DamagedError) as fault:
                    self._set(at, one.model_copy(update={"reason": str(fault)}))

    def _complete(self, nas: Nas, at: str, one: FileSides, *, repair: bool) -> None:
        key, stored = one.key, self._groups[at].stored.get(one.key)
        if stored is None:
            return
        if one.store == "equal" and (one.nas == "missing" or (repair and one.nas == "different")):
            blocks = _with(nas.pulse, read_blocks(self.store, self.bucket, stored), is_elsewhere=True)
            aside = nas.write(key, one.sha256, blocks, aside=one.nas == "different")
            if aside is not None:
                self.done.append(f"{key}: what the NAS had is now {aside}")
            self._set(at, one.model_copy(update={"nas": "equal"}))
            self.done.append(f"{key}: from the store to the NAS")
        elif repair and one.store == "missing" and one.nas == "equal":
            etag = self._give(nas, stored)
            if key != at and etag != stored.etag:
                raise DamagedError(f"it was stored again and got the etag {etag}, and its commit has another one")
            self._set(at, one.model_copy(update={"store": "equal"}))
            self.done.append(f"{key}: from the NAS to the store")

    def _give(self, nas: Nas, one: Stored) -> str:
        """Store a file of the NAS, if its key is still free, and read it back; return its etag."""
        kind = next((kind for end, kind in _TYPES.items() if one.key.endswith(end)), "application/zstd")
        named = {SHA256_METADATA: one.sha256}
        try:
            body = _with(nas.pulse, nas.blocks(one.key, one.sha256), is_elsewhere=False)
            with nas.pulse.elsewhere():
                ref = self.store.upload(self.bucket, one.key, body, kind, metadata=named, if_absent=True)
        except AlreadyExists:  # as after an answer that was lost
            ref = self.store.head(self.bucket, one.key)
        blocks = read_blocks(self.store, self.bucket, one.model_copy(update={"etag": ref.etag}))
        for _ in _with(nas.pulse, blocks, is_elsewhere=True):
            nas.alive()
        return ref.etag

    def _fetched(self, key: str) -> Download | None:
        try:
            return self.store.fetch(self.bucket, key)
        except NotFound:
            return None

    def _take(self, key: str, body: bytes, side: Side, why: str = "") -> bool:
        """Take in the commit, with all that it names; return whether it is one of this machine."""
        try:
            commit = commit_of(body, key)
        except InvalidInputError:
            return False
        if (
            commit.machine != self.machine
            or key != f"{stem_of(self.machine, commit.source, commit.run)}{COMMIT_SUFFIX}"
        ):
            return False
        named = list(_named(commit))
        if not all(one.key.startswith(prefix_of(self.machine)) for one in named):
            return False
        group = _Group()
        for one in named:
            if one.key not in self._taken:
                self._taken.add(one.key)
                store, reason = self._of_store(one)
                group.files[one.key] = FileSides(
                    key=one.key, sha256=one.sha256, nas="unknown", store=store, reason=reason
                )
                group.stored[one.key] = one
        ref = self._listed.get(key)
        group.files[key] = FileSides(key=key, sha256=sha256_of(body), nas="unknown", store=side, reason=why)
        group.stored[key] = Stored(
            key=key,
            etag=ref.etag if ref else "none",
            size=len(body),
            sha256=sha256_of(body),
            stored_at=commit.started_at,
        )
        self._groups[key] = group
        return True

    def _of_store(self, one: Stored) -> tuple[Side, str]:
        """What the store holds of an object; it is read if it is not the very object that was read back once."""
        ref = self._listed.get(one.key)
        if ref is None:
            return "missing", ""
        if (ref.etag, ref.size) == (one.etag, one.size):
            return "equal", ""
        try:
            found = digest_of(self.store.stream(self.bucket, one.key, etag=ref.etag))
        except NotFound:
            return "missing", ""
        except (AccessDenied, RequestRefused) as refusal:
            cold = as_cold(refusal, self.bucket, one.key)
            if cold is None:
                raise
            return "unknown", str(cold)
        return ("equal", "") if found.sha256 == one.sha256 else ("different", _OVERWRITTEN)

    def _see(self, nas: Nas, at: str, one: FileSides) -> None:
        nas.alive()
        side: Side
        reason = one.reason
        try:
            found = nas.sha256(one.key)
        except OSError as fault:
            nas.check()
            side, reason = "unknown", f"the NAS: {fault.strerror or fault}"
        except (InvalidArgument, NasError) as fault:
            nas.check()
            side, reason = "unknown", str(fault)
        else:
            side = "missing" if found is None else "equal" if found == one.sha256 else "different"
        if not one.sha256:
            side, reason = "unknown", "no receipt tells which bytes are right"
        self._set(at, one.model_copy(update={"nas": side, "reason": reason}))

    def _set(self, at: str, one: FileSides) -> None:
        self._groups[at].files[one.key] = one

    def _is_live(self, key: str) -> bool:
        """Whether the store should still have a commit, by the time in its name."""
        name = key.rpartition("/")[2]
        try:
            return datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) > self._live
        except ValueError:
            return True


_OTHER_COMMIT: Final = "it is not the commit of the machine and run in its name: it was copied here"
_OVERWRITTEN: Final = "the store has other bytes: its administrator brings back the version that was committed"


def _with(pulse: Pulse, blocks: Iterable[bytes], *, is_elsewhere: bool) -> Iterator[bytes]:
    """Yield blocks; while one is waited for, it is the store that is waited for, or else the NAS."""
    each = iter(blocks)
    while True:
        with pulse.elsewhere(is_so=is_elsewhere):
            block = next(each, None)
        if block is None:
            return
        yield block


def _named(commit: Commit) -> Iterable[Stored]:
    yield from commit.packs
    yield commit.manifest
    if commit.history is not None and commit.history.bundle is not None:
        yield commit.history.bundle
