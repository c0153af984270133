"""Runs the `pulumi` on the path.

The rule: secrets are passed on standard input and redacted from errors (`model.secrecy.redaction`). A command never
prompts; it fails instead.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import IO, Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from model.environment import Reader, environment_for
from model.secrecy.redaction import redacted
from model.written import WrittenError
from model.written_json import parse_json
from stack.engine_advice import with_advice

TIMEOUT_SECONDS = 1800
# For commands that only read config, state or outputs.
READ_TIMEOUT_SECONDS = 120
# The wait after the interrupt before the engine is killed.
END_SECONDS = 10
# Another engine fills the empty file within a moment; a killed one never.
_READS = 3
STACK_NAME_FORM = re.compile(r"[A-Za-z0-9._/-]+")


class EngineError(Exception):
    """A pulumi command cannot be run, or failed; the message has its output."""


class NoEngineError(EngineError):
    """pulumi is not on the path."""


class TornError(EngineError):
    """A file beside the state is empty: an engine writes it at this moment, or was killed there."""


@dataclass(frozen=True)
class Said:
    """The result of a command.

    Attributes:
        status: The exit status.
        output: The standard output, which may contain secrets and is only for parsing.
        errors: The standard error output, with secrets redacted.
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
        arguments: The command's arguments; messages show them, so none may be secret.
        text: The standard input.
        folder: The project's folder, if pulumi would not find it itself.
        environ: The command's environment; `model.environment` says what of it pulumi gets.
        may_fail: Return the result for any exit status.
        seconds: The time limit.

    Raises:
        EngineError: pulumi is not on the path, did not end in time, or failed.
    """
    with _started(arguments, text, folder, environ, outlives=True) as running:
        said = running.said(seconds)
    if said.status and not may_fail:
        reason = said.errors.strip() or redacted(said.output).strip()
        raise EngineError(f"`{running.shown}` failed:\n{with_advice(reason)}")
    return said


@dataclass(frozen=True)
class _Running:
    """A running command; `shown` is its name in messages."""

    process: "subprocess.Popen[str]"
    shown: str
    text: str = field(repr=False)
    kept: Sequence[IO[str]] = ()

    def said(self, seconds: int) -> Said:
        """Wait until the command ends.

        Raises:
            EngineError: It did not end in time.
        """
        try:
            output, errors = self.process.communicate(self.text, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise EngineError(f"`{self.shown}` did not end within {seconds} s") from None
        for file in self.kept:
            file.seek(0)
        output, errors = [file.read() for file in self.kept] or (output, errors)
        return Said(self.process.returncode, output, redacted(errors))


@contextmanager
def _started(
    arguments: Sequence[str],
    text: str = "",
    folder: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    outlives: bool = False,
) -> Iterator[_Running]:
    """A pulumi command that runs at most as long as the context.

    With `outlives` it goes on to its end if this process is killed: at the next word to a pipe that no process reads,
    the engine would die with the stack locked, and leave its plugins behind.

    Raises:
        NoEngineError: pulumi is not on the path.
    """
    program = which("pulumi")
    if program is None:
        raise NoEngineError('pulumi is not on the path; for a sandbox run: eval "$(object-store sandbox env NAME)"')
    where = [] if folder is None else ["--cwd", str(folder)]
    kept = [_memory(), _memory()] if outlives and hasattr(os, "memfd_create") else []
    out, err = kept or (subprocess.PIPE, subprocess.PIPE)
    process = subprocess.Popen(  # noqa: S603 - pulumi, with this project's arguments and a stack's name
        [program, *where, *arguments, "--non-interactive"],
        env=environment_for(Reader.PULUMI, environ),
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=err,
        # pulumi writes UTF-8, whatever the locale says.
        encoding="utf-8",
        errors="replace",
    )
    with ExitStack() as held:
        for file in kept:
            held.enter_context(file)
        held.enter_context(process)
        try:
            yield _Running(process, f"pulumi {' '.join(arguments[:2])}", text, kept)
        finally:
            _end(process)


def _memory() -> IO[str]:
    """A file that is on no disk, because an output may hold secrets."""
    return os.fdopen(os.memfd_create("pulumi"), "w+", encoding="utf-8", errors="replace")


def _end(process: "subprocess.Popen[str]") -> None:
    """End a running command: on SIGINT the engine completes its state and removes its lock."""
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
    """A stack's name, checked so that it can be an argument.

    Raises:
        EngineError: It is not a stack name.
    """
    if not STACK_NAME_FORM.fullmatch(stack):
        raise EngineError(f"{stack!r} is not a stack name; `pulumi stack ls` lists the names")
    return stack


def read_json(*arguments: str, stack: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The JSON output of a command that only reads a stack; no error contains it, because it may hold secrets.

    Args:
        arguments: The command, without the stack's name.
        stack: The stack's name.
        environ: The command's environment.

    Raises:
        EngineError: pulumi is not on the path, the stack does not exist, or pulumi printed no JSON object.
    """
    (found,) = read_json_together(arguments, stack=stack, environ=environ)
    return found


@retry(retry=retry_if_exception_type(TornError), stop=stop_after_attempt(_READS), wait=wait_fixed(0.1), reraise=True)
def read_json_together(
    *commands: Sequence[str], stack: str, folder: Path | None = None, environ: Mapping[str, str] = os.environ
) -> list[dict[str, Any]]:
    """The JSON outputs of several commands that run at the same time.

    Args:
        commands: The commands, without the stack's name.
        stack: The stack's name.
        folder: The project's folder, if pulumi would not find it itself.
        environ: The commands' environment.

    Raises:
        EngineError: A command failed; the error is the first one's, and the other commands are ended.
        TornError: A file beside the state is empty and stays so.
    """
    name = checked_name(stack)
    with ExitStack() as running:
        started = [
            running.enter_context(_started([*words, "--stack", name], folder=folder, environ=environ))
            for words in commands
        ]
        return [_parsed(one.said(READ_TIMEOUT_SECONDS), one.shown, stack) for one in started]


def is_torn(said: str) -> bool:
    """Whether a command failed because a file beside the state is empty (`stack.torn_attributes`)."""
    return "failed to load checkpoint: EOF" in said


def _parsed(said: Said, shown: str, stack: str) -> dict[str, Any]:
    if said.status:
        reason = said.errors.strip() or f"exit status {said.status}"
        failure = TornError if is_torn(reason) else EngineError
        raise failure(f"stack {stack!r}: `{shown}` failed:\n{with_advice(reason)}")
    try:
        found = parse_json(said.output, shown)
    except WrittenError:
        found = None
    if not isinstance(found, dict):
        raise EngineError(f"`{shown}` printed no JSON object; which pulumi is on the path: {which('pulumi')}")
    return found
