"""The commands of several stacks side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sandbox.folder import StackName
from sandbox.phases import Phases
from sandbox.progress import Progress
from sandbox.steps import Step, beside, run_side_by_side
from tests.sandbox.waiting import is_running, wait_until

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = {stack: {"PATH": os.defpath} for stack in StackName}


def shell(line: str, failure: str | None = "it failed", name: str = "step") -> Step:
    """A step of one shell line."""
    return Step(name, line, ["/bin/sh", "-c", line], failure)


def ran(phases: Phases, **steps: list[Step]) -> list[str]:
    """Run each stack's steps."""
    return run_side_by_side(
        {StackName(name): each for name, each in steps.items()}, ENVIRONMENTS, Progress(quiet=True), phases
    )


def test_each_stack_is_shown_whole(capfd: pytest.CaptureFixture[str]) -> None:
    """The stacks run at the same time, and their outputs, errors included, do not mix."""
    slow = "for n in 1 2 3 4 5; do echo $NAME$n; sleep 0.1; done; echo $NAME-error >&2"

    assert ran(Phases(0.0), local=[shell(f"NAME=l; {slow}")], aws=[shell(f"NAME=a; {slow}")]) == []

    said = [line for line in capfd.readouterr().out.splitlines() if line[:1] in ("l", "a")]
    order = [[f"{one}{n}" for n in range(1, 6)] + [f"{one}-error"] for one in "la"]
    assert said in (order[0] + order[1], order[1] + order[0])


def test_failure_ends_its_stack_alone(capfd: pytest.CaptureFixture[str]) -> None:
    """A failure stops only the later steps of its stack; a failure without a message stops nothing."""
    phases = Phases(0.0)
    failures = ran(
        phases,
        local=[shell("exit 3", "local fell", "first"), shell("echo never", name="second")],
        aws=[shell("exit 3", None, "first"), shell("echo went on", name="second")],
    )

    assert failures == ["local fell"]
    out = capfd.readouterr().out
    assert "went on\n" in out
    assert "never\n" not in out
    told = phases.told()
    assert "aws second" in told
    assert "local second" not in told


def test_input_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """A command that reads standard input gets no answer, so it does not hang."""
    assert ran(Phases(0.0), local=[shell("read answer || echo nobody answers")]) == []
    assert "nobody answers\n" in capfd.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_what_runs(number: signal.Signals, tmp_path: Path) -> None:
    """No command outlives its starter, and a signal asks it to end before it is killed."""
    noted = tmp_path / "asked"
    line = f"trap 'echo asked > {noted}; exit 0' INT; echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done"
    program = (
        "import signal, sys\n"
        "from tests.sandbox.test_steps import Phases, ran, shell\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        f"ran(Phases(0.0), local=[shell({line!r})])\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own line
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) != 0

    pid = int((tmp_path / "pid").read_text())
    assert noted.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


STUBBORN = """
import signal, sys
import sandbox.steps
from cli.main import signals_noted
from tests.sandbox.test_steps import Phases, ran, shell
sandbox.steps._END_SECONDS = 1.5
with signals_noted():
    ran(Phases(0.0), local=[shell(sys.argv[1])], aws=[shell(sys.argv[2])])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stacks_end_at_once_and_no_second_signal_stops_that(number: signal.Signals, tmp_path: Path) -> None:
    """Each command ends in order; after a time limit it is killed, with its child processes."""
    loop = "while :; do sleep 0.05; done"
    orderly = f"trap 'sleep 0.7; echo done > {tmp_path}/ended; exit 0' INT; echo $$ > {tmp_path}/a; {loop}"
    stuck = f"trap '' INT TERM HUP; sleep 731 & echo $! > {tmp_path}/b; wait"
    command = [sys.executable, "-c", STUBBORN, orderly, stuck]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own line
        for name in "ab":
            wait_until(lambda name=name: (tmp_path / name).exists() and bool((tmp_path / name).read_text()), 60)  # type: ignore[misc]
        process.send_signal(number)
        time.sleep(0.3)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)

    assert process.returncode != 0
    assert said.count("Traceback") <= 1  # of KeyboardInterrupt, which the command line handles
    assert (tmp_path / "ended").read_text() == "done\n"
    pid = int((tmp_path / "b").read_text())
    wait_until(lambda: not is_running(pid))


def test_work_is_stopped_where_the_process_is_to_end() -> None:
    """After SIGTERM, the process does not wait for the installation."""
    stopped = threading.Event()

    def work() -> None:
        stopped.wait(60)

    with pytest.raises(SystemExit), beside(work, stopped.set):
        raise SystemExit(143)

    assert stopped.is_set()


def test_work_beside_a_block_is_waited_for() -> None:
    """The block runs at the same time, and an exception of the work is raised after it."""
    order: list[str] = []

    def work() -> None:
        time.sleep(0.2)
        order.append("work")
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"), beside(work, lambda: None):
        order.append("block")

    assert order == ["block", "work"]


def test_time_is_told_by_phase() -> None:
    """The time of the environment counts, and a failed phase is listed too."""
    phases = Phases(12.0)
    with pytest.raises(ValueError, match="broken"), phases.timed("servers"):
        raise ValueError("broken")

    lines = phases.told().splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["environment", "servers", "in"]
    assert float(lines[-1].split()[-2]) >= 12.0
    assert "environment" not in Phases(0.0).told()
