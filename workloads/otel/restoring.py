"""`object-store otel restore`: a span of time, each event once.

Exit status: 0 all that is stored of it came back; 1 something of it is not stored, or is damaged, and is named; 2 it
could not be done, and nothing was written.

The rule: the lines are those that were stored, byte for byte. A table gets them only if it has no TTL, because
ClickHouse drops a row at its insert that is older than that.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.terminal_text import printable
from object_store.partials import locked_partial
from workloads.archive.pack import DamagedError
from workloads.context import OTEL, Context, Options, Told, ended, opened
from workloads.otel.clickhouse import ClickHouse, ClickHouseError, columns_text, quoted
from workloads.otel.day_commit import DayCommit
from workloads.otel.days import read_days
from workloads.otel.reading import Row, fetched, merged
from workloads.otel.server import opened_server
from workloads.otel.span import Span, day_of, days_between
from workloads.otel.table import any_within, described
from workloads.otel.times import span_asked

_BLOCK: Final = 2**20


@dataclass(frozen=True)
class RestoreOptions(Options):
    """The options of `restore`.

    Attributes:
        first: `--from`.
        last: `--to`.
        to: The file; None for a table.
        table: The table, new or without a TTL; empty for a file.
    """

    first: str = ""
    last: str = ""
    to: Path | None = None
    table: str = ""


@dataclass(frozen=True)
class Stored:
    """What is stored of a span.

    Attributes:
        commits: The commits with a part.
        files: Their parts, fetched.
        columns: Name and type of each column, the newest form of it.
        wrong: What of the span is not stored, or damaged.
    """

    commits: list[DayCommit]
    files: list[tuple[Path, DayCommit]]
    columns: dict[str, str]
    wrong: list[str]


@contextmanager
def stored_span(context: Context, span: Span, folder: Path | None = None) -> Iterator[Stored]:
    """Fetch and prove what is stored of a span; the files go at the end.

    Raises:
        InvalidInputError: Nothing of the span is stored.
        ObjectStoreError: The store is away, or denies it.
    """
    days = days_between(day_of(span.first), day_of(span.end - 1))
    with context.doing("reading what is stored"):
        held = read_days(context.store, context.bucket, days)
    commits = [one for day in days for one in held.day(day).commits]
    if not commits:
        stored = ", ".join(str(one) for one in _ends(context)) or "none"
        text = f"nothing is stored between {days[0]} and {days[-1]}"
        raise InvalidInputError([Problem("--from", text, f"days that are stored: {stored}", "--from DAY --to DAY")])
    columns: dict[str, str] = {}
    for one in sorted(commits, key=lambda one: (one.origin == "clickhouse", one.cut)):  # the table's own types last
        columns |= dict(one.columns)
    with tempfile.TemporaryDirectory(prefix="object-store-otel-", dir=folder) as kept:
        files, bad = [], []
        with context.doing("reading parts back") as tell:
            for one, key in [(one, one.part.stored.key) for one in commits if one.part is not None]:
                try:
                    files.append((fetched(context.store, context.bucket, one, Path(kept), tell), one))
                except DamagedError:
                    bad.append(key)
        if bad:  # a later commit may have all that was in it
            held = read_days(context.store, context.bucket, days, bad)
        wrong = [text for day in days for text in held.day(day).wounds()]
        wrong += _unstored([day for day in days if not held.day(day).commits])
        yield Stored([one for _, one in files], files, columns, wrong)


def _unstored(days: Sequence[date]) -> list[str]:
    """Days of which nothing is stored, those that follow each other in one line."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return [
        f"{one[0]}: nothing of this day is stored"
        if len(one) == 1
        else f"{one[0]} to {one[-1]}: nothing of these {len(one)} days is stored"
        for one in runs
    ]


def _ends(context: Context) -> list[str]:
    days = sorted(read_days(context.store, context.bucket).days)
    return [f"{days[0]} to {days[-1]}"] if days else []


