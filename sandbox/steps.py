"""Runs the commands of several stacks side by side. The commands of one stack run in turn until one fails.

The rule: the output of each stack is collected and shown complete when the stack is done. No command outlives this
process, unless SIGKILL ends this process.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.child import kill_group, signals_ignored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.folder import StackName
    from sandbox.phases import Phases
    from sandbox.progress import Progress

_END_SECONDS = 20.0
_SHOWN_SECONDS = 0.2  # between two updates of the progress


@dataclass(frozen=True)
class Step:
    """One command of a stack.

    Attributes:
        name: The name of its phase.
        heading: The line above its output.
        command: Program and arguments.
        failure: The message for a failure; None if a failure does not matter.
        ended_by: The signal that ends it in order. An engine aborts its update at the second one.
    """

    name: str
    heading: str
    command: Sequence[str]
    failure: str | None = None
    ended_by: signal.Signals = signal.SIGINT


@dataclass
class _Stack:
    """The running commands of one stack."""

    name: StackName
    environ: Mapping[str, str]
    phases: Phases
    said: list[str] = field(default_factory=list)
    step: str = ""
    failure: str | None = None
    process: subprocess.Popen[str] | None = None
    ended: bool = False
    ended_by: signal.Signals = signal.SIGINT
    starting: threading.Lock = field(default_factory=threading.Lock)

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.step = step.name
            self.said.append(f"\n== {self.name}: {step.heading}\n")
            with self.phases.timed(f"{self.name} {step.name}"):
                status = self._call(step)
            if status and step.failure:
                self.failure = step.failure
                return

    def _call(self, step: Step) -> int:
        with self.starting:
            if self.ended:
                return 0
            self.ended_by = step.ended_by
            self.process = subprocess.Popen(  # noqa: S603 - the caller's own command, no shell
                list(step.command),
                env=_coloured(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # only `_end` sends Ctrl-C, and only once
            )
        with self.process:
            self.said += self.process.stdout or ()
        return self.process.returncode

    def interrupt(self) -> None:
        """Start no further command, and ask the running one to end in order."""
        with self.starting:
            self.ended = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.ended_by)

    def wait(self, deadline: float) -> None:
        """Wait for the running command. After the deadline, kill it and all processes that it started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            kill_group(self.process)


def run_side_by_side(
    steps: Mapping[StackName, Sequence[Step]],
    environments: Mapping[StackName, Mapping[str, str]],
    progress: Progress,
    phases: Phases,
) -> list[str]:
    """Run each stack's commands and show their output. Returns the failure messages, in the order of the stacks.

    Args:
        steps: By stack, in the order in which they run.
        environments: By stack.
        progress: Shows which commands run.
        phases: Times each command.
    """
    stacks = [_Stack(name, environments[name], phases) for name in steps]
    names = dict.fromkeys(step.name for each in steps.values() for step in each)
    with progress.step(f"Running {', '.join(names)} on {' and '.join(steps)}") as shown, ThreadPoolExecutor() as pool:
        running = {pool.submit(stack.run, steps[stack.name]): stack for stack in stacks}
        try:
            while running:
                done, _ = wait(running, timeout=_SHOWN_SECONDS, return_when=FIRST_COMPLETED)
                shown.update(", ".join(f"{stack.name}: {stack.step}" for stack in running.values()))
                for future in done:
                    sys.stdout.write("".join(running.pop(future).said))
                    sys.stdout.flush()
                    future.result()
        finally:
            _end(stacks)
    return [stack.failure for stack in stacks if stack.failure]


def _end(stacks: Sequence[_Stack]) -> None:
    """End the running commands of all stacks at once. A further signal does not interrupt this."""
    with signals_ignored():
        for stack in stacks:
            stack.interrupt()
        deadline = time.monotonic() + _END_SECONDS
        for stack in stacks:
            stack.wait(deadline)


@contextmanager
def beside(work: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Do work in a thread beside the block. If both fail, the failure of the block is raised.

    Args:
        work: The work to do.
        stop: Ends the work when a signal ends this process.
    """
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            yield
            future.result()
        except (KeyboardInterrupt, SystemExit):
            stop()
            raise


def _coloured(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment with the terminal's colours and width, which a command cannot see through the pipe."""
    if not sys.stdout.isatty() or "NO_COLOR" in environ:
        return dict(environ)
    return {**environ, "FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}
