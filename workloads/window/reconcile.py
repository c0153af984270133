"""`object-store window reconcile`: completes each side from the one that has the right bytes.

Exit status: 0 both sides are equal; 1 something is left, and the receipt names it; 2 it could not be done.

The rule: right is what a receipt or a commit names by its SHA-256. What differs on the NAS is put aside, and never
removed; what differs in the store is named, because nothing there may be written over.
"""

from collections.abc import Callable
from datetime import timedelta

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, key_path
from model.terminal_text import printable
from workloads.archive import clock
from workloads.context import Context, Options, Told, Work, ended, opened
from workloads.receipt import Receipt, Status, said
from workloads.receipts import receipts_of
from workloads.running import begun_receipt, concluded, end, ended_receipt
from workloads.settings import Window
from workloads.window.beside import commits_of, lines_of, look
from workloads.window.record import last_end, open_window
from workloads.window.status import RECEIPT_DAYS


def run(options: Options, work: Work, *, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Complete both sides, and write the receipt."""
    try:
        with opened(options, work) as context:
            receipt = _reconciled(context, opened_window(context), stage)
    except Told as error:
        return ended(error)
    return concluded(options, receipt, _show, wrong=receipt.failed)


def opened_window(context: Context) -> Window:
    """The open window. Raise InvalidInputError without one, and what `open_window` raises."""
    window = open_window(context)
    if window is None:
        last = last_end(context)
        place = key_path(context.where, f"window.{context.work.name}")
        wrong = "is missing" if last is None else f"began before the window ended ({last.ended_at:%Y-%m-%dT%H:%M:%SZ})"
        now = f"{clock.now_utc():%Y-%m-%dT%H:%M:%SZ}"
        line = f'window: {{{context.work.name}: {{nas: FOLDER, since: "{now}", reason: TEXT}}}}'
        raise InvalidInputError([Problem(place, f"{wrong}, so there is one side only", "a window", line)])
    return window


def _reconciled(context: Context, window: Window, stage: Callable[[str], None] | None) -> Receipt:
    receipt = begun_receipt(context, f"{context.work.name}.reconcile")
    notes: list[str] = []
    status: Status = "complete"
    error = ""
    sides = None
    try:
        runs = receipts_of(context, clock.now_utc() - timedelta(days=RECEIPT_DAYS))
        found = look(context, window, context.machine, commits_of(context, runs, context.machine), "all", (), stage)
        sides, notes = found.window, list(found.done)
        if sides.missing:
            status, error = "failed", f"NAS missing: {sides.missing}"
        elif not sides.green:
            status = "incomplete"
    except Told as fault:
        status, error = "failed", said(fault)
    over = ended_receipt(receipt, status, error, (), {}, notes).model_copy(update={"window": sides})
    return end(context, over, sent=True)


def _show(receipt: Receipt) -> None:
    console = Console()
    for line in () if receipt.error else (*receipt.notes, *lines_of(receipt.window)):
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
