"""The exit status after a signal is ours, whichever code the signal interrupted."""

import subprocess
import sys
from pathlib import Path

import pytest

from model.exit_codes import ended_by
from tests.documented import ROOT

_MODULE = """
import signal, sys
from model.exit_codes import ended_by

def end(number, _):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, end)
try:
    {interrupted}
except KeyboardInterrupt:
    status = {status}
sys.exit(status)
"""
_PLAIN = "signal.raise_signal(signal.SIGTERM)"


def _status(folder: Path, interrupted: str, status: str) -> int:
    (folder / "interrupted.py").write_text(_MODULE.format(interrupted=interrupted, status=status), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "interrupted"], cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=False
    ).returncode


@pytest.mark.parametrize("interrupted", [_PLAIN, f"exec({_PLAIN!r})"])
def test_status_of_a_signal(interrupted: str, tmp_path: Path) -> None:
    """`python -m` exits with 128 and the signal's number, also if the signal came while a text was executed."""
    assert _status(tmp_path, interrupted, "ended_by(signal.SIGTERM)") == 143 == ended_by(15)


def test_python_would_kill_itself(tmp_path: Path) -> None:
    """Without it, Python ends itself with SIGINT: once this fails on every Python, `ended_by` may go."""
    assert _status(tmp_path, f"exec({_PLAIN!r})", "143") == -2
