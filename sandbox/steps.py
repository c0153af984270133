"""Runs the commands of several stacks side by side: each stack's own in turn, up to the first that fails.

The rule: what a stack's commands print is kept apart and shown whole when the stack is done, and no command outlives
this process, however it ends.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.folder import StackName
    from sandbox.phases import Phases
    from sandbox.voice import Voice

_END_SECONDS = 20.0
_SHOWN_SECONDS = 0.2  # between two looks at how far they are


@dataclass(frozen=True)
class Step:
    """One command of a stack.

    Attributes:
        name: The phase that it is.
        heading: Its line above what it prints.
        command: Program and arguments.
        failure: What a failure means, to the person; None where it does not matter.
    """

    name: str
    heading: str
    command: Sequence[str]
    failure: str | None = None


@dataclass
class _Stack:
    """The commands of one stack under way."""

    name: StackName
    environ: Mapping[str, str]
    phases: Phases
    said: list[str] = field(default_factory=list)
    step: str = ""
    failure: str | None = None
    process: subprocess.Popen[str] | None = None
    ended: bool = False
    starting: threading.Lock = field(default_factory=threading.Lock)

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.step = step.name
            self.said.append(f"\n== {self.name}: {step.heading}\n")
            with self.phases.timed(f"{self.name} {step.name}"):
                status = self._call(step.command)
            if status and step.failure:
                self.failure = step.failure
                return

    def _call(self, command: Sequence[str]) -> int:
        with self.starting:
            if self.ended:
                return 0
            self.process = subprocess.Popen(  # noqa: S603 - the caller's own command, no shell
                list(command),
                env=_coloured(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C comes from `end` alone: an engine breaks its update off at the second
            )
        with self.process:
            self.said += self.process.stdout or ()
        return self.process.returncode

    def end(self) -> None:
        """End what runs: an engine that is interrupted once ends its update in order."""
        with self.starting:
            self.ended = True
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()


def run_side_by_side(
    steps: Mapping[StackName, Sequence[Step]],
    environments: Mapping[StackName, Mapping[str, str]],
    voice: Voice,
    phases: Phases,
) -> list[str]:
    """Run each stack's commands and show what they print; what the failed ones mean, in the order of the stacks.

    Args:
        steps: By stack, in the order in which they run.
        environments: By stack.
        voice: Shows which are under way.
        phases: Times each command.
    """
    stacks = [_Stack(name, environments[name], phases) for name in steps]
    names = dict.fromkeys(step.name for each in steps.values() for step in each)
    with voice.step(f"Running {', '.join(names)} on {' and '.join(steps)}") as shown, ThreadPoolExecutor() as pool:
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
            for stack in stacks:
                stack.end()
    return [stack.failure for stack in stacks if stack.failure]


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Do work in a thread beside the block; the block's own failure goes first, then the work's."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        yield
        future.result()


def _coloured(environ: Mapping[str, str]) -> dict[str, str]:
    """A terminal's colours and width, which a command cannot see through the pipe."""
    if not sys.stdout.isatty() or "NO_COLOR" in environ:
        return dict(environ)
    return {**environ, "FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}
