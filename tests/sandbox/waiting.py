"""Questions of tests about other processes: whether one runs, and whether a condition becomes true in time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie does not. It may end between two questions."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # a system without /proc has answered the first question only


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for an effect of other processes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
