"""The body of an upload, in any form: read in blocks, counted, and never whole in memory above the threshold.

The rule: if the body itself fails (a disk, the caller's generator), the upload raises that error unchanged and stores
nothing. Left out: sending the body (`store`, `async_store`, `parts`).
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

from object_store.errors import InvalidBody, LocalFileError

if TYPE_CHECKING:
    from collections.abc import Callable

MULTIPART_THRESHOLD: Final = 8 * 1024 * 1024
"""Length in bytes up to which one request sends the whole body."""

PART_SIZE: Final = 8 * 1024 * 1024
"""Bytes in each part of a longer body (S3 requires at least 5 MiB in all parts but the last)."""

MAX_PARTS: Final = 10_000
"""Most parts of one upload: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""

MAX_BODY_BYTES: Final = MAX_PARTS * PART_SIZE
"""Longest body, 78 GiB: all parts have the same size, so that `checksums` can compute a part's etag again."""

Body: TypeAlias = bytes | bytearray | memoryview | Path | BinaryIO | Iterable[bytes]
"""Bytes, a file's path, a file opened for reading bytes, or blocks of bytes of any length."""

AsyncBody: TypeAlias = Body | AsyncIterable[bytes]
"""A `Body`, or blocks from an asynchronous iterable."""

_LEGAL = "legal: bytes, a pathlib.Path, a file opened in binary mode, or an iterable of bytes (encode text first)"


class Blocks:
    """The blocks of one body, each of 1 to `PART_SIZE` bytes.

    Attributes:
        sent: bytes passed on so far.
        fault: the error that the body itself, or `progress`, raised, if any.
    """

    def __init__(self, bucket: str, key: str, source: Iterator[object], progress: Callable[[int], None] | None) -> None:
        """Read from an iterator of buffers."""
        self._bucket = bucket
        self._key = key
        self._blocks: Iterator[bytes] = self._checked(source)
        self._progress = progress
        self._read = 0
        self.sent = 0
        self.fault: BaseException | None = None

    def head(self) -> tuple[bytes, bool]:
        """Return a body of up to `MULTIPART_THRESHOLD` bytes and False; for a longer one, nothing and True."""
        taken: list[bytes] = []
        size = 0
        for block in self._blocks:
            taken.append(block)
            size += len(block)
            if size > MULTIPART_THRESHOLD:
                self._blocks = chain(taken, self._blocks)
                return b"", True
        return taken[0] if len(taken) == 1 else b"".join(taken), False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the remaining blocks and count them."""
        for block in self._noted():
            self.count(len(block))
            yield block

    def parts(self) -> Iterator[bytes]:
        """Yield the rest in parts of exactly `PART_SIZE`, the last one shorter; the caller counts them."""
        held = bytearray()
        for block in self._noted():
            if not held and len(block) == PART_SIZE:  # from a file: no copy
                yield block
                continue
            held += block
            while len(held) >= PART_SIZE:
                yield bytes(held[:PART_SIZE])
                del held[:PART_SIZE]
        if held:
            yield bytes(held)

    def count(self, size: int) -> None:
        """Count bytes that were passed on."""
        self.sent += size
        if self._progress is None:
            return
        try:
            self._progress(size)
        except BaseException as fault:
            self.fault = fault
            raise

    def _noted(self) -> Iterator[bytes]:
        """Yield the remaining blocks, and keep the error of the body: a client may wrap it, or take it for its own."""
        try:
            yield from self._blocks
        except GeneratorExit:  # the client stops after its own failure, which is the one to report
            raise
        except BaseException as fault:
            self.fault = fault
            raise

    def _checked(self, source: Iterator[object]) -> Iterator[bytes]:
        for given in source:
            view = _bytes_of(self._bucket, self._key, given)
            self._read += len(view)
            if self._read > MAX_BODY_BYTES:
                raise InvalidBody(
                    f"the body is longer than {MAX_BODY_BYTES} bytes ({MAX_PARTS} parts of {PART_SIZE} bytes)",
                    bucket=self._bucket,
                    key=self._key,
                )
            if len(view) <= PART_SIZE:
                if view:
                    yield view
                continue
            for start in range(0, len(view), PART_SIZE):
                yield bytes(memoryview(view)[start : start + PART_SIZE])


def as_bytes(bucket: str, key: str, body: object) -> bytes | None:
    """Return a body that is already in memory as bytes; None for one that must be read."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str) or body is None:
        raise InvalidBody(f"the body has type {type(body).__name__}; {_LEGAL}", bucket=bucket, key=key)
    if isinstance(body, Path | io.IOBase | Iterator):
        return None
    try:
        return bytes(memoryview(body))  # type: ignore[arg-type]  # other types raise TypeError
    except TypeError:
        return None


@contextmanager
def opened(bucket: str, key: str, body: object, progress: Callable[[int], None] | None = None) -> Iterator[Blocks]:
    """Read a body block by block; close a file that is opened here, and leave a given file open.

    Raises:
        InvalidBody: bytes cannot be read from it, or one of its blocks is not bytes.
        LocalFileError: the file cannot be opened or read, or it changes meanwhile; a caller's own file may change.
    """
    whole = as_bytes(bucket, key, body)
    if whole is not None:
        yield Blocks(bucket, key, iter([whole]), progress)
    elif isinstance(body, Path):
        try:
            file = body.open("rb")
        except OSError as fault:
            raise _unreadable(bucket, key, fault) from None
        with file:
            yield Blocks(bucket, key, _read_unchanged(bucket, key, file), progress)
    elif callable(read := getattr(body, "read", None)) and not isinstance(read, type):
        yield Blocks(bucket, key, _read(bucket, key, body), progress)  # type: ignore[arg-type]  # it reads
    elif isinstance(body, Iterable) and not isinstance(body, dict):
        yield Blocks(bucket, key, iter(body), progress)
    else:
        raise InvalidBody(f"the body has type {type(body).__name__}; {_LEGAL}", bucket=bucket, key=key)


def _read_unchanged(bucket: str, key: str, file: BinaryIO) -> Iterator[object]:
    """Read a file to its end; half of an old and half of a new content is not a body."""
    before = os.fstat(file.fileno())
    yield from _read(bucket, key, file)
    after = os.fstat(file.fileno())
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    if changed and stat.S_ISREG(before.st_mode):
        raise LocalFileError(
            f"{file.name} changed while it was read; nothing was stored: store it again when its writer is done",
            bucket=bucket,
            key=key,
        )


def _read(bucket: str, key: str, file: BinaryIO) -> Iterator[object]:
    while True:
        try:
            block = file.read(PART_SIZE)
        except OSError as fault:
            raise _unreadable(bucket, key, fault) from None
        if not block and isinstance(block, bytes):
            return
        yield block


def _bytes_of(bucket: str, key: str, given: object) -> bytes:
    if isinstance(given, bytes):
        return given
    try:
        return bytes(memoryview(given))  # type: ignore[arg-type]  # a copy: the caller may change its buffer
    except TypeError:
        raise InvalidBody(
            f"a block of the body has type {type(given).__name__}; {_LEGAL}", bucket=bucket, key=key
        ) from None


def _unreadable(bucket: str, key: str, fault: OSError) -> LocalFileError:
    return LocalFileError(f"{fault.filename or 'the body'} cannot be read: {fault.strerror}", bucket=bucket, key=key)
