"""The environment and the encoding of the `pulumi` that a command runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stack.runner import read_json, run_pulumi


@pytest.mark.parametrize(
    "name",
    ["PULUMI_OPTION_TARGET", "PULUMI_STACK", "PULUMI_CONFIG", "MINIO_INSECURE", "TF_LOG", "PYTHONWARNINGS"],
)
def test_pulumi_does_not_get_a_variable_that_would_steer_it(
    pulumi: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What we give on the command line counts, beside the state's own variables."""
    pulumi("env")
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///state")

    lines = run_pulumi("preview").output.splitlines()
    assert "PULUMI_BACKEND_URL=file:///state" in lines
    assert f"{name}=1" not in lines


@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.ISO-8859-1"])
def test_output_of_pulumi_is_read_as_utf_8(
    pulumi: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    """Pulumi writes UTF-8, also where the locale says something else; what is not UTF-8 is replaced."""
    pulumi('printf \'{"purpose": "Gr\\303\\266\\303\\237e", "odd": "\\377"}\'')
    monkeypatch.setenv("LC_ALL", locale)

    assert read_json("stack", "output", stack="local") == {"purpose": "Größe", "odd": "�"}


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="elsewhere than on Linux the engine writes to a pipe")
def test_pulumi_goes_on_if_the_command_is_killed(pulumi: Callable[[str], None], tmp_path: Path) -> None:
    """SIGKILL to a command that runs an update: the engine completes it, although nothing reads what it says."""
    pulumi(f"""touch {tmp_path}/began
while ! [ -e {tmp_path}/killed ]; do sleep 0.05; done
for _ in 1 2 3; do echo said; echo said >&2; done
touch {tmp_path}/ended""")
    command = subprocess.Popen(
        [sys.executable, "-c", "from stack.runner import run_pulumi; run_pulumi('up')"],
        cwd=Path(__file__).parents[2],
    )
    _wait_for(tmp_path / "began")
    command.send_signal(signal.SIGKILL)
    command.wait()
    (tmp_path / "killed").touch()

    _wait_for(tmp_path / "ended")


def _wait_for(path: Path) -> None:
    ends = time.monotonic() + 60
    while not path.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert path.exists()
