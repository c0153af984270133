"""Notices that this machine stood still, or that its clock was set, while a run was going on.

The rule: what a run has agreed with the server ends at a fixed time, such as the lock of a seed and a presigned URL.
After a pause that may be longer, no answer says anything about the server.
"""

import threading
import time
from typing import Final, Self

STILL_SECONDS: Final = 120
"""Shorter than anything that a run agrees with the server, and longer than a busy machine makes a thread wait."""
_LOOK_SECONDS: Final = 5


class Standstill:
    """Looks at the clock all the time; thread-safe.

    The monotonic clock would not do: it stops while Linux or macOS sleeps (`man 2 clock_gettime`).
    """

    def __init__(self) -> None:
        """Begin to look when the block begins."""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._looked = time.time()
        self._seconds = 0.0
        self._thread = threading.Thread(target=self._look, name="standstill", daemon=True)

    def __enter__(self) -> Self:
        """Look from now on."""
        self._looked = time.time()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no longer."""
        self._over.set()
        self._thread.join()

    @property
    def found(self) -> str:
        """In words, that and how long it stood still until this moment; empty if it did not."""
        with self._lock:
            now = time.time()
            self._seconds = max(self._seconds, abs(now - self._looked))
            self._looked = now
        if self._seconds < STILL_SECONDS:
            return ""
        return f"this machine stood still, or its clock was set, for {self._seconds / 60:.0f} minutes"

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            _ = self.found
