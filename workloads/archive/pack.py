"""A pack: zstd frames one after the other, each with one tar entry, so that one file comes out by its range.

The rule: `zstd -dc PACK | tar x` unpacks it, and each frame alone is a whole tar entry. A frame is made before it is in
a pack, so what was begun for a file that then changed is dropped, and no entry is filled up with anything that the file
never held. The tar headers are GNU's, which hold names of any bytes; exact times are in the manifest.

If it is encrypted, each frame is an age file of its own, and the pack has no end: a frame at a time comes out, by
`age -d | zstd -dc | tar x`.

Left out: readers that stop after the first frame (Node's `zlib.createZstdDecompress`). Use `zstd` or a library that
reads all frames.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from workloads.archive.age import encrypted
from workloads.archive.zstd import ZstdDecompressor, ZstdError, compressor

BLOCK: Final = 1024 * 1024
MEMORY_BYTES: Final = 4 * BLOCK
"""A frame that is longer is kept in a file until it is in its pack."""
_TAR_BLOCK: Final = 512
_END: Final = bytes(2 * _TAR_BLOCK)


class ChangedError(Exception):
    """A file did not yield the bytes that its size announced."""


class DamagedError(Exception):
    """Bytes of a pack are not what the manifest says; the message says which."""


@dataclass(frozen=True)
class Frame:
    """A frame that was written.

    Attributes:
        at: Its offset in the pack.
        length: Its bytes.
        head: Bytes of the tar header in it.
        sha256: Of the content in it.
    """

    at: int
    length: int
    head: int
    sha256: str


@dataclass(frozen=True)
class Packed:
    """A finished pack.

    Attributes:
        path: The local file.
        size: Its bytes.
        sha256: Of the whole file, in hex.
    """

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Made:
    """A frame that is not in a pack yet.

    Attributes:
        body: Its bytes, in memory or in a file that ends with this process.
        length: How many.
        head: Bytes of the tar header in it.
        sha256: Of the content in it.
    """

    body: IO[bytes]
    length: int
    head: int
    sha256: str


class FrameMaker:
    """Makes frames one after the other, with one compressor."""

    def __init__(self, folder: Path, recipients: Sequence[str] = ()) -> None:
        """Know the folder for frames that are too large for memory, and to whom they are encrypted."""
        self._folder, self._recipients = folder, recipients
        self._compressor = compressor()

    def make(self, header: bytes, size: int, blocks: Iterable[bytes | memoryview]) -> Made:
        """Make one entry's frame.

        Args:
            header: The tar header.
            size: Bytes of the content.
            blocks: The content.

        Raises:
            ChangedError: The content has another size.
            OSError: The frame cannot be written.
        """
        digest, content = hashlib.sha256(), self._compressor
        padding = bytes(-size % _TAR_BLOCK)

        def compressed() -> Iterator[bytes]:
            yield content.compress(header)
            for block in _exactly(blocks, size):
                digest.update(block)
                yield content.compress(block)
            yield content.compress(padding, content.FLUSH_FRAME)

        body = SpooledTemporaryFile(MEMORY_BYTES, dir=str(self._folder))  # noqa: SIM115 - the pack closes it
        try:
            # The compressor then chooses tables of that size: a small file costs a fifth of the time.
            content.set_pledged_input_size(len(header) + size + len(padding))
            encrypted(compressed(), self._recipients, body.write)
        except BaseException:
            self._compressor = compressor()
            body.close()
            raise
        return Made(body, body.tell(), len(header), digest.hexdigest())


class PackWriter:
    """Writes one pack to a local file."""

    def __init__(self, path: Path, *, ends: bool = True) -> None:
        """Begin a new file; with an end it is one whole archive. Raise OSError if it cannot be written."""
        self.path, self._ends = path, ends
        self._file = path.open("xb")
        self._sha256 = hashlib.sha256()
        self.size = 0

    def add(self, made: Made) -> Frame:
        """Append a frame. Raise OSError if the pack cannot be written; it is then of no use."""
        frame = Frame(self.size, made.length, made.head, made.sha256)
        with made.body as body:
            body.seek(0)
            while block := body.read(BLOCK):
                self._put(block)
        return frame

    def _put(self, piece: bytes) -> None:
        self._file.write(piece)
        self._sha256.update(piece)
        self.size += len(piece)

    def finish(self) -> Packed:
        """Write the end of the archive, and close the file.

        What the disk then holds is not waited for: the pack is sent at once, what comes back is compared with what was
        written here, and after a power cut the run makes it again.
        """
        content = compressor()
        if self._ends:
            self._put(content.compress(_END, content.FLUSH_FRAME))
        self._file.close()
        return Packed(self.path, self.size, self._sha256.hexdigest())

    def abandon(self) -> None:
        """Remove the file."""
        with suppress(OSError):  # what was not written yet is not needed
            self._file.close()
        self.path.unlink(missing_ok=True)


def _exactly(blocks: Iterable[bytes | memoryview], size: int) -> Iterator[bytes | memoryview]:
    """The blocks, if they have that many bytes together."""
    left = size
    for block in blocks:
        left -= len(block)
        if left < 0:
            raise ChangedError
        yield block
    if left:
        raise ChangedError


def header_of(name: bytes, status: os.stat_result, kind: bytes, size: int = 0, link: bytes = b"") -> bytes:
    """A tar header.

    Args:
        name: The whole name in the archive.
        status: Mode, owner and time.
        kind: One of tarfile's types.
        size: Bytes of the content.
        link: Where a link leads.
    """
    # Not by the locale: the bytes come out as they went in.
    info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    info.type, info.size, info.linkname = kind, size, link.decode("utf-8", "surrogateescape")
    info.mode, info.uid, info.gid = status.st_mode & 0o7777, status.st_uid, status.st_gid
    info.mtime = max(0, int(status.st_mtime))
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


class FrameReader:
    """Unpacks one frame: leaves the header out, and yields the content."""

    def __init__(self, head: int, size: int, sha256: str, length: int) -> None:
        """Know what the manifest says of it."""
        self._decompressor = ZstdDecompressor()
        self._skip, self._left, self._sha256 = head, size, sha256
        self._length = length
        self._digest = hashlib.sha256()
        self._padding = -size % _TAR_BLOCK

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield what comes out of the next bytes of the frame. Raise DamagedError."""
        try:
            out = self._decompressor.decompress(block, BLOCK)
            while True:
                piece = self._content(out)
                if piece:
                    self._digest.update(piece)
                    yield piece
                if self._decompressor.eof or self._decompressor.needs_input:
                    return
                out = self._decompressor.decompress(b"", BLOCK)
        except (ZstdError, EOFError):
            raise DamagedError("a frame is damaged") from None

    def _content(self, out: bytes) -> bytes:
        skipped = min(self._skip, len(out))
        self._skip -= skipped
        piece = out[skipped : skipped + self._left]
        self._left -= len(piece)
        rest = len(out) - skipped - len(piece)
        self._padding -= rest
        if self._padding < 0:
            raise DamagedError("a frame is longer than its manifest says")
        return piece

    def end(self) -> None:
        """Judge the whole frame. Raise DamagedError with both hashes if it is another one."""
        found = self._digest.hexdigest()
        if not self._decompressor.eof or self._decompressor.unused_data or self._left or self._skip or self._padding:
            raise DamagedError("a frame is cut short, or longer than its manifest says")
        if found != self._sha256:
            raise DamagedError(f"a frame has SHA-256 {found}, the manifest says {self._sha256}")


def unpacked(
    blocks: Iterable[bytes],
    frames: Iterable[tuple[int, FrameReader, Callable[[bytes], None]]],
    opened: Callable[[Iterable[bytes]], Iterable[bytes]] = iter,
) -> None:
    """Unpack frames that follow one another in a stream.

    Args:
        blocks: The stream.
        frames: For each frame its length, its reader, and what takes its content.
        opened: Decrypts a frame.

    Raises:
        DamagedError: A frame is not what the manifest says.
    """
    stream, rest = iter(blocks), b""

    def part(left: int) -> Iterator[bytes]:
        nonlocal rest
        while left:
            if not rest:
                rest = next(stream, b"")
                if not rest:
                    raise DamagedError("a pack ends too early")
            piece, rest = rest[:left], rest[left:]
            left -= len(piece)
            yield piece

    for length, reader, take in frames:
        for piece in opened(part(length)):
            for content in reader.feed(piece):
                take(content)
        reader.end()
