"""`object-store vault snapshot`: the vault as it is now, all of it.

Exit status: 0 the snapshot is complete; 1 a note or the history is missing from it, or many notes are gone, and the
receipt names them; 2 it could not be made.

The rule: a snapshot is the exact state, and leans only on packs that are younger than 30 days. How many notes there
were is taken from the commits of the last weeks, so neither a slow loss nor a lost state of this machine hides one.
"""

import fnmatch
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from rich.console import Console

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive import clock
from workloads.archive.proof import miss, prove
from workloads.archive.run import Job, archive
from workloads.context import VAULT, Context, Options, Told, ended, opened
from workloads.receipt import Receipt, SourceReceipt, Status, WindowReceipt, said
from workloads.running import (
    BASELINE_DAYS,
    LOSS_FLOOR,
    LOSS_SHARE,
    PROOFS_A_RUN,
    begun_receipt,
    check_encryption,
    concluded,
    end,
    ended_receipt,
)
from workloads.table import megabytes
from workloads.vault import git
from workloads.vault.history import store_history
from workloads.vault.snapshots import SOURCE, Snapshot, read_snapshots
from workloads.window.beside import beside, lines_of

PACK_BYTES: Final = 2**30
"""Size at which a pack is closed: a snapshot makes one, unless that is so much that a killed run should keep some."""
PACK_ENTRIES: Final = 50_000
"""Notes at which it is: they are in memory until it is stored."""


@dataclass(frozen=True)
class SnapshotOptions(Options):
    """The options of `snapshot`.

    Attributes:
        meant: The vault may be empty or much smaller in this run.
    """

    meant: bool = False


def run(options: SnapshotOptions, *, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Make a snapshot, write the receipt, and print the summary."""
    try:
        with opened(options, VAULT) as context:
            receipt = _stored(context, options, stage)
    except Told as error:
        return ended(error)
    return concluded(options, receipt, _show, wrong=receipt.failed)


def _stored(context: Context, options: SnapshotOptions, stage: Callable[[str], None] | None) -> Receipt:
    receipt = begun_receipt(context, VAULT.kind)
    sources: list[SourceReceipt] = []
    proven: dict[str, str] = {}
    notes: list[str] = []
    window: WindowReceipt | None = None
    status: Status = "complete"
    error = ""
    try:
        there = context.follow().there
        miss(context.state, context.machine, context.bucket, there, receipt.expires_after_days)
        with context.state.transaction():
            context.state.lost(context.machine, there)
        check_encryption(context)
        one = _source(context, options, notes, stage)
        sources.append(one)
        with context.doing("reading old packs back") as tell:
            proven = prove(context.store, context.bucket, context.machine, context.state, PROOFS_A_RUN, tell)
        window = beside(context, sources, stage)
        if one.problems or any(proven.values()) or (window is not None and not window.green):
            status = "incomplete"
    except KeyboardInterrupt:
        end(context, ended_receipt(receipt, "stopped", "", sources, proven, notes), sent=False)
        raise
    except Told as fault:
        status, error = "failed", said(fault)
    over = ended_receipt(receipt, status, error, sources, proven, notes).model_copy(update={"window": window})
    return end(context, over, sent=True)


def _source(
    context: Context, options: SnapshotOptions, notes: list[str], stage: Callable[[str], None] | None
) -> SourceReceipt:
    """Store the history and then the notes, and judge how many there are."""
    root, state, machine, settings = context.roots[SOURCE], context.state, context.machine, context.settings.vault
    since = clock.now_utc() - timedelta(days=BASELINE_DAYS)
    last, damaged = read_snapshots(context.store, context.bucket, machine, since)
    problems = [*damaged.values()]
    other = state.others(machine, SOURCE)
    if other is not None:
        problems.append(
            f"another installation ({other}) commits as machine {machine}, too: give each its own name (machine: NAME)"
        )
    with context.doing("bundling the history of git"):
        told = store_history(context, root, last, stage, meant=options.meant)
    problems += told.problems
    notes += told.notes

    def left_out(path: bytes) -> bool:
        name = os.fsdecode(path)
        return path == git.FOLDER or any(fnmatch.fnmatchcase(name, pattern) for pattern in settings.exclude)

    job = Job(
        workload=VAULT.name,
        machine=machine,
        source=SOURCE,
        root=root,
        bucket=context.bucket,
        renew_after_days=settings.renew_after_days,
        pack_bytes=PACK_BYTES,
        pack_entries=PACK_ENTRIES,
        keys=context.keys,
        exact=True,
        left_out=left_out,
        history=told.history,
        problems=tuple(problems),
        meant=options.meant,
    )
    with context.doing("storing the notes") as tell:
        outcome = archive(job, context.store, state, progress=tell, stage=stage)
    problems = outcome.problems
    missing = 0
    if not options.meant and not outcome.is_cut:
        missing = _missing(last, outcome.counts.seen + outcome.unread)
        problems += _losses(outcome.counts.seen, missing)
    return SourceReceipt(
        name=SOURCE,
        root=str(root),
        commit=outcome.commit,
        commit_sha256=outcome.commit_sha256,
        counts=outcome.counts,
        problems=tuple(problems),
        left_out=tuple(outcome.left_out),
        hollow=tuple(outcome.hollow),
        missing=missing,
    )


def _missing(last: Sequence[Snapshot], there: int) -> int:
    """How many fewer notes there are than in any snapshot of the last weeks, since a loss that was meant."""
    most = 0
    for one in last:
        most = max(most, one.commit.counts.seen)
        if one.commit.meant:
            break
    return max(0, most - there)


def _losses(seen: int, missing: int) -> list[str]:
    """What is wrong with the number of notes."""
    if not seen:
        return ["no note was found, and no snapshot was made; if that is meant: --meant"]
    if missing >= LOSS_FLOOR and missing > LOSS_SHARE * (seen + missing):
        return [f"there are {missing} notes fewer than in the last {BASELINE_DAYS} days; if that is meant: --meant"]
    return []


def _show(receipt: Receipt) -> None:
    """Print the summary."""
    console = Console()
    lines = []
    for one in receipt.sources:
        counts = one.counts
        lines.append(
            f"{counts.seen} notes, {megabytes(counts.seen_bytes)}: {counts.unchanged} as before, {counts.packs} packs "
            f"with {megabytes(counts.stored_bytes)} stored"
        )
        lines += one.problems
        lines += [f"{name} shrank by more than half; `vault restore --at` has what it was" for name in one.hollow]
        lines += [f"left out: {left}" for left in one.left_out]
    lines += [f"{key}: {wrong}" for key, wrong in receipt.proven.items() if wrong]
    lines += [*lines_of(receipt.window), *receipt.notes]
    kept = f"; the store keeps it for {receipt.expires_after_days} days" if receipt.expires_after_days else ""
    lines.append(f"{receipt.status}: receipt {receipt.file_name}{kept}")
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
