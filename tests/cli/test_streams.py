"""The console whose standard output is full or closed."""

import subprocess
import sys

import pytest

CONSOLE = f"{sys.executable} -m cli"
FULL, CLOSED = "No space left on device", "Bad file descriptor"


@pytest.mark.parametrize(
    ("line", "status", "shown"),
    [
        (f"{CONSOLE} --help >/dev/full", 2, f"standard output cannot be written: {FULL}.\n"),
        (f"{CONSOLE} --version >&-", 2, f"standard output cannot be written: {CLOSED}.\n"),
    ],
    ids=["full", "closed"],
)
def test_result_that_reaches_nobody(line: str, status: int, shown: str) -> None:
    """One line and exit status 2, no traceback; not the interpreter's 120."""
    done = subprocess.run(  # noqa: S603 - our own command
        ["/bin/bash", "-c", line], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == (status, "", shown)
