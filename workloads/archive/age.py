"""Encryption by age as streams: our blocks are pulled and pushed, and the library reads and writes files.

The rule: what our own blocks raise comes out as it is, and nothing of a key is in any message. Each 64 KiB are
authenticated before they are passed on, and the last ones say that they are the last.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, cast

import pyrage

if TYPE_CHECKING:
    from io import BufferedIOBase

_AT_ONCE: Final = 1024 * 1024
"""An age file of at most this size is opened in memory; a larger one by a thread, as a stream."""
_WAIT_SECONDS: Final = 0.1


class NotOpenedError(Exception):
    """What is encrypted is damaged, or is for other identities."""


def encrypted(blocks: Iterable[bytes], recipients: Sequence[str], put: Callable[[bytes], object]) -> None:
    """Pass blocks on, encrypted as one age file if there are recipients. Raise all that they, or `put`, raise."""
    to = [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    if not to:
        for block in blocks:
            put(block)
        return
    reader, writer = _Reader(blocks), _Writer(put)
    unnamed: Exception | None = None
    try:
        pyrage.encrypt_io(cast("BufferedIOBase", reader), cast("BufferedIOBase", writer), to)
    except (pyrage.EncryptError, OSError) as fault:
        unnamed = fault
    # It wraps what the blocks raised, and does not raise at all if the last bytes were not taken.
    if failed := reader.fault or writer.fault or unnamed:
        raise failed


def decrypted(blocks: Iterable[bytes], identities: Sequence[pyrage.x25519.Identity]) -> Iterator[bytes]:
    """Yield what is in one age file. Raise NotOpenedError, and all that the blocks raise."""
    stream, first = iter(blocks), b""
    for block in stream:
        first += block
        if len(first) > _AT_ONCE:
            yield from _streamed(chain([first], stream), identities)
            return
    try:
        yield pyrage.decrypt(first, identities)
    except (pyrage.DecryptError, OSError):
        raise NotOpenedError from None


def _streamed(blocks: Iterable[bytes], identities: Sequence[pyrage.x25519.Identity]) -> Iterator[bytes]:
    """The library pushes, and our readers pull, so a thread is between them."""
    queue: Queue[bytes | None] = Queue(4)
    over, faults = Event(), list[BaseException]()

    def put(piece: bytes) -> None:
        if over.is_set():
            raise BrokenPipeError
        queue.put(piece)

    def work() -> None:
        reader, writer = _Reader(blocks), _Writer(put)
        unnamed: Exception | None = None
        try:
            pyrage.decrypt_io(cast("BufferedIOBase", reader), cast("BufferedIOBase", writer), identities)
        except Exception:  # noqa: BLE001 - the thread that reads gets it
            unnamed = NotOpenedError()
        finally:
            if failed := reader.fault or writer.fault or unnamed:
                faults.append(failed)
            queue.put(None)

    thread = Thread(target=work, name="archive-decrypt")
    thread.start()
    try:
        while (piece := queue.get()) is not None:
            yield piece
    finally:
        over.set()
        while thread.is_alive():
            with suppress(Empty):
                queue.get(timeout=_WAIT_SECONDS)
    if faults:
        raise faults[0]


class _Reader:
    """Blocks as the file that the library reads; it keeps what they raised."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks, self._rest = iter(blocks), b""
        self.fault: BaseException | None = None

    def read(self, size: int) -> bytes:
        try:
            while not self._rest:
                self._rest = next(self._blocks)
        except StopIteration:
            return b""
        except BaseException as fault:
            self.fault = fault
            raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class _Writer:
    """What takes blocks as the file that the library writes; it keeps what that raised."""

    def __init__(self, put: Callable[[bytes], object]) -> None:
        self._put = put
        self.fault: BaseException | None = None

    def write(self, piece: bytes) -> int:
        try:
            self._put(bytes(piece))
        except BaseException as fault:
            self.fault = fault
            raise
        return len(piece)

    def flush(self) -> None:
        """Nothing is kept back."""
