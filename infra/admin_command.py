"""Reads the provisioning admin's key pair from a command, such as a lease of the owner's secrets CLI.

The rule: the command's output, errors included, goes into no message and no file. The command runs as a list of words
without a shell, has an empty standard input and a limit of 30 seconds. It leaves out the other sources of a key pair
and which pairs are refused (`infra.admin_credentials`).
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

from infra.lease import LeaseError, leased_value
from model.problems import InvalidInputError, Problem
from model.written import WrittenError
from model.written_json import parse_json

KEY = "adminCredentialsCommand"
TIMEOUT_SECONDS = 30.0
_FORM = 'a command that prints {"user": "…", "password": "…"} or user:password'
_LINE = f"object-store:{KEY}: secrets lease objectstore_admin --ttl 5m"


def command_credentials(
    command: str, environ: Mapping[str, str], where: str, seconds: float = TIMEOUT_SECONDS
) -> tuple[str, str]:
    """Run the command and read the key pair from its standard output.

    Args:
        command: The command line; quotes group words, no other character is special.
        environ: The command's environment.
        where: The name of the config in problems.
        seconds: The time limit.

    Raises:
        InvalidInputError: The command cannot be run, fails, takes too long, or prints no key pair.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise _refused(where, f"is not a command line ({error})") from None
    if not words:
        raise _refused(where, "is empty")
    pair = _pair(_printed(words, environ, where, seconds))
    if pair is None:
        raise _refused(
            where,
            f"{words[0]!r} printed no key pair: the lease failed, or the value has the wrong form (not shown here)",
        )
    return pair


def _printed(words: list[str], environ: Mapping[str, str], where: str, seconds: float) -> str:
    try:
        process = subprocess.Popen(  # noqa: S603 - the stack's own config names it, and no shell runs it
            words,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that its child processes end with it
        )
    except OSError as error:
        raise _refused(where, f"{words[0]!r} cannot be run: {error.strerror}") from None
    with process:
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise _refused(where, f"{words[0]!r} did not end within {seconds:g} s; does it wait for input?") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise _refused(where, f"{words[0]!r} ended with status {process.returncode}; run it yourself to see why")
    return printed.decode(errors="replace")


def _pair(printed: str) -> tuple[str, str] | None:
    """User and password, or None if the text has neither of the two forms."""
    try:
        value = leased_value(printed)
    except LeaseError:
        return None
    try:
        answer = parse_json(value, KEY)
    except WrittenError:
        user, _, password = value.partition(":")
        answer = {"user": user, "password": password}
    pair = (answer.get("user"), answer.get("password")) if isinstance(answer, dict) else ()
    match pair:
        case (str(user), str(password)) if user and password:
            return user, password
        case _:
            return None


def _refused(where: str, message: str) -> InvalidInputError:
    return InvalidInputError([Problem(f"{where}{KEY}", message, _FORM, _LINE)])
