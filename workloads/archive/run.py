"""One run over one source: what is new goes into packs, is read back, and is committed.

The rule: a run has one id from its first moment, kept in the state before anything is sent. If it is killed, the next
one goes on with the same id and keeps every pack that was read back. Files are read and compressed side by side, a pack
goes up and is read back while the next one grows, and only this thread touches the state. What is not encrypted
to each of today's recipients is stored again whole. A file whose disk gives nothing is named and left (`patience`).

Left out: extended attributes, access control lists and owners.
"""

import hashlib
import os
import queue
import stat
import tarfile
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from object_store import ObjectStore
from workloads.archive import clock
from workloads.archive.commit import (
    COMMIT_SUFFIX,
    ENCRYPTED_MANIFEST_SUFFIX,
    ENCRYPTED_PACK_SUFFIX,
    MANIFEST_SUFFIX,
    PACK_SUFFIX,
    Commit,
    Counts,
    History,
    Stored,
    new_run,
    numbered,
    sha256_of,
    stem_of,
)
from workloads.archive.disk import on_disk
from workloads.archive.entry import Entry, Segment, shown
from workloads.archive.manifest import write_manifest
from workloads.archive.opening import open_manifest, open_pack
from workloads.archive.pack import DamagedError, Made, Packed, PackWriter, header_of
from workloads.archive.patience import Pulse, StalledError, Threads, waited
from workloads.archive.proven import put_proven
from workloads.archive.reading import Read, Reader, UnreadableError, Wanted, mode_of, name_of
from workloads.archive.sealing import NO_KEYS, Keys
from workloads.archive.source import Found, Refused, Root, SourceError, opened_root, told, walk
from workloads.archive.state import Known, State, signature_of

PACK_BYTES: Final = 16 * 2**20
"""Size at which a pack is closed, so that it goes up while the next one grows; a larger file makes a larger pack."""
PACK_ENTRIES: Final = 10_000
"""Entries at which a pack is closed: they are in memory until it is stored."""
LEAN_DAYS: Final = 30
"""No exact commit leans on anything that was stored more days before it."""
READERS: Final = max(1, min(4, (os.cpu_count() or 1) - 1))
"""Files that are read and compressed at the same time, beside this thread; frames are taken in the walk's order."""
AHEAD: Final = 6
"""Files that are read before the one whose turn it is."""
STALLS_MAXIMUM: Final = 3
"""Files whose disk gives nothing, after which the rest of their source is left: each takes a while to tell."""
_DROP_SECONDS: Final = 5.0
_SEEN_AT_ONCE: Final = 10_000
_DAY: Final = 86400.0


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
        pack_entries: Entries at which it is.
        keys: To whom it is encrypted.
        exact: The commit is the whole state of the source: every entry is in it, and nothing that is gone. Content that
            was stored before, under any name, is not stored again.
        left_out: What is meant to be left out.
        history: What is committed with it.
        problems: What is wrong already.
        meant: Whether files are meant to be missing.
    """

    workload: str
    machine: str
    source: str
    root: Path
    bucket: str
    renew_after_days: int
    pack_bytes: int = PACK_BYTES
    pack_entries: int = PACK_ENTRIES
    keys: Keys = NO_KEYS
    exact: bool = False
    left_out: Callable[[bytes], bool] = lambda _: False
    history: History | None = None
    problems: tuple[str, ...] = ()
    meant: bool = False


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
        is_cut: Whether a part of the source was not looked at, because its disk gives nothing.
        unread: How many things are there and hold content that the walk could not tell.
    """

    run: str = ""
    commit: str = ""
    commit_sha256: str = ""
    counts: Counts = field(default_factory=Counts)
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    hollow: list[str] = field(default_factory=list)
    is_cut: bool = False
    unread: int = 0


class _Sending(NamedTuple):
    """A pack that is being stored, with its entries, and the content in it by its SHA-256."""

    future: "Future[tuple[Stored, int]]"
    packed: Packed
    waiting: list[tuple[Read, Segment | None]]
    new: dict[str, tuple[Read, Segment | None]]


