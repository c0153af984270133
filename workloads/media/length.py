"""How long a film is by its own container, of the MP4 family: the `mvhd` box.

The rule: nothing is believed that does not fit in the file. A file that says no length has none, without an error.
Source: ISO/IEC 14496-12, 4.2 (boxes) and 8.2.2 (movie header).
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

SUFFIXES: Final = frozenset({"mp4", "m4v", "mov", "m4a"})
_BOXES_MAXIMUM: Final = 10_000
_LARGE, _TO_THE_END, _HEADER = 1, 0, 8


def seconds_of(path: Path) -> float | None:
    """The length in seconds; None if the file does not say it. Raise OSError."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        for kind, start, stop in _boxes(file, 0, end):
            if kind == b"moov":
                return next(
                    (_of_header(file, at, to) for name, at, to in _boxes(file, start, stop) if name == b"mvhd"), None
                )
    return None


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box between two places."""
    for _ in range(_BOXES_MAXIMUM):
        if end - at < _HEADER:
            return
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(_HEADER))
        start = at + _HEADER
        if size == _LARGE:
            large = file.read(8)
            if len(large) < _HEADER:
                return
            size, start = struct.unpack(">Q", large)[0], start + 8
        elif size == _TO_THE_END:
            size = end - at
        if size < start - at or at + size > end:
            return
        yield kind, start, at + size
        at += size


def _of_header(file: BinaryIO, start: int, stop: int) -> float | None:
    file.seek(start)
    content = file.read(min(stop - start, 32))
    form, skipped = (">IQ", 20) if content[:1] == b"\x01" else (">II", 12)
    if len(content) < skipped + struct.calcsize(form):
        return None
    scale, length = struct.unpack_from(form, content, skipped)
    return length / scale if scale else None
