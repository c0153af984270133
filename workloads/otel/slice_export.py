"""Stores one slice of a day: asked, read, asked again, stored, read back, committed.

The rule: a slice counts only if the server said the same before and after its lines came, and as many lines came as it
has ids. What differs is read again; what still differs is not committed.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from object_store import AlreadyExists
from workloads.archive import clock
from workloads.archive.commit import SHA256_METADATA, Stored, sha256_of
from workloads.archive.pack import DamagedError
from workloads.archive.proven import put_proven, read_back
from workloads.context import Context
from workloads.otel.clickhouse import ClickHouse, ClickHouseError, CutError
from workloads.otel.day_commit import DayCommit, Part, part_key
from workloads.otel.days import Day
from workloads.otel.lines import Lines, spooled
from workloads.otel.span import Slice
from workloads.otel.table import Asked, Table, ask, export_of
from workloads.otel.tally import difference

SPOOL: Final = "part-"
_WAITS: Final = (0.0, 1.0, 5.0)
"""Seconds before each try."""
_COMMITS_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Course:
    """What all slices of a run share.

    Attributes:
        context: The opened store.
        server: The opened server.
        table: The table.
        cut: Rows that were received later are left for the next run.
        run: The run's id.
        started_at: When it began.
        stage: Called at each point where a kill must do no harm.
    """

    context: Context
    server: ClickHouse
    table: Table
    cut: datetime
    run: str
    started_at: datetime
    stage: Callable[[str], None]


class UnsettledError(Exception):
    """A slice could not be read as a whole; the message says why."""


@dataclass(frozen=True)
class _Read:
    asked: Asked
    lines: Lines
    removed: int


def store_slice(course: Course, held: Day, part: Slice, buckets: Sequence[int] | None, *, aged: bool) -> DayCommit:
    """Store a slice, or some buckets of it, and commit it.

    Args:
        course: The run's.
        held: What the store holds of the day; the commit is added to it.
        part: The slice.
        buckets: The buckets of ids; None for all.
        aged: The table's own TTL may take rows of it at any moment.

    Raises:
        UnsettledError: The lines are not what the server counts, also when asked again.
        ClickHouseError: The server is away, or refuses.
        DamagedError: What comes back from the store is not what was stored.
        ObjectStoreError: The store is away, or refuses.
        OSError: The disk is full.
    """
    context = course.context
    with tempfile.NamedTemporaryFile(prefix=SPOOL, dir=context.state.folder) as spool:
        path = Path(spool.name)
        read = _settled(course, part, buckets, path, aged=aged)
        course.stage("read")
        stored = None
        if read.lines.rows:
            sha256 = read.lines.sha256
            with context.doing(f"storing {held.day}"):
                stored, _ = put_proven(
                    context.store,
                    context.bucket,
                    lambda number: part_key(part, sha256, number),
                    path,
                    sha256,
                    content_type="application/gzip",
                )
    course.stage("stored")
    return _commit(course, held, part, buckets, read, stored)


def _settled(course: Course, part: Slice, buckets: Sequence[int] | None, path: Path, *, aged: bool) -> _Read:
    """The lines of a slice that did not change while they came."""
    wrong = ""
    for number, wait in enumerate(_WAITS, start=1):
        time.sleep(wait)
        try:
            read = _read(course, part, buckets, path, aged=aged)
        except CutError as fault:
            wrong = str(fault)
            continue
        except ClickHouseError as fault:
            if fault.code or number == len(_WAITS):
                raise
            wrong = str(fault)
            continue
        if isinstance(read, _Read):
            return read
        wrong = read
    raise UnsettledError(f"{part.span.day} {part.name}: {wrong}")


def _read(course: Course, part: Slice, buckets: Sequence[int] | None, path: Path, *, aged: bool) -> _Read | str:
    server, table, cut = course.server, course.table, course.cut
    before = ask(server, table, cut, part, buckets)
    with (
        course.context.doing(f"exporting {part.span.day}") as tell,
        server.stream(export_of(table, cut, part, buckets)) as blocks,
    ):
        lines = spooled(blocks, path, table.columns[0].name, tell)
    course.stage("streamed")
    after = ask(server, table, cut, part, buckets)
    if lines.rows != after.tally.ids:
        return (
            f"{lines.rows} lines came, and the server counts {before.tally.ids} ids before and {after.tally.ids} after"
        )
    if before.tally == after.tally:
        return _Read(after, lines, 0)
    found = difference(after.tally, before.tally)
    if aged and not found.late:
        return _Read(after, lines, found.gone_ids)
    return "it changed while it was read: other rows are there after than before"


def _commit(
    course: Course, held: Day, part: Slice, buckets: Sequence[int] | None, read: _Read, stored: Stored | None
) -> DayCommit:
    """Put the commit under the next free number, and read it back."""
    context = course.context
    lines = read.lines
    made = DayCommit(
        table=course.table.address.name,
        columns=tuple((one.name, one.type) for one in course.table.columns),
        day=held.day,
        sequence=held.sequence + 1,
        run=course.run,
        machine=context.machine,
        started_at=course.started_at,
        cut=course.cut,
        first=part.span.first,
        end=part.span.end,
        low=part.low,
        high=part.high,
        buckets=None if buckets is None else tuple(buckets),
        tally=read.asked.tally.buckets,
        earliest=read.asked.first,
        latest=read.asked.last,
        part=stored
        and Part(stored=stored, rows=lines.rows, plain_bytes=lines.plain_bytes, plain_sha256=lines.plain_sha256),
        removed=read.removed,
    )
    return put_commit(context, held, made)


def put_commit(context: Context, held: Day, made: DayCommit) -> DayCommit:
    """Put a commit under the first free number of its day, and read it back.

    Raises:
        DamagedError: What comes back is not what was stored, or no number is free.
        ObjectStoreError: The store is away, or refuses.
    """
    store, bucket = context.store, context.bucket
    for _ in range(_COMMITS_AT_ONCE):
        body = made.to_bytes()
        sha256 = sha256_of(body)
        stored_at = clock.now_utc()
        try:
            ref = store.upload(
                bucket, made.key, body, "application/json", metadata={SHA256_METADATA: sha256}, if_absent=True
            )
        except AlreadyExists:
            # An earlier try of ours was stored and its answer lost, or another machine was quicker.
            there = store.stat(bucket, made.key)
            if there.metadata.get(SHA256_METADATA) != sha256:
                made = made.model_copy(update={"sequence": made.sequence + 1})
                continue
            ref = there.ref
        stored = Stored(key=made.key, etag=ref.etag, size=ref.size, sha256=sha256, stored_at=stored_at)
        read_back(store, bucket, stored)
        if made.part is not None:
            context.state.mend(made.part.stored.key)  # it is what an earlier one had under the same key
        held.sequence = made.sequence
        held.commits.append(made)
        return made
    raise DamagedError(f"{made.key}: {_COMMITS_AT_ONCE} numbers before it are taken")
