"""The exit statuses of every command, in one table (docs/commands.md is generated from it).

The rule: a command that cannot tell whether all is well never exits 0. The adapter is installed separately and repeats
these numbers in `object_store.__main__`.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses; `MEANING` says when a command returns each."""

    DONE = 0
    WRONG = 1
    CANNOT = 2
    INTERRUPTED = 130
    TERMINATED = 143


MEANING = {
    ExitCode.DONE: "the command finished and found no problem",
    ExitCode.WRONG: "the command finished and found a problem: a check failed, a danger is not acknowledged, the two "
    "sides differ, you answered no, a limit is near",
    ExitCode.CANNOT: "the command could not run or could not finish: wrong usage, bad input, an unknown stack, no "
    "answer from a server",
    ExitCode.INTERRUPTED: "interrupted by SIGINT (Ctrl-C)",
    ExitCode.TERMINATED: "ended by SIGTERM",
}


def ended_by(number: int) -> int:
    """The exit status of a command that a signal ended and that has caught the KeyboardInterrupt of it.

    Without the empty `exec`, `python -m` would kill itself with SIGINT if the KeyboardInterrupt had passed through an
    `exec` of a text, as of a dataclass: Python then keeps in mind that the last `exec` was interrupted
    (https://github.com/python/cpython/blob/v3.11.7/Python/pythonrun.c, `run_eval_code_obj`).
    """
    exec("")  # noqa: S102 - an empty text
    return 128 + number
