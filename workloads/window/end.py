"""`object-store window end`: from now on the store alone is written to.

Exit status: 0 the window has ended; 1 its gate is shut, and what keeps it so is named; 2 it cannot tell.

The rule: the gate is open if every machine that ran lately has seven green days in a row, both sides are equal now, and
`parity`, which is other code, says the same. What no commit names counts on neither side.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, key_path
from model.terminal_text import printable
from object_store.parity import parity
from object_store.parity_report import ParityReport
from workloads.archive import clock
from workloads.archive.commit import new_run
from workloads.archive.patience import Pulse, StalledError, Threads, waited
from workloads.context import Context, Options, Told, Work, ended, opened
from workloads.settings import Window, time_of
from workloads.window.beside import Looked
from workloads.window.layout import layout_of
from workloads.window.reconcile import opened_window
from workloads.window.record import Ended, record_end
from workloads.window.status import standing_of


@dataclass(frozen=True)
class EndOptions(Options):
    """The options of `end`.

    Attributes:
        reason: Why it ends.
    """

    reason: str = ""


def run(options: EndOptions, work: Work) -> ExitCode:
    """End the window, if its gate is open."""
    try:
        with opened(options, work, locked=False) as context:
            end = _ended(context, options.reason)
    except Told as error:
        return ended(error)
    if isinstance(end, Ended):
        _say(options, {"ended": end.model_dump(mode="json")}, [f"{work.name}: s3 since now: {end.reason}", end.key])
        return ExitCode.DONE
    _say(options, {"shut": end}, [f"shut: {line}" for line in end])
    return ExitCode.WRONG


def _ended(context: Context, reason: str) -> Ended | list[str]:
    """The end that was recorded, or what keeps the gate shut."""
    if not reason.strip():
        raise InvalidInputError([Problem("--reason", "is empty", "why it ends", "--reason 'seven days are green'")])
    window = opened_window(context)
    now = clock.now_utc()
    if time_of(window.since) > now:
        place = key_path(context.where, f"window.{context.work.name}.since")
        line = f'since: "{now:%Y-%m-%dT%H:%M:%SZ}"'
        raise InvalidInputError([Problem(place, f"{window.since} has not come yet", "a time that is past", line)])
    standing = standing_of(context)
    shut = standing.shut
    for one in standing.looked if not shut else ():
        shut += _differences(context, window, one)
    if shut:
        return shut
    end = Ended(
        workload=context.work.name,
        run=new_run(now),
        ended_at=now,
        reason=reason.strip(),
        machine=context.machine,
        nas="" if context.keys.recipients else window.nas,
        since=window.since,
        since_reason=window.reason,
        green_days={machine: days.green for machine, days in standing.days.items()},
        objects=sum(one.window.equal for one in standing.looked),
    )
    record_end(context, end)
    return end


def _differences(context: Context, window: Window, one: Looked) -> list[str]:
    """What `parity` says of what is committed."""
    committed = {each.key for each in one.files}
    if not committed:
        return []
    pulse, prefix = Pulse(), layout_of(context.work, one.machine).prefix
    threads = Threads(1, "parity")
    folder = Path(window.nas).expanduser() / prefix

    def compare() -> ParityReport:
        return parity(folder, context.store, context.bucket, prefix, progress=lambda _: pulse.beat())

    try:
        report = waited(threads.submit(compare), pulse)
    except StalledError as fault:
        return [f"parity of {folder} and the store: {fault}"]
    finally:
        threads.close()
    found = [(kind, key) for kind in ("missing", "extra", "different") for key in getattr(report, kind)]
    found += [("undecided", each.key) for each in report.undecided]
    return [f"{one.machine}: parity: {key} is {kind}" for kind, key in found if key in committed]


def _say(options: Options, document: object, lines: Sequence[str]) -> None:
    if options.as_json:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    for line in lines:
        sys.stdout.write(printable(line) + "\n")
