"""The lost update: two concurrent writes to one bucket, of which the server keeps one.

Source: measured on the real plugin 0.17.1 with a real MinIO server. `S3BucketVersioning` and `IlmPolicy` of one
bucket, applied at the same time, lost one of the two writes. The result was "expected non-nil error with nil state
during Create", or, worse, a green `up` whose lifecycle rules were gone at the next refresh. MinIO keeps a bucket's
metadata in one document and writes it as a whole.

The one rule: of two overlapping writes, the later one is not executed and reports nothing to the engine. So a program
that does not chain its writes with `depends_on` fails in the sandbox every time. Each write lasts for a moment, so that
an overlap shows on machines of any speed. Left out: writes that do not pass through the plugin, and deletions (a
destroy runs the chain backwards).
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
    """Records the buckets with a running write.

    Attributes:
        hold_seconds: the minimum duration of a write; 0 in tests of other things.
    """

    def __init__(self, hold_seconds: float = DEFAULT_HOLD_SECONDS) -> None:
        """Start without a write."""
        self.hold_seconds = hold_seconds
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    @contextmanager
    def write(self, bucket: str) -> Iterator[bool]:
        """Hold the bucket for one write; yield False if another write is already running, so this one is lost."""
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
