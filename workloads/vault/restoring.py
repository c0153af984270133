"""`object-store vault list` and `restore`: the snapshots, and the way back.

Exit status: 0 done; 1 nothing has the name, a snapshot is damaged, or the history did not come back; 2 it could not be
done.

The rule: the store alone is asked, so a machine without any state restores. The notes are written whole or not at all;
the history of git is brought back after them, and never changes a note.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from model.exit_codes import ExitCode
from model.problems import InvalidInputError, Problem
from model.terminal_text import printable
from object_store import NotFound, ObjectStoreError
from workloads.archive.disk import on_disk
from workloads.archive.history import machines
from workloads.archive.pack import DamagedError
from workloads.archive.proven import ColdError
from workloads.archive.restore import PREFIX, Restored, RestoreError, restore
from workloads.archive.sealing import ClosedError
from workloads.context import VAULT, Context, Options, Told, ended, opened, time_of
from workloads.receipt import said
from workloads.table import megabytes, print_table
from workloads.vault.git import FOLDER, GitError, unbundle
from workloads.vault.history import fetch_history
from workloads.vault.snapshots import Snapshot, last_with_history, read_entries, read_snapshots, set_back


@dataclass(frozen=True)
class RestoreOptions(Options):
    """The options of `restore`.

    Attributes:
        names: Parts of the paths to restore; empty for all, with the history.
        to: The empty folder.
        at: The snapshot that was the last one at this time; empty for the last one.
    """

    names: Sequence[str] = ()
    to: Path | None = None
    at: str = ""


def run_list(options: Options) -> ExitCode:
    """List the snapshots, the one that was committed last first."""
    try:
        with opened(options, VAULT, locked=False) as context:
            machine = options.machine or context.machine
            with context.doing("reading the snapshots"):
                found, damaged = read_snapshots(context.store, context.bucket, machine)
            if not found and not damaged:
                raise _none(context, machine)
    except Told as error:
        return ended(error)
    if options.as_json:
        listed = [{"key": one.key, **one.commit.model_dump(mode="json")} for one in found]
        sys.stdout.write(json.dumps({"snapshots": listed, "damaged": [*damaged.values()]}, indent=1) + "\n")
    else:
        rows = []
        for one in found:
            counts, history = one.commit.counts, one.commit.history
            of_git = "no" if history is None else "yes" if history.bundle else "empty"
            dirty = str(history.dirty) if history else ""
            rows.append(
                (
                    f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
                    str(counts.seen),
                    megabytes(counts.seen_bytes),
                    megabytes(counts.stored_bytes),
                    of_git,
                    dirty,
                    f"{one.commit.problems} problems" if one.commit.problems else "complete",
                )
            )
        numbers = ("notes", "size", "stored", "not in git")
        print_table(("at", "notes", "size", "stored", "git", "not in git", ""), rows, right=numbers)
        _say(_of_clock(found), damaged.values())
    return ExitCode.WRONG if damaged else ExitCode.DONE


def run_restore(options: RestoreOptions) -> ExitCode:
    """Restore a snapshot to a folder."""
    try:
        at = time_of(options.at)
        if options.to is None:
            raise InvalidInputError([Problem("--to", "is missing", "an empty folder", "--to FOLDER")])
        with opened(options, VAULT, locked=False) as context:
            machine = options.machine or context.machine
            snapshot, clocks, damaged = chosen(context, machine, at)
            with context.doing("restoring") as tell:
                packs, entries = read_entries(context.store, context.bucket, snapshot.commit, context.keys)
                wanted = {path: entry for path, entry in entries.items() if _is_wanted(path, options.names)}
                if options.names and not wanted:
                    sys.stderr.write(f"the snapshot has nothing with {printable(' or '.join(options.names))}\n")
                    return ExitCode.WRONG
                done = restore(
                    context.store,
                    context.bucket,
                    wanted,
                    packs.get,
                    options.to,
                    keys=context.keys,
                    progress=tell,
                    later=b"" if options.names else FOLDER,
                )
            wrong = "" if options.names else bring_history(context, snapshot, options.to)
    except Told as error:
        return ended(error)
    if not options.quiet:
        _tell(done, snapshot, options.to)
    _say(clocks, damaged.values())
    if wrong:
        sys.stderr.write(f"{printable(wrong)}\n")
    return ExitCode.WRONG if wrong or damaged else ExitCode.DONE


def chosen(context: Context, machine: str, at: float | None) -> tuple[Snapshot, list[str], dict[str, str]]:
    """The snapshot that was committed last, or was the last at a time; what to know of it; what is damaged.

    Raises:
        RestoreError: There is none.
        ObjectStoreError: The store is away, or denies it.
    """
    found, damaged = read_snapshots(context.store, context.bucket, machine)
    for number, one in enumerate(found):
        if at is None or one.at.timestamp() <= at:
            return one, [*_of_clock(found), *_without_history(found[number:])], damaged
    if damaged:
        raise RestoreError("no snapshot can be read:\n  " + "\n  ".join(damaged.values()))
    if found:
        raise RestoreError(f"no snapshot of {machine} is that old: the first is of {found[-1].at:%Y-%m-%dT%H:%M:%SZ}")
    raise _none(context, machine)


def bring_history(context: Context, snapshot: Snapshot, folder: Path) -> str:
    """Bring the history of git back into a restored folder; what went wrong, as one line.

    The folder's notes are not touched. Without git the bundle is put beside the folder.
    """
    history = snapshot.commit.history
    if history is None or history.bundle is None:
        return ""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - as it was restored
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name[:PREFIX]}.", dir=folder.parent))
    path = beside / "bundle"
    times = folder.stat()
    try:
        try:
            with on_disk(folder):
                fetch_history(context, history, path)
        except NotFound:
            return f"the history did not come back: {history.bundle.key} is gone"
        except (ClosedError, ColdError, DamagedError, ObjectStoreError, OSError) as fault:
            return f"the history did not come back: {said(fault)}"  # the notes are there
        try:
            unbundle(path, history, folder)
        except GitError as fault:
            shutil.rmtree(folder / ".git", ignore_errors=True)
            kept = folder.with_name(f"{folder.name}.bundle")
            if os.path.lexists(kept):
                return f"the history did not come back: {fault}"
            path.rename(kept)
            return f"the history is not in the folder: {fault}\n  write: git clone {kept} FOLDER"
        os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return ""


def _none(context: Context, machine: str) -> RestoreError:
    known = ", ".join(machines(context.store, context.bucket)) or "none"
    return RestoreError(
        f"there is no snapshot of machine {machine}; machines with one: {known}\n  write: --machine NAME"
    )


def _is_wanted(path: bytes, names: Sequence[str]) -> bool:
    text = path.decode("utf-8", "surrogateescape")
    return not names or any(name in text for name in names)


def _of_clock(found: Sequence[Snapshot]) -> list[str]:
    runs = set_back(found)
    if not runs:
        return []
    return [f"the clock was set back before {', '.join(runs)}; the order is that of the commits"]


def _without_history(found: Sequence[Snapshot]) -> list[str]:
    """What to know of a snapshot without history, if an earlier one has it."""
    one = last_with_history(found)
    if one is None or one is found[0]:
        return []
    return [f"the snapshot has no history of git; the last one that has it: --at {one.at:%Y-%m-%dT%H:%M:%SZ}"]


def _say(clocks: Sequence[str], damaged: Iterable[str]) -> None:
    for line in (*clocks, *(f"DAMAGED {one}" for one in damaged)):
        sys.stderr.write(f"{printable(line)}\n")


def _tell(done: Restored, snapshot: Snapshot, to: Path) -> None:
    what = f"{done.files} notes ({megabytes(done.size)}), {done.folders} folders, {done.links} links"
    text = f"restored {what} of {snapshot.at:%Y-%m-%d %H:%M} UTC to {to}"
    if snapshot.commit.problems:
        text += f"; the snapshot has {snapshot.commit.problems} problems, which its receipt names"
    Console().print(printable(text), markup=False, highlight=False, soft_wrap=True)
