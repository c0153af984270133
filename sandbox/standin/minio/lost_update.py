"""The lost update: two writes to one bucket at the same time, of which the server keeps one.

Source: measured on the real plugin 0.17.1 with a real MinIO server. `S3BucketVersioning` and `IlmPolicy` of one
bucket, applied at the same time, lost one of the two writes: as "expected non-nil error with nil state during
Create", or, worse, as a green `up` whose lifecycle rules were gone at the next refresh. MinIO keeps a bucket's
metadata in one document and writes it as a whole.

The one rule: of two overlapping writes the one that began later is not carried out and tells the engine nothing,
so a program that does not chain its writes with `depends_on` fails in the sandbox too, every time and not by luck.
Each write is held for a moment so that an overlap is seen whatever the machine's speed. Left out: writes that do
not pass through the plugin, and deletions (a destroy runs the chain backwards).
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_HOLD_SECONDS = 0.05


class BucketWrites:
    """Knows which buckets are being written to.

    Attributes:
        hold_seconds: how long a write lasts at least; 0 for tests of something else.
    """

    def __init__(self, hold_seconds: float = DEFAULT_HOLD_SECONDS) -> None:
        """Begin with no write."""
        self.hold_seconds = hold_seconds
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    @contextmanager
    def write(self, bucket: str) -> Iterator[bool]:
        """Hold the bucket for one write; yields False when another write was under way already: this one is lost."""
        with self._lock:
            kept = not self._under_way.get(bucket)
            self._under_way[bucket] = self._under_way.get(bucket, 0) + 1
        began = time.monotonic()
        try:
            yield kept
            time.sleep(max(0.0, self.hold_seconds - (time.monotonic() - began)))
        finally:
            with self._lock:
                self._under_way[bucket] -= 1
                if not self._under_way[bucket]:
                    del self._under_way[bucket]
