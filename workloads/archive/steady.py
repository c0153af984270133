"""A file that must stay the same while it is stored: the bytes that were hashed are the bytes that are sent.

The rule: a small file is read once into memory. A large one is read twice, and its last part is not sent unless the
second reading gives what the first gave. A key that is there is read back like one that was just stored.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from object_store import MULTIPART_THRESHOLD, PART_SIZE, NotFound, ObjectRef, ObjectStore
from workloads.archive import clock
from workloads.archive.commit import SHA256_METADATA, Stored
from workloads.archive.patience import Pulse
from workloads.archive.proven import put_proven, read_back

_LARGE: Final = threading.Semaphore(1)
"""Large files go one after the other: each has four parts of 8 MiB in memory."""


class UnfitError(Exception):
    """A file that cannot be stored; the message says why.

    Attributes:
        loses: Whether it may hold data.
    """

    def __init__(self, reason: str, *, loses: bool = True) -> None:
        """Say why."""
        super().__init__(reason)
        self.loses = loses


class SteadyFile:
    """An open file whose content must stay the same.

    Attributes:
        size: Its bytes.
        content: All of it, if it is small.
        sha256: Of its content.
        status: What it was when it was opened.
    """

    def __init__(self, descriptor: int, status: os.stat_result, pulse: Pulse) -> None:
        """Read it once."""
        self._descriptor, self.status, self._pulse = descriptor, status, pulse
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
        # One byte more than it had shows that it grows; a file that goes on growing would never end.
        while at <= self.size and (block := os.pread(self._descriptor, min(PART_SIZE, self.size - at + 1), at)):
            self._pulse.beat()
            at += len(block)
            yield block
        if not is_same(self.status, os.fstat(self._descriptor)) or at != self.size:
            raise UnfitError("it changed while it was read")


def is_same(before: os.stat_result, now: os.stat_result) -> bool:
    """Whether a file that was examined twice is the same, and has the same content."""
    return _identity(before) == _identity(now)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def opened_file(path: bytes | str, pulse: Pulse | None = None, *, follow: bool = False) -> Iterator[SteadyFile]:
    """Open a file and read it once.

    Args:
        path: The file.
        pulse: Gets a sign of life for each block that was read.
        follow: Whether the path may be a link.

    Raises:
        UnfitError: It is not a file, is empty, or changes while it is read.
        OSError: It cannot be read.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnfitError("it is not a file")
        if not status.st_size:
            raise UnfitError("it is empty", loses=False)
        yield SteadyFile(descriptor, status, pulse or Pulse())
    finally:
        os.close(descriptor)


def put_file(
    store: ObjectStore,
    bucket: str,
    keys: Callable[[int], str],
    file: SteadyFile,
    content_type: str,
    *,
    metadata: Mapping[str, str] | None = None,
    pulse: Pulse | None = None,
) -> ObjectRef:
    """Store a file under the first key that is free or has just its bytes, and read it back.

    Raises:
        UnfitError: It changes while it is read.
        DamagedError: What comes back is not what was stored.
        ObjectStoreError: The store does not take it, or is away.
        OSError: It cannot be read.
    """
    with (pulse or Pulse()).elsewhere():
        body = file.content or file
        if file.content:
            stored, _ = put_proven(
                store, bucket, keys, body, file.sha256, content_type=content_type, metadata=metadata or {}
            )
        else:
            with _LARGE:
                stored = (
                    _held(store, bucket, keys(1), file.sha256)
                    or put_proven(
                        store, bucket, keys, body, file.sha256, content_type=content_type, metadata=metadata or {}
                    )[0]
                )
    return ObjectRef(bucket=bucket, key=stored.key, etag=stored.etag, size=stored.size, content_type=content_type)


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
