"""`object-store scrub`: reads packs back in turn, every day so many bytes, and tells what is not as it was committed.

Exit status: 0 all that was read, and all that is listed, is as it was committed; 1 something is not, and is named with
the files concerned; 2 it could not be done.

The rule: the age of a pack does not matter, only when it was last read. It changes nothing in the store; the next run
of the archive stores what is damaged again, if it is still on this machine.
"""

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive.proof import miss, prove
from workloads.context import Context, Options, Told, Work, ended, opened
from workloads.receipt import Receipt, Status, of_folder, said
from workloads.running import begun_receipt, concluded, end, ended_receipt
from workloads.table import megabytes, print_table

_PACKS_MAXIMUM: Final = 100_000


@dataclass(frozen=True)
class ScrubOptions(Options):
    """The options of `scrub`.

    Attributes:
        size: How many bytes a day, in place of the configured number.
        show: Read nothing; list when each pack was last read.
    """

    size: int | None = None
    show: bool = False


def kind_of(work: Work) -> str:
    """The kind of the receipts."""
    return f"{work.name}.scrub"


def run(options: ScrubOptions, work: Work) -> ExitCode:
    """Read packs back, write the receipt, and print the summary; or list the proofs."""
    try:
        with opened(options, work) as context:
            if options.show:
                context.follow()
                return _listed(context)
            receipt, oldest = _scrubbed(context, options)
    except Told as error:
        return ended(error)
    return concluded(options, receipt, lambda one: _show(one, oldest), wrong=receipt.failed)


def _scrubbed(context: Context, options: ScrubOptions) -> tuple[Receipt, float | None]:
    notes = _other_store(context, kind_of(context.work))
    receipt = begun_receipt(context, kind_of(context.work))
    state, machine = context.state, context.machine
    size = context.settings.scrub.bytes_a_day if options.size is None else options.size
    proven: dict[str, str] = {}
    status: Status = "complete"
    error = ""
    oldest = None
    try:
        followed = context.follow()
        miss(state, machine, context.bucket, followed.there, receipt.expires_after_days)
        with context.doing("reading packs back") as tell:
            proven = prove(context.store, context.bucket, machine, state, _PACKS_MAXIMUM, tell, size, followed.needs)
        oldest = state.oldest_proof(machine)
        if notes or any(proven.values()):
            status = "incomplete"
    except KeyboardInterrupt:
        end(context, ended_receipt(receipt, "stopped", "", (), proven, notes), sent=False)
        raise
    except Told as fault:
        state.judge(fault)
        status, error = "failed", said(fault)
    return end(context, ended_receipt(receipt, status, error, (), proven, notes), sent=True), oldest


def _other_store(context: Context, kind: str) -> list[str]:
    """What is wrong if the last run of a kind on this machine was about another store."""
    runs = [one for one in of_folder(context.receipts) if one.kind in (kind, context.work.kind) and one.ended_at]
    mine = [one for one in runs if one.machine == context.machine and one.status in ("complete", "incomplete")]
    last = max((one for one in mine if one.kind == kind), key=lambda one: one.started_at, default=None)
    last = last or max(mine, key=lambda one: one.started_at, default=None)
    if last is None or last.store == context.place:
        return []
    return [f"the receipts until {last.started_at:%Y-%m-%d} are of {last.store}, and this run is of {context.place}"]


def _listed(context: Context) -> ExitCode:
    packs = context.state.packs(context.machine)
    rows = [
        {
            "pack": pack.key,
            "bytes": pack.size,
            "stored_at": _when(pack.stored_at.timestamp()),
            "proven_at": _when(context.state.proof_of(pack.key)),
        }
        for pack in packs
    ]
    if context.options.as_json:
        sys.stdout.write(json.dumps({"packs": rows}, indent=1) + "\n")
        return ExitCode.DONE
    headings = ("last read (UTC)", "stored (UTC)", "size", "pack")
    print_table(
        headings,
        (
            (str(row["proven_at"])[:16], str(row["stored_at"])[:16], megabytes(pack.size), pack.key)
            for row, pack in zip(rows, packs, strict=True)
        ),
        right=("size",),
    )
    return ExitCode.DONE


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _show(receipt: Receipt, oldest: float | None) -> None:
    """Print the summary."""
    console = Console()
    lines = [wrong for wrong in receipt.proven.values() if wrong]
    lines += receipt.notes
    since = f"; each was read since {_when(oldest)[:10]}" if oldest is not None else ""
    lines.append(f"{sum(not wrong for wrong in receipt.proven.values())} packs came back as committed{since}")
    lines.append(f"{receipt.status}: receipt {receipt.file_name}")
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
