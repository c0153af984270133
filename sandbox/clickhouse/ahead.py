"""Makes the next piece of an answer while one is sent, as a server does, whose threads go on while one writes.

The rule: who gives an answer up stops its maker; no thread is left.
"""

from collections.abc import Iterator
from queue import Queue
from threading import Event, Thread


def made_ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, made in a thread of their own; what it raises, this raises in its place."""
    made: Queue[bytes | BaseException | None] = Queue(maxsize=1)
    is_given_up = Event()

    def make() -> None:
        end: BaseException | None = None
        try:
            for piece in pieces:
                made.put(piece)
                if is_given_up.is_set():
                    break
        except BaseException as fault:  # noqa: BLE001 - it is raised again, in the thread that reads
            end = fault
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator
        made.put(end)

    maker = Thread(target=make, daemon=True)
    maker.start()
    try:
        while (piece := made.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        is_given_up.set()
        while maker.is_alive():
            if not made.empty():
                made.get()
            maker.join(0.01)
