"""Reads one file of a source and makes its frame: all of it, or the new end of one that grew.

The rule: it knows neither the state nor the store, so several files are read at the same time. A file that changes
under the reader's eyes is read again; what comes out is content that the file held at one moment, with the times of
that moment. The new end alone is stored only if the SHA-256 of the beginning is that of what is archived.
"""

import hashlib
import io
import os
import stat
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from workloads.archive.entry import Entry
from workloads.archive.pack import BLOCK, ChangedError, FrameMaker, Made, header_of
from workloads.archive.patience import Pulse, patient
from workloads.archive.state import Known, Local, signature_of, unread

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
_BLOCKS_AHEAD: Final = 2


class UnreadableError(Exception):
    """A file cannot be read; the message says why."""


class StoppedError(Exception):
    """The run ends; the file was not read to its end."""


@dataclass(frozen=True)
class Wanted:
    """A file that is to be read.

    Attributes:
        base: The folder that paths are relative to.
        path: Relative to it.
        source: The source's name.
        known: What is archived of it.
        is_old: Whether that is to be stored again.
        same_as: The first name of the same file.
        now: When the run began, in seconds since 1970.
        exact: Take all of its bytes, also those after the last whole line.
    """

    base: bytes
    path: bytes
    source: str
    known: Known | None
    is_old: bool
    same_as: bytes
    now: float
    exact: bool = False


@dataclass(frozen=True)
class Read:
    """What came of a file, a folder or a link.

    Attributes:
        entry: As it is to be committed, without the part that is in the frame.
        change: How it is counted: `whole`, `tail`, `renewed`, `other`; empty if nothing is new.
        frame: The frame; None if all content is archived.
        start: Offset of the frame's content in the file.
        size: Bytes of the frame's content.
        local: What to remember of the file.
    """

    entry: Entry
    change: str
    frame: Made | None
    start: int = 0
    size: int = 0
    local: Local | None = None


class Reader:
    """Reads files one after the other, with one buffer and one compressor."""

    def __init__(
        self,
        folder: Path,
        recipients: Sequence[str],
        progress: Callable[[int], None],
        stopped: Callable[[], bool],
    ) -> None:
        """Know where large frames are kept, their recipients, whom to tell of bytes read, and whether to go on."""
        self._maker = FrameMaker(folder, recipients)
        self._buffer = memoryview(bytearray(BLOCK))
        self._progress, self._stopped = progress, stopped
        self._pulse = Pulse()

    def read(self, wanted: Wanted, pulse: Pulse) -> Read | None:
        """Read a file; None if it is gone, as it may. Each block is a sign of life.

        Raises:
            UnreadableError: It cannot be read, or it changed each time.
            StoppedError: The run ends.
            OSError: The local disk cannot hold the frame.
        """
        self._pulse = pulse
        for _ in range(TRIES):
            try:
                with _opened(os.path.join(wanted.base, wanted.path)) as file:
                    return self._once(file, wanted)
            except FileNotFoundError:
                return None
            except ChangedError:
                continue
        raise UnreadableError(f"it changed each time it was read, {TRIES} times")

    def other(self, entry: Entry, header: bytes) -> Read:
        """A folder or a link: it has no content, only a header."""
        return Read(entry, "other", self._maker.make(header, 0, ()))

    def _once(self, file: io.FileIO, wanted: Wanted) -> Read:
        before = _status(file)
        if not stat.S_ISREG(before.st_mode):
            raise ChangedError
        size = self._whole_lines(file, wanted, before)
        begun = time.time()
        held, digest, change = self._judged(file, size, wanted)
        start = held.size if held is not None else 0
        local = _local(before, size, begun)
        hollow = _is_hollow(size, wanted.known) or (held is not None and held.hollow)
        made = Entry(
            path=wanted.path,
            kind="file",
            mode=mode_of(before),
            mtime_ns=before.st_mtime_ns,
            size=size,
            segments=held.segments if held is not None else (),
            same_as=wanted.same_as,
            hollow=hollow,
        )
        if held is not None and start == size:  # at most its times or its mode are new
            _check_unchanged(file, before, may_grow=True)
            made = replace(made, sha256=held.sha256, hollow=held.hollow)
            if made == held:
                return Read(made, "", None, local=local)
            if size:
                return Read(made, "other", None, local=local)
            change = "other"
        whole = None if start == 0 else digest

        def blocks() -> Iterator[memoryview]:
            for block in self._blocks(file, start, size):
                if whole is not None:
                    whole.update(block)
                yield block
            _check_unchanged(file, before, may_grow=wanted.path.endswith(b".jsonl"))

        header = header_of(name_of(wanted.source, wanted.path, start), before, tarfile.REGTYPE, size - start)
        frame = self._maker.make(header, size - start, blocks())
        made = replace(made, sha256=frame.sha256 if whole is None else whole.hexdigest())
        return Read(made, change, frame, start, size - start, local)

    def _judged(self, file: io.FileIO, size: int, wanted: Wanted) -> tuple[Entry | None, "hashlib._Hash", str]:
        """What is archived and can be kept, the digest of that much of the file, and how the rest is counted."""
        known, digest = wanted.known, hashlib.sha256()
        held = known.entry if known is not None and known.entry.kind == "file" else None
        if held is None or held.size > size:
            return None, digest, "whole"
        for block in self._blocks(file, 0, held.size):
            digest.update(block)
        if digest.hexdigest() != held.sha256:
            return None, digest, "whole"
        if wanted.is_old:
            return None, digest, "renewed" if held.size == size else "whole"
        if held.size < size and (len(held.segments) >= SEGMENTS_MAXIMUM or held.size == 0):
            return None, digest, "whole"
        return held, digest, "tail"

    def _whole_lines(self, file: io.FileIO, wanted: Wanted, before: os.stat_result) -> int:
        """The bytes of a file that are archived: one that is being written ends at its last whole line."""
        size = before.st_size
        hot = abs(wanted.now - before.st_mtime) < HOT_SECONDS
        if wanted.exact or not (hot and wanted.path.endswith(b".jsonl")):
            return size
        at = size
        while at > 0:
            start = max(0, at - BLOCK)
            found = b"".join(map(bytes, self._blocks(file, start, at))).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            at = start
        return 0

    def _blocks(self, file: io.FileIO, start: int, end: int) -> Iterator[memoryview]:
        """The bytes of a range; each block is overwritten by the next one."""
        at = start
        while at < end:
            if self._stopped():
                raise StoppedError
            count = fill(file, self._buffer[: min(BLOCK, end - at)], at)
            if not count:
                raise ChangedError
            at += count
            self._pulse.beat()
            self._progress(count)
            yield self._buffer[:count]


