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
