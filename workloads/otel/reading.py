"""Brings parts back: proven against their commits, and each id once.

The rule: of one id the row with the newest `received_at` counts, in whichever part it is. The parts are sorted by id
and merged in constant memory. A row without `received_at`, from before ClickHouse, gives way to any other.
"""

import heapq
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from object_store import NotFound, ObjectStore
from workloads.archive.pack import DamagedError
from workloads.archive.proven import read_blocks
from workloads.otel.day_commit import DayCommit
from workloads.otel.gzip_file import opened_gzip
from workloads.otel.span import Span
from workloads.otel.times import moment_of

_AT_ONCE: Final = 256
"""Files that are open at a time; more parts are merged in rounds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line, and what decides whether it counts.

    Attributes:
        id: Its id, as bytes.
        received: Its `received_at`; None without one.
        moment: Its `timestamp`, in nanoseconds since 1970.
        line: The line with its end.
    """

    id: bytes
    received: int | None
    moment: int
    line: bytes


def fetched(store: ObjectStore, bucket: str, commit: DayCommit, folder: Path, progress: Callable[[int], None]) -> Path:
    """A part of a commit as a file, proven to be what was committed.

    Raises:
        DamagedError: It is gone, or is other bytes.
        ObjectStoreError: The store is away, or denies it.
    """
    part = commit.part
    if part is None:
        raise ValueError(commit.key)
    path = folder / f"{commit.day}-{commit.sequence}.gz"
    try:
        with path.open("wb") as file:
            for block in read_blocks(store, bucket, part.stored):
                file.write(block)
                progress(len(block))
    except NotFound:
        raise DamagedError(f"{part.stored.key} is gone, or hidden by a delete marker") from None
    return path


def rows_of(path: Path, commit: DayCommit) -> Iterator[Row]:
    """The rows of a part, sorted by id. Raise DamagedError if they are not what the commit says."""
    count, before = 0, b""
    with opened_gzip(path, "rb") as file:
        for line in file:
            row = _row(line, commit)
            if count and row.id <= before:
                raise DamagedError(f"{commit.key}: its part is not sorted by id")
            count, before = count + 1, row.id
            yield row
    if commit.part is None or count != commit.part.rows:
        raise DamagedError(f"{commit.key}: its part has {count} rows")


def _row(line: bytes, commit: DayCommit) -> Row:
    try:
        values: dict[str, Any] = json.loads(line.decode("utf-8", "surrogateescape"))
        received = values.get("received_at")
        return Row(
            str(values["id"]).encode("utf-8", "surrogateescape"),
            None if received is None else moment_of(str(received)),
            moment_of(str(values["timestamp"])),
            line,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedError(f"{commit.key}: a line of its part is not an event") from None


def once(rows: Sequence[Iterator[Row]]) -> Iterator[Row]:
    """Each id once, sorted by it: of several rows the one with the newest `received_at`."""
    held: Row | None = None
    for row in heapq.merge(*rows, key=lambda one: one.id):
        if held is None or row.id == held.id:
            if held is None or _rank(row) > _rank(held):
                held = row
            continue
        yield held
        held = row
    if held is not None:
        yield held


def _rank(row: Row) -> tuple[bool, int, int, bytes]:
    """What is newer counts; of equal ones always the same, in any order of the parts."""
    return row.received is not None, row.received or 0, row.moment, row.line


def merged(files: Sequence[tuple[Path, DayCommit]], span: Span) -> Iterator[Row]:
    """The rows of a span of time, each id once.

    Args:
        files: The parts that were fetched.
        span: The time; rows outside of it are left out after it is decided which row of an id counts.

    Raises:
        DamagedError: A part is not what its commit says.
        OSError: The disk is full.
    """
    with ExitStack() as held:
        streams = [rows_of(path, commit) for path, commit in files]
        while len(streams) > _AT_ONCE:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(dir=files[0][0].parent)))
            streams = [*streams[_AT_ONCE:], _kept(once(streams[:_AT_ONCE]), folder / "rows")]
        for row in once(streams):
            if span.first <= row.moment < span.end:
                yield row


def _kept(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """The same rows from a file, so that the files they came from are closed."""
    with opened_gzip(path, "wb") as file:
        for row in rows:
            file.write(json.dumps([row.received, row.moment, len(row.id)]).encode() + b"\n" + row.id + b"\n" + row.line)

    def again() -> Iterator[Row]:
        with opened_gzip(path, "rb") as file:
            while head := file.readline():
                received, moment, length = json.loads(head)
                name = file.read(length)
                file.read(1)
                yield Row(name, received, moment, file.readline())

    return again()
