"""A manifest: one line of JSON for each entry of a run, after one line that names the packs.

The rule: it is written and read as a stream, so its length costs no memory. It is read only against the SHA-256 in its
commit.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from workloads.archive.age import encrypted
from workloads.archive.commit import Stored
from workloads.archive.entry import Entry, entry_of
from workloads.archive.pack import BLOCK, DamagedError, Packed
from workloads.archive.zstd import ZstdDecompressor, ZstdError, compressor

VERSION: Final = 1
_LINES_AT_ONCE: Final = 500
_LINE_BYTES_MAXIMUM: Final = 16 * 2**20


def write_manifest(
    path: Path, run: str, packs: Iterable[Stored], lines: Iterable[str], recipients: Sequence[str] = ()
) -> Packed:
    """Write a manifest to a new file.

    Args:
        path: The file.
        run: The run's id.
        packs: Every pack that an entry names, also those of earlier runs.
        lines: The entries, as `entry.line_of` writes them.
        recipients: To whom it is encrypted, as one age file; none for clear.

    Raises:
        OSError: It cannot be written.
    """
    digest, content, size = hashlib.sha256(), compressor(), 0
    with path.open("xb") as file:

        def put(piece: bytes) -> None:
            nonlocal size
            file.write(piece)
            digest.update(piece)
            size += len(piece)

        def compressed() -> Iterator[bytes]:
            head = {"version": VERSION, "run": run, "packs": [one.model_dump(mode="json") for one in packs]}
            yield content.compress(json.dumps(head).encode() + b"\n")
            left = iter(lines)
            while some := [*islice(left, _LINES_AT_ONCE)]:
                yield content.compress("\n".join([*some, ""]).encode())
            yield content.flush()

        encrypted(compressed(), recipients, put)
        file.flush()
        os.fsync(file.fileno())
    return Packed(path, size, digest.hexdigest())


def read_manifest(blocks: Iterable[bytes], key: str) -> tuple[list[Stored], Iterator[Entry]]:
    """Read a manifest: the packs, and then the entries.

    Args:
        blocks: Its bytes; the iterator itself proves them.
        key: Its key, for messages.

    Raises:
        DamagedError: It is not a manifest.
    """
    lines = _lines(blocks, key)
    try:
        head = json.loads(next(lines, b""))
        if head["version"] != VERSION:
            raise DamagedError(f"{key} has version {head['version']!r}; this program reads {VERSION}")
        packs = [
            Stored.model_validate(one | {"stored_at": datetime.fromisoformat(one["stored_at"])})
            for one in head["packs"]
        ]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise DamagedError(f"{key} is not a manifest") from None
    return packs, _entries(lines, key)


def _entries(lines: Iterator[bytes], key: str) -> Iterator[Entry]:
    for line in lines:
        try:
            yield entry_of(line)
        except ValueError as fault:
            raise DamagedError(f"{key}: {fault}") from None


def _lines(blocks: Iterable[bytes], key: str) -> Iterator[bytes]:
    content, rest = ZstdDecompressor(), b""
    try:
        for block in blocks:
            out = content.decompress(block, BLOCK)
            while True:
                *whole, rest = (rest + out).split(b"\n")
                yield from whole
                if len(rest) > _LINE_BYTES_MAXIMUM:
                    raise DamagedError(f"{key} has a line that is too long")
                if content.eof or content.needs_input:
                    break
                out = content.decompress(b"", BLOCK)
    except (ZstdError, EOFError):
        raise DamagedError(f"{key} is damaged") from None
    if rest or not content.eof:
        raise DamagedError(f"{key} is cut short")
