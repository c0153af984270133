"""The course of a command that leaves a receipt, and what it refuses.

The rule: the receipt is kept before anything else is done, and again at the end, and then goes to the store.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem, key_path
from object_store import ObjectStoreError
from workloads.archive import clock
from workloads.archive.commit import new_run
from workloads.context import Context, Options, ended, expires_after_days
from workloads.receipt import Receipt, SourceReceipt, Status, keep, said, send, send_begun, withheld

BASELINE_DAYS: Final = 28
"""What is there is compared with what was there on all of these days."""
LOSS_SHARE: Final = 0.2
LOSS_FLOOR: Final = 5
"""Fewer missing files than this are no loss, even if they are all."""
PROOFS_A_RUN: Final = 2
"""Packs of earlier runs that each run reads back, the longest unread first."""


def begun_receipt(context: Context, kind: str) -> Receipt:
    """The receipt at the beginning of a run; it is kept at once, so that a run that is killed leaves one."""
    now = clock.now_utc()
    receipt = Receipt(
        kind=kind,
        run=new_run(now),
        machine=context.machine,
        store=context.place,
        started_at=now,
        expires_after_days=expires_after_days(context.work),
    )
    keep(receipt, context.receipts)
    with suppress(ObjectStoreError):  # if the store is away, the run itself will say so
        send_begun(receipt, context.store, context.bucket)
    return receipt


def ended_receipt(
    receipt: Receipt,
    status: Status,
    error: str,
    sources: Sequence[SourceReceipt],
    proven: dict[str, str],
    notes: Sequence[str],
) -> Receipt:
    """The receipt at the end of its run."""
    return receipt.model_copy(
        update={
            "ended_at": clock.now_utc(),
            "status": status,
            "error": error,
            "sources": tuple(sources),
            "proven": proven,
            "notes": tuple(notes),
        }
    )


def end(context: Context, receipt: Receipt, *, sent: bool) -> Receipt:
    """Keep a receipt, and send it; one that cannot be sent says so."""
    keep(receipt, context.receipts)
    if not sent:
        return receipt
    try:
        send(withheld(receipt) if context.keys.recipients else receipt, context.store, context.bucket)
    except ObjectStoreError as fault:
        status: Status = "failed" if receipt.status == "failed" else "incomplete"
        receipt = receipt.model_copy(
            update={"status": status, "notes": (*receipt.notes, f"the receipt is only on this machine: {said(fault)}")}
        )
        keep(receipt, context.receipts)
    return receipt


def concluded(options: Options, receipt: Receipt, show: Callable[[Receipt], None], *, wrong: bool) -> ExitCode:
    """Print a receipt in the form that was asked for.

    Args:
        options: The command's options.
        receipt: The receipt at the end of the run.
        show: Prints its summary.
        wrong: Whether something is left to do.

    Returns:
        The command's exit status.
    """
    if options.as_json:
        sys.stdout.write(receipt.to_text())
    elif not options.quiet:
        show(receipt)
    if receipt.error:
        return ended(RuntimeError(receipt.error))
    return ExitCode.WRONG if wrong else ExitCode.DONE


def check_encryption(context: Context) -> None:
    """Refuse to go on in clear with an archive that is encrypted, and an identity that opens nothing of this run."""
    keys, settings = context.keys, context.settings
    place = key_path(context.where, "encryption")
    for name in context.roots:
        last = next(reversed(context.state.recipients(context.machine, name).values()), frozenset())
        if last and settings.encryption is None:
            raise InvalidInputError(
                [
                    Problem(
                        place,
                        f"is missing, but the archive of {context.machine}, {name} is encrypted",
                        "its recipients, or none to go on in clear",
                        f"encryption: {{recipients: [{', '.join(sorted(last))}]}}",
                    )
                ]
            )
    if keys.recipients and keys.identities:
        keys.check("what this run stores", keys.recipients)
