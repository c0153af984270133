"""Runs the `pulumi` on the path.

The rule: what is secret goes in by standard input and stays out of errors (`model.secrecy.redaction`); a command never
asks, it fails.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

from model.secrecy.redaction import redacted

TIMEOUT_SECONDS = 1800
# For what only reads config, state or outputs.
READ_TIMEOUT_SECONDS = 120
# Until an engine that was asked to end is killed.
END_SECONDS = 10
STACK_NAME_FORM = re.compile(r"[A-Za-z0-9._/-]+")


class EngineError(Exception):
    """A pulumi command could not be run, or failed; the message is what it said."""


class NoEngineError(EngineError):
    """There is no pulumi on the path."""


@dataclass(frozen=True)
class Said:
    """A command that has ended.

    Attributes:
        status: Its exit status.
        output: What it printed, which may hold secrets: it is for parsing.
        errors: What it printed as errors, without secrets.
    """

    status: int
    output: str
    errors: str


def run_pulumi(
    *arguments: str,
    text: str = "",
    folder: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    may_fail: bool = False,
    seconds: int = TIMEOUT_SECONDS,
) -> Said:
    """Run a pulumi command.

    Args:
        arguments: The command; they are shown, so none may be secret.
        text: Its standard input.
        folder: The project's folder, where it is not the one that pulumi finds by itself.
        environ: Its environment.
        may_fail: Return whatever its exit status is.
        seconds: How long it may take.

    Raises:
        EngineError: There is no pulumi, it did not end in time, or it failed.
    """
    with _started(arguments, text, folder, environ) as running:
        said = running.said(seconds)
    if said.status and not may_fail:
        raise EngineError(f"`{running.shown}` failed:\n{said.errors.strip() or redacted(said.output).strip()}")
    return said


@dataclass(frozen=True)
class _Running:
    """A command that runs; `shown` is how a message names it."""

    process: "subprocess.Popen[str]"
    shown: str
    text: str = field(repr=False)

    def said(self, seconds: int) -> Said:
        """Wait for its end.

        Raises:
            EngineError: It did not end in time.
        """
        try:
            output, errors = self.process.communicate(self.text, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise EngineError(f"`{self.shown}` did not end within {seconds} s") from None
        return Said(self.process.returncode, output, redacted(errors))


@contextmanager
def _started(
    arguments: Sequence[str], text: str = "", folder: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Iterator[_Running]:
    """A pulumi command, which runs no longer than the context.

    Raises:
        NoEngineError: There is no pulumi.
    """
    program = which("pulumi")
    if program is None:
        raise NoEngineError('no pulumi on the path; for the sandbox first: eval "$(object-store sandbox env NAME)"')
    where = [] if folder is None else ["--cwd", str(folder)]
    process = subprocess.Popen(  # noqa: S603 - pulumi, with arguments of our own and a stack's name
        [program, *where, *arguments, "--non-interactive"],
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield _Running(process, f"pulumi {' '.join(arguments[:2])}", text)
        finally:
            _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """End a command that runs: at SIGINT the engine puts its stack in order and takes its lock off."""
    if process.poll() is not None:
        return
    try:
        process.send_signal(signal.SIGINT)
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()


def checked_name(stack: str) -> str:
    """A stack's name that may become an argument.

    Raises:
        EngineError: It is none.
    """
    if not STACK_NAME_FORM.fullmatch(stack):
        raise EngineError(f"{stack!r} is no stack name; `pulumi stack ls` shows the names")
    return stack


def read_json(*arguments: str, stack: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What a command that only reads a stack prints as JSON; what it printed is in no error, since it may hold secrets.

    Args:
        arguments: The command, without the stack's name.
        stack: The stack's name.
        environ: Its environment.

    Raises:
        EngineError: There is no pulumi, no such stack, or no JSON object was printed.
    """
    (found,) = read_json_together(arguments, stack=stack, environ=environ)
    return found


def read_json_together(
    *commands: Sequence[str], stack: str, environ: Mapping[str, str] = os.environ
) -> list[dict[str, Any]]:
    """The same of several commands that run at the same time.

    Raises:
        EngineError: Of the first that fails; the others are ended.
    """
    name = checked_name(stack)
    with ExitStack() as running:
        started = [running.enter_context(_started([*words, "--stack", name], environ=environ)) for words in commands]
        return [_parsed(one.said(READ_TIMEOUT_SECONDS), one.shown, stack) for one in started]


def _parsed(said: Said, shown: str, stack: str) -> dict[str, Any]:
    if said.status:
        reason = said.errors.strip() or f"exit status {said.status}"
        raise EngineError(
            f"stack {stack!r}: `{shown}` failed:\n{reason}\n`pulumi stack ls` shows the stacks, "
            f"`pulumi stack init {stack}` makes one"
        )
    try:
        found = json.loads(said.output)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise EngineError(f"`{shown}` printed no JSON object; which pulumi is on the path: {which('pulumi')}")
    return found
