"""The journal of a comparison: JSON lines from which an interrupted comparison resumes.

The rule: everything up to the last checkpoint counts. Lines after it, including a torn one, are dropped, and their work
is done again. A file that is not a journal, or belongs to another comparison, is never written to.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final

from object_store.errors import InvalidArgument, LocalFileError
from object_store.partials import lock, write_all
from object_store.written import json_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = "object-store-parity"
_LINE_BYTES_MAXIMUM: Final = 2**16  # a key has at most 1024 bytes, and an escape needs 6 bytes for each
_SHOWN_CHARACTERS: Final = 300


@dataclass(frozen=True)
class Finding:
    """A key that is not the same on both sides.

    Attributes:
        kind: `missing`, `extra`, `different` or `undecided`.
        key: the whole key.
        reason: why it is undecided; otherwise empty.
    """

    kind: str
    key: str
    reason: str = ""


@dataclass
class Checkpoint:
    """The progress of a comparison.

    Attributes:
        through: the last key that is done; None at the beginning.
        same: keys that were the same on both sides.
        same_bytes: their total length.
        findings: the keys that were not.
    """

    through: str | None = None
    same: int = 0
    same_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


class Journal:
    """The file that records a comparison; without a file it records nothing."""

    def __init__(self, descriptor: int | None, path: Path | None, progress: Checkpoint) -> None:
        """Continue after the progress that was read."""
        self._descriptor = descriptor
        self._path = path
        self.progress = progress

    def start(self, comparison: dict[str, str]) -> None:
        """Record what is compared."""
        self._write({"journal": _NAME, "version": 1, **comparison}, sync=True)

    def add(self, finding: Finding) -> None:
        """Record a finding."""
        self.progress.findings.append(finding)
        self._write({"finding": finding.kind, "key": finding.key, "reason": finding.reason})

    def checkpoint(self, through: str) -> None:
        """Record that every key up to this one is done."""
        self.progress.through = through
        self._write({"through": through, "same": self.progress.same, "sameBytes": self.progress.same_bytes}, sync=True)

    def finish(self) -> None:
        """Record that all is done, so that the next comparison starts from the beginning."""
        self._write({"done": True}, sync=True)

    def _write(self, line: dict[str, object], *, sync: bool = False) -> None:
        if self._descriptor is None:
            return
        try:
            write_all(self._descriptor, json.dumps(line).encode() + b"\n")
            if sync:
                os.fsync(self._descriptor)
        except OSError as fault:
            raise LocalFileError(f"the journal {self._path} cannot be written: {fault.strerror}") from None


@contextmanager
def opened_journal(path: Path | None, **comparison: str) -> Iterator[Journal]:
    """Open the journal of a comparison, and read its progress.

    Raises:
        InvalidArgument: it belongs to another comparison, or is not a journal.
        LocalFileError: it cannot be read or written, or is in use.
    """
    if path is None:
        yield Journal(None, None, Checkpoint())
        return
    with ExitStack() as stack:
        try:
            # Without O_NONBLOCK the opening of a device may wait for ever.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
            stack.callback(os.close, descriptor)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # reading a pipe back would never end
                raise InvalidArgument(f"{path} is not a regular file: name another file for the journal")
            if lock(descriptor) is False:
                raise LocalFileError(f"the journal {path} is in use by another comparison")
            with path.open("rb") as file:
                progress, end = _read(file, path, comparison)
            os.ftruncate(descriptor, end)
        except OSError as fault:
            raise LocalFileError(f"the journal {path} cannot be opened: {fault.strerror}") from None
        journal = Journal(descriptor, path, progress)
        if end == 0:
            journal.start(comparison)
        yield journal


def _read(file: BinaryIO, path: Path, comparison: dict[str, str]) -> tuple[Checkpoint, int]:
    """Return the progress that counts, and the number of bytes that it takes in the file."""
    expected: dict[str, object] = {"journal": _NAME, "version": 1, **comparison}
    first = file.readline(_LINE_BYTES_MAXIMUM)
    if not first.endswith(b"\n") and json.dumps(expected).encode().startswith(first):
        return Checkpoint(), 0  # empty, or torn in the first line
    header = _json(first)
    if not isinstance(header, dict) or header.get("journal") != _NAME:
        raise InvalidArgument(f"{path} is not a journal of a comparison, and was not changed: name another file")
    if header != expected:
        other = ascii(header)[:_SHOWN_CHARACTERS]
        raise InvalidArgument(f"{path} is the journal of another comparison ({other}): name another file or remove it")
    end, pending, progress = file.tell(), list[Finding](), Checkpoint()
    for line in iter(partial(file.readline, _LINE_BYTES_MAXIMUM), b""):
        match _json(line):
            case {"finding": str(kind), "key": str(key), "reason": str(reason)}:
                pending.append(Finding(kind, key, reason))
            case {"through": str(through), "same": int(same), "sameBytes": int(same_bytes)} if (
                min(same, same_bytes) >= 0
            ):
                progress = Checkpoint(through, same, same_bytes, [*progress.findings, *pending])
                pending.clear()
                end = file.tell()
            case {"done": True}:
                return Checkpoint(), 0
            case _:
                break
    return progress, end


def _json(line: bytes) -> object:
    """Read a whole line; None if it is torn or not JSON."""
    try:
        return json_of(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
