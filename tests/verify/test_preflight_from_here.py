"""`python -m verify preflight`: it becomes `python -m ops.preflight`, which the suite itself cannot import."""

import subprocess
import sys
from pathlib import Path

import pytest

from verify import __main__ as command

ROOT = Path(__file__).parents[2]


def test_it_becomes_the_preflight() -> None:
    """Its options and its exit status are the preflight's own."""
    words = [sys.executable, "-m", "verify", "preflight"]

    done = subprocess.run([*words, "--help"], capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - our own program
    refused = subprocess.run([*words, "--deployment", "x"], capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 - likewise

    assert (done.returncode, "1 something stops" in done.stdout) == (0, True)
    assert refused.returncode == 2


def test_where_it_is_not_it_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A pod holds the suite alone: 2, and where the preflight runs."""
    monkeypatch.setattr(command, "find_spec", lambda _name: None)

    assert command.main(["preflight", "--stack", "local"]) == 2
    assert "where the stack is deployed from" in capsys.readouterr().err
