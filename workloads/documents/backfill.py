"""`object-store documents backfill`: stores a tree of documents, and proves that no identity changes.

Exit status: 0 every document of the shard is stored, was read back, and keeps its identity; 1 something is left to do,
or an identity would change; 2 it could not run, or the store went away.

The rule: what the store has decides what is left to do, so the same command completes a run that was killed, by any
number of shards. At the end a second walk must meet just the documents that were stored.
"""

import json
import os
import stat
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model.exit_codes import ExitCode
from model.secrecy.redaction import redacted
from model.terminal_text import printable
from object_store import LocalFault, ObjectStoreError
from workloads.archive.commit import Counts
from workloads.archive.entry import shown
from workloads.archive.pack import DamagedError
from workloads.archive.patience import Pulse, StalledError, Threads, waited
from workloads.archive.source import Found, Refused, Root, SourceError, opened_root, told, walk
from workloads.archive.steady import UnfitError
from workloads.context import DOCUMENTS, Context, Options, Told, ended, opened
from workloads.documents.leftovers import reason_of
from workloads.documents.original import Original, store_original
from workloads.documents.shard import Shard, Tally, shard_of
from workloads.receipt import Receipt, SourceReceipt, Status, said
from workloads.running import begun_receipt, end, ended_receipt
from workloads.table import print_table

if TYPE_CHECKING:
    from concurrent.futures import Future

KIND: Final = "documents.backfill"
_WIDTH: Final = 4
"""Documents at the same time: most are small, and wait for the store."""
_NAMED: Final = 1000
"""So many problems are named one by one; the others are counted."""


@dataclass(frozen=True)
class BackfillOptions(Options):
    """The options of `backfill`.

    Attributes:
        root: The tree.
        shard: Which part of it, as `3/8`; empty for all.
        dry_run: Store nothing, and say what would be.
    """

    root: Path = Path()
    shard: str = ""
    dry_run: bool = False


@dataclass
class _Lines:
    """Lines of a receipt, of which the first ones are kept and the others counted."""

    kept: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, line: str) -> None:
        self.count += 1
        if self.count <= _NAMED:
            self.kept.append(line)

    def all(self) -> tuple[str, ...]:
        more = self.count - len(self.kept)
        return (*self.kept, *((f"and {more} more",) if more else ()))


@dataclass
class _Done:
    """What a run has met and stored."""

    met: Tally = field(default_factory=Tally)
    size: int = 0
    stored: int = 0
    stored_bytes: int = 0
    left_by_reason: Counter[str] = field(default_factory=Counter)
    not_ingested: int = 0
    in_tree: int = 0
    differing: int = 0
    problems: _Lines = field(default_factory=_Lines)
    left_out: _Lines = field(default_factory=_Lines)
    differences: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class _Waiting:
    """A document on its way."""

    path: bytes
    future: "Future[Original]"
    pulse: Pulse


def run(options: BackfillOptions, *, stage: Callable[[str], None] | None = None) -> ExitCode:
    """Store what is missing, write the receipt, and print a line for each document, or the summary."""
    try:
        shard = shard_of(options.shard, os.environ)
        if options.dry_run:
            return _shown_dry(options, shard)
        with opened(options, DOCUMENTS, locked=False) as context:
            receipt, done = _receipted(context, options, shard, stage or (lambda _: None))
    except Told as error:
        return ended(error)
    if not options.quiet:
        _summarize(options, shard, receipt, done)
    if receipt.error:
        return ended(RuntimeError(receipt.error))
    return ExitCode.WRONG if receipt.failed else ExitCode.DONE


