"""`object-store otel backfill`: the events that Typesense has, by UTC day, to the store.

Exit status: 0 all of the days are stored; 1 what came was not all that the collection has, and nothing was committed;
2 it could not be done. The same command goes on.

The rule: nothing is committed before the whole collection came and is counted. A day has one part and one commit beside
those of ClickHouse, whose rows count before it.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from model.exit_codes import ExitCode
from workloads.archive.proven import put_proven
from workloads.context import OTEL, Context, Told, ended, opened
from workloads.otel.calendar import filled
from workloads.otel.day_commit import DayCommit, Part, part_key
from workloads.otel.days import Day
from workloads.otel.documents import COLUMNS, NoEventError, event_of
from workloads.otel.export import Exported, ExportOptions, receipted, show, stored_days
from workloads.otel.lines import spooled
from workloads.otel.slice_export import SPOOL, put_commit
from workloads.otel.span import Slice, span_of
from workloads.otel.typesense import Collection, CutExportError, collection_of
from workloads.receipt import Receipt
from workloads.running import concluded

KIND: Final = f"{OTEL.name}.backfill"
_MILLISECOND: Final = 10**6
_FETCHED: Final = 500
Stage = Callable[[str], None]


@dataclass(frozen=True)
class Spool:
    """All documents of the days that are meant, on disk: SQLite sorts them in constant memory."""

    database: sqlite3.Connection
    path: Path

    def fill(self, collection: Collection, first: date | None, last: date, tell: Callable[[int], None]) -> list[str]:
        """Read a collection.

        Returns:
            What a reader should know.

        Raises:
            CutExportError: It is not whole.
            OSError: The disk is full.
        """
        with self._on_disk():
            return self._filled(collection, first, last, tell)

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        """An error of this file is not one of the machine's state, which is SQLite's, too."""
        try:
            yield
        except sqlite3.Error as fault:
            raise OSError(errno.EIO, str(fault), str(self.path)) from None

    def _filled(self, collection: Collection, first: date | None, last: date, tell: Callable[[int], None]) -> list[str]:
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE documents (day TEXT, id BLOB, milliseconds INTEGER, line BLOB)")
        before, came, later = collection.count(), 0, 0
        unknown: set[str] = set()

        def rows(lines: Iterator[bytes]) -> Iterator[tuple[str, bytes, int, bytes]]:
            nonlocal came, later
            for came, line in enumerate(lines, start=1):
                tell(len(line))
                try:
                    event = event_of(line)
                except NoEventError as fault:
                    raise CutExportError(f"document {came} is not an event: {fault}") from None
                unknown.update(event.unknown)
                later += event.day > last
                if (first is None or first <= event.day) and event.day <= last:
                    yield event.day.isoformat(), event.id, event.milliseconds, event.line

        with collection.lines() as lines, self.database:
            self.database.executemany("INSERT INTO documents VALUES (?, ?, ?, ?)", rows(lines))
        after = collection.count()
        if not before == came == after:
            raise CutExportError(
                f"{came} documents came, and the collection says that it has {before} before and {after} after"
            )
        try:
            self.database.execute("CREATE UNIQUE INDEX sorted ON documents (day, id)")
        except sqlite3.IntegrityError:
            raise CutExportError("a document came twice") from None
        notes = [f"{later} documents are of days after {last}, and were left"] if later else []
        if unknown:
            notes.append(
                f"`query` does not show fields that the table has no columns for: {', '.join(sorted(unknown))}"
            )
        return notes

    def days(self) -> dict[date, tuple[int, int]]:
        """The days that have documents, each with its first and last millisecond."""
        found = self.database.execute("SELECT day, min(milliseconds), max(milliseconds) FROM documents GROUP BY day")
        return {date.fromisoformat(day): (low, high) for day, low, high in found}

    def blocks(self, day: date) -> Iterator[bytes]:
        """The lines of a day, sorted by id."""
        found = self.database.execute("SELECT line FROM documents WHERE day = ? ORDER BY id", (day.isoformat(),))
        while some := found.fetchmany(_FETCHED):
            yield b"".join(line for (line,) in some)


def run(options: ExportOptions, *, stage: Stage | None = None) -> ExitCode:
    """Store the documents, write the receipt, and print the summary."""
    days = 0
    try:
        with opened(options, OTEL) as context:
            options.days()
            receipt, days = receipted(
                context,
                KIND,
                lambda begun, done: _backfill(context, options, stage or (lambda _: None), begun, done),
                stage,
            )
    except Told as error:
        return ended(error)
    return concluded(options, receipt, lambda one: show(one, days), wrong=receipt.failed)


def _backfill(context: Context, options: ExportOptions, stage: Stage, begun: Receipt, done: Exported) -> None:
    collection = collection_of(context.settings.otel.typesense, context.where, os.environ)
    done.root = f"{collection.url} {collection.name}"
    first, last = options.days()
    path = context.state.folder / f"{SPOOL}documents"
    try:
        with closing(sqlite3.connect(path)) as database:
            spool = Spool(database, path)
            try:
                with context.doing("reading documents") as tell:
                    done.notes += spool.fill(collection, first, last, tell)
            except CutExportError as fault:
                done.problems.append(f"{fault}; nothing was committed")
                return
            stage("documents read")
            _store_days(context, spool, collection, stage, begun, done)
    finally:
        path.unlink(missing_ok=True)


def _store_days(
    context: Context, spool: Spool, collection: Collection, stage: Stage, begun: Receipt, done: Exported
) -> None:
    days = spool.days()
    if not days:
        done.problems.append(f"{collection.name} has no document of these days, and nothing was committed")
        return
    held = stored_days(context)
    for day in filled(days):
        done.days += 1
        there = held.day(day)
        made = DayCommit(
            origin="typesense",
            table=collection.name,
            columns=tuple(COLUMNS.items()),
            day=day,
            sequence=there.sequence + 1,
            run=begun.run,
            machine=context.machine,
            started_at=begun.started_at,
            cut=begun.started_at,
            first=span_of(day).first,
            end=span_of(day).end,
            tally={},
        )
        if day in days:
            earliest, latest = (one * _MILLISECOND for one in days[day])
            made = made.model_copy(update={"earliest": earliest, "latest": latest})
            _store_day(context, spool, there, made, stage, done)
        elif not there.commits:  # that it has none is proven, and so no gap
            done.commits.append(put_commit(context, there, made))
        stage("day")


def _store_day(context: Context, spool: Spool, held: Day, made: DayCommit, stage: Stage, done: Exported) -> None:
    """Store a day, unless just these lines of it are stored."""
    with (
        tempfile.NamedTemporaryFile(prefix=SPOOL, dir=context.state.folder) as file,
        context.doing(f"storing {made.day}") as tell,
    ):
        lines = spooled(spool.blocks(made.day), Path(file.name), "id", tell)
        if any(one.part and one.part.plain_sha256 == lines.plain_sha256 for one in held.commits):
            return
        stored, _ = put_proven(
            context.store,
            context.bucket,
            lambda number: part_key(Slice(span_of(made.day)), lines.sha256, number),
            Path(file.name),
            lines.sha256,
            content_type="application/gzip",
        )
    stage("stored")
    part = Part(stored=stored, rows=lines.rows, plain_bytes=lines.plain_bytes, plain_sha256=lines.plain_sha256)
    done.commits.append(put_commit(context, held, made.model_copy(update={"part": part})))
    stage("committed")