def run(options: RestoreOptions) -> ExitCode:
    """Restore to a file or a table."""
    try:
        span = span_asked(options.first, options.last)
        _check_target(options)
        with opened(options, OTEL, locked=False) as context:
            folder = options.to.parent if options.to is not None else None
            with stored_span(context, span, folder) as stored:
                rows = merged(stored.files, span)
                if options.to is not None:
                    count = _to_file(rows, options.to)
                else:
                    count = _to_table(context, options.table, stored, rows, span)
                wrong = stored.wrong
    except Told as error:
        return ended(error)
    for text in wrong:
        sys.stderr.write(printable(text) + "\n")
    if not options.quiet:
        sys.stdout.write(f"{count} events: {printable(str(options.to or options.table))}\n")
    return ExitCode.WRONG if wrong else ExitCode.DONE


def _check_target(options: RestoreOptions) -> None:
    if (options.to is None) is not bool(options.table):
        problem = Problem("--to-file", "give one target", "--to-file or --to-table", "--to-file events.ndjson")
    elif options.to is not None and options.to.exists():
        problem = Problem("--to-file", f"{options.to} exists", "a new file", f"--to-file {options.to}.new")
    elif options.to is not None and not options.to.parent.is_dir():
        problem = Problem(
            "--to-file", f"{options.to.parent} is not a folder", "a folder that exists", "--to-file events.ndjson"
        )
    else:
        return
    raise InvalidInputError([problem])


def _to_file(rows: Iterator[Row], path: Path) -> int:
    """Write the lines to a new file, whole or not at all."""
    count = 0
    with locked_partial(path.parent) as (descriptor, partial):
        with os.fdopen(os.dup(descriptor), "wb") as file:
            for row in rows:
                file.write(row.line)
                count += 1
        os.fsync(descriptor)
        os.link(partial, path)  # never over a file that came meanwhile
    return count


def _to_table(context: Context, name: str, stored: Stored, rows: Iterator[Row], span: Span) -> int:
    """Write the rows to a table without a TTL, which is made if it is not there, and has none of the span."""
    with opened_server(context) as source:
        database, _, table = name.rpartition(".")
        address = replace(source.address, database=database or source.address.database, table=table)
        if address.name == source.address.name:
            raise InvalidInputError(
                [
                    Problem(
                        "--to-table",
                        f"{address.name} is the live table, whose TTL drops old rows at once",
                        "another table, new or without a TTL",
                        f"--to-table {address.name}_restored",
                    )
                ]
            )
        with ClickHouse(address) as server:
            columns = ", ".join(f"{quoted(column)} {kind}" for column, kind in stored.columns.items())
            target = f"{quoted(address.database)}.{quoted(address.table)}"
            server.write(f"CREATE TABLE IF NOT EXISTS {target} ({columns}) ENGINE = MergeTree ORDER BY `id`")
            made = described(server)
            if made.has_ttl:
                raise InvalidInputError(
                    [
                        Problem(
                            "--to-table",
                            f"{address.name} has a TTL, which drops old rows at once",
                            "a new table, or one without a TTL",
                            f"--to-table {address.name}_restored",
                        )
                    ]
                )
            if any_within(server, made, span):
                raise InvalidInputError(
                    [
                        Problem(
                            "--to-table",
                            f"{address.name} has rows of this span already, perhaps of a restore that did not end",
                            "a new table, or one without rows of the span",
                            f"--to-table {address.name}_2",
                        )
                    ]
                )
            before = _count(server, target)
            names = columns_text(list(stored.columns))
            sent = 0

            def lines() -> Iterator[bytes]:
                nonlocal sent
                block: list[bytes] = []
                size = 0
                for row in rows:
                    sent += 1
                    block.append(row.line)
                    size += len(row.line)
                    if size >= _BLOCK:
                        yield b"".join(block)
                        block, size = [], 0
                yield b"".join(block)

            if stored.files:
                server.write(f"INSERT INTO {target} ({names}) FORMAT JSONEachRow", lines())
            now = _count(server, target)
            if now - before != sent:
                raise ClickHouseError(f"{address.name} has {now} rows, and had {before} before {sent} were sent")
    return sent


def _count(server: ClickHouse, target: str) -> int:
    return int(server.rows(f"SELECT count() FROM {target}")[0][0])  # noqa: S608 - quoted
