"""A copied checkout: the commands that run in it."""

import subprocess
from pathlib import Path

import pytest

from trials.checkout import Checkout

# A command with a child of its own, which writes its process id and would outlive it.
PARENT = ("/bin/sh", "-c", "sleep 600 & echo $! > child; wait")


def test_command_that_takes_too_long_leaves_no_process(tmp_path: Path) -> None:
    """A child of the command would go on changing a state that others use by then."""
    checkout = Checkout(tmp_path, timeout_seconds=5)

    with pytest.raises(subprocess.TimeoutExpired):
        checkout.run(PARENT)

    child = (tmp_path / "child").read_text(encoding="ascii")
    listed = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607 - of this test
    assert listed[:1] in {"", "Z"}
