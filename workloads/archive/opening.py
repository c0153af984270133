"""Opens what is encrypted and not sent yet, where an identity is at hand: the way back is proven before it is needed.

The rule: what is sent has the SHA-256 of what was opened here, and what the store gives back has it, too.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from workloads.archive import clock
from workloads.archive.commit import Stored
from workloads.archive.entry import Segment
from workloads.archive.manifest import read_manifest
from workloads.archive.pack import BLOCK, FrameReader, Packed
from workloads.archive.sealing import Keys


def open_pack(packed: Packed, segments: Iterable[Segment], keys: Keys) -> None:
    """Open each entry of a pack, if it is encrypted and an identity is at hand. Raise ClosedError or DamagedError."""
    if not (keys.recipients and keys.identities):
        return
    stored = _as_stored(packed, keys)
    for part in segments:
        reader = FrameReader(part.head, part.size, part.sha256, part.length)
        for block in keys.opened(_blocks(packed.path, part.at, part.length), stored):
            for _ in reader.feed(block):
                pass
        reader.end()


def open_manifest(packed: Packed, keys: Keys) -> None:
    """Likewise for a manifest."""
    if not (keys.recipients and keys.identities):
        return
    _, entries = read_manifest(keys.opened(_blocks(packed.path, 0, packed.size), _as_stored(packed, keys)), "manifest")
    for _ in entries:
        pass


def _blocks(path: Path, start: int, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while size and (block := file.read(min(BLOCK, size))):
            size -= len(block)
            yield block


def _as_stored(packed: Packed, keys: Keys) -> Stored:
    """A file that is to be stored, under its own name."""
    now = clock.now_utc()
    name = packed.path.name
    return Stored(key=name, etag="-", size=packed.size, sha256=packed.sha256, stored_at=now, recipients=keys.recipients)
