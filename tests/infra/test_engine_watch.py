"""A dynamic provider of a killed engine ends, and one of a living engine goes on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROVIDER = """
import os, sys, time
from infra.engine_watch import end_with_engine
of_script = f"/proc/{os.getppid()}/stat"
engine = open(of_script).read().split()[3]
print(os.getpid(), flush=True)
while sys.argv[1] == "late" and open(of_script).read().split()[3] == engine:
    time.sleep(0.05)
end_with_engine()
time.sleep(600)
"""
ENGINE = "import subprocess, sys; subprocess.run(sys.argv[1:])"
END_SECONDS = 60

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="without /proc, as on macOS, infra/engine_watch.py does nothing",
)


def _runs(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status


@pytest.mark.parametrize("begins", ["early", "late"])
def test_provider_of_a_killed_engine_ends(tmp_path: Path, begins: str) -> None:
    """Engine, Pulumi's script and provider, as the engine starts them; SIGKILL to the engine alone.

    The provider begins to watch before that, or only after it.
    """
    script = tmp_path / "pulumi-resource-pulumi-python"
    (tmp_path / "provider.py").write_text(PROVIDER, encoding="utf-8")
    script.write_text(f'#!/bin/sh\n"{sys.executable}" "{tmp_path}/provider.py" {begins}\n:\n', encoding="utf-8")
    script.chmod(0o755)
    engine = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", ENGINE, str(script)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert engine.stdout is not None
    provider = int(engine.stdout.readline())
    time.sleep(1.5)  # three looks
    assert _runs(provider)

    engine.send_signal(signal.SIGKILL)
    engine.wait()
    ends = time.monotonic() + END_SECONDS
    while _runs(provider) and time.monotonic() < ends:
        time.sleep(0.1)

    assert not _runs(provider)
    engine.stdout.close()