def _receipted(
    context: Context, options: BackfillOptions, shard: Shard, stage: Callable[[str], None]
) -> tuple[Receipt, _Done]:
    receipt, done = begun_receipt(context, KIND), _Done()
    status: Status = "failed"
    error = ""
    try:
        root = _root(options)
        with context.doing("storing documents") as tell:
            _store(context, options, root, shard, done, tell, stage)
        stage("stored")
        _prove_whole(root, shard, done)
        if not done.in_tree:
            done.problems.add("there is no document in it: is the NAS mounted?")
        status = "incomplete" if done.problems.count else "complete"
    except KeyboardInterrupt:
        end(
            context,
            ended_receipt(receipt, "stopped", "", (_source(options, shard, done),), {}, _notes(done)),
            sent=False,
        )
        raise
    except Told as fault:
        error = said(fault)
    finished = ended_receipt(receipt, status, error, (_source(options, shard, done),), {}, _notes(done))
    return end(context, finished, sent=True), done


def _shown_dry(options: BackfillOptions, shard: Shard) -> ExitCode:
    """Say what would be stored, and what is left out, and ask the store nothing."""
    done, root = _Done(), _root(options)
    for path, status in _documents(root, shard, done):
        done.met.add(path, status)
        done.size += status.st_size
    lines = [f"shard {shard}: {done.met.count} documents of {done.size} bytes", *_notes(done)[:-1]]
    lines += [*done.left_out.all(), *done.problems.all()]
    sys.stdout.write("".join(f"{redacted(printable(line))}\n" for line in lines))
    return ExitCode.WRONG if done.problems.count or not done.in_tree else ExitCode.DONE


def _root(options: BackfillOptions) -> Root:
    root = opened_root(options.root.absolute())
    if root.is_file:
        raise SourceError(f"{options.root} is a file, and not a folder: object-store documents put stores one file")
    return root


def _documents(root: Root, shard: Shard, done: _Done | None) -> Generator[tuple[bytes, os.stat_result], None, None]:
    """The path and the status of each document of a shard; what is none is noted, if it is asked for."""
    try:
        for found in walk(root, lambda path: bool(reason_of(path))):
            if isinstance(found, Found) and stat.S_ISREG(found.status.st_mode):
                if done is not None:
                    done.in_tree += 1
                if shard.has(found.path):
                    yield found.path, found.status
            elif done is not None:
                _note(found, shard, done)
    except StalledError as fault:
        raise SourceError(f"{root.path}: {fault}") from None


def _note(found: Found | Refused, shard: Shard, done: _Done) -> None:
    if isinstance(found, Refused) and found.loses:
        done.problems.add(told(found))  # each shard says so, since each may lack what is in it
        return
    if not shard.has(found.path):
        return
    if isinstance(found, Refused):
        _leave_out(found.path, reason_of(found.path) or found.reason, done)
    elif stat.S_ISLNK(found.status.st_mode):
        _leave_out(found.path, "a link, which is not followed", done)


def _leave_out(path: bytes, reason: str, done: _Done) -> None:
    done.left_by_reason[reason] += 1
    done.left_out.add(f"{shown(path)}: {reason}")


def _store(
    context: Context,
    options: BackfillOptions,
    root: Root,
    shard: Shard,
    done: _Done,
    tell: Callable[[int], None],
    stage: Callable[[str], None],
) -> None:
    threads = Threads(_WIDTH, "documents")
    waiting: deque[_Waiting] = deque()

    def settle() -> None:
        one = waiting.popleft()
        _settle(options, root, one, done)
        stage("document")

    try:
        for path, status in _documents(root, shard, done):
            done.met.add(path, status)
            done.size += status.st_size
            waiting.append(_begun(context, root, path, threads))
            tell(status.st_size)
            if len(waiting) >= 2 * _WIDTH:
                settle()
        while waiting:
            settle()
    except Exception:
        for one in waiting:  # what is being stored ends before its store is closed
            if not one.future.cancel():
                with suppress(Exception):
                    waited(one.future, one.pulse)
        raise
    finally:
        threads.close()


