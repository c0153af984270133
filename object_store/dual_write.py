"""`DualWriter`: writes one body to the NAS and to the store, for the time in which both must hold it.

The rule: it returns only after it has read back both sides and both equal the body. Otherwise it raises an error that
says what each side holds. Neither side ever shows a part of a body. The same write done again completes it. A temporary
file is next to its target, and is locked while its writer lives. The next write in the folder removes the files of a
killed writer. Left out: deleting, and reconciling what other writers wrote (`parity` reports that).
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from object_store.arguments import checked_put
from object_store.body import opened
from object_store.errors import DualWriteFailed, LocalFileError, NotFound, ObjectStoreError, UnsafePath
from object_store.partials import locked_partial, make_folders, sweep, sync_folder, write_all
from object_store.sides import Digest, Held, digest_of, digest_of_file, held_by_nas, held_by_store, mount_of, nas_file
from object_store.targets import replaceable
from object_store.twins import other_spelling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from object_store.body import Body
    from object_store.reference import ObjectRef
    from object_store.store import ObjectStore

_SWEEP_SHARE: Final = 100  # a sweep takes at most one in so many seconds, however many files a folder has


@dataclass(frozen=True)
class DualWrite:
    """What both sides hold.

    Attributes:
        ref: the object.
        path: the file on the NAS.
        sha256: SHA-256 of the body, in hexadecimal.
    """

    ref: ObjectRef
    path: Path
    sha256: str


class DualWriter:
    """Writes below one folder of the NAS and to one store; threads may share it."""

    def __init__(self, nas_dir: Path, store: ObjectStore) -> None:
        """Set the folder; the writer never creates it.

        Make a writer while the NAS is mounted. The folder must stay on the mount that it is on at that time, so that
        the writer never writes to the empty folder that an unmounted NAS leaves.
        """
        self._nas_dir = nas_dir.absolute()
        self._store = store
        self._mount = mount_of(self._nas_dir) if self._nas_dir.is_dir() else None
        self._sweep_again: dict[Path, float] = {}

    def write(self, bucket: str, key: str, body: Body, content_type: str | None = None) -> DualWrite:
        """Write a body to `nas_dir/key` and to the store, and read both back.

        The writer reads the body once, into a temporary file on the NAS. It uploads that file, reads the object back,
        and only then renames the file. It compares the object by size, etag and SHA-256, the file by size and SHA-256.
        If the body itself fails, its error is raised unchanged and both sides stay as they were.

        Args:
            bucket: the bucket's name.
            key: the whole key; it is also the path below `nas_dir`.
            body: as for `ObjectStore.upload`.
            content_type: a media type; guessed from the key's suffix when None.

        Raises:
            DualWriteFailed: not both sides hold the body. `nas` and `store` say what each side holds. The cause says
                why: no space, no permission, a disk error, the NAS not mounted, the store unreachable, or another
                writer at the same time.
            UnsafePath: the key would lead out of the folder, names a temporary file, reaches the file of another key
                (a folder that ignores case or the Unicode form), or names something that is not replaced: a folder, a
                link, a device, a read-only file.
            InvalidKey: as `ObjectStore.upload`, likewise InvalidBucketName, InvalidContentType, InvalidBody.
            LocalFileError: the body is a file that cannot be read.
        """
        checked_put(bucket, key, content_type, None)
        attempt = _Attempt(self._store, self._nas_dir, bucket, key, self._nas_dir.joinpath(key))
        with attempt.on_nas("cannot be accessed"):
            nas_file(self._nas_dir, bucket, key)
        attempt.check_spelling()
        folder = attempt.path.parent
        with opened(bucket, key, body) as blocks, ExitStack() as stack:
            stack.enter_context(self._failure_is_swept(folder))
            self._check_mount(attempt)
            with attempt.on_nas("does not accept a new file"):
                make_folders(self._nas_dir, folder)
                self._sweep(folder)
                descriptor, partial = stack.enter_context(locked_partial(folder, over=replaceable(attempt.path)))
            attempt.fill(descriptor, blocks)
            ref = attempt.upload(partial, content_type)
            attempt.read_store_back(ref)
            self._check_mount(attempt)
            with attempt.on_nas("cannot rename the temporary file", store=Held.IT):
                partial.replace(attempt.path)
                sync_folder(folder)
        digest = attempt.read_nas_back()
        attempt.check_still_stored(ref)
        return DualWrite(ref, attempt.path, digest.sha256)

    def _check_mount(self, attempt: _Attempt) -> None:
        with attempt.on_nas("cannot be accessed"):
            mount = mount_of(self._nas_dir) if self._nas_dir.is_dir() else None
        if mount is None:
            attempt.fail(
                f"{self._nas_dir} does not exist, and the writer does not create it (is the NAS mounted?)",
                nas=Held.UNKNOWN,
            )
        if self._mount not in {None, mount}:
            attempt.fail(
                f"{self._nas_dir} is no longer on {self._mount} but on {mount} (is the NAS mounted?)", nas=Held.UNKNOWN
            )
        self._mount = mount

    @contextmanager
    def _failure_is_swept(self, folder: Path) -> Iterator[None]:
        """After a failed write, make the next write sweep at once: leftovers may only then be in reach."""
        try:
            yield
        except BaseException:
            self._sweep_again.pop(folder, None)
            raise

    def _sweep(self, folder: Path) -> None:
        begun = time.monotonic()
        if begun < self._sweep_again.get(folder, 0):
            return
        sweep(folder)
        ended = time.monotonic()
        self._sweep_again[folder] = ended + _SWEEP_SHARE * (ended - begun)


@dataclass
class _Attempt:
    """One write, and what is known of it so far."""

    store: ObjectStore
    nas_dir: Path
    bucket: str
    key: str
    path: Path
    digest: Digest | None = field(default=None, init=False)

    def fail(
        self, reason: str, cause: Exception | None = None, *, nas: Held | None = None, store: Held | None = None
    ) -> NoReturn:
        """Raise DualWriteFailed; a side whose state is not given is asked for it."""
        nas = nas or held_by_nas(self.nas_dir, self.path, self.digest)
        store = store or held_by_store(self.store, self.bucket, self.key, self.digest)
        raise DualWriteFailed(
            f"{reason}; now the NAS {nas.words} ({self.path}), and the store {store.words}",
            bucket=self.bucket,
            key=self.key,
            code=getattr(cause, "code", None),
            status=getattr(cause, "status", None),
            nas=nas.state,
            store=store.state,
        ) from cause

    @contextmanager
    def on_nas(self, what: str, *, store: Held | None = None) -> Iterator[None]:
        """Turn an error of the NAS into DualWriteFailed."""
        try:
            yield
        except OSError as fault:
            self.fail(f"the NAS {what}: {fault.strerror}", fault, store=store)

    @contextmanager
    def in_store(self, what: str, *, nas: Held | None = None) -> Iterator[None]:
        """Turn an error of the store into DualWriteFailed."""
        try:
            yield
        except DualWriteFailed:
            raise
        except ObjectStoreError as fault:
            self.fail(f"the store {what}: {fault.reason}", fault, nas=nas)

    def check_spelling(self) -> None:
        """Raise UnsafePath if the file is that of a key in another Unicode form; only the store knows whose it is."""
        other = other_spelling(self.nas_dir, self.key)
        if other is None:
            return
        with self.in_store("does not say whether it holds the other Unicode form of the key"):
            try:
                self.store.head(self.bucket, other)
            except NotFound:
                return
        raise UnsafePath(
            f"{self.path} is also the file of the object {other!r}, in another Unicode form",
            bucket=self.bucket,
            key=self.key,
        )

    def fill(self, descriptor: int, blocks: Iterable[bytes]) -> None:
        size, sha256 = 0, hashlib.sha256()
        for block in blocks:
            sha256.update(block)
            size += len(block)
            with self.on_nas("cannot be written to"):
                write_all(descriptor, block)
        self.digest = Digest(size, sha256.hexdigest())
        with self.on_nas("cannot sync the file to its disk"):
            os.fsync(descriptor)

    def upload(self, partial: Path, content_type: str | None) -> ObjectRef:
        with self.in_store("did not accept the upload"):
            try:
                # A file and no path: an SMB server may set the time of what was written only later, and the digests
                # say whether it changed.
                with self.on_nas("does not return what was written"), partial.open("rb") as file:
                    return self.store.upload(self.bucket, self.key, file, content_type)
            except LocalFileError as fault:
                self.fail(f"the NAS does not return what was written: {fault.reason}", fault)

    def read_store_back(self, ref: ObjectRef) -> None:
        with self.in_store("cannot be read back"):
            stream = self.store.stream(self.bucket, self.key, etag=ref.etag)
            found = digest_of(stream)
        if found != self.digest or stream.ref.size != ref.size:
            self.fail("the object read back from the store differs from the body", store=Held.OTHER)

    def read_nas_back(self) -> Digest:
        with self.on_nas("cannot be read back", store=Held.IT):
            found = digest_of_file(self.path)
        if found != self.digest:
            self.fail("the file read back from the NAS differs from the body", nas=Held.OTHER, store=Held.IT)
        return found

    def check_still_stored(self, ref: ObjectRef) -> None:
        """If two writers write one key, the one that ends last notices it here, or when it reads back."""
        with self.in_store("cannot be checked again", nas=Held.IT):
            now = self.store.head(self.bucket, self.key)
        if now.etag != ref.etag:
            self.fail("another writer stored this key in the meantime", nas=Held.IT, store=Held.OTHER)
