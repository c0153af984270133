"""`object-store otel export`: the event days of the table, to the store.

Exit status: 0 all that the table holds of the days is stored; 1 something of a day is not, and is named; 2 it could not
be done. What was committed stays, and the same command goes on.

The rule: each run compares what the table holds of every day with what is stored, by id and not by time, so a row that
becomes visible late is found. Nothing is ever deleted in ClickHouse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from rich.console import Console

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive import clock
from workloads.archive.commit import Counts, sha256_of
from workloads.context import OTEL, Context, Options, Told, ended, opened
from workloads.otel.calendar import SETTLES, begin_of, days_asked, days_to_look_at, is_aged, last_day
from workloads.otel.day_commit import DayCommit
from workloads.otel.days import Day, Held, read_days
from workloads.otel.server import opened_server
from workloads.otel.slice_export import SPOOL, Course, UnsettledError, store_slice
from workloads.otel.span import Slice, divided
from workloads.otel.table import Table, ask, days_in, described, ids_of, rows_of
from workloads.otel.tally import difference
from workloads.otel.times import day_asked
from workloads.receipt import Receipt, SourceReceipt, Status, WindowReceipt, said
from workloads.running import begun_receipt, concluded, end, ended_receipt
from workloads.table import megabytes
from workloads.window.beside import beside, lines_of

SOURCE: Final = "otel-events"
_SAMPLED: Final = 50_000
"""The server names about so many ids of a day, by which it is divided."""
_SHARE: Final = 0.9
"""Of the rows that a slice may have, where not each id is named: such a count is not exact."""


@dataclass(frozen=True)
class ExportOptions(Options):
    """The options of `export`.

    Attributes:
        first: `--from`, a day; empty for the first that the table has.
        last: `--to`, likewise; empty for the last that has ended.
    """

    first: str = ""
    last: str = ""

    def days(self) -> tuple[date | None, date]:
        """The days that are meant. Raise InvalidInputError."""
        newest = last_day(clock.now_utc())
        return days_asked(day_asked("--from", self.first), day_asked("--to", self.last), newest)


@dataclass
class Exported:
    """What a run did.

    Attributes:
        commits: The commits that it made.
        days: How many days it looked at.
        problems: What is not stored, and why.
        notes: What a reader should know.
        root: Where the rows come from.
    """

    commits: list[DayCommit] = field(default_factory=list)
    days: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    root: str = ""


def run(options: ExportOptions, *, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Export, write the receipt, and print the summary."""
    days = 0
    try:
        with opened(options, OTEL) as context:
            options.days()
            receipt, days = receipted(
                context,
                OTEL.kind,
                lambda begun, done: _export(context, options, stage or (lambda _: None), begun, done),
                stage,
            )
    except Told as error:
        return ended(error)
    return concluded(options, receipt, lambda one: show(one, days), wrong=receipt.failed)


def receipted(
    context: Context,
    kind: str,
    work: Callable[[Receipt, Exported], None],
    stage: Callable[[str], None] | None = None,
) -> tuple[Receipt, int]:
    """Do the work of a run that leaves a receipt; in the window, complete the NAS after it.

    Args:
        context: The opened store, locked.
        kind: Of the receipt.
        work: Fills in what it did as it goes on, so that a run that fails says what it committed.
        stage: Called at each point where a kill must do no harm.

    Returns:
        The receipt, and how many days were looked at.
    """
    for left in context.state.folder.glob(f"{SPOOL}*"):
        left.unlink(missing_ok=True)  # of a killed run: this one has the lock
    receipt = begun_receipt(context, kind)
    done = Exported()
    window: WindowReceipt | None = None
    status: Status = "complete"
    error = ""
    try:
        work(receipt, done)
        window = beside(context, _sources(done), stage)
        if done.problems or (window is not None and not window.green):
            status = "incomplete"
    except KeyboardInterrupt:
        end(context, _ended(receipt, "stopped", "", done), sent=False)
        raise
    except Told as fault:
        context.state.judge(fault)
        status, error = "failed", said(fault)
    over = _ended(receipt, status, error, done).model_copy(update={"window": window})
    return end(context, over, sent=True), done.days


def _export(
    context: Context, options: ExportOptions, stage: Callable[[str], None], begun: Receipt, done: Exported
) -> None:
    with opened_server(context) as server:
        done.root = f"{server.address.url} {server.address.name}"
        table = described(server)
        cut = clock.now_utc() - SETTLES
        _export_days(Course(context, server, table, cut, begun.run, begun.started_at, stage), options, done)


def _ended(receipt: Receipt, status: Status, error: str, done: Exported) -> Receipt:
    return ended_receipt(receipt, status, error, _sources(done), {}, done.notes)


