"""A dynamic provider ends with the engine that it serves, also if the engine is killed.

The rule: no process with the admin's password in its environment stays behind. The engine ends its plugins when it
ends in order; a killed engine cannot. It starts Pulumi's script, which starts this Python and waits for it, so the
script's parent is what is watched. Left out: machines without /proc, such as macOS.
"""

import os
import re
import time
from functools import cache
from pathlib import Path
from threading import Thread

_SCRIPT = b"pulumi-resource-pulumi-python"
_ENGINE = b"pulumi"
_LOOK_SECONDS = 0.5


@cache
def end_with_engine() -> None:
    """Watch the engine from now on, in a thread; does nothing in a process that Pulumi's script did not start."""
    script = os.getppid()
    engine = _parent_of(script)
    if engine is not None and _SCRIPT in _command_of(script):
        if _ENGINE not in _command_of(engine):  # it was killed before this call, and the script has another parent
            os._exit(1)
        Thread(target=_watch, args=(script, engine), name="engine-watch", daemon=True).start()


def _watch(script: int, engine: int) -> None:
    while _parent_of(script) == engine:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _parent_of(process: int) -> int | None:
    try:
        found = re.search(
            r"^PPid:\s*([0-9]+)", Path(f"/proc/{process}/status").read_text("ascii", "replace"), re.MULTILINE
        )
    except OSError:
        return None
    return int(found[1]) if found else None


def _command_of(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""
