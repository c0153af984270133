"""`parity`: whether a folder of the NAS and a prefix of the store hold the same, proven file by file.

The rule: "the same" is proven by checksum, or by reading the bytes of both sides. What could be neither proven nor
refuted (links, files that change during the comparison, folders that cannot be read, objects that the server does not
list) is `undecided`, and then the report is not ok. Both sides are walked side by side in the order of their keys, so
neither is held in memory. Neither side is changed. A file whose name the file system spells in another Unicode form
than the key is compared with that key's object. Left out: a write during the comparison may show on one side only.
Compare while no program writes, or compare again.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from object_store.checksums import etag_of_file
from object_store.errors import (
    AccessDenied,
    IncompleteTransfer,
    InvalidArgument,
    InvalidKey,
    LocalFileError,
    NotFound,
    StaleReference,
    UnexpectedAnswer,
)
from object_store.folders import NOTHING_THERE
from object_store.journal import Finding, opened_journal
from object_store.keys import parents_of
from object_store.parity_report import ParityReport
from object_store.sides import Entry, digest_of, digest_of_file, mount_of, walk
from object_store.twins import same_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from object_store.journal import Checkpoint, Journal
    from object_store.reference import ObjectRef
    from object_store.store import ObjectStore

CHECKPOINT_KEYS: Final = 1000
"""Number of keys after which the journal gets a checkpoint, at the latest."""

CHECKPOINT_SECONDS: Final = 5.0
"""Seconds after which the journal gets a checkpoint, likewise; a single large file may take longer."""


def parity(
    nas_dir: Path,
    store: ObjectStore,
    bucket: str,
    prefix: str = "",
    *,
    journal: Path | None = None,
    allow_empty: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ParityReport:
    """Compare the files below a folder with the objects under a prefix, where `upload_dir` would put them.

    A file of the object's length is compared by the object's etag if that is a checksum. If it is not, or is not equal,
    both are read and compared by SHA-256. Temporary files of the adapter are left out, and so are empty objects whose
    key ends in a slash (the folders of some other writers). Only findings take memory.

    Args:
        nas_dir: the folder.
        store: the other side.
        bucket: the bucket's name.
        prefix: the beginning of each key; a slash separates it from the path.
        journal: a file outside of the folder, from which an interrupted comparison resumes; after a finished one the
            next comparison starts from the beginning.
        allow_empty: whether it is right that both sides are empty.
        progress: called with the number of bytes compared since the last call.

    Returns:
        The report; it includes what the journal has from an earlier, interrupted run.

    Raises:
        LocalFileError: the folder does not exist, the NAS disappears during the comparison, or the journal cannot be
            written.
        NotFound: both sides are empty, so that nothing was compared.
        InvalidArgument: the journal belongs to another comparison, is not a journal, or is inside the folder.
        UnexpectedAnswer: the server does not list in the order of the keys' bytes, so a comparison is impossible.
        ObjectStoreError: as `ObjectStore.list` and `stream`; with a journal the next run resumes there.
    """
    nas_dir = nas_dir.absolute()
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    # os.path: pathlib raises RuntimeError for links in a cycle (Python 3.11, 3.12).
    if journal is not None and Path(os.path.realpath(journal)).is_relative_to(os.path.realpath(nas_dir)):
        raise InvalidArgument(f"the journal {journal} is inside the compared folder: put it outside of {nas_dir}")
    nas = _Nas(nas_dir)
    with opened_journal(journal, nasDir=str(nas_dir), bucket=bucket, prefix=start) as written:
        after = written.progress.through
        entries = walk(nas_dir, b"" if after is None else after.removeprefix(start).encode())
        refs = _in_order(store.list(bucket, start, after=after), start)
        passed = _Passed(written, nas)
        try:
            for entry, ref in _side_by_side(entries, refs):
                if entry is not None and entry.is_folder:
                    nas.check()
                key, outcome = _key_of(entry, ref, start), _judge(store, entry, ref)
                passed.note(key, outcome, resumable=entry is None or entry.key is not None)
                if progress is not None and outcome.size:
                    progress(outcome.size)
        finally:
            passed.keep()
        nas.check()
        _settle_spellings(store, nas_dir, bucket, start, written.progress)
        _settle_hidden(store, bucket, written.progress)
        written.finish()
        if not (written.progress.same or written.progress.findings or allow_empty):
            raise NotFound(f"{nas_dir} has no file, and {NOTHING_THERE}", bucket=bucket, key=start or None)
        return ParityReport.of(written.progress, nas_dir, bucket, start)


class _Nas:
    """The folder, and the mount that it must stay on: with an empty folder in its place every object would be extra."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mount: Path | None = None
        self.check()

    def check(self) -> None:
        if not self.is_there():
            raise LocalFileError(f"{self._folder} does not exist, or is no longer on its mount; is the NAS mounted?")

    def is_there(self) -> bool:
        try:
            mount = mount_of(self._folder) if self._folder.is_dir() else None
        except OSError:
            return False
        self._mount = self._mount or mount
        return mount is not None and mount == self._mount


@dataclass(frozen=True)
class _Outcome:
    """The result for one key; `kind` as in a finding, or `same`."""

    kind: str
    size: int = 0
    reason: str = ""


