"""What may hang: a disk, a mount or a cloud's file system that no longer answers, in a call that nothing interrupts.

The rule: such a call is made by a thread that the end of the process does not wait for, and the thread that needs it
looks for signs of life. Time in which the whole process was stopped does not count.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Final, Generic, TypeVar

T = TypeVar("T")
STALL_SECONDS: Final = 120.0
"""How long a file or a folder may give nothing. A disk that starts takes 30 seconds, and a slow one goes on giving."""
LOOK_SECONDS: Final = 1.0
"""How often is looked."""


class StalledError(Exception):
    """Nothing came for a long time; the message says for how long."""

    def __init__(self) -> None:
        """Say for how long."""
        super().__init__(f"nothing came of it for {STALL_SECONDS:.0f} seconds: its disk or mount does not answer")


class Pulse:
    """Signs of life of one call.

    Attributes:
        beats: How many there were.
        is_elsewhere: Whether the call waits for something that has limits of its own, as a store has.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.beats, self.is_elsewhere = 0, False

    def beat(self) -> None:
        """Give one."""
        self.beats += 1

    @contextmanager
    def elsewhere(self, *, is_so: bool = True) -> Iterator[None]:
        """Wait in the block for something that has limits of its own: its silence is not that of the disk."""
        before, self.is_elsewhere = self.is_elsewhere, is_so
        try:
            yield
        finally:
            self.is_elsewhere = before
            self.beat()


class Threads:
    """Threads that make calls in the order in which they are given."""

    def __init__(self, count: int, name: str) -> None:
        """Start them."""
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._name, self._count = name, 0
        for _ in range(count):
            self.one_more()

    def one_more(self) -> None:
        """Start a thread in place of one that hangs."""
        self._count += 1
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Make a call as soon as a thread is free."""
        future: Future[T] = Future()

        def made() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as fault:  # noqa: BLE001 - the thread that waits gets it
                    future.set_exception(fault)

        self._calls.put(made)
        return future

    def close(self) -> None:
        """Let each thread end after what it was given; one that hangs is left behind."""
        for _ in range(self._count):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def waited(future: "Future[T]", pulse: Pulse) -> T:
    """The result of a call. Raise StalledError if it gives no sign of life, and all that the call raises."""
    quiet, beats = 0.0, pulse.beats
    while not future.done():
        with suppress(TimeoutError):
            future.exception(LOOK_SECONDS)
            break
        quiet = quiet + LOOK_SECONDS if pulse.beats == beats and not pulse.is_elsewhere else 0.0
        beats = pulse.beats
        if quiet >= STALL_SECONDS:
            raise StalledError
    return future.result()


def called(call: Callable[[], T]) -> T:
    """Make one call that may hang. Raise StalledError if it does, and all that it raises."""
    threads = Threads(1, "archive-call")
    try:
        return waited(threads.submit(call), Pulse())
    finally:
        threads.close()


class _Line(Generic[T]):
    """Items on their way from one thread to another, so many at most; quicker than `queue.Queue`."""

    def __init__(self, most: int) -> None:
        self._items: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._most, self._room, self._is_over = most, threading.Event(), False

    def put(self, item: T) -> bool:
        """Wait for room; whether the items are still wanted."""
        while self._items.qsize() >= self._most and not self._is_over:
            self._room.clear()
            if self._items.qsize() >= self._most:  # so it is still to pass where `get` sees that there is room
                self._room.wait(LOOK_SECONDS)
        self._items.put(item)
        return not self._is_over

    def get(self, seconds: float) -> T:
        """The next item. Raise queue.Empty."""
        item = self._items.get(timeout=seconds)
        if self._items.qsize() == self._most // 2:
            self._room.set()
        return item

    def end(self) -> None:
        """Want no more."""
        self._is_over = True
        self._room.set()


def patient(items: Iterable[T], ahead: int) -> Generator[T, None, None]:
    """Yield what is made by a thread, some of it ahead. Raise StalledError if nothing comes, and all that is raised."""
    made: _Line[T] = _Line(ahead)

    def make() -> None:
        for item in items:
            if not made.put(item):
                return

    threads = Threads(1, "archive-walk")
    future = threads.submit(make)
    threads.close()
    quiet = 0.0
    try:
        while True:
            ended = future.done()  # before the queue is found empty, so that nothing is put after it
            try:
                item = made.get(0 if ended else LOOK_SECONDS)
            except queue.Empty:
                if ended:
                    break
                quiet += LOOK_SECONDS
                if quiet >= STALL_SECONDS:
                    raise StalledError from None
            else:
                quiet = 0.0
                yield item
        future.result()
    finally:
        made.end()
