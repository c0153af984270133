"""Compares what the NAS and the store hold of an archive, and completes one from the other.

The rule: what an object must be is said by its commit, and what a commit must be by its receipt, or by the SHA-256 that
the store has with it. Names, sizes and times prove nothing. A side is only completed from one with the right SHA-256. A
commit goes last: where it is, there is all that it names.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from object_store import (
    AccessDenied,
    AlreadyExists,
    CorruptBody,
    Download,
    InvalidArgument,
    NotFound,
    ObjectRef,
    ObjectStore,
    RequestRefused,
)
from object_store.sides import digest_of
from workloads.archive.commit import SHA256_METADATA, Stored, sha256_of
from workloads.archive.pack import DamagedError
from workloads.archive.patience import Pulse
from workloads.archive.proven import ColdError, as_cold, read_blocks
from workloads.receipt import FileSides, Side
from workloads.window.layout import Layout, content_type
from workloads.window.nas import Nas, NasError

_AT_ONCE: Final = 8
_COMMIT_BYTES_MAXIMUM: Final = 2**24


@dataclass
class _Group:
    """A commit, with what it names and no commit before it does.

    Attributes:
        files: Both sides of each object, the commit last.
        stored: The same objects, as they were committed.
        named: The keys of all that it names.
    """

    files: dict[str, FileSides] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)


class Comparison:
    """Both sides of an archive."""

    def __init__(
        self, store: ObjectStore, bucket: str, layout: Layout, known: Mapping[str, str], live: datetime
    ) -> None:
        """Begin.

        Args:
            store: The store.
            bucket: The bucket's name.
            layout: Of the archive.
            known: SHA-256 of commits by their keys, from receipts.
            live: The store should have what was committed later than this.
        """
        self.store, self.bucket, self.layout, self.known, self._live = store, bucket, layout, known, live
        self._groups: dict[str, _Group] = {}
        self._taken: dict[str, str] = {}
        self._listed: dict[str, ObjectRef] = {}
        self.done: list[str] = []

    @property
    def files(self) -> Iterator[FileSides]:
        """Each object once; a commit after what it names."""
        for group in list(self._groups.values()):
            yield from list(group.files.values())

    def of_commits(self, keys: Collection[str]) -> Iterator[FileSides]:
        """What some commits brought, and these themselves."""
        for key in keys:
            yield from self._groups[key].files.values() if key in self._groups else ()

    def read_store(self, progress: Callable[[int], None]) -> None:
        """Look at the store.

        Raises:
            ObjectStoreError: The store is away, denies it, or answers with a part of a listing.
        """
        self._listed = {ref.key: ref for ref in self.store.list(self.bucket, self.layout.prefix)}
        keys = [key for key in self._listed if self.layout.is_commit(key)]
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

    def read_nas(self, nas: Nas, commits: Iterable[str]) -> None:
        """Look at the NAS.

        Args:
            nas: The NAS.
            commits: The keys of the commits that it held before the store was listed: what comes to the NAS is in the
                store before, so none of them is one of a run that goes on beside this one.

        Raises:
            NasError: It is not there, or a folder cannot be read.
            ObjectStoreError: As `read_store`.
        """
        for key in sorted({*self._groups, *commits, *self.known}):
            if key not in self._groups:
                if not self._is_live(nas, key):
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
                if one.equal or (key == at and not all(self._side(each).equal for each in group.named)):
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
        kind, named = content_type(one.key), {SHA256_METADATA: one.sha256}
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
        except CorruptBody:
            return Download(self._listed[key], b"")

    def _take(self, key: str, body: bytes, side: Side, why: str = "") -> bool:
        """Take in the commit, with all that it names; return whether it is the one of its key."""
        commit = self.layout.named(body, key)
        if commit is None:
            return False
        group = _Group(named={one.key for one in commit.objects})
        for one in commit.objects:
            if one.key not in self._taken:
                self._taken[one.key] = key
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
            stored_at=commit.begun_at,
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
        except CorruptBody as fault:
            return "different", str(fault)
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

    def _side(self, key: str) -> FileSides:
        """What both sides hold of what a commit names."""
        return self._groups[self._taken[key]].files[key]

    def _is_live(self, nas: Nas, key: str) -> bool:
        """Whether the store should still have a commit, by the time in its name, or in what the NAS has of it."""
        begun_at = self.layout.begun_at(key)
        if begun_at is None:
            named = self.layout.named(nas.read(key, _COMMIT_BYTES_MAXIMUM) or b"", key)
            begun_at = named.begun_at if named is not None else None
        return begun_at is None or begun_at > self._live


_OTHER_COMMIT: Final = "it is not the commit of its name: it was copied here"
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