class _Passed:
    """How far the journal may record progress; after a folder that cannot be read it waits for the next file."""

    def __init__(self, journal: Journal, nas: _Nas) -> None:
        self._journal = journal
        self._nas = nas
        self._last: str | None = None
        self._keys, self._since = 0, time.monotonic()

    def note(self, key: str, outcome: _Outcome, *, resumable: bool) -> None:
        self._last = None  # an interrupt from here on must not leave a checkpoint without its finding
        if outcome.kind == "same":
            self._journal.progress.same += 1
            self._journal.progress.same_bytes += outcome.size
        else:
            self._journal.add(Finding(outcome.kind, key, outcome.reason))
        self._keys += 1
        if not resumable:
            return
        self._last = key
        if self._keys >= CHECKPOINT_KEYS or time.monotonic() - self._since >= CHECKPOINT_SECONDS:
            self._nas.check()
            self.keep()

    def keep(self) -> None:
        """Write a checkpoint, unless the NAS has disappeared: it is unknown since when."""
        if self._last is not None and self._nas.is_there():
            self._journal.checkpoint(self._last)
            self._last = None
        self._keys, self._since = 0, time.monotonic()


def _key_of(entry: Entry | None, ref: ObjectRef | None, start: str) -> str:
    if ref is not None:
        return ref.key
    return start + (entry.name.decode(errors="backslashreplace") if entry is not None else "")


def _in_order(refs: Iterator[ObjectRef], start: str) -> Iterator[tuple[bytes, ObjectRef]]:
    """Yield references with the rest of their keys. Raise UnexpectedAnswer if they are not in order."""
    before = b""
    for ref in refs:
        rest = ref.key.removeprefix(start).encode()
        if rest <= before and not (rest == before == b""):
            raise UnexpectedAnswer("the server does not list in the order of the keys' bytes", bucket=ref.bucket)
        before = rest
        if ref.size or not (ref.key.endswith("/")):
            yield rest, ref


def _side_by_side(
    entries: Iterator[Entry], refs: Iterator[tuple[bytes, ObjectRef]]
) -> Iterator[tuple[Entry | None, ObjectRef | None]]:
    """Yield file and object of one key together; skip the objects of a folder that cannot be read."""
    entry, listed = next(entries, None), next(refs, None)
    while entry is not None or listed is not None:
        if entry is not None and (listed is None or entry.name <= listed[0]):
            folder, both = entry.is_folder, listed is not None and entry.name == listed[0]
            yield entry, listed[1] if listed is not None and both and not folder else None
            while folder and listed is not None and listed[0].startswith(entry.name):
                listed = next(refs, None)
            entry = next(entries, None)
            if both and not folder:
                listed = next(refs, None)
        elif listed is not None:
            yield None, listed[1]
            listed = next(refs, None)


def _settle_spellings(store: ObjectStore, nas_dir: Path, bucket: str, start: str, progress: Checkpoint) -> None:
    """Compare what is one file in two Unicode forms.

    A file system may list a name in another form than that in which it was written. Then the file seems missing in the
    store, and its object extra.
    """
    missing = {normalize("NFC", found.key): found for found in progress.findings if found.kind == "missing"}
    settled: set[Finding] = set()
    outcomes: list[Finding] = []
    for extra in progress.findings:
        file = missing.get(normalize("NFC", extra.key)) if extra.kind == "extra" else None
        if file is None:
            continue
        path = nas_dir / extra.key.removeprefix(start)
        if not same_file(path, nas_dir / file.key.removeprefix(start)):
            continue
        try:
            ref = store.head(bucket, extra.key)
        except (NotFound, InvalidKey):
            continue
        settled |= {extra, file}
        outcome = _judge(store, Entry(extra.key.removeprefix(start).encode(), path), ref)
        if outcome.kind == "same":
            progress.same += 1
            progress.same_bytes += outcome.size
        else:
            outcomes.append(Finding(outcome.kind, extra.key, outcome.reason))
    progress.findings = [found for found in progress.findings if found not in settled] + outcomes


def _settle_hidden(store: ObjectStore, bucket: str, progress: Checkpoint) -> None:
    """Say which objects the server holds and does not list, as MinIO does with `a/b` beside an object `a`."""
    extra = {found.key for found in progress.findings if found.kind == "extra"}

    def settled(found: Finding) -> Finding:
        above = next((parent for parent in parents_of(found.key) if parent in extra), None)
        if found.kind != "missing" or above is None:
            return found
        try:
            store.head(bucket, found.key)
        except (AccessDenied, NotFound, InvalidKey):
            return found
        return Finding("undecided", found.key, f"the store holds it, but does not list it beside the object {above!r}")

    progress.findings = [settled(found) for found in progress.findings]


def _judge(store: ObjectStore, entry: Entry | None, ref: ObjectRef | None) -> _Outcome:
    if entry is None:
        return _Outcome("extra")
    if entry.fault is not None:
        return _Outcome("undecided", reason=entry.fault)
    try:
        return _compared(store, entry.path, ref)
    except OSError as fault:
        return _Outcome("undecided", reason=f"the file cannot be read: {fault.strerror}")
    except (NotFound, StaleReference, IncompleteTransfer, InvalidKey) as fault:
        return _Outcome("undecided", reason=f"the object cannot be read: {fault.reason}")


def _compared(store: ObjectStore, path: Path, ref: ObjectRef | None) -> _Outcome:
    before = path.lstat()
    if ref is None:
        return _Outcome("missing", before.st_size)
    if before.st_size != ref.size:
        return _Outcome("different", before.st_size)
    same = etag_of_file(path, ref.etag) == ref.etag or (
        digest_of_file(path) == digest_of(store.stream(ref.bucket, ref.key, etag=ref.etag))
    )
    after = path.lstat()
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (after.st_ino, after.st_size, after.st_mtime_ns):
        return _Outcome("undecided", reason="the file changed while it was compared")
    return _Outcome("same" if same else "different", after.st_size)
