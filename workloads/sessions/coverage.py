"""`object-store sessions coverage`: what is on this machine and in no commit, and how long the packs last.

Exit status: 0 all is well; 1 a file is in no commit for too long, a run is late, or live files lean on old packs; 2 it
cannot tell.

The rule: it asks the store, not the memory of this machine. A file counts as archived only with all its bytes.
"""

import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from rich.console import Console

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive import clock
from workloads.archive.entry import Entry, shown
from workloads.archive.patience import StalledError
from workloads.archive.proof import faults
from workloads.archive.reading import sha256_of_file
from workloads.archive.source import Found, Refused, Root, SourceError, opened_root, told, walk
from workloads.context import SESSIONS, Context, Options, Told, ended, expires_after_days, opened
from workloads.receipt import Receipt, late, newest_first, of_folder, of_store, until
from workloads.sessions.archive import KIND
from workloads.settings import RENEW_DAYS_MAXIMUM
from workloads.silence import of_work, silences
from workloads.table import megabytes, print_table

_DAY = 86400.0
_SHOWN = 40
_STEPS = (0, 30, 90, 185, 366)


@dataclass(frozen=True)
class Uncovered:
    """A file that is in no commit with all its bytes.

    Attributes:
        source: Its source.
        path: Relative to the source.
        days: Since it was last written.
        size: Its bytes.
        archived: How many of them are archived.
    """

    source: str
    path: str
    days: float
    size: int
    archived: int


def run(options: Options) -> ExitCode:
    """Compare this machine with the store, and print what is not covered."""
    try:
        with opened(options, SESSIONS) as context:
            return _covered(context, context.follow().there)
    except Told as error:
        return ended(error)


def _covered(context: Context, there: Collection[str]) -> ExitCode:
    now = clock.now_utc()
    wrong: list[str] = []
    uncovered: list[Uncovered] = []
    files: Counter[str] = Counter()
    leaning: Counter[str] = Counter()
    for name, path in context.roots.items():
        try:
            root = opened_root(path)
            for one in _files(root, name, wrong):
                files[name] += 1
                held = _held(context, name, one, there)
                if held is not None and _is_whole(root, one, held):
                    leaning.update(held.packs)
                else:
                    days = (now.timestamp() - one.status.st_mtime) / _DAY
                    archived = min(held.size, one.status.st_size) if held is not None else 0
                    uncovered.append(Uncovered(name, shown(one.path), days, one.status.st_size, archived))
        except SourceError as fault:
            wrong.append(f"{name}: {fault}")
        except StalledError as fault:
            wrong.append(f"{path}: {fault}")
    uncovered.sort(key=lambda one: one.days, reverse=True)
    alarm = context.settings.sessions.alarm_after_days
    overdue = sum(one.days >= alarm for one in uncovered)
    if overdue:
        wrong.append(
            f"{overdue} files were last written {alarm} days ago or more and are in no commit: other programs delete "
            "them after 30 days"
        )
    lasts, old = _lasts(context, leaning, now.timestamp())
    if old:
        wrong.append(
            f"{old} packs that live files lean on are older than {RENEW_DAYS_MAXIMUM} days: "
            "run `object-store sessions archive`"
        )
    since = now - timedelta(days=60)
    known_receipts = of_folder(context.receipts)
    sent = of_store(context.store, context.bucket, since, [one.run for one in known_receipts if one.ended_at])
    runs = of_work(until(newest_first([*known_receipts, *sent]), now), context.settings)
    for machine, when in late(runs, KIND, SESSIONS.every(context.settings), now).items():
        last = f"{when:%Y-%m-%d %H:%M} UTC" if when.year > 1 else "never"
        wrong.append(f"{machine}: the last complete run was {last}")
    if context.machine not in {one.machine for one in runs if one.kind == KIND}:
        wrong.append(f"{context.machine}: no run is recorded")
    wrong += silences(context, [one for one in runs if one.kind.startswith(f"{SESSIONS.name}.")], now)
    wrong += faults(context.state, context.machine).values()
    wrong += _last_problems(context, runs)
    return _judged(context, files, uncovered, lasts, wrong)


