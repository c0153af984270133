"""What a run does in the window: after it has committed to the store, it completes the NAS and compares both sides.

The rule: the NAS never keeps a run from committing to the store. If it is away, full, read-only or gives nothing, the
receipt says so, and the run is incomplete.
"""

import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeVar

from workloads.archive import clock
from workloads.archive.entry import shown
from workloads.archive.patience import Pulse, StalledError, Threads, waited
from workloads.context import Context, expires_after_days
from workloads.receipt import FileSides, Receipt, SourceReceipt, WindowReceipt, of_folder
from workloads.settings import Window
from workloads.window.layout import layout_of
from workloads.window.nas import Nas, NasError
from workloads.window.record import open_window
from workloads.window.sides import Comparison

FILES_MAXIMUM: Final = 500
"""Files that a receipt names; their numbers are in it anyway."""
_FOR_EVER_DAYS: Final = 36500
Copy = Literal["nothing", "missing", "all"]
T = TypeVar("T")


@dataclass(frozen=True)
class Looked:
    """Both sides of an archive.

    Attributes:
        machine: Whose it is; if all machines share it, the one that looks.
        window: For the receipt.
        files: All objects.
        done: What was completed.
    """

    machine: str
    window: WindowReceipt
    files: Sequence[FileSides]
    done: Sequence[str]


def beside(
    context: Context, sources: Iterable[SourceReceipt], stage: Callable[[str], None] | None = None
) -> WindowReceipt | None:
    """Complete the NAS after a run, and compare both sides; None if no window is open.

    Args:
        context: The run's.
        sources: What the run did.
        stage: Called at each point where a kill must do no harm.

    Raises:
        DamagedError: A record of an end is none.
        ObjectStoreError: The store is away, or denies it.
    """
    window = open_window(context)
    if window is None:
        return None
    commits = {key: sha256 for one in sources for key, sha256 in one.all_commits.items()}
    known = commits_of(context, _own(context), context.machine) | commits
    return look(context, window, context.machine, known, "missing", commits, stage).window


def both_sides(context: Context) -> Looked | None:
    """What both sides hold of this machine's archive; None if no window is open. Raise what `beside` raises."""
    window = open_window(context)
    if window is None:
        return None
    known = commits_of(context, _own(context), context.machine)
    return look(context, window, context.machine, known, "nothing")


def on_both_sides(context: Context) -> frozenset[str] | None:
    """The keys of what both sides hold of this machine; None if no window is open. Raise what `beside` raises."""
    looked = both_sides(context)
    if looked is None:
        return None
    return frozenset() if looked.window.missing else frozenset(one.key for one in looked.files if one.equal)


def _own(context: Context) -> list[Receipt]:
    """This machine's receipts of this store: the folder has those of all workloads and of earlier stores, too."""
    return [one for one in of_folder(context.receipts) if one.store == context.place]


def commits_of(context: Context, receipts: Sequence[Receipt], machine: str) -> dict[str, str]:
    """SHA-256 of each commit that the store should still have and receipts name: of a machine, or of a shared archive.

    The newest receipt counts: where a commit was lost, a later run may have put its own under the same key.
    """
    is_shared, live = layout_of(context.work, machine).is_shared, _live(context)
    found: dict[str, str] = {}
    for one in sorted(receipts, key=lambda one: one.started_at):
        is_its = one.kind.startswith(f"{context.work.name}.") and (is_shared or one.machine == machine)
        for source in one.sources if is_its and one.started_at > live else ():
            found |= source.all_commits
    return found


def _live(context: Context) -> datetime:
    """The store should have what was committed later than this."""
    days = expires_after_days(context.work) or _FOR_EVER_DAYS
    return clock.now_utc() - timedelta(days=days - 1)


def look(
    context: Context,
    window: Window,
    machine: str,
    known: Mapping[str, str],
    copy: Copy,
    commits: Collection[str] = (),
    stage: Callable[[str], None] | None = None,
) -> Looked:
    """Compare both sides of an archive, and complete them.

    Args:
        context: The opened store.
        window: The open window.
        machine: The machine.
        known: SHA-256 of commits by their keys, from receipts.
        copy: What is completed: nothing; what the NAS has not; all that can be, on both sides.
        commits: The keys of what is named even if it is equal.
        stage: Called at each point where a kill must do no harm.

    Raises:
        ObjectStoreError: The store is away, denies it, or answers with a part of a listing.
    """
    folder = Path(window.nas).expanduser()
    layout = layout_of(context.work, machine)
    compared = Comparison(context.store, context.bucket, layout, known, _live(context))
    pulse, over = Pulse(), threading.Event()
    missing = ""

    def held() -> tuple[Nas, list[str]]:
        nas = Nas(folder, pulse, over, stage or (lambda _: None))
        return nas, [key for key in nas.keys(layout.prefix) if layout.is_commit(key)]

    def compare(nas: Nas, there: Sequence[str]) -> None:
        compared.read_nas(nas, there)
        if copy != "nothing":
            compared.complete(nas, repair=copy == "all")

    def on_nas(call: Callable[[], T]) -> T | None:
        nonlocal missing
        try:
            with context.doing("comparing the NAS"):
                return waited(threads.submit(call), pulse)
        except StalledError as fault:
            missing = f"{folder}: {fault}"
        except NasError as fault:
            missing = str(fault)
        return None

    threads = Threads(1, "window")
    try:
        first = on_nas(held)
        with context.doing("reading what is committed") as tell:
            compared.read_store(tell)
        if first is not None:
            on_nas(lambda: compare(*first))
    finally:
        over.set()  # a thread that hangs ends as soon as the NAS gives something
        threads.close()
    files = list(compared.files)
    unequal = [one for one in files if not one.equal]
    named = [one for one in compared.of_commits(commits) if one.equal]
    receipt = WindowReceipt(
        nas=str(folder),
        since=window.since,
        reason=window.reason,
        missing=missing,
        equal=len(files) - len(unequal),
        unequal=len(unequal),
        files=tuple([*unequal, *named][:FILES_MAXIMUM]),
    )
    return Looked(machine, receipt, files, compared.done)


def lines_of(window: WindowReceipt | None) -> list[str]:
    """What a summary says of both sides."""
    if window is None:
        return []
    counts = f"both sides hold {window.equal} objects, and not {window.unequal}"
    return [*faults_of(window.missing, window.files), counts]


def faults_of(missing: str, files: Sequence[FileSides]) -> list[str]:
    """Why the NAS is missing, and each object that is not equal; without the NAS, each that the store lacks, too."""
    lines = [f"NAS missing: {missing}"] if missing else []
    for one in files:
        if not one.equal and not (missing and one.store == "equal"):
            reason = f"; {one.reason}" if one.reason else ""
            lines.append(f"{shown(os.fsencode(one.key))}: NAS {one.nas}, store {one.store}{reason}")
    return lines
