"""Runs the `pulumi` on the path.

The rule: what is secret goes in by standard input and stays out of errors (`model.secrecy.redaction`); a command never
asks, it fails.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

from model.secrecy.redaction import redacted

TIMEOUT_SECONDS = 1800
# For what only reads config, state or outputs.
READ_TIMEOUT_SECONDS = 120
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
    program = which("pulumi")
    if program is None:
        raise NoEngineError('no pulumi on the path; for the sandbox first: eval "$(python -m sandbox env NAME)"')
    shown = f"pulumi {' '.join(arguments[:2])}"
    where = [] if folder is None else ["--cwd", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - pulumi, with arguments of our own and a stack's name
            [program, *where, *arguments, "--non-interactive"],
            env=dict(environ),
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"`{shown}` did not end within {seconds} s") from None
    errors = redacted(done.stderr)
    if done.returncode and not may_fail:
        raise EngineError(f"`{shown}` failed:\n{errors.strip() or redacted(done.stdout).strip()}")
    return Said(done.returncode, done.stdout, errors)


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
    shown = f"pulumi {' '.join(arguments[:2])}"
    said = run_pulumi(
        *arguments, "--stack", checked_name(stack), environ=environ, may_fail=True, seconds=READ_TIMEOUT_SECONDS
    )
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
