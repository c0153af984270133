"""Which files a program has open.

The rule: where the system gives no way to tell, that is said, and nothing counts as free. Linux tells by `/proc`, macOS
by `lsof`. The files of another user's programs are not seen.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
_SECONDS = 60


class CannotTellError(Exception):
    """The system does not say which files are open."""


def held(paths: Iterable[bytes]) -> set[int]:
    """The inodes of those files that a program has open.

    Raises:
        CannotTellError: There is neither `/proc` nor `lsof`.
    """
    if (PROC / "self/fd").is_dir():
        return _by_proc()
    program = shutil.which("lsof")
    if program is None:
        raise CannotTellError("whether a program holds a file open: there is neither /proc nor lsof on PATH")
    names = [os.fsdecode(path) for path in paths]
    if not names:
        return set()
    done = subprocess.run(  # noqa: S603 - a program of the system
        [program, "-F", "i", "--", *names], capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode not in (0, 1):
        raise CannotTellError(f"whether a program holds a file open: lsof ended with {done.returncode}")
    return {int(line[1:]) for line in done.stdout.splitlines() if line.startswith("i") and line[1:].isdecimal()}


def _by_proc() -> set[int]:
    found = set()
    own = str(os.getpid())
    for process in os.listdir(PROC):
        if process.isdecimal() and process != own:
            with suppress(OSError), os.scandir(PROC / process / "fd") as descriptors:
                for one in descriptors:
                    with suppress(OSError):
                        found.add(one.stat().st_ino)
    return found
