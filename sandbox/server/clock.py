"""The clock of the sandbox's server: this machine's, or as wrong as the file `clock` of its folder says.

The rule: it decides what a client can notice of a clock, the `Date` of each answer, the time of a signature, and
whether the end of a lock is in the past. Left out: the times of objects and keys.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "clock"


def machine_clock() -> datetime:
    """The time by this machine."""
    return datetime.now(UTC)


def clock_of(directory: Path) -> Callable[[], datetime]:
    """The clock of a server: it is ahead by the seconds in the file, which may be negative; right without the file."""
    path = directory / FILE
    place = str(path)

    def now() -> datetime:
        if not os.path.exists(place):  # noqa: PTH110 - three times a request; pathlib takes ten times as long
            return machine_clock()
        try:
            ahead = float(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return machine_clock()
        return machine_clock() + timedelta(seconds=ahead)

    return now


@contextmanager
def ahead(directory: Path, seconds: float) -> Iterator[None]:
    """The clock of the running server of a folder is ahead, or behind, until the end of the block."""
    path = directory / FILE
    path.write_text(str(seconds), encoding="ascii")
    try:
        yield
    finally:
        path.unlink()
