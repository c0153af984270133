"""Lines of JSON on their way from a server's answer to a gzip on disk: counted and hashed, and not parsed.

The rule: the gzip has one member and no time in it, because many readers stop after the first member
(https://github.com/nodejs/node/issues/64741), and the same lines must give the same bytes.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from isal import isal_zlib

from workloads.otel.clickhouse import CutError

_LEVEL: Final = 2
_GZIP: Final = 31
"""Window bits that make a gzip of it."""
_TAIL: Final = 2**14
_ERROR: Final = re.compile(rb"Code: \d+\. DB::[^\n]*")


@dataclass(frozen=True)
class Lines:
    """What was written.

    Attributes:
        rows: How many lines.
        plain_bytes: Bytes of the lines.
        plain_sha256: Of the lines.
        sha256: Of the gzip.
    """

    rows: int
    plain_bytes: int
    plain_sha256: str
    sha256: str


def spooled(blocks: Iterable[bytes], path: Path, column: str, progress: Callable[[int], None]) -> Lines:
    """Write lines to a file as gzip.

    Args:
        blocks: The answer, cut anywhere.
        path: The file.
        column: The first column: each line begins with its name.
        progress: Called with bytes of the lines.

    Raises:
        CutError: The answer ends in the middle of a line, or with an error.
        OSError: The disk is full.
    """
    plain, packed = hashlib.sha256(), hashlib.sha256()
    gzip = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
    rows = size = 0
    tail = b""
    with path.open("wb") as file:

        def write(block: bytes) -> None:
            packed.update(block)
            file.write(block)

        for block in blocks:
            plain.update(block)
            rows += block.count(b"\n")
            size += len(block)
            tail = (tail + block)[-_TAIL:] if len(block) < _TAIL else block[-_TAIL:]
            write(gzip.compress(block))
            progress(len(block))
        write(gzip.flush())
        file.flush()
        os.fsync(file.fileno())
    _check_end(tail, size, column)
    return Lines(rows, size, plain.hexdigest(), packed.hexdigest())


def _check_end(tail: bytes, size: int, column: str) -> None:
    """Find an error in the last line, where a server writes it after it has said 200.

    The form depends on the version: a line of text, a line of JSON, a block after `__exception__`
    (https://github.com/ClickHouse/ClickHouse/issues/46426), each also in the middle of a row. No text of an event can
    look like it, because in a row a line break is escaped.
    """
    if not size:
        return
    if not tail.endswith(b"\n"):
        raise CutError(f"the answer ended in the middle of a line{_said(tail)}")
    begin = tail.rfind(b"\n", 0, len(tail) - 1) + 1
    last = tail[begin:]
    is_cut = begin == 0 and size > len(tail)  # the line is longer than what is kept of it
    is_row = last.endswith(b"}\n") if is_cut else _is_row(last, column)
    if not is_row:
        raise CutError(f"the answer ended with a line that is not a row{_said(last)}")


def _is_row(line: bytes, column: str) -> bool:
    try:
        values = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and next(iter(values), None) == column


def _said(tail: bytes) -> str:
    """The error that is in the end of an answer, if there is one."""
    found = _ERROR.search(tail)
    return f": {found[0][:500].decode('utf-8', 'replace')}" if found else ""
