"""`object-store sessions prune`: removes what the configuration says from this machine, after it was read back.

Exit status: 0 what was old enough is gone; 1 something that was old enough is kept, and the receipt says why; 2 it
could not be done.

The rule: without `sessions.prune` in the configuration it removes nothing. The store keeps a session for a year only,
so a transcript that is removed here ends then. In the window between NAS and store both must hold it. Of an archive
that is encrypted nothing goes without an identity: only what was opened is proven.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, key_path
from model.terminal_text import printable
from workloads.archive import clock
from workloads.archive.entry import shown
from workloads.archive.holders import CannotTellError
from workloads.archive.prune import Pruned, Rule, prune, put_back
from workloads.archive.source import opened_root
from workloads.context import SESSIONS, Context, Options, Told, ended, opened
from workloads.receipt import Receipt, Status, of_folder, of_store, said
from workloads.running import begun_receipt, concluded, end, ended_receipt
from workloads.settings import Prune
from workloads.window.beside import on_both_sides

KIND = "sessions.prune"


@dataclass(frozen=True)
class PruneOptions(Options):
    """The options of `prune`.

    Attributes:
        dry_run: Say what is old enough, and remove nothing.
    """

    dry_run: bool = False


def run(options: PruneOptions) -> ExitCode:
    """Remove what is old and proven, and write the receipt."""
    try:
        with opened(options, SESSIONS) as context:
            rule = context.settings.sessions.prune
            if rule is None:
                line = "prune: {after_days: 30, sources: [claude-projects]}"
                where = key_path(context.where, "sessions.prune")
                raise InvalidInputError([Problem(where, "is missing, so nothing is removed", "an opt-in", line)])
            if context.keys.recipients and not context.keys.identities:
                problem = "is missing, so it is not proven that the archive can be opened"
                raise InvalidInputError([Problem("--identity", problem, "the secret key's file", "--identity FILE")])
            receipt = _pruned(context, rule, options)
    except (*Told, CannotTellError) as error:
        return ended(error)
    return concluded(options, receipt, partial(_show, dry_run=options.dry_run), wrong=bool(receipt.kept))


def _pruned(context: Context, rule: Prune, options: PruneOptions) -> Receipt:
    receipt = begun_receipt(context, KIND)
    before = (receipt.started_at - timedelta(days=rule.after_days)).timestamp()
    removed: list[tuple[str, str]] = []
    kept: list[str] = []
    notes: list[str] = []
    error = ""
    try:
        notes = [f"put aside by a prune that was killed{left}" for left in put_back(context.state)]
        context.follow()
        receipts = _receipts(context)
        held = on_both_sides(context)
        for name in rule.sources:
            if name in context.roots:
                done = _source(
                    context, Rule(context.machine, name, before, receipts, options.dry_run, context.keys, held)
                )
                removed += [(f"{name}/{shown(path)}", commit) for path, commit in done.removed]
                kept += [f"{name}/{shown(path)}: {why}" for path, why in done.kept]
    except (*Told, CannotTellError) as fault:
        context.state.judge(fault)
        error = said(fault)
    status: Status = "failed" if error else "incomplete" if kept else "complete"
    over = ended_receipt(receipt, status, error, (), {}, notes)
    over = over.model_copy(update={"pruned": tuple(removed), "kept": tuple(kept)})
    return end(context, over, sent=not options.dry_run)


def _receipts(context: Context) -> dict[str, float]:
    """When each commit's receipt was written, by the commit's key: of this machine, local or in the store."""
    local = of_folder(context.receipts)
    ended_runs = [one.run for one in local if one.ended_at]
    sent = of_store(context.store, context.bucket, clock.now_utc() - timedelta(days=400), ended_runs)
    return {
        source.commit: one.ended_at.timestamp()
        for one in (*local, *sent)
        if one.ended_at is not None and one.machine == context.machine and one.status in ("complete", "incomplete")
        for source in one.sources
        if source.commit
    }


def _source(context: Context, rule: Rule) -> Pruned:
    root = opened_root(context.roots[rule.source])
    with context.doing(f"reading {rule.source} back") as tell:
        return prune(root, rule, context.store, context.bucket, context.state, progress=tell)


def _show(receipt: Receipt, *, dry_run: bool) -> None:
    console = Console()
    for line in receipt.kept:
        console.print(f"kept {printable(line)}", markup=False, highlight=False, soft_wrap=True)
    verb = "would be removed" if dry_run else "removed"
    until = f"; the store keeps them for {receipt.expires_after_days} days" if receipt.expires_after_days else ""
    text = f"{len(receipt.pruned)} files {verb}, {len(receipt.kept)} kept{until}"
    console.print(text, markup=False, highlight=False, soft_wrap=True)
