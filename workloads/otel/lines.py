"""Lines of JSON on their way from a server's answer to a gzip on disk: counted and hashed, and not parsed.

The rule: the gzip has one member and no time in it, because many readers stop after the first member
(https://github.com/nodejs/node/issues/64741), and the same lines must give the same bytes.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from isal import isal_zlib

from workloads.otel.clickhouse import CutError, error_in

_LEVEL: Final = 2
_GZIP: Final = 31
"""Window bits that make a gzip of it."""
_TAIL: Final = 2**14


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
    """Find an error in the last line, where a server writes it after it has said 200."""
    if not size:
        return
    said = error_in(tail)
    if said:
        raise CutError(f"an error came in the middle of the answer: {said[:500]}")
    if not tail.endswith(b"\n"):
        raise CutError("the answer ended in the middle of a line")
    begin = tail.rfind(b"\n", 0, len(tail) - 1) + 1
    is_whole = begin > 0 or size <= _TAIL
    if is_whole and not tail[begin:].startswith(f"{{{json.dumps(column)}:".encode()):
        raise CutError(f"the last line is no row: {tail[begin:][:200].decode('utf-8', 'replace')}")
