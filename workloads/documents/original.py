"""Stores one original, and proves that its identity is unchanged.

The rule: the bytes that were hashed are the bytes that are sent. A small file is read once into memory; a large one is
read twice, and its last part is not sent unless the second reading gives what the first gave. A key that is there is
read back like one that was just stored.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from object_store import MULTIPART_THRESHOLD, PART_SIZE, InvalidKey, NotFound, ObjectRef, ObjectStore
from object_store.content_type import guess_content_type
from workloads.archive import clock
from workloads.archive.commit import SHA256_METADATA, Stored
from workloads.archive.patience import Pulse
from workloads.archive.proven import put_proven, read_back
from workloads.documents.identity import document_id, id_of_key, key_of

_INGESTED: Final = frozenset({".pdf", ".md", ".txt"})
_LARGE: Final = threading.Semaphore(1)
"""Large files go one after the other: each has four parts of 8 MiB in memory."""


class UnfitError(Exception):
    """A file that cannot be stored as a document; the message says why.

    Attributes:
        loses: Whether it may hold data.
    """

    def __init__(self, reason: str, *, loses: bool = True) -> None:
        """Say why."""
        super().__init__(reason)
        self.loses = loses


@dataclass(frozen=True)
class Original:
    """A stored original.

    Attributes:
        ref: The object.
        sha256: Of its bytes.
        before: The identity by the path.
        after: The identity by the reference.
        is_ingested: Whether `docs-ingest` takes files of its suffix today.
    """

    ref: ObjectRef
    sha256: str
    before: str
    after: str
    is_ingested: bool


def store_original(
    store: ObjectStore, bucket: str, path: bytes, name: bytes, pulse: Pulse | None = None, *, follow: bool = False
) -> Original:
    """Store a file under a name, or find it stored, and read it back.

    Args:
        store: The store.
        bucket: The bucket of the originals.
        path: The file.
        name: Its original name.
        pulse: Gets a sign of life for each block that was read.
        follow: Whether the path may be a link.

    Raises:
        UnfitError: It is not a file, is empty, has a name that no key can hold, or changes while it is read.
        DamagedError: What comes back is not what was stored.
        ObjectStoreError: The store does not take it, or is away.
        OSError: It cannot be read.
    """
    pulse = pulse or Pulse()
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise UnfitError("its name is not UTF-8, which a key must be") from None
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnfitError("it is not a file")
        if not status.st_size:
            raise UnfitError("it is empty", loses=False)
        try:
            return _stored(store, bucket, text, _Source(descriptor, status, pulse), pulse)
        except InvalidKey:
            raise UnfitError("its name has a backslash or a control character, which no key can hold") from None
    finally:
        os.close(descriptor)


class _Source:
    """An open file whose content must stay the same.

    Attributes:
        size: Its bytes.
        content: All of it, if it is small.
        sha256: Of its content.
    """

    def __init__(self, descriptor: int, status: os.stat_result, pulse: Pulse) -> None:
        """Read it once."""
        self._descriptor, self._status, self._pulse = descriptor, status, pulse
        self.size = status.st_size
        self.content = b""
        digest = hashlib.sha256()
        for block in self._blocks():
            digest.update(block)
            if self.size <= MULTIPART_THRESHOLD:
                self.content += block
        self.sha256 = digest.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """Read it again; the last block comes only if all of it is as before."""
        digest, held = hashlib.sha256(), b""
        for block in self._blocks():
            digest.update(block)
            if held:
                yield held
            held = block
        if digest.hexdigest() != self.sha256:
            raise UnfitError("it changed while it was read")
        yield held

    def _blocks(self) -> Iterator[bytes]:
        at = 0
        while block := os.pread(self._descriptor, PART_SIZE, at):
            self._pulse.beat()
            at += len(block)
            if at > self.size:  # it grows, perhaps faster than it is read
                break
            yield block
        now = os.fstat(self._descriptor)
        same = (now.st_size, now.st_mtime_ns) == (self._status.st_size, self._status.st_mtime_ns)
        if not same or at != self.size:
            raise UnfitError("it changed while it was read")


def _stored(store: ObjectStore, bucket: str, name: str, source: _Source, pulse: Pulse) -> Original:
    sha256 = source.sha256
    content_type = guess_content_type(name)
    with pulse.elsewhere():
        if source.content:
            stored, _ = put_proven(
                store,
                bucket,
                lambda number: key_of(name, sha256, number),
                source.content,
                sha256,
                content_type=content_type,
            )
        else:
            with _LARGE:
                stored = (
                    _held(store, bucket, key_of(name, sha256), sha256)
                    or put_proven(
                        store,
                        bucket,
                        lambda number: key_of(name, sha256, number),
                        source,
                        sha256,
                        content_type=content_type,
                    )[0]
                )
    ref = ObjectRef(bucket=bucket, key=stored.key, etag=stored.etag, size=stored.size, content_type=content_type)
    suffix = Path(name).suffix.lower()
    return Original(ref, sha256, document_id(name, sha256), id_of_key(ref.key), suffix in _INGESTED)


def _held(store: ObjectStore, bucket: str, key: str, sha256: str) -> Stored | None:
    """What is there already with this content, read back: so it is not sent only to be refused at its end."""
    now = clock.now_utc()
    try:
        found = store.stat(bucket, key)
    except NotFound:
        return None
    if found.metadata.get(SHA256_METADATA) != sha256:
        return None
    stored = Stored(
        key=key, etag=found.ref.etag, size=found.ref.size, sha256=sha256, stored_at=min(now, found.modified)
    )
    read_back(store, bucket, stored)
    return stored
