"""One run over one source: what is new goes into packs, is read back, and is committed.

The rule: a run has one id from its first moment, kept in the state before anything is sent. If it is killed, the next
one goes on with the same id and keeps every pack that was read back. A file that grew is stored by its new end only if
the SHA-256 of its beginning is that of what is archived.

Left out: extended attributes, access control lists and owners.
"""

import hashlib
import os
import stat
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from object_store import ObjectStore
from workloads.archive import clock
from workloads.archive.commit import (
    COMMIT_SUFFIX,
    MANIFEST_SUFFIX,
    PACK_SUFFIX,
    Commit,
    Counts,
    Stored,
    new_run,
    numbered,
    sha256_of,
    stem_of,
)
from workloads.archive.entry import Entry, Segment, shown
from workloads.archive.manifest import write_manifest
from workloads.archive.pack import BLOCK, ChangedError, DamagedError, Packed, PackWriter, header_of
from workloads.archive.proven import put_proven
from workloads.archive.source import Found, Refused, Root, opened_root, told, walk
from workloads.archive.state import Known, Local, State

PACK_BYTES: Final = 64 * 2**20
"""Size at which a pack is closed; a larger file makes a larger pack."""
TRIES: Final = 3
"""How often a file that changes while it is read is tried."""
SEGMENTS_MAXIMUM: Final = 40
"""Parts of one file; with more it is stored whole again."""
HOT_SECONDS: Final = 60
"""A file that was written this recently may end in the middle of a line."""
TICK_SECONDS: Final = 2
"""A file that changed this recently may change again within the same time stamp."""
HOLLOW_BYTES: Final = 4096
"""Below this size a smaller file means nothing."""
_DAY: Final = 86400.0
_NO_CONTENT: Final = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class Job:
    """What one run is about.

    Attributes:
        workload: Such as `sessions`.
        machine: The machine's name.
        source: The source's name.
        root: Its folder or file.
        bucket: The bucket's name.
        renew_after_days: Age of a pack at which what is live in it is stored again.
        pack_bytes: Size at which a pack is closed.
    """

    workload: str
    machine: str
    source: str
    root: Path
    bucket: str
    renew_after_days: int
    pack_bytes: int = PACK_BYTES


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        run: Its id; empty if there was nothing to store.
        commit: The commit's key; empty likewise.
        commit_sha256: Of the commit.
        counts: What it met and stored.
        problems: What makes it incomplete.
        left_out: What is not archived, and holds no data.
        hollow: Files that shrank by more than half.
        seen: How many entries the walk met.
    """

    run: str = ""
    commit: str = ""
    commit_sha256: str = ""
    counts: Counts = field(default_factory=Counts)
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    hollow: list[str] = field(default_factory=list)


class Stage:
    """Called by name at each point of a run where a kill must do no harm; tests end the process there."""

    def __call__(self, name: str) -> None:
        """Do nothing."""


def archive(
    job: Job,
    store: ObjectStore,
    state: State,
    *,
    progress: Callable[[int], None] = lambda _: None,
    stage: Callable[[str], None] | None = None,
) -> Outcome:
    """Archive a source; the state must follow the store (`history.follow`).

    Args:
        job: What to archive.
        store: The store.
        state: The machine's state, locked.
        progress: Called with bytes that were read since the last call.
        stage: Called at each point where a kill must do no harm.

    Raises:
        SourceError: The root is missing or cannot be read.
        DamagedError: What was stored does not come back.
        ObjectStoreError: The store is away, or denies it.
        OSError: The local disk cannot hold a pack.
    """
    return _Run(job, store, state, progress, stage or Stage()).run()


class _Run:
    """Private to this module: the course of one run."""

    def __init__(
        self,
        job: Job,
        store: ObjectStore,
        state: State,
        progress: Callable[[int], None],
        stage: Callable[[str], None],
    ) -> None:
        self.job, self.store, self.state = job, store, state
        self.progress, self.stage = progress, stage
        self.outcome = Outcome()
        self.now = clock.now_utc()
        self.packs: dict[str, Stored] = {}
        self.number = 0
        self.writer: PackWriter | None = None
        self.waiting: list[tuple[Entry, str, bool, Segment | None, Local | None]] = []
        self.sending: (
            tuple[Future[tuple[Stored, int]], Packed, list[tuple[Entry, str, bool, Segment | None, Local | None]]]
            | None
        ) = None
        self.names: dict[tuple[int, int], Entry] = {}
        self.seen = self.seen_bytes = self.content_bytes = self.unchanged = 0
        self.files = 0

    def run(self) -> Outcome:
        root = opened_root(self.job.root)
        self._settle()
        self.stage("before the walk")
        with ThreadPoolExecutor(1, thread_name_prefix="archive-upload") as self.pool:
            try:
                for found in walk(root):
                    self._take(root, found)
                self._close_pack()
                self._sent()
            except BaseException:
                if self.writer is not None:
                    self.writer.abandon()
                raise
        self.stage("all packs stored")
        self._commit()
        return self.outcome

    def _settle(self) -> None:
        """Find the unfinished run, or begin one. If its commit is there, it is finished."""
        source, machine = self.job.source, self.job.machine
        pending = self.state.pending(source)
        if pending is not None:
            key = f"{stem_of(machine, source, pending[0])}{COMMIT_SUFFIX}"
            if key in self.state.commits(machine):
                with self.state.transaction():
                    self.state.end(source)
                pending = None
        if pending is None:
            pending = (new_run(self.now), self.now.timestamp())
            with self.state.transaction():
                self.state.begin(source, *pending)
        self.run_id, self.started = pending
        self.stem = stem_of(machine, source, self.run_id)
        for pack, number in self.state.staged_packs(source):
            self.packs[pack.key] = pack
            self.number = max(self.number, number)
        self.stage("run begun")

    def _take(self, root: Root, found: Found | Refused) -> None:
        if isinstance(found, Refused):
            (self.outcome.problems if found.loses else self.outcome.left_out).append(told(found))
            return
        status = found.status
        if stat.S_ISREG(status.st_mode):
            self.seen += 1
            self.seen_bytes += status.st_size
            self._take_file(root, found)
        elif stat.S_ISDIR(status.st_mode):
            self._take_other(Entry(found.path, "folder", _mode(status), status.st_mtime_ns), status, tarfile.DIRTYPE)
        elif stat.S_ISLNK(status.st_mode):
            try:
                target = os.readlink(os.path.join(root.base, found.path))
            except OSError as fault:
                self._incomplete(found.path, fault.strerror or str(fault))
                return
            digest = hashlib.sha256(target).hexdigest()
            entry = Entry(found.path, "link", _mode(status), status.st_mtime_ns, sha256=digest, target=target)
            self._take_other(entry, status, tarfile.SYMTYPE)

    def _take_other(self, entry: Entry, status: os.stat_result, kind: bytes) -> None:
        """A folder or a link: it has no content, only a line and a tar entry."""
        known = self.state.newest(self.job.machine, self.job.source, entry.path)
        if known is not None and known.entry == entry and not self._is_old(known):
            return
        self._add(entry, "other", header_of(self._name(entry.path), status, kind, link=entry.target), 0, iter(()), None)

    def _take_file(self, root: Root, found: Found) -> None:
        source, path, status = self.job.source, found.path, found.status
        known = self.state.newest(self.job.machine, source, path)
        local = self.state.local(source, path)
        if known is not None and known.entry.kind == "file" and local is not None and not self._is_old(known):
            same = (local.inode, local.size, local.mtime_ns, local.ctime_ns) == _signature(status)
            if same and local.archived == status.st_size and _mode(status) == known.entry.mode:
                self.unchanged += 1
                self.state.saw(source, path, self.now.timestamp())
                self._remember_name(status, known.entry)
                return
        for _ in range(TRIES):
            try:
                if self._read(root, found.path, known):
                    return
            except FileNotFoundError:
                return  # it went, as it may
            except PermissionError as fault:
                self._incomplete(path, fault.strerror or str(fault))
                return
        self._incomplete(path, f"it changed each time it was read, {TRIES} times")

    def _read(self, root: Root, path: bytes, known: Known | None) -> bool:
        """Read one file into the pack; False if it changed under the reader's eyes."""
        descriptor = os.open(os.path.join(root.base, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return False
            size = self._whole_lines(descriptor, path, before)
            same_as = self._other_name(path, before)
            begun = time.time()
            entry, start, change = self._judge(descriptor, size, known)
            if entry is not None and start == size:
                return self._unread(descriptor, before, entry, size, begun, same_as, known)
            header = header_of(self._name(path, start), before, tarfile.REGTYPE, size - start)
            base = entry or Entry(path, "file", _mode(before), before.st_mtime_ns)
            digest = self._prefix if start else hashlib.sha256()
            local = _local(before, size, begun)

            def blocks() -> Iterator[bytes]:
                at = start
                while at < size:
                    block = os.pread(descriptor, min(BLOCK, size - at), at)
                    if not block:
                        raise ChangedError
                    at += len(block)
                    digest.update(block)
                    self.progress(len(block))
                    yield block
                after = os.fstat(descriptor)
                if after.st_size < before.st_size or (
                    after.st_size == before.st_size and after.st_mtime_ns != before.st_mtime_ns
                ):
                    raise ChangedError
                if after.st_size > before.st_size and not path.endswith(b".jsonl"):
                    raise ChangedError

            made = Entry(
                path,
                "file",
                _mode(before),
                before.st_mtime_ns,
                size=size,
                segments=base.segments if start else (),
                same_as=same_as,
                hollow=_is_hollow(size, known) or (start > 0 and base.hollow),
            )
            try:
                self._add(made, change, header, start, blocks(), local, size - start, digest)
            except ChangedError:
                return False
            return True
        finally:
            os.close(descriptor)

    def _judge(self, descriptor: int, size: int, known: Known | None) -> tuple[Entry | None, int, str]:
        """What of a file is to be stored: from which offset, and why; all of it is archived if that is its size."""
        held = known.entry if known is not None and known.entry.kind == "file" else None
        if known is None or held is None or not self._begins_with(descriptor, held, size):
            return None, 0, "whole"
        if self._is_old(known):
            return None, 0, "renewed" if held.size == size else "whole"
        if held.size < size and (len(held.segments) >= SEGMENTS_MAXIMUM or held.size == 0):
            return None, 0, "whole"
        return held, held.size, "tail"

    def _begins_with(self, descriptor: int, held: Entry, size: int) -> bool:
        """Whether a file begins with what is archived of it; `_prefix` is then the digest so far."""
        self._prefix, at = hashlib.sha256(), 0
        if held.size > size:
            return False
        while at < held.size:
            block = os.pread(descriptor, min(BLOCK, held.size - at), at)
            if not block:
                return False
            at += len(block)
            self._prefix.update(block)
            self.progress(len(block))
        return self._prefix.hexdigest() == held.sha256

    def _unread(
        self,
        descriptor: int,
        before: os.stat_result,
        held: Entry,
        size: int,
        begun: float,
        same_as: bytes,
        known: Known | None,
    ) -> bool:
        """The whole content is archived: at most its times or its mode are new."""
        after = os.fstat(descriptor)
        if after.st_size < before.st_size or (
            after.st_size == before.st_size and after.st_mtime_ns != before.st_mtime_ns
        ):
            return False
        entry = Entry(
            held.path,
            "file",
            _mode(before),
            before.st_mtime_ns,
            size=size,
            sha256=held.sha256,
            segments=held.segments,
            same_as=same_as,
            hollow=held.hollow,
        )
        local = _local(before, size, begun)
        self._remember_name(before, entry)
        if entry == held:
            self.unchanged += 1
            with self.state.transaction():
                self.state.note(self.job.source, held.path, local, self.now.timestamp())
            return True
        if size == 0 or known is None:
            header = header_of(self._name(held.path), before, tarfile.REGTYPE, 0)
            self._add(entry, "other", header, 0, iter(()), local)
            return True
        with self.state.transaction():
            self.state.stage(self.job.source, entry.path, entry, "other")
            self.state.note(self.job.source, entry.path, local, self.now.timestamp())
        return True

    def _whole_lines(self, descriptor: int, path: bytes, before: os.stat_result) -> int:
        """The bytes of a file that are archived: one that is being written ends at its last whole line."""
        size = before.st_size
        hot = abs(self.now.timestamp() - before.st_mtime) < HOT_SECONDS
        if not (hot and path.endswith(b".jsonl")) or not size:
            return size
        at = size
        while at > 0:
            start = max(0, at - BLOCK)
            found = os.pread(descriptor, at - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            at = start
        return 0

    def _add(
        self,
        entry: Entry,
        change: str,
        header: bytes,
        start: int,
        blocks: Iterator[bytes],
        local: Local | None,
        size: int = 0,
        digest: "hashlib._Hash | None" = None,
    ) -> None:
        """Write one entry into the pack, and close the pack if it is large enough."""
        if self.writer is None:
            self.writer = PackWriter(self.state.work / f"{self.run_id}.{self.files}{PACK_SUFFIX}")
            self.files += 1
        frame = self.writer.add(header, size, blocks)
        segment = Segment("", frame.at, frame.length, frame.head, start, size, frame.sha256) if size else None
        if digest is not None:
            entry = Entry(**{**vars(entry), "sha256": digest.hexdigest()})
        elif entry.kind == "file" and not entry.sha256:
            entry = Entry(**{**vars(entry), "sha256": _NO_CONTENT})
        self.content_bytes += size
        self.waiting.append((entry, change, entry.kind == "file", segment, local))
        if entry.hollow:
            self.outcome.hollow.append(shown(entry.path))
        self.stage("entry packed")
        if self.writer.size >= self.job.pack_bytes:
            self._close_pack()

    def _close_pack(self) -> None:
        """Hand the pack to the uploader, after the one before it has been stored."""
        if self.writer is None:
            return
        packed = self.writer.finish()
        waiting, self.writer, self.waiting = self.waiting, None, []
        self.stage("pack closed")
        self._sent()
        first = self.number + 1

        def send() -> tuple[Stored, int]:
            return put_proven(
                self.store,
                self.job.bucket,
                lambda number: numbered(self.stem, number, PACK_SUFFIX),
                packed.path,
                packed.sha256,
                first=first,
            )

        self.sending = (self.pool.submit(send), packed, waiting)

    def _sent(self) -> None:
        """Wait for the pack that is being stored, and remember it with its entries."""
        if self.sending is None:
            return
        future, packed, waiting = self.sending
        self.sending = None
        stored, self.number = future.result()
        self.stage("pack read back")
        self.packs[stored.key] = stored
        source, now = self.job.source, self.now.timestamp()
        with self.state.transaction():
            self.state.stage_pack(source, stored, self.number)
            for entry, change, is_file, segment, local in waiting:
                if segment is not None:
                    part = Segment(**{**vars(segment), "pack": stored.key})
                    entry = Entry(**{**vars(entry), "segments": (*entry.segments, part)})  # noqa: PLW2901 - the whole one
                self.state.stage(source, entry.path, entry, change)
                if is_file and local is not None:
                    self.state.note(source, entry.path, local, now)
        packed.path.unlink()
        self.stage("pack remembered")

    def _commit(self) -> None:
        """Put the manifest and then the commit; without anything new, end the run without either."""
        state, job, source = self.state, self.job, self.job.source
        changes = state.changes(source)
        counts = Counts(
            seen=self.seen,
            seen_bytes=self.seen_bytes,
            whole=changes.get("whole", 0),
            tails=changes.get("tail", 0),
            renewed=changes.get("renewed", 0),
            unchanged=self.unchanged,
            content_bytes=self.content_bytes,
            packs=len(self.packs),
        )
        self.outcome.counts = counts
        if not changes:
            with state.transaction():
                state.end(source)
            return
        named: dict[str, Stored] = {}
        for entry in state.staged(source):
            for key in entry.packs:
                if key not in named and (pack := state.pack(key)) is not None:
                    named[key] = pack
        named |= self.packs
        path = state.work / f"{self.run_id}{MANIFEST_SUFFIX}"
        packed = write_manifest(path, self.run_id, named.values(), state.staged(source))
        self.stage("manifest written")
        manifest, _ = put_proven(
            self.store,
            job.bucket,
            lambda number: numbered(self.stem, number, MANIFEST_SUFFIX),
            path,
            packed.sha256,
        )
        path.unlink()
        self.stage("manifest stored")
        stored_bytes = manifest.size + sum(one.size for one in self.packs.values())
        commit = Commit(
            workload=job.workload,
            machine=job.machine,
            installation=state.installation(),
            source=source,
            run=self.run_id,
            sequence=state.sequence(job.machine, source) + 1,
            started_at=datetime.fromtimestamp(self.started, UTC),
            packs=tuple(self.packs.values()),
            manifest=manifest,
            counts=counts.model_copy(update={"stored_bytes": stored_bytes}),
        )
        key = f"{self.stem}{COMMIT_SUFFIX}"
        body = commit.to_bytes()

        def only(number: int) -> str:
            if number > 1:
                raise DamagedError(f"{key} holds the commit of another run: two programs work as machine {job.machine}")
            return key

        put_proven(self.store, job.bucket, only, body, sha256_of(body), content_type="application/json")
        self.stage("committed")
        with state.transaction():
            state.add_commit(key, commit, named.values(), state.staged(source))
            state.end(source)
        self.outcome.run, self.outcome.commit = self.run_id, key
        self.outcome.commit_sha256 = sha256_of(body)
        self.outcome.counts = commit.counts
        self.stage("remembered")

    def _is_old(self, known: Known) -> bool:
        return not known.staged and known.stored < self.now.timestamp() - self.job.renew_after_days * _DAY

    def _name(self, path: bytes, start: int = 0) -> bytes:
        """The name of a tar entry; the new end of a file has one of its own."""
        source = self.job.source.encode()
        return b"/".join((source, path)) if not start else b"/".join((b".tails", source, path)) + f"@{start}".encode()

    def _other_name(self, path: bytes, status: os.stat_result) -> bytes:
        """The first name of the same file, if it has several; empty if this is the first."""
        if status.st_nlink < 2:  # noqa: PLR2004 - the system's count of names
            return b""
        first = self.names.get((status.st_dev, status.st_ino))
        if first is None:
            self.names[status.st_dev, status.st_ino] = Entry(path, "file", 0, 0)
            return b""
        return first.path if first.path != path else b""

    def _remember_name(self, status: os.stat_result, entry: Entry) -> None:
        if status.st_nlink > 1:
            self.names.setdefault((status.st_dev, status.st_ino), entry)

    def _incomplete(self, path: bytes, reason: str) -> None:
        self.outcome.problems.append(f"{shown(path)}: {reason}")


def _mode(status: os.stat_result) -> int:
    return status.st_mode & 0o1777


def _signature(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _local(status: os.stat_result, archived: int, begun: float) -> Local:
    """What to remember of a file; one that changed just now is read again next time."""
    fresh = status.st_ctime_ns / 1e9 > begun - TICK_SECONDS
    return Local(-1 if fresh else status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, archived)


def _is_hollow(size: int, known: Known | None) -> bool:
    """Whether a file is now less than half of what is archived of it, or was so before and is not whole again."""
    if known is None or known.entry.kind != "file":
        return False
    return known.entry.size >= HOLLOW_BYTES and size * 2 < known.entry.size
