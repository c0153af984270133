"""What the receipts do not say: a source, a read-back or a commit that went missing without a run that failed.

The rule: what was there in the last weeks must still be there, each source for itself. A machine that is switched off
for good is named in `retired`; nothing else silences it before its receipts have expired.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from object_store import NotFound
from workloads.archive.proof import has_expired
from workloads.context import Context, Work, expires_after_days
from workloads.receipt import Receipt, SourceReceipt, late
from workloads.running import BASELINE_DAYS
from workloads.settings import Workloads

_UNSCRUBBED_DAYS: Final = 7
"""A new machine has so long for its first scrub."""


def silences(context: Context, runs: Sequence[Receipt], now: datetime) -> list[str]:
    """What went missing in silence: sources, scrubs, commits, and the store itself.

    Args:
        context: The opened store.
        runs: The receipts of the workload, without those of retired machines, the newest first.
        now: The time.

    Raises:
        ObjectStoreError: The store is away, or denies it.
    """
    settings, work = context.settings, context.work
    off = {(context.machine, name) for name, path in settings.sessions.sources.items() if path is None}
    return [
        *_other_store(context, runs),
        *lost_sources(runs, work, settings, off, now),
        *unscrubbed(runs, work, settings, now),
        *_lost_commits(context, runs, now),
    ]


def of_work(runs: Iterable[Receipt], settings: Workloads) -> list[Receipt]:
    """The receipts of the machines that are to run."""
    return [one for one in runs if one.machine not in settings.retired]


def lost_sources(
    runs: Sequence[Receipt], work: Work, settings: Workloads, off: set[tuple[str, str]], now: datetime
) -> list[str]:
    """The sources that a machine archived in the last weeks, and not as a whole within two periods.

    Args:
        runs: The receipts, the newest first.
        work: The workload.
        settings: The configuration.
        off: Machine and source of those that are switched off.
        now: The time.
    """
    within = 2 * work.every(settings)
    overdue = late(runs, work.kind, work.every(settings), now)
    since: dict[tuple[str, str], datetime] = {}
    whole: dict[tuple[str, str], datetime] = {}
    for one in runs:
        if one.kind != work.kind or now - one.started_at > timedelta(days=BASELINE_DAYS) or one.machine in overdue:
            continue
        for source in one.sources:
            key = (one.machine, source.name)
            since[key] = one.started_at  # at the end it is the first time
            if not source.problems:
                whole.setdefault(key, one.started_at)
    return [
        f"{machine}: the source {name} was last archived as a whole {_told(whole.get((machine, name)))}; if it is "
        f"meant to be gone: {name}: null"
        for (machine, name), first in sorted(since.items())
        if (machine, name) not in off and now - whole.get((machine, name), first) > within
    ]


def unscrubbed(runs: Sequence[Receipt], work: Work, settings: Workloads, now: datetime) -> list[str]:
    """The machines whose packs were not read back in turn within two periods."""
    within = timedelta(days=2 * settings.scrub.every_days)
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    for one in runs:
        if one.kind == work.kind:
            first[one.machine] = one.started_at
        if one.kind == f"{work.name}.scrub" and one.status in ("complete", "incomplete"):
            last.setdefault(one.machine, one.started_at)
    return [
        f"{machine}: packs were last read back in turn {_told(last.get(machine))}: object-store scrub"
        for machine, began in sorted(first.items())
        if now - last.get(machine, began + timedelta(days=_UNSCRUBBED_DAYS) - within) > within
    ]


def _other_store(context: Context, runs: Iterable[Receipt]) -> list[str]:
    """What is wrong if this machine's last complete run was about another store."""
    for one in runs:
        if (one.kind, one.machine, one.status) == (context.work.kind, context.machine, "complete"):
            text = f"the receipt of {one.run} is of {one.store}, and this is {context.place}"
            return [] if one.store == context.place else [f"{one.machine}: {text}"]
    return []


def _lost_commits(context: Context, runs: Iterable[Receipt], now: datetime) -> list[str]:
    """The last commit of each source that receipts name and the store does not have."""
    last: dict[tuple[str, str], tuple[Receipt, SourceReceipt]] = {}
    for one in runs:
        for source in one.sources if one.kind == context.work.kind and one.store == context.place else ():
            if source.commit:
                last.setdefault((one.machine, source.name), (one, source))
    days = expires_after_days(context.work)
    return [
        f"{run.machine}: {source.commit} is gone, which the receipt of {run.run} names: {source.counts.seen} files of "
        f"{source.name}"
        for run, source in last.values()
        if not has_expired(run.started_at, days, now) and not _is_there(context, source.commit)
    ]


def _is_there(context: Context, key: str) -> bool:
    try:
        context.store.stat(context.bucket, key)
    except NotFound:
        return False
    return True


def _told(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC" if when is not None else "never"
