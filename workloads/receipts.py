"""`object-store receipts`: what the runs did, the newest first, failures marked.

Exit status: 0 the last run of each machine is complete and in time, and nothing went missing in silence; 1 one is not,
or something did; 2 it cannot tell.
"""

import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive import clock
from workloads.context import Context, Options, Told, Work, ended, opened
from workloads.receipt import Receipt, late, newest_first, of_folder, of_store, unproven, until
from workloads.silence import of_work, silences
from workloads.table import megabytes, print_table
from workloads.window.beside import lines_of


def run(options: Options, work: Work, days: int) -> ExitCode:
    """List the receipts of the store and of the local folder."""
    try:
        with opened(options, work, locked=False) as context:
            now = _after_open_runs(context)
            since = now - timedelta(days=days)
            recorded = receipts_of(context, since)
            runs = of_work(until(recorded, now), context.settings)
            overdue = late(runs, work.kind, work.every(context.settings), now)
            within = work.proven_within_days
            unsure = unproven(runs, work.name, within, now) if within is not None else {}
            silent = silences(context, runs, now)
            if not any(one.kind == work.kind for one in recorded):
                silent.append(f"no run of {work.kind} is recorded in {context.place}, or on this machine")
    except Told as error:
        return ended(error)
    found = [one for one in runs if one.started_at >= since]
    if options.as_json:
        sys.stdout.write(json.dumps([one.model_dump(mode="json") for one in found], indent=1) + "\n")
    else:
        _show(found)
    alarms = sys.stderr if options.as_json else sys.stdout
    for machine, when in overdue.items():
        last = f"{when:%Y-%m-%d %H:%M} UTC" if when.year > 1 else "never"
        alarms.write(f"LATE {printable(machine)}: the last complete run was {last}\n")
    for machine, proven_at in unsure.items():
        text = f"{proven_at:%Y-%m-%d %H:%M} UTC" if proven_at else "never"
        alarms.write(f"UNPROVEN {printable(machine)}: a restore was last proven {text}\n")
    for text in silent:
        alarms.write(f"SILENT {printable(text)}\n")
    for one in recorded:
        if not until([one], now):
            alarms.write(f"NOT COUNTED {printable(one.key)}: it began in a time to come, so a clock is wrong\n")
    last_of: dict[tuple[str, str], Receipt] = {}
    for one in found:
        last_of.setdefault((one.machine, one.kind), one)
    bad = overdue or unsure or silent or any(one.failed for one in last_of.values())
    return ExitCode.WRONG if bad else ExitCode.DONE


def _after_open_runs(context: Context) -> datetime:
    """The time at which no run of this machine is open, or at which the wait for it is over."""
    until = time.monotonic() + context.options.wait_seconds
    while time.monotonic() < until:
        newest = newest_first(of_folder(context.receipts))
        kinds = {one.kind: one for one in reversed(newest) if one.machine == context.machine}
        if all(one.ended_at for kind, one in kinds.items() if kind.startswith(f"{context.work.name}.")):
            break
        time.sleep(_AGAIN_SECONDS)
    return clock.now_utc()


def receipts_of(context: Context, since: datetime) -> list[Receipt]:
    """The receipts of a workload, of this machine and since a time of the store, the newest first."""
    local = of_folder(context.receipts)
    sent = of_store(context.store, context.bucket, since, [one.run for one in local if one.ended_at])
    return [one for one in newest_first([*local, *sent]) if one.kind.startswith(f"{context.work.name}.")]


_AGAIN_SECONDS: Final = 5.0
_TEXTS: Final = ("", "started (UTC)", "machine", "run", "status")
_NUMBERS: Final = ("files", "read", "stored")


def _show(found: Sequence[Receipt]) -> None:
    rows = []
    for one in found:
        counts = [source.counts for source in one.sources]
        problems = [f"{source.name}: {source.problems[0]}" for source in one.sources if source.problems]
        problems += [wrong for wrong in one.proven.values() if wrong][:1]
        problems += lines_of(one.window)[:1] if one.window and not one.window.green else []
        what = one.error or "; ".join(problems) or (f"{len(one.pruned)} files removed" if one.pruned else "")
        status = "open" if one.ended_at is None else one.status
        rows.append(
            (
                "!" if one.failed else "",
                f"{one.started_at:%Y-%m-%d %H:%M}",
                one.machine,
                one.kind,
                status,
                str(sum(each.seen for each in counts)),
                megabytes(sum(each.content_bytes for each in counts)),
                megabytes(sum(each.stored_bytes for each in counts)),
                what,
            )
        )
    print_table((*_TEXTS, *_NUMBERS, "what"), rows, right=_NUMBERS)
    if not found:
        sys.stdout.write("no receipt\n")
