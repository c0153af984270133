"""Runs the `pulumi` on the path.

The rule: what is secret goes in by standard input and stays out of errors (`model.secrecy.redaction`); a command never
asks, it fails.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from model.secrecy.redaction import redacted

TIMEOUT_SECONDS = 1800
# For what only reads config, state or outputs.
READ_TIMEOUT_SECONDS = 120
STACK_NAME_FORM = re.compile(r"[A-Za-z0-9._/-]+")


class EngineError(Exception):
    """A pulumi command could not be run, or failed; the message is what it said."""


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
) -> Said:
    """Run a pulumi command.

    Args:
        arguments: The command; they are shown, so none may be secret.
        text: Its standard input.
        folder: The project's folder, where it is not the one that pulumi finds by itself.
        environ: Its environment.
        may_fail: Return whatever its exit status is.

    Raises:
        EngineError: There is no pulumi, it did not end in time, or it failed.
    """
    program = which("pulumi")
    if program is None:
        raise EngineError('no pulumi on the path; for the sandbox first: eval "$(python -m sandbox env NAME)"')
    shown = f"pulumi {' '.join(arguments[:2])}"
    where = [] if folder is None else ["--cwd", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - pulumi, with arguments of our own and a stack's name
            [program, *where, *arguments, "--non-interactive"],
            env=dict(environ),
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"`{shown}` did not end within {TIMEOUT_SECONDS} s") from None
    errors = redacted(done.stderr)
    if done.returncode and not may_fail:
        raise EngineError(f"`{shown}` failed:\n{errors.strip() or redacted(done.stdout).strip()}")
    return Said(done.returncode, done.stdout, errors)
