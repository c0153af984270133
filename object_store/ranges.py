"""A large object into a file by several connections at the same time, each with its own part.

One connection seldom fills a network or a disk. The rule: the first answer continues from the front, the other
connections take ranges from the back, and where they meet the download is done. Every request for a range names the
etag of the first answer, so all ranges come from one object.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from object_store.stream import ObjectStream

RANGES_THRESHOLD: Final = 64 * 1024 * 1024
"""Length in bytes from which a download uses more than one connection."""

RANGE_SIZE: Final = 16 * 1024 * 1024
"""Bytes in each range; the last one may be shorter."""

STREAMS: Final = 4
"""Connections of one download, by default."""


class _Left:
    """The ranges that no connection has taken yet."""

    def __init__(self, size: int, range_size: int) -> None:
        self._size, self._range_size = size, range_size
        self._starts = range(0, size, range_size)  # not a list: an answer may name any length
        self._lock = Lock()

    def front(self) -> tuple[int, int] | None:
        with self._lock:
            start, self._starts = self._starts[:1], self._starts[1:]
        return self._from(start)

    def back(self) -> tuple[int, int] | None:
        with self._lock:
            start, self._starts = self._starts[-1:], self._starts[:-1]
        return self._from(start)

    def _from(self, start: range) -> tuple[int, int] | None:
        return (start[0], min(start[0] + self._range_size, self._size)) if start else None

    @contextmanager
    def given_up_on_fault(self) -> Iterator[None]:
        """If one connection fails, leave no ranges for the others."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._starts = range(0)
            raise


def in_ranges(
    first: ObjectStream,
    ranged: Callable[[int, int], Iterable[memoryview]],
    write_at: Callable[[int, memoryview], None],
    *,
    streams: int,
    range_size: int = RANGE_SIZE,
) -> None:
    """Read an object whose answer has begun.

    Args:
        first: the answer that has begun, for the whole object.
        ranged: yields the blocks from one byte to another, the second one not included.
        write_at: takes the offset of a block, and the block; called from several threads.
        streams: connections at the same time, including the first one; 2 or more.
        range_size: bytes in each range.

    Raises:
        ObjectStoreError: the error of a connection; the others then end too.
    """
    left = _Left(first.ref.size, range_size)
    with ThreadPoolExecutor(streams - 1, thread_name_prefix="object-store-range") as pool:
        others = []
        with suppress(RuntimeError):  # no more threads to be had: fewer connections
            for _ in range(streams - 1):
                others.append(pool.submit(_from_the_back, left, ranged, write_at))  # noqa: PERF401  # those that began count
        with left.given_up_on_fault():
            _from_the_front(left, first, write_at)
        for other in others:
            other.result()


def _from_the_front(left: _Left, first: ObjectStream, write_at: Callable[[int, memoryview], None]) -> None:
    at, end = 0, 0
    for block in first.views():
        rest = block
        while rest:
            if at == end:
                part = left.front()
                if part is None:
                    return
                end = part[1]
            piece, rest = rest[: end - at], rest[end - at :]
            write_at(at, piece)
            at += len(piece)


def _from_the_back(
    left: _Left, ranged: Callable[[int, int], Iterable[memoryview]], write_at: Callable[[int, memoryview], None]
) -> None:
    with left.given_up_on_fault():
        while (part := left.back()) is not None:
            at, end = part
            for block in ranged(at, end):  # exactly that many bytes, or it fails
                write_at(at, block)
                at += len(block)
