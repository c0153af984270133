"""`object-store vault drill`: restores the newest snapshot, compares all of it, and records that the way back works.

Exit status: 0 all came back, or with `--check` that was proven within the last 7 days; 1 something did not, or was not;
2 it could not be done.

The rule: what is compared is read from the disk again, by other code than that which wrote it, against the manifest of
the commit. The folder lies in this machine's state and is removed at the end; one that a killed drill left is removed
by the next.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console

from model.exit_codes import ExitCode
from model.terminal_text import printable
from workloads.archive import clock
from workloads.archive.commit import Counts
from workloads.archive.entry import Entry, parents_of, shown
from workloads.archive.pack import BLOCK
from workloads.archive.restore import remove_folder, restore
from workloads.context import VAULT, Context, Options, Told, ended, opened
from workloads.receipt import Receipt, SourceReceipt, Status, said, unproven, until
from workloads.receipts import receipts_of
from workloads.running import BASELINE_DAYS, begun_receipt, concluded, end, ended_receipt
from workloads.vault import git
from workloads.vault.restoring import bring_history, chosen
from workloads.vault.snapshots import SOURCE, first_key, read_entries

KIND: Final = "vault.drill"
_FOLDER: Final = "drill"
_NAMED: Final = 20
_SECOND_NS: Final = 10**9


@dataclass(frozen=True)
class DrillOptions(Options):
    """The options of `drill`.

    Attributes:
        check: Restore nothing; say whether a restore was proven in time.
    """

    check: bool = False


def run(options: DrillOptions) -> ExitCode:
    """Restore, compare, write the receipt, and print the summary."""
    try:
        with opened(options, VAULT, locked=not options.check) as context:
            if options.check:
                return _check(context)
            receipt = _drilled(context)
    except Told as error:
        return ended(error)
    return concluded(options, receipt, _show, wrong=receipt.failed)


def _check(context: Context) -> ExitCode:
    """Say when a restore of this machine's vault was last proven."""
    days, now = VAULT.proven_within_days or 0, clock.now_utc()
    recorded = until(receipts_of(context, now - timedelta(days=60)), now)
    runs = [one for one in recorded if one.machine == context.machine]
    last = max((one.restore_proven_at for one in runs if one.restore_proven_at), default=None)
    late = not runs or context.machine in unproven(runs, VAULT.name, days, now)
    when = f"{last:%Y-%m-%d %H:%M} UTC" if last else "never"
    text = f"{context.machine}: a restore was last proven {when}"
    if late:
        sys.stderr.write(printable(f"{text}, which must be within {days} days\n  write: object-store vault drill\n"))
    elif not context.options.quiet:
        sys.stdout.write(printable(f"{text}\n"))
    return ExitCode.WRONG if late else ExitCode.DONE


def _drilled(context: Context) -> Receipt:
    receipt = begun_receipt(context, KIND)
    folder = context.state.folder / _FOLDER
    _remove(folder)
    one = SourceReceipt(name=SOURCE, root=str(folder))
    try:
        snapshot, notes, damaged = chosen(context, context.machine, None)
        receipt = receipt.model_copy(update={"snapshot": snapshot.key})
        with context.doing("restoring") as tell:
            packs, entries = read_entries(context.store, context.bucket, snapshot.commit, context.keys)
            done = restore(
                context.store,
                context.bucket,
                entries,
                packs.get,
                folder,
                keys=context.keys,
                progress=tell,
                later=git.FOLDER,
            )
        with context.doing("comparing") as tell:
            problems, rounded = differences(entries, folder)
        wrong = bring_history(context, snapshot, folder)
        recent = first_key(context.machine, clock.now_utc() - timedelta(days=BASELINE_DAYS))
        problems += [what for key, what in damaged.items() if key >= recent] + ([wrong] if wrong else [])
        notes += [what for key, what in damaged.items() if key < recent]  # it would keep each drill from being a proof
        if rounded:
            notes = [*notes, f"the disk keeps times less exactly than the snapshot: {rounded} were rounded"]
        counts = Counts(seen=done.files, seen_bytes=done.size)
        one = one.model_copy(update={"commit": snapshot.key, "counts": counts, "problems": tuple(problems)})
    except KeyboardInterrupt:
        end(context, ended_receipt(receipt, "stopped", "", [one], {}, ()), sent=False)
        raise
    except Told as fault:
        return end(context, ended_receipt(receipt, "failed", said(fault), [one], {}, ()), sent=True)
    finally:
        _remove(folder)
    if not problems:
        receipt = receipt.model_copy(update={"restore_proven_at": clock.now_utc()})
    status: Status = "incomplete" if problems else "complete"
    return end(context, ended_receipt(receipt, status, "", [one], {}, notes), sent=True)


def differences(entries: Mapping[bytes, Entry], folder: Path) -> tuple[list[str], int]:
    """What of a restored folder is not as its manifest says, and how many times are rounded to a second or two.

    Raises:
        OSError: A file cannot be read.
    """
    base, wrong, rounded = os.fsencode(folder), [], 0
    there = dict(_below(base))
    for path, entry in entries.items():
        status = there.pop(path, None)
        if status is None:
            wrong.append(f"{shown(path)} did not come back")
            continue
        if what := _difference(os.path.join(base, path), status, entry):
            wrong.append(f"{shown(path)} has another {what}")
        if status.st_mtime_ns != entry.mtime_ns:
            if abs(status.st_mtime_ns - entry.mtime_ns) < 2 * _SECOND_NS and not status.st_mtime_ns % _SECOND_NS:
                rounded += 1
            else:
                wrong.append(f"{shown(path)} has another time")
    implied = {parent for path in entries for parent in parents_of(path)}
    wrong += [f"{shown(path)} is not in the snapshot" for path in there if path not in implied]
    return wrong, rounded


def _difference(path: bytes, status: os.stat_result, entry: Entry) -> str:
    """What of one file, folder or link differs, its time apart; empty if nothing does."""
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    if kinds.get(stat.S_IFMT(status.st_mode)) != entry.kind:
        return "kind"
    if entry.kind == "link":
        return "" if os.readlink(path) == entry.target else "target"
    if stat.S_IMODE(status.st_mode) != entry.mode:
        return "mode"
    if entry.kind == "folder":
        return ""
    if status.st_size != entry.size:
        return "size"
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return "" if digest.hexdigest() == entry.sha256 else "content"


def _below(base: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(base, folder)) as found:
            names = [os.path.join(folder, one.name) for one in found]
        for path in names:
            status = os.lstat(os.path.join(base, path))
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)


def _remove(folder: Path) -> None:
    """Remove a restored folder, also what is read-only in it, and what an unfinished restore left beside it."""
    for each in (folder, *folder.parent.glob(f".{folder.name}.*")):
        remove_folder(each)
    folder.with_name(f"{folder.name}.bundle").unlink(missing_ok=True)


def _show(receipt: Receipt) -> None:
    """Print the summary."""
    console = Console()
    lines: list[str] = []
    for one in receipt.sources:
        lines += one.problems[:_NAMED]
        if len(one.problems) > _NAMED:
            lines.append(f"and {len(one.problems) - _NAMED} more, which the receipt names")
        if receipt.restore_proven_at:
            lines.append(f"all {one.counts.seen} notes of {receipt.snapshot} came back as they were")
    lines += [*receipt.notes, f"{receipt.status}: receipt {receipt.file_name}"]
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