def _begun(context: Context, root: Root, path: bytes, threads: Threads) -> _Waiting:
    pulse = Pulse()
    store, bucket, name = context.store, context.bucket, path.rpartition(b"/")[2]
    whole = b"/".join((root.base, path))
    return _Waiting(path, threads.submit(lambda: store_original(store, bucket, whole, name, pulse)), pulse)


def _settle(options: BackfillOptions, root: Root, one: _Waiting, done: _Done) -> None:
    """Note what became of a document."""
    name = shown(one.path)
    try:
        found = waited(one.future, one.pulse)
    except StalledError as fault:
        raise SourceError(f"{name}: {fault}") from None
    except UnfitError as fault:
        if not fault.loses:
            _leave_out(one.path, str(fault), done)
            return
        reason = str(fault)
    except (DamagedError, LocalFault) as fault:
        reason = said(fault)
    except FileNotFoundError:
        reason = "it went away before it was read"
    except OSError as fault:
        if isinstance(fault, ObjectStoreError):
            raise
        reason = fault.strerror or str(fault)
    else:
        _count(options, b"/".join((root.base, one.path)), name, found, done)
        return
    done.problems.add(f"{name}: {reason}")


def _count(options: BackfillOptions, path: bytes, name: str, found: Original, done: _Done) -> None:
    """Count a stored document, and compare its identities."""
    done.stored += 1
    done.stored_bytes += found.ref.size
    done.not_ingested += not found.is_ingested
    if found.before != found.after:
        done.problems.add(f"{name}: is {found.before} by its path, and {found.after} by its reference")
        done.differing += 1
        if done.differing <= _NAMED:
            done.differences.append((name, found.before, found.after))
    if options.as_json:
        sys.stdout.write(json.dumps(line_of(found, path)) + "\n")  # in ASCII, which each locale has


def line_of(found: Original, path: bytes) -> dict[str, Any]:
    """What is printed of a document: its identity, where it was, the same in each locale, and where it is."""
    where = path.decode("utf-8", "surrogateescape")
    return {"docId": found.after, "nasPath": where, "objectRef": found.ref.model_dump(mode="json")}


def _prove_whole(root: Root, shard: Shard, done: _Done) -> None:
    """Walk again: what came, went or was renamed meanwhile shows."""
    now = Tally()
    for path, status in _documents(root, shard, None):
        now.add(path, status)
    if now != done.met:
        done.problems.add(
            f"{done.met.count} documents were met, and a second walk met {now.count}, not just the same: files came, "
            "went, changed or were renamed meanwhile; run it again"
        )


def _source(options: BackfillOptions, shard: Shard, done: _Done) -> SourceReceipt:
    return SourceReceipt(
        name=f"documents {shard}",
        root=shown(os.fsencode(options.root.absolute())),
        counts=Counts(
            seen=done.met.count,
            seen_bytes=done.size,
            whole=done.stored,
            content_bytes=done.stored_bytes,
            stored_bytes=done.stored_bytes,
        ),
        problems=done.problems.all(),
        left_out=done.left_out.all(),
    )


def _notes(done: _Done) -> tuple[str, ...]:
    left = tuple(f"{count} left out: {reason}" for reason, count in sorted(done.left_by_reason.items()))
    other = (f"{done.not_ingested} are no pdf, md or txt, which is all that docs-ingest takes",)
    proof = (f"{done.stored - done.differing} identities are proven unchanged, {done.differing} differ",)
    return (*left, *(other if done.not_ingested else ()), *proof)


def _summarize(options: BackfillOptions, shard: Shard, receipt: Receipt, done: _Done) -> None:
    lines = [f"shard {shard}: {done.met.count} documents met, {done.stored} stored and read back", *_notes(done)]
    lines += done.problems.all()
    lines.append(f"{receipt.status}: receipt {receipt.file_name}")
    stream = sys.stderr if options.as_json else sys.stdout
    if done.differences and not options.as_json:
        print_table(("path", "identity by path", "identity by reference"), done.differences)
    stream.write("".join(f"{redacted(printable(line))}\n" for line in lines))
