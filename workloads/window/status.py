"""`object-store window status`: whether the window is open, how many days are green, and what is missing on which side.

Exit status: 0 both sides are equal, or no window is open; 1 they are not; 2 it cannot tell.

The rule: nothing is written, and no count comes of a listing that was cut short.
"""

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive import clock
from workloads.archive.history import machines
from workloads.context import Context, Options, Told, Work, ended, opened
from workloads.receipts import receipts_of
from workloads.settings import Window, time_of
from workloads.window.beside import Looked, commits_of, faults_of, look
from workloads.window.gate import DAYS, Days, days_of
from workloads.window.layout import layout_of
from workloads.window.record import Ended, last_end, window_of

RECEIPT_DAYS = 400
"""Receipts that are older than this say nothing of what the store still has."""


@dataclass(frozen=True)
class Standing:
    """Where a window stands.

    Attributes:
        window: The open one; None if none is.
        end: The last end that was recorded.
        days: The green days of each machine that ran lately.
        looked: Both sides of each machine, or of the one archive that all share.
    """

    window: Window | None
    end: Ended | None
    days: dict[str, Days]
    looked: Sequence[Looked]

    @property
    def equal(self) -> bool:
        """Whether both sides of every machine are equal."""
        return all(one.window.green for one in self.looked)

    @property
    def shut(self) -> list[str]:
        """What keeps the gate of the end shut, without `parity`."""
        lines = [
            f"{machine}: {days.green} of {DAYS} days are green; {days.why}"
            for machine, days in self.days.items()
            if days.green < DAYS
        ]
        lines += [] if self.days else ["no machine has run in the window"]
        for one in self.looked:
            lines += [f"{one.machine}: {line}" for line in faults_of(one.window.missing, one.files)]
        return lines


def standing_of(context: Context) -> Standing:
    """Read the receipts, and compare both sides of all machines.

    Raises:
        DamagedError: A record of an end is none.
        ObjectStoreError: The store is away, denies it, or answers with a part of a listing.
    """
    window, end = window_of(context), last_end(context)
    if window is None or (end is not None and end.ended_at >= time_of(window.since)):
        return Standing(None, end, {}, ())
    now = clock.now_utc()
    receipts = receipts_of(context, now - timedelta(days=RECEIPT_DAYS))
    every = context.work.every(context.settings)
    days = days_of(receipts, context.work.kind, time_of(window.since), every, now)
    looked = []
    for machine in _archives(context, days):
        looked.append(look(context, window, machine, commits_of(context, receipts, machine), "nothing"))
        if looked[-1].window.missing:
            break  # the other machines' files are on the same NAS
    return Standing(window, end, days, looked)


def _archives(context: Context, ran: Collection[str]) -> list[str]:
    """The machines whose archives are compared; of an archive that all machines share, this one."""
    if layout_of(context.work, context.machine).is_shared:
        return [context.machine]
    return sorted({context.machine, *machines(context.store, context.bucket), *ran})


def run(options: Options, work: Work) -> ExitCode:
    """Show where the window stands."""
    try:
        with opened(options, work, locked=False) as context:
            standing = standing_of(context)
    except Told as error:
        return ended(error)
    if options.as_json:
        sys.stdout.write(json.dumps(_as_json(work, standing), indent=1) + "\n")
    else:
        for line in _lines(work, standing):
            sys.stdout.write(printable(line) + "\n")
    return ExitCode.DONE if standing.equal else ExitCode.WRONG


def _lines(work: Work, standing: Standing) -> list[str]:
    window, end = standing.window, standing.end
    ends = f" since {end.ended_at:%Y-%m-%d %H:%M} UTC: {end.reason}" if end is not None else ""
    if window is None:
        return [f"{work.name}: s3{ends}" if end is not None else f"{work.name}: s3, and never a window"]
    lines = [f"{work.name}: both, {window.nas} and the store, since {window.since}: {window.reason}"]
    lines += [f"it was s3{ends}"] if end is not None else []
    lines += [f"{machine}: {min(days.green, DAYS)} of {DAYS} days are green" for machine, days in standing.days.items()]
    for one in standing.looked:
        lines.append(f"{one.machine}: both sides hold {one.window.equal} objects, and not {one.window.unequal}")
    shut = standing.shut
    return [*lines, *(f"shut: {line}" for line in shut)] if shut else [*lines, "the gate of the end is open"]


def _as_json(work: Work, standing: Standing) -> dict[str, object]:
    window, end = standing.window, standing.end
    days = {machine: {"green": one.green, "of": DAYS, "why": one.why} for machine, one in standing.days.items()}
    return {
        "workload": work.name,
        "state": "s3" if window is None else "both",
        "since": window.since if window else end and end.ended_at.isoformat(),
        "reason": window.reason if window else end and end.reason,
        "nas": window and window.nas,
        "days": days,
        "machines": {one.machine: one.window.model_dump(mode="json") for one in standing.looked},
        "shut": standing.shut if window else [],
    }
