"""`object-store sessions archive`: the daily run.

Exit status: 0 every source is archived; 1 something is missing or was not read, and the receipt names it; 2 the run
could not be done.

The rule: one source that fails does not keep the others from being archived. What was there in the last weeks and is
gone counts as a loss, source by source, unless other programs delete it by its age.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, nearest
from model.terminal_text import printable
from workloads.archive import clock
from workloads.archive.entry import shown
from workloads.archive.proof import miss, prove
from workloads.archive.prune import put_back
from workloads.archive.run import PACK_BYTES, Job, Outcome, archive
from workloads.archive.source import SourceError
from workloads.context import SESSIONS, Context, Options, Told, ended, opened
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
from workloads.table import megabytes, print_table
from workloads.window.beside import beside, lines_of

KIND = SESSIONS.kind
DELETED_AFTER_DAYS: Final = 25
"""Files that were last written this long ago may be deleted by the programs that wrote them (after 30 days)."""
_DAY: Final = 86400


@dataclass(frozen=True)
class ArchiveOptions(Options):
    """The options of `archive`.

    Attributes:
        meant: Sources that may be missing, empty or much smaller in this run.
    """

    meant: Sequence[str] = ()


def run(options: ArchiveOptions, *, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Archive every source, write the receipt, and print the summary."""
    try:
        with opened(options, SESSIONS) as context:
            _check_meant(context, options)
            receipt = _archived(context, options, stage)
    except Told as error:
        return ended(error)
    return concluded(options, receipt, show, wrong=receipt.failed)


def _check_meant(context: Context, options: ArchiveOptions) -> None:
    """Refuse a source that there is none of, before anything is sent."""
    known = tuple(context.roots)
    wrong = [name for name in options.meant if name not in known]
    if wrong:
        raise InvalidInputError(
            [
                Problem("--meant", f"unknown source {name!r}", ", ".join(known), f"--meant {nearest(name, known)}")
                for name in wrong
            ]
        )


def _archived(context: Context, options: ArchiveOptions, stage: Callable[[str], None] | None) -> Receipt:
    receipt = begun_receipt(context, KIND)
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
        closed = context.state.closed(context.machine)
        if closed:
            notes.append(
                f"{len(closed)} commits are encrypted, and no identity opens them: what they hold is stored again"
            )
        notes += [f"put aside by a prune that was killed{left}" for left in put_back(context.state)]
        for name, root in context.roots.items():
            one = _source(context, name, str(root), meant=name in options.meant, stage=stage)
            sources.append(one)
            if one.problems:
                status = "incomplete"
        with context.doing("reading old packs back") as tell:
            proven = prove(context.store, context.bucket, context.machine, context.state, PROOFS_A_RUN, tell)
        window = beside(context, sources, stage)
        if any(proven.values()) or (window is not None and not window.green):
            status = "incomplete"
    except KeyboardInterrupt:
        end(context, ended_receipt(receipt, "stopped", "", sources, proven, notes), sent=False)
        raise
    except Told as fault:
        context.state.judge(fault)
        status, error = "failed", said(fault)
    over = ended_receipt(receipt, status, error, sources, proven, notes).model_copy(update={"window": window})
    return end(context, over, sent=True)


def _source(
    context: Context,
    name: str,
    root: str,
    *,
    meant: bool,
    stage: Callable[[str], None] | None,
) -> SourceReceipt:
    """Archive one source, and judge what is missing."""
    state, machine, now = context.state, context.machine, clock.now_utc()
    job = Job(
        workload=SESSIONS.name,
        machine=machine,
        source=name,
        root=context.roots[name],
        bucket=context.bucket,
        renew_after_days=context.settings.sessions.renew_after_days,
        pack_bytes=PACK_BYTES,
        keys=context.keys,
    )
    with state.transaction():
        state.learn(machine, name)
    other = state.others(machine, name)
    problems = []
    if other is not None:
        problems.append(
            f"another installation ({other}) commits as machine {machine}, too: give each its own name (machine: NAME)"
        )
    outcome = Outcome()
    missing: list[bytes] = []
    try:
        with context.doing(f"archiving {name}") as tell:
            outcome = archive(job, context.store, state, progress=tell, stage=stage)
    except SourceError as fault:
        if not meant:
            off = f"in {context.where} sessions.sources: {name}: null"
            problems.append(f"{fault}; if that is meant: --meant {name}, or for ever {off}")
    else:
        since = now - timedelta(days=BASELINE_DAYS)
        young = now - timedelta(days=DELETED_AFTER_DAYS)
        missing = state.missing(name, now.timestamp(), since.timestamp(), int(young.timestamp() * 1e9))
        problems += outcome.problems
        if outcome.is_cut:
            missing = []  # nothing is known of what was not looked at
        elif not meant:
            problems += _losses(name, outcome.counts.seen, missing)
        elif missing:
            with state.transaction():
                state.gone(name, missing, "meant")
    return SourceReceipt(
        name=name,
        root=root,
        commit=outcome.commit,
        commit_sha256=outcome.commit_sha256,
        counts=outcome.counts,
        problems=tuple(problems),
        left_out=tuple(outcome.left_out),
        hollow=tuple(outcome.hollow),
        missing=len(missing),
    )


def _losses(name: str, seen: int, missing: Sequence[bytes]) -> list[str]:
    """What is wrong with the number of files."""
    meant = f"if that is meant: --meant {name}"
    if not seen:
        return [f"no file was found; {meant}"]
    if len(missing) >= LOSS_FLOOR and len(missing) > LOSS_SHARE * (seen + len(missing)):
        shares = f"{len(missing)} of {seen + len(missing)} files of the last {BASELINE_DAYS} days are gone"
        return [f"{shares}, such as {shown(missing[0])}; {meant}"]
    return []


_NUMBERS: Final = ("files", "new", "grown", "renewed", "unchanged", "read", "stored")


def show(receipt: Receipt) -> None:
    """Print the summary."""
    console = Console()
    rows = []
    for one in receipt.sources:
        counts = one.counts
        numbers = (counts.seen, counts.whole, counts.tails, counts.renewed, counts.unchanged)
        sizes = (megabytes(counts.content_bytes), megabytes(counts.stored_bytes))
        rows.append((one.name, *map(str, numbers), *sizes, "INCOMPLETE" if one.problems else "ok"))
    print_table(("source", *_NUMBERS, ""), rows, right=_NUMBERS)
    for one in receipt.sources:
        for problem in one.problems:
            console.print(f"{one.name}: {printable(problem)}", markup=False, highlight=False, soft_wrap=True)
        for name in one.hollow:
            text = f"{one.name}: {printable(name)} shrank by more than half; `sessions restore --at` has what it was"
            console.print(text, markup=False, highlight=False, soft_wrap=True)
        for left in one.left_out:
            console.print(f"{one.name}: left out: {printable(left)}", markup=False, highlight=False, soft_wrap=True)
    for key, wrong in receipt.proven.items():
        if wrong:
            console.print(f"{key}: {printable(wrong)}", markup=False, highlight=False, soft_wrap=True)
    for note in (*lines_of(receipt.window), *receipt.notes):
        console.print(printable(note), markup=False, highlight=False, soft_wrap=True)
    kept = f"; the store keeps it for {receipt.expires_after_days} days" if receipt.expires_after_days else ""
    console.print(f"{receipt.status}: receipt {receipt.file_name}{kept}", markup=False, highlight=False, soft_wrap=True)
