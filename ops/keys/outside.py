"""Runs the external programs of a delivery: the owner's `secrets`, `kubectl`, `git`.

The rule: values go only through standard input, and secrets in a program's output are redacted before it is shown. A
program that exceeds its time is killed together with all its child processes. It leaves out `pulumi` (`stack.runner`).
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from shutil import which
from typing import Literal

from model.environment import Reader, environment_for
from model.secrecy.redaction import redacted
from stack.runner import Said

TIMEOUT_SECONDS = 30.0
_SHOWN_CHARACTERS = 400


class OutsideError(Exception):
    """A program is missing, cannot be started, or did not end in time."""


def run(
    command: Sequence[str],
    *,
    text: str = "",
    environ: Mapping[str, str] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    undecodable: Literal["replace", "surrogateescape"] = "replace",
) -> Said:
    """Run a program and return its output and exit status.

    Args:
        command: The program's name and its arguments, without any secret.
        text: Its standard input, which may hold a secret.
        environ: Its environment; None for what `model.environment` leaves of this process's.
        timeout_seconds: How long it may take.
        undecodable: What becomes of bytes that are not UTF-8; `surrogateescape` keeps them.

    Raises:
        OutsideError: It is not on PATH, cannot be started, or did not end in time.
    """
    program = which(command[0])
    if program is None:
        raise OutsideError(f"`{command[0]}` is not on PATH")
    try:
        process = subprocess.Popen(  # noqa: S603 - a program of the owner's, with arguments of our own
            [program, *command[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_for(Reader.PROGRAM, os.environ) if environ is None else dict(environ),
            encoding="utf-8",
            errors=undecodable,
            start_new_session=True,
        )
    except OSError as error:
        raise OutsideError(f"`{command[0]}` cannot be started: {error.strerror}") from None
    with process:
        try:
            output, errors = process.communicate(text, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise OutsideError(f"`{' '.join(command[:3])}` did not end within {timeout_seconds:g} s") from None
        except BaseException:
            _end(process)
            raise
    return Said(process.returncode, output, errors)


def shown(said: Said) -> str:
    """A program's output, on one short line, without any secret that this process has read."""
    text = said.errors.strip() or said.output.strip() or f"exit status {said.status}"
    return " ".join(redacted(text).split())[:_SHOWN_CHARACTERS]


def _end(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