@dataclass(frozen=True)
class _Ahead:
    """What is being read.

    Attributes:
        path: Relative to the source.
        reading: What comes of it.
        pulse: Its signs of life.
    """

    path: bytes
    reading: "Future[Read | None]"
    pulse: Pulse


class AgedError(Exception):
    """A run took so long that its commit would lean on something that is too old; the message says on what."""


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
        AgedError: The run took so long that an exact commit would lean on something too old.
        ObjectStoreError: The store is away, or denies it.
        OSError: The local disk cannot hold a pack.
    """
    with on_disk(state.work):
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
        self.outcome = Outcome(problems=list(job.problems))
        self.now = clock.now_utc()
        self.packs: dict[str, Stored] = {}
        self.number = 0
        self.writer: PackWriter | None = None
        self.waiting: list[tuple[Read, Segment | None]] = []
        self.new: dict[str, tuple[Read, Segment | None]] = {}
        self.sending: _Sending | None = None
        self.stopped = threading.Event()
        self.readers: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        for _ in range(READERS):
            self._add_reader()
        self.ahead: deque[_Ahead] = deque()
        self.stalled = 0
        self.still_there: list[bytes] = []
        self.same: list[bytes] = []
        self.names: dict[tuple[int, int], bytes] = {}
        self.seen = self.seen_bytes = self.content_bytes = self.unchanged = 0
        self.files = 0
        self.recipients = frozenset(job.keys.recipients)
        self.pack_suffix = ENCRYPTED_PACK_SUFFIX if self.recipients else PACK_SUFFIX
        self.manifest_suffix = ENCRYPTED_MANIFEST_SUFFIX if self.recipients else MANIFEST_SUFFIX
        self.encrypted_to = state.recipients(job.machine, job.source)

    def run(self) -> Outcome:
        root = opened_root(self.job.root)
        if root.is_file and self.job.exact:
            raise SourceError(f"{self.job.root} is a file, and not a folder")
        self._settle()
        self.stage("before the walk")
        self.reading = Threads(READERS, "archive-read")
        with ThreadPoolExecutor(1, "archive-upload") as self.pool:
            try:
                self._read_all(root)
                self._saw()
                self._close_pack()
                self._sent()
            except BaseException:
                if self.writer is not None:
                    self.writer.abandon()
                raise
            finally:
                self._drop()
        self.stage("all packs stored")
        self._commit()
        return self.outcome

    def _read_all(self, root: Root) -> None:
        """Read what the walk meets; if too much of it gives nothing, or the walk does not go on, leave the rest."""
        last = b"."
        walked = walk(root, self.job.left_out)
        try:
            for found in walked:
                last = found.path
                self._take(root, found)
                if self.stalled >= STALLS_MAXIMUM:
                    self._cut(f"{STALLS_MAXIMUM} files gave nothing, so what comes after {shown(last)} was not read")
                    break
        except StalledError as fault:
            self._cut(f"what comes after {shown(last)} was not read: {fault}")
        finally:
            walked.close()
        while self.ahead:
            self._packed()

    def _cut(self, reason: str) -> None:
        self.outcome.is_cut = True
        self.outcome.problems.append(reason)

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
            else:
                with self.state.transaction():
                    for pack in self.state.leaning(source):
                        if not self._can_lean_on(pack):
                            self.state.unstage(source, pack)
        if pending is None:
            pending = (new_run(self.now), self.now.timestamp())
            with self.state.transaction():
                self.state.begin(source, *pending)
        self.run_id, self.started = pending
        self.stem = stem_of(machine, source, self.run_id)
        if self.job.exact:  # what went since the run was killed is not in it
            self.started = self.now.timestamp()
            with self.state.transaction():
                self.state.unsee(source)
                self.state.forget_contents(source, self._oldest)
        for pack, number in self.state.staged_packs(source):
            self.packs[pack.key] = pack
            self.number = max(self.number, number)
        self.stage("run begun")

    def _take(self, root: Root, found: Found | Refused) -> None:
        if isinstance(found, Refused):
            if found.loses:
                self.outcome.unread += 1
                self.still_there.append(found.path)
            (self.outcome.problems if found.loses else self.outcome.left_out).append(told(found))
            return
        status = found.status
        if stat.S_ISREG(status.st_mode):
            self.seen += 1
            self.seen_bytes += status.st_size
            self._take_file(root, found)
        elif stat.S_ISDIR(status.st_mode):
            self._take_other(Entry(found.path, "folder", mode_of(status), status.st_mtime_ns), status, tarfile.DIRTYPE)
        elif stat.S_ISLNK(status.st_mode):
            try:
                target = os.readlink(os.path.join(root.base, found.path))
            except OSError as fault:
                self._incomplete(found.path, fault.strerror or str(fault))
                return
            digest = hashlib.sha256(target).hexdigest()
            entry = Entry(found.path, "link", mode_of(status), status.st_mtime_ns, sha256=digest, target=target)
            self._take_other(entry, status, tarfile.SYMTYPE)

    def _take_other(self, entry: Entry, status: os.stat_result, kind: bytes) -> None:
        """A folder or a link: it has no content, only a line and a tar entry."""
        known = self.state.newest(self.job.machine, self.job.source, entry.path)
        if known is not None and known.entry == entry and self.job.exact:
            self._stays(entry.path)
        elif known is None or known.entry != entry or self._is_old(known):
            header = header_of(name_of(self.job.source, entry.path), status, kind, link=entry.target)
            self._begin(entry.path, lambda reader, _: reader.other(entry, header))

    def _take_file(self, root: Root, found: Found) -> None:
        source, path, status = self.job.source, found.path, found.status
        known = self.state.newest(self.job.machine, source, path)
        local = self.state.local(source, path)
        same_as = self._other_name(path, status)
        is_old = known is not None and self._is_old(known)
        if known is not None and known.entry.kind == "file" and local is not None and not is_old:
            same = (local.inode, local.size, local.mtime_ns, local.ctime_ns) == signature_of(status)
            if same and local.archived == status.st_size and mode_of(status) == known.entry.mode:
                self.unchanged += 1
                self.still_there.append(path)
                self._stays(path)
                return
        wanted = Wanted(root.base, path, source, known, is_old, same_as, self.now.timestamp(), self.job.exact)
        self._begin(path, lambda reader, pulse: reader.read(wanted, pulse))

    def _stays(self, path: bytes) -> None:
        """Note something that is as it was."""
        if self.job.exact:
            self.same.append(path)
        if max(len(self.still_there), len(self.same)) >= _SEEN_AT_ONCE:
            self._saw()

    def _begin(self, path: bytes, read: Callable[[Reader, Pulse], Read | None]) -> None:
        """Let a reader have something, and pack what was read so far ahead of its turn."""
        pulse = Pulse()

        def work() -> Read | None:
            reader = self.readers.get()
            try:
                return read(reader, pulse)
            finally:
                self.readers.put(reader)

        self.ahead.append(_Ahead(path, self.reading.submit(work), pulse))
        if len(self.ahead) > AHEAD:
            self._packed()

    def _add_reader(self) -> None:
        self.readers.put(Reader(self.state.work, self.job.keys.recipients, self.progress, self.stopped.is_set))

    def _packed(self) -> None:
        """Take what was read next: into the pack, or, if nothing of its content is new, into the state at once."""
        ahead = self.ahead.popleft()
        path = ahead.path
        try:
            read = waited(ahead.reading, ahead.pulse)
        except UnreadableError as fault:
            self.still_there.append(path)
            self._incomplete(path, str(fault))
            return
        except StalledError as fault:
            self.still_there.append(path)
            self._incomplete(path, str(fault))
            ahead.reading.add_done_callback(_closed)
            self.stalled += 1
            self._add_reader()
            self.reading.one_more()
            return
        if read is None:
            return
        if read.frame is not None and self.job.exact:
            if self._is_coming(read, read.frame):
                return
            read = self._deduplicated(read, read.frame)
        if read.frame is not None:
            self._add(read, read.frame)
            return
        self.unchanged += not read.change
        with self.state.transaction():
            self._remember(read)

    def _is_coming(self, read: Read, frame: Made) -> bool:
        """Whether equal content is in a pack that is not stored yet: then it goes with that one's entry."""
        if self.sending is not None and read.entry.sha256 in self.sending.new:
            self._sent()
        same = self.new.get(read.entry.sha256)
        if same is None or same[0].entry.size != read.entry.size:
            return False
        frame.body.close()
        entry = replace(read.entry, segments=same[0].entry.segments)
        self.waiting.append((replace(read, entry=entry, change="other", frame=None), same[1]))
        return True

    def _deduplicated(self, read: Read, frame: Made) -> Read:
        """What was read, without its frame if its whole content was stored before."""
        entry = read.entry
        if not entry.size:
            return read
        held = self.state.content(self.job.source, entry.sha256, self._oldest)
        packs = [self.state.pack(key) for key in held.packs] if held is not None else []
        if held is None or held.size != entry.size or not all(pack and self._can_lean_on(pack) for pack in packs):
            return read
        frame.body.close()
        return replace(read, entry=replace(entry, segments=held.segments), change="other", frame=None)

    def _drop(self) -> None:
        """End the readers, and give back what they hold; one that hangs is not waited for."""
        self.stopped.set()
        self.reading.close()
        for one in self.ahead:
            one.reading.cancel()
            one.reading.add_done_callback(_closed)
        wait([one.reading for one in self.ahead], _DROP_SECONDS)

    def _remember(self, read: Read) -> None:
        """Stage what is new, and note how the file was; within a transaction."""
        source, path = self.job.source, read.entry.path
        if read.change or self.job.exact:
            self.state.stage(source, path, read.entry, read.change or "same")
        if read.local is not None:
            self.state.note(source, path, read.local, self.now.timestamp())

    def _saw(self) -> None:
        """Remember the unchanged files, many at once."""
        with self.state.transaction():
            self.state.saw(self.job.source, self.still_there, self.now.timestamp())
            self.state.keep(self.job.machine, self.job.source, self.same)
        self.still_there.clear()
        self.same.clear()

    def _add(self, read: Read, made: Made) -> None:
        """Append a frame to the pack, and close the pack if it is large enough."""
        if self.writer is None:
            path = self.state.work / f"{self.run_id}.{self.files}{self.pack_suffix}"
            self.writer = PackWriter(path, ends=not self.recipients)
            self.files += 1
        frame, size = self.writer.add(made), read.size
        segment = Segment("", frame.at, frame.length, frame.head, read.start, size, frame.sha256) if size else None
        self.content_bytes += size
        self.waiting.append((replace(read, frame=None), segment))
        if self.job.exact and segment is not None:
            self.new[read.entry.sha256] = self.waiting[-1]
        if read.entry.hollow:
            self.outcome.hollow.append(shown(read.entry.path))
        self.stage("entry packed")
        if self.writer.size >= self.job.pack_bytes or len(self.waiting) >= self.job.pack_entries:
            self._close_pack()

    def _close_pack(self) -> None:
        """Hand the pack to the uploader, after the one before it has been stored."""
        if self.writer is None:
            return
        packed = self.writer.finish()
        waiting, new, self.writer, self.waiting, self.new = self.waiting, self.new, None, [], {}
        self.stage("pack closed")
        self._sent()
        first = self.number + 1

        def send() -> tuple[Stored, int]:
            open_pack(packed, (segment for _, segment in waiting if segment is not None), self.job.keys)
            return put_proven(
                self.store,
                self.job.bucket,
                lambda number: numbered(self.stem, number, self.pack_suffix),
                packed.path,
                packed.sha256,
                first=first,
                recipients=self.job.keys.recipients,
            )

        self.sending = _Sending(self.pool.submit(send), packed, waiting, new)

    def _sent(self) -> None:
        """Wait for the pack that is being stored, and remember it with its entries."""
        if self.sending is None:
            return
        future, packed, waiting, _ = self.sending
        self.sending = None
        stored, self.number = future.result()
        self.stage("pack read back")
        self.packs[stored.key] = stored
        with self.state.transaction():
            self.state.stage_pack(self.job.source, stored, self.number)
            for read, segment in waiting:
                parts = read.entry.segments
                if segment is not None:
                    parts = (*parts, replace(segment, pack=stored.key))
                entry = replace(read.entry, segments=parts)
                self._remember(replace(read, entry=entry))
                if self.job.exact and parts:
                    self.state.hold(self.job.source, entry, self._stored_at(entry))
        packed.path.unlink()
        self.stage("pack remembered")

    def _stored_at(self, entry: Entry) -> float:
        """When the oldest content of an entry was stored, in seconds since 1970."""
        packs = [self.packs.get(key) or self.state.pack(key) for key in entry.packs]
        return min(pack.stored_at.timestamp() if pack else 0.0 for pack in packs)

    def _commit(self) -> None:
        """Put the manifest and then the commit; without anything new, end the run without either."""
        state, job, source = self.state, self.job, self.job.source
        if job.exact:
            with state.transaction():
                state.drop_unseen(source)
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
        emptied = job.exact and not self.seen
        if (emptied and not job.meant) or (not emptied and not changes):
            with state.transaction():
                state.end(source)
            return
        named = state.leaning(source)
        if job.exact:
            self._check_age(named)
        path = state.work / f"{self.run_id}{self.manifest_suffix}"
        packed = write_manifest(path, self.run_id, named, state.staged(source), job.keys.recipients)
        open_manifest(packed, job.keys)
        self.stage("manifest written")
        manifest, _ = put_proven(
            self.store,
            job.bucket,
            lambda number: numbered(self.stem, number, self.manifest_suffix),
            path,
            packed.sha256,
            recipients=job.keys.recipients,
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
            history=job.history,
            problems=len(self.outcome.problems),
            meant=job.meant,
        )
        key = f"{self.stem}{COMMIT_SUFFIX}"
        body = commit.to_bytes()

        def only(number: int) -> str:
            if number > 1:
                with state.transaction():  # else no later run gets further, either
                    state.abandon(source)
                raise DamagedError(f"{key} holds the commit of another run: two programs work as machine {job.machine}")
            return key

        put_proven(self.store, job.bucket, only, body, sha256_of(body), content_type="application/json")
        self.stage("committed")
        with state.transaction():
            state.add_commit(key, commit, named, None, exact=job.exact)
            state.end(source)
        self.outcome.run, self.outcome.commit = self.run_id, key
        self.outcome.commit_sha256 = sha256_of(body)
        self.outcome.counts = commit.counts
        self.stage("remembered")

    def _check_age(self, packs: Iterable[Stored]) -> None:
        """Raise AgedError if something is too old for a commit now, as after a run of days: nothing is committed."""
        bundle = self.job.history.bundle if self.job.history is not None else None
        before = clock.now_utc() - timedelta(days=LEAN_DAYS)
        for one in [*packs, *([bundle] if bundle is not None else [])]:
            if one.stored_at < before:
                raise AgedError(
                    f"the run took since {self.now:%Y-%m-%d %H:%M} UTC, and {one.key} is now older than {LEAN_DAYS} "
                    "days, so no snapshot was made; run the same command again: it stores what is too old again"
                )

    @property
    def _oldest(self) -> float:
        """Content that was stored before this time is stored again, in seconds since 1970."""
        return self.now.timestamp() - self.job.renew_after_days * _DAY

    def _can_lean_on(self, pack: Stored) -> bool:
        """Whether the entries of a killed run may keep a pack: it has today's recipients, and is young enough."""
        young = not self.job.exact or pack.stored_at.timestamp() >= self._oldest
        return young and self.recipients <= set(pack.recipients)

    def _is_old(self, known: Known) -> bool:
        if known.staged:
            return False
        aged = known.stored < self._oldest
        return aged or not self.recipients <= self.encrypted_to.get(known.run, frozenset())

    def _other_name(self, path: bytes, status: os.stat_result) -> bytes:
        """The first name of the same file, if it has several; empty if this is the first."""
        if status.st_nlink < 2:  # noqa: PLR2004 - the system's count of names
            return b""
        first = self.names.setdefault((status.st_dev, status.st_ino), path)
        return first if first != path else b""

    def _incomplete(self, path: bytes, reason: str) -> None:
        self.outcome.problems.append(f"{shown(path)}: {reason}")


def _closed(reading: "Future[Read | None]") -> None:
    """Give back what a reader holds that is not wanted any more."""
    if not reading.cancelled() and reading.exception() is None:
        read = reading.result()
        if read is not None and read.frame is not None:
            read.frame.body.close()
