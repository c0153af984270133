"""`object-store otel gaps`: what the table holds and the store does not.

Exit status: 0 nothing is missing; 1 something is, and is listed; 2 it cannot tell.

The rule: it compares by id, as the export does, and changes nothing. No count comes of a listing or an answer that was
cut short.
"""

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

from model.exit_codes import ExitCode
from workloads.archive import clock
from workloads.context import OTEL, Context, Told, ended, opened
from workloads.otel.calendar import SETTLES, begin_of, days_to_look_at, filled, is_aged, is_too_short
from workloads.otel.clickhouse import ClickHouse
from workloads.otel.day_commit import day_of
from workloads.otel.days import Day, Held, read_days
from workloads.otel.export import ExportOptions
from workloads.otel.server import opened_server
from workloads.otel.table import Table, ask, days_in, described, waiting
from workloads.otel.tally import difference
from workloads.table import print_table
from workloads.window.beside import both_sides, faults_of

_WAITS_SECONDS: Final = 3600
"""A file that is younger is on its way."""
_AHEAD: Final = timedelta(hours=1)
"""A clock that is further ahead than this is wrong."""
_TTL: Final = "give it a TTL of 7 days or more"
_RECONCILE: Final = "object-store window reconcile --workload otel"


@dataclass(frozen=True)
class Gap:
    """Something that is not stored.

    Attributes:
        day: The day; empty if it is about no day.
        kind: `uncommitted`, `late`, `damaged`, `lost`, `window`, `future`, `ttl`, `outbox` or
            `clock`.
        rows: How many rows, if it can be said.
        what: What is missing, and what to do.
        is_near: Whether the table's TTL is near.
    """

    day: str
    kind: str
    rows: int | None
    what: str
    is_near: bool = False


def run(options: ExportOptions) -> ExitCode:
    """List what is missing."""
    try:
        with opened(options, OTEL, locked=False) as context, opened_server(context) as server:
            first, last = options.days()
            gaps = _gaps(context, server, first, last)
    except Told as error:
        return ended(error)
    if options.as_json:
        sys.stdout.write(json.dumps({"gaps": [asdict(one) for one in gaps]}, indent=1) + "\n")
    elif gaps:
        rows = [(one.day, one.kind, "" if one.rows is None else str(one.rows), one.what) for one in gaps]
        print_table(("day", "gap", "rows", "what"), rows, right=("rows",))
    else:
        sys.stdout.write("nothing is missing\n")
    return ExitCode.WRONG if gaps else ExitCode.DONE


def _gaps(context: Context, server: ClickHouse, first: date | None, last: date) -> list[Gap]:
    now = clock.now_utc()
    table = described(server)
    counts = days_in(server, table)
    with context.doing("reading what is stored"):
        held = read_days(context.store, context.bucket)
    begin = begin_of([*counts, *held.days], table.ttl_days, now, last)
    gaps = lost_days(held, counts, begin)
    looked_at = days_to_look_at(counts, held.days, begin, first, last)
    gaps += [gap for day in sorted(held.days.keys() - set(looked_at)) for gap in _damaged(held.days[day])]
    gaps += _not_on_both_sides(context)
    gaps = [one for one in gaps if not one.day or (first or date.min).isoformat() <= one.day <= last.isoformat()]
    with context.doing("comparing the table"):
        for day in looked_at:
            gaps += _of_day(context, server, table, held.day(day), counts.get(day, 0), now)
    gaps += [
        Gap(day.isoformat(), "future", count, "the day has not come: the clock of who wrote these rows is wrong")
        for day, count in counts.items()
        if day > (now + _AHEAD).date()
    ]
    if is_too_short(table.ttl_days):
        gaps.append(
            Gap(
                "",
                "ttl",
                None,
                f"the table deletes a row after {table.ttl_days:.3g} days, before a daily export stores it: {_TTL}",
            )
        )
    ahead = waiting(server, table, now + _AHEAD, last)
    if ahead:
        gaps.append(Gap("", "clock", ahead, "received_at is in the future; they are exported once it has come"))
    return gaps + outbox(Path(context.settings.otel.outbox).expanduser(), now)


def lost_days(held: Held, table: Collection[date], begin: date) -> list[Gap]:
    """The days between stored ones that the table no longer has and the store never had."""
    stored = [day for day, one in held.days.items() if one.commits or one.faults]
    if not stored or min(stored) >= begin:
        return []
    return [
        Gap(day.isoformat(), "lost", None, "the table no longer has this day, and the store never had it")
        for day in filled([*stored, begin])
        if day < begin and day not in stored and day not in table
    ]


def _damaged(held: Day) -> list[Gap]:
    return [Gap(held.day.isoformat(), "damaged", None, text) for text in held.wounds()]


def _not_on_both_sides(context: Context) -> list[Gap]:
    """What one side lacks of what is committed, while the window between NAS and store is open."""
    looked = both_sides(context)
    if looked is None:
        return []
    if looked.window.missing:
        return [Gap("", "window", None, f"NAS missing: {looked.window.missing}")]
    unequal = sorted((one for one in looked.files if not one.equal), key=lambda one: one.key)
    gaps = []
    for day, group in groupby(unequal, key=lambda one: day_of(one.key)):
        faults = faults_of("", list(group))
        what = f"{len(faults)} objects are not on both sides, such as {faults[0]}: {_RECONCILE}"
        gaps.append(Gap(day, "window", None, what))
    return gaps


def _of_day(context: Context, server: ClickHouse, table: Table, held: Day, count: int, now: datetime) -> Sequence[Gap]:
    day = held.day.isoformat()
    gaps = _damaged(held)
    age = (now.date() - held.day).days
    near = table.ttl_days is not None and age >= context.settings.otel.alarm_after_days
    soon = f"; the table deletes it after {table.ttl_days:g} days, and it is {age} days old" if near else ""
    cut = now - SETTLES
    if not count and held.is_backfilled:
        return gaps
    aged = is_aged(held.day, table.ttl_days, now)
    for part, stored in held.slices().items():
        found = difference(ask(server, table, cut, part).tally, stored)
        if found.late or (found.gone and not aged):
            what = f"rows came after the export: object-store otel export --from {day} --to {day}{soon}"
            gaps.append(Gap(day, "late", found.late_ids, what, near))
    missing = held.missing()
    if missing:
        spans = ", ".join(one.name for one in missing[:3])
        whole = not held.slices()
        what = (
            f"{'it is' if whole else f'{spans} is'} not stored: object-store otel export --from {day} --to {day}{soon}"
        )
        gaps.append(Gap(day, "uncommitted", count if whole else None, what, near))
    return gaps


def outbox(folder: Path, now: datetime) -> list[Gap]:
    """What waits in the outbox for so long that nothing will drain it."""
    try:
        files = [(path, path.stat().st_mtime) for path in sorted(folder.iterdir()) if path.is_file()]
    except FileNotFoundError:
        return []
    gaps = []
    for suffix, what in (
        (".processing", "a crash left them, and nothing drains them: rename each to end in .json"),
        (".json", "they have not reached ClickHouse"),
    ):
        found = [path for path, when in files if path.name.endswith(suffix) and now.timestamp() - when > _WAITS_SECONDS]
        if found:
            gaps.append(Gap("", "outbox", len(found), f"{what}: {found[0]}"))
    return gaps