def _last_problems(context: Context, runs: Iterable[Receipt]) -> Iterator[str]:
    """What the last run of this machine found wrong with each source."""
    last = next((one for one in runs if (one.kind, one.machine) == (KIND, context.machine)), None)
    for source in last.sources if last is not None else ():
        for problem in source.problems:
            yield f"{source.name}: in the last run: {problem}"


def _judged(
    context: Context, files: Counter[str], uncovered: list[Uncovered], lasts: dict[str, int], wrong: list[str]
) -> ExitCode:
    """Print the report; the exit status says whether anything is wrong."""
    now, oldest = clock.now_utc(), context.state.oldest_proof(context.machine)
    report = {
        "machine": context.machine,
        "files": dict(files),
        "uncovered": [vars(one) for one in uncovered],
        "packs_by_days_left": lasts,
        "oldest_proof_days": None if oldest is None else round((now.timestamp() - oldest) / _DAY, 1),
        "closed_commits": len(context.state.closed(context.machine)),
        "wrong": wrong,
    }
    if context.options.as_json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        _show(report, uncovered)
    return ExitCode.WRONG if wrong else ExitCode.DONE


def _files(root: Root, name: str, wrong: list[str]) -> Iterator[Found]:
    for one in walk(root):
        if isinstance(one, Refused):
            if one.loses:
                wrong.append(f"{name}: {told(one)}")
        elif stat.S_ISREG(one.status.st_mode):
            yield one


def _held(context: Context, source: str, found: Found, there: Collection[str]) -> Entry | None:
    """What is archived of a file, if the store still has all of it: a pack may be gone, and its commit not."""
    known = context.state.newest(context.machine, source, found.path)
    if known is None or known.staged or known.entry.kind != "file" or not known.entry.packs.issubset(there):
        return None
    return known.entry


def _is_whole(root: Root, found: Found, held: Entry) -> bool:
    """Whether all bytes of a file are archived; a file with another time is read."""
    if held.size != found.status.st_size:
        return False
    if held.mtime_ns == found.status.st_mtime_ns:
        return True
    return sha256_of_file(os.path.join(root.base, found.path)) == held.sha256


def _lasts(context: Context, leaning: Iterable[str], now: float) -> tuple[dict[str, int], int]:
    """The packs that live files lean on, counted by the days that they have left; and how many are too old."""
    expires = expires_after_days(SESSIONS)
    lasts = {f"{low} to {high - 1}": 0 for low, high in pairwise(_STEPS)} | {"gone": 0}
    old = 0
    for key in leaning:
        pack = context.state.pack(key)
        age = (now - pack.stored_at.timestamp()) / _DAY if pack is not None else float("inf")
        old += age > RENEW_DAYS_MAXIMUM
        left = (expires if expires is not None else _STEPS[-1] - 1 + age) - age
        step = next((f"{low} to {high - 1}" for low, high in pairwise(_STEPS) if low <= left < high), None)
        lasts[step if step is not None else "gone" if left < 0 else f"{_STEPS[-2]} to {_STEPS[-1] - 1}"] += 1
    return lasts, old


def _show(report: Mapping[str, object], uncovered: list[Uncovered]) -> None:
    console = Console()
    if uncovered:
        print_table(
            ("days", "source", "file", "size", "archived"),
            (
                (f"{one.days:.1f}", one.source, one.path, megabytes(one.size), megabytes(one.archived))
                for one in uncovered[:_SHOWN]
            ),
            right=("days", "size", "archived"),
        )
        if len(uncovered) > _SHOWN:
            console.print(f"and {len(uncovered) - _SHOWN} more (--json has all)")
    files = report["files"]
    total = sum(files.values()) if isinstance(files, dict) else 0
    lasts = report["packs_by_days_left"]
    console.print(f"{total} files, {len(uncovered)} in no commit", highlight=False)
    if isinstance(lasts, dict):
        left = ", ".join(f"{count} with {step}" for step, count in lasts.items() if count) or "none"
        console.print(f"packs by the days that they have left: {left}", highlight=False)
    if report["closed_commits"]:
        text = f"{report['closed_commits']} commits are encrypted, and no identity opens them (--identity FILE): "
        console.print(f"{text}what only they hold counts as in no commit", highlight=False, soft_wrap=True)
    wrong = report["wrong"]
    for text in wrong if isinstance(wrong, list) else ():
        console.print(f"WRONG {printable(text)}", markup=False, highlight=False, soft_wrap=True)