def _sources(done: Exported) -> tuple[SourceReceipt, ...]:
    """What a run did to the one source, for its receipt; nothing if it did not get so far."""
    if not done.root:
        return ()
    parts = [one.part for one in done.commits if one.part is not None]
    commits = {one.key: sha256_of(one.to_bytes()) for one in done.commits}
    last = next(reversed(commits), "")
    plain = sum(one.plain_bytes for one in parts)
    source = SourceReceipt(
        name=SOURCE,
        root=done.root,
        commit=last,
        commit_sha256=commits.get(last, ""),
        commits=commits if len(commits) > 1 else {},
        counts=Counts(
            seen=sum(one.rows for one in parts),
            seen_bytes=plain,
            content_bytes=plain,
            stored_bytes=sum(one.stored.size for one in parts),
            packs=len(parts),
        ),
        problems=tuple(done.problems),
    )
    return (source,)


def _export_days(course: Course, options: ExportOptions, done: Exported) -> None:
    context, table, now = course.context, course.table, clock.now_utc()
    first, last = options.days()
    counts = days_in(course.server, table)
    if not counts:
        done.problems.append(f"{table.address.name} holds no row, and nothing was committed")
        return
    held = stored_days(context)
    done.notes += _drift(held, table)
    begin = begin_of([*counts, *held.days], table.ttl_days, now, last)
    for day in days_to_look_at(counts, held.days, begin, first, last):
        done.days += 1
        try:
            _export_day(course, held.day(day), counts.get(day, 0), done)
        except UnsettledError as fault:
            done.problems.append(str(fault))
        course.stage("day")


def _drift(held: Held, table: Table) -> list[str]:
    """How the table's columns differ from those of the last commit; they are stored as they are."""
    commits = [one for day in held.days.values() for one in day.commits if one.origin == "clickhouse"]
    if not commits:
        return []
    last = max(commits, key=lambda one: (one.started_at, one.day, one.sequence))
    then, now = dict(last.columns), {one.name: one.type for one in table.columns}
    changes = [
        *(f"{name} {kind} is new" for name, kind in now.items() if name not in then),
        *(f"{name} is gone" for name in then if name not in now),
        *(f"{name} was {then[name]} and is {kind}" for name, kind in now.items() if then.get(name, kind) != kind),
    ]
    return [f"the table's columns changed since {last.started_at:%Y-%m-%d}: {', '.join(changes)}"] if changes else []


def stored_days(context: Context) -> Held:
    """What is stored, without what a scrub found damaged. Raise ObjectStoreError."""
    with context.doing("reading what is stored"):
        bad = [key for key, *_ in context.state.faults(context.machine)]
        return read_days(context.store, context.bucket, bad=bad)


def _export_day(course: Course, held: Day, count: int, done: Exported) -> None:
    """Store what the table holds of a day and the store does not."""
    if not count and held.is_backfilled:
        return
    aged = is_aged(held.day, course.table.ttl_days, clock.now_utc())
    wounds = held.wounds()
    wanted: list[tuple[Slice, Sequence[int] | None]] = []
    for part, stored in held.slices().items():
        found = difference(ask(course.server, course.table, course.cut, part).tally, stored)
        if found.gone_ids:
            why = "the table's TTL took them" if aged else "they were moved to another time, or deleted by hand"
            done.notes.append(f"{held.day}: the store holds {found.gone_ids} ids that the table no longer has: {why}")
        buckets = found.late if aged else sorted([*found.late, *found.gone])
        wanted += [(part, buckets)] if buckets else []
    wanted += [(part, None) for missing in held.missing() for part in _parts_of(course, missing)]
    for part, chosen in wanted:
        commit = store_slice(course, held, part, chosen, aged=aged)
        done.commits.append(commit)
        if commit.removed:
            done.problems.append(
                f"{held.day} {part.name}: the table's TTL took {commit.removed} ids while they were read; the other "
                f"{commit.held.ids} are stored"
            )
        course.stage("committed")
    left = held.wounds()
    done.notes += [f"{text}; it was stored again" for text in wounds if text not in left]


def _parts_of(course: Course, missing: Slice) -> Sequence[Slice]:
    """Divide what is missing into slices of about so many rows as the configuration says, at most."""
    rows = course.context.settings.otel.slice_rows
    count = rows_of(course.server, course.table, course.cut, missing)
    if count <= rows:
        return [missing]
    each = max(1, count // _SAMPLED)
    ids = ids_of(course.server, course.table, course.cut, missing, each)
    return divided(missing, ids, rows if each == 1 else max(1, int(rows / each * _SHARE)))


def show(receipt: Receipt, days: int) -> None:
    """Print the summary."""
    console = Console()
    lines = []
    for one in receipt.sources:
        counts = one.counts
        stored = f"{counts.seen} rows, {megabytes(counts.seen_bytes)}"
        lines.append(
            f"{days} days looked at: {stored}, stored in {counts.packs} parts with {megabytes(counts.stored_bytes)}"
        )
        lines += one.problems
    lines += [*lines_of(receipt.window), *receipt.notes]
    lines.append(f"{receipt.status}: receipt {receipt.file_name}")
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
