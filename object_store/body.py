"""What is uploaded, whatever it comes as: read in blocks, counted, and never whole in memory above the threshold.

The rule: a body's own failure (a disk, the caller's generator) comes out of the upload as it was raised, and then
nothing is stored. Left out: sending it (`store`, `async_store`, `parts`).
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

from object_store.errors import InvalidBody, LocalFileError

if TYPE_CHECKING:
    from collections.abc import Callable

MULTIPART_THRESHOLD: Final = 8 * 1024 * 1024
"""Bytes up to which a body goes up in one request."""

PART_SIZE: Final = 8 * 1024 * 1024
"""Bytes in each part of a larger one (S3 wants at least 5 MiB in all but the last)."""

MAX_PARTS: Final = 10_000
"""Parts that an upload may have: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""

MAX_BODY_BYTES: Final = MAX_PARTS * PART_SIZE
"""Longest body, 78 GiB: its parts have one size, so that a part's etag can be computed again (`checksums`)."""

Body: TypeAlias = bytes | bytearray | memoryview | Path | BinaryIO | Iterable[bytes]
"""Bytes, a file's path, a file opened for reading bytes, or blocks of bytes of any length."""

AsyncBody: TypeAlias = Body | AsyncIterable[bytes]
"""Likewise, or blocks from an asynchronous iterable."""

_LEGAL = "legal: bytes, a pathlib.Path, a file opened in binary mode, or an iterable of bytes (encode text first)"


class Blocks:
    """The blocks of one body, each of 1 to `PART_SIZE` bytes.

    Attributes:
        sent: bytes that were handed on so far.
        fault: what the body itself raised, if it did.
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
        """Read to the end or just past `MULTIPART_THRESHOLD`; return that, and whether there is more than it."""
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
        """Yield the rest, counted."""
        try:
            for block in self._blocks:
                self.count(len(block))
                yield block
        except GeneratorExit:  # the client lets go of it after a failure of its own, which is the one to tell of
            raise
        except BaseException as fault:
            self.fault = fault
            raise

    def parts(self) -> Iterator[bytes]:
        """Yield the rest in parts of exactly `PART_SIZE`, the last one shorter; counting is the caller's."""
        held = bytearray()
        for block in self._blocks:
            if not held and len(block) == PART_SIZE:  # a file's: no copy
                yield block
                continue
            held += block
            while len(held) >= PART_SIZE:
                yield bytes(held[:PART_SIZE])
                del held[:PART_SIZE]
        if held:
            yield bytes(held)

    def count(self, size: int) -> None:
        """Note that so many bytes were handed on."""
        self.sent += size
        if self._progress is not None:
            self._progress(size)

    def _checked(self, source: Iterator[object]) -> Iterator[bytes]:
        for given in source:
            view = _bytes_of(self._bucket, self._key, given)
            self._read += len(view)
            if self._read > MAX_BODY_BYTES:
                raise InvalidBody(
                    f"the body is longer than {MAX_BODY_BYTES} bytes, {MAX_PARTS} parts of {PART_SIZE}",
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
    """Return a body that is in memory already as bytes; None for one that must be read."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str) or body is None:
        raise InvalidBody(f"the body is {type(body).__name__}; {_LEGAL}", bucket=bucket, key=key)
    if isinstance(body, Path | io.IOBase | Iterator):
        return None
    try:
        return bytes(memoryview(body))  # type: ignore[arg-type]  # what is no buffer is sorted out right here
    except TypeError:
        return None


@contextmanager
def opened(bucket: str, key: str, body: object, progress: Callable[[int], None] | None = None) -> Iterator[Blocks]:
    """Read a body block by block; a file that is opened here is closed here, one that was given stays open.

    Raises:
        InvalidBody: it is nothing that bytes can be read from, or a block of it is none.
        LocalFileError: the file cannot be opened or read.
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
            yield Blocks(bucket, key, _read(bucket, key, file), progress)
    elif callable(read := getattr(body, "read", None)) and not isinstance(read, type):
        yield Blocks(bucket, key, _read(bucket, key, body), progress)  # type: ignore[arg-type]  # it reads
    elif isinstance(body, Iterable) and not isinstance(body, dict):
        yield Blocks(bucket, key, iter(body), progress)
    else:
        raise InvalidBody(f"the body is {type(body).__name__}; {_LEGAL}", bucket=bucket, key=key)


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
        return bytes(memoryview(given))  # type: ignore[arg-type]  # a copy: the caller may go on changing its buffer
    except TypeError:
        raise InvalidBody(f"a block of the body is {type(given).__name__}; {_LEGAL}", bucket=bucket, key=key) from None


def _unreadable(bucket: str, key: str, fault: OSError) -> LocalFileError:
    return LocalFileError(f"{fault.filename or 'the body'} cannot be read: {fault.strerror}", bucket=bucket, key=key)