def fill(file: io.FileIO, buffer: memoryview, at: int) -> int:
    """Read from an offset of a file; return how many bytes came. Raise UnreadableError."""
    try:
        file.seek(at)
        return file.readinto(buffer) or 0
    except OSError as fault:
        raise UnreadableError(fault.strerror or str(fault)) from None


def _opened(path: bytes) -> io.FileIO:
    try:
        return io.FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError from None
    except IsADirectoryError:
        raise ChangedError from None
    except OSError as fault:
        raise UnreadableError(fault.strerror or str(fault)) from None


def _status(file: io.FileIO) -> os.stat_result:
    try:
        return os.fstat(file.fileno())
    except OSError as fault:
        raise UnreadableError(fault.strerror or str(fault)) from None


def _check_unchanged(file: io.FileIO, before: os.stat_result, *, may_grow: bool) -> None:
    """Raise ChangedError if a file is no longer what it was, other than by growing."""
    after = _status(file)
    if after.st_size < before.st_size or (after.st_size > before.st_size and not may_grow):
        raise ChangedError
    if after.st_size == before.st_size and after.st_mtime_ns != before.st_mtime_ns:
        raise ChangedError


def name_of(source: str, path: bytes, start: int = 0) -> bytes:
    """The name of a tar entry; the new end of a file has one of its own."""
    below = source.encode()
    return b"/".join((below, path)) if not start else b"/".join((b".tails", below, path)) + f"@{start}".encode()


def mode_of(status: os.stat_result) -> int:
    """The permissions that are archived."""
    return status.st_mode & 0o1777


def _local(status: os.stat_result, archived: int, begun: float) -> Local:
    """What to remember of a file; one that changed just now is read again next time."""
    local = Local(*signature_of(status), archived)
    return unread(local) if status.st_ctime_ns / 1e9 > begun - TICK_SECONDS else local


def _is_hollow(size: int, known: Known | None) -> bool:
    """Whether a file is now less than half of what is archived of it."""
    if known is None or known.entry.kind != "file":
        return False
    return known.entry.size >= HOLLOW_BYTES and size * 2 < known.entry.size


def sha256_of_file(path: bytes) -> str:
    """The SHA-256 of a file in hex; empty if it cannot be read. Raise StalledError."""

    def blocks() -> Iterator[bytes]:
        with _opened(path) as file:
            if stat.S_ISREG(_status(file).st_mode):
                while block := file.read(BLOCK):
                    yield block

    digest = hashlib.sha256()
    try:
        for block in patient(blocks(), _BLOCKS_AHEAD):
            digest.update(block)
    except (OSError, UnreadableError, ChangedError):
        return ""
    return digest.hexdigest()
