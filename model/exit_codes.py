"""What every command exits with: one table (docs/commands.md is made of it).

The rule: a command that does not know whether all is right never exits 0. The adapter, which is installed alone, has
the same numbers in `object_store.__main__`.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses; `MEANING` says when a command ends with which."""

    DONE = 0
    WRONG = 1
    CANNOT = 2
    INTERRUPTED = 130
    TERMINATED = 143


MEANING = {
    ExitCode.DONE: "done, and all is right",
    ExitCode.WRONG: "done, and something is wrong: a check fails, a danger is not acknowledged, the two sides differ, "
    "the answer was no, a limit is near",
    ExitCode.CANNOT: "it could not run, or could not do what was asked: wrong usage, bad input, no such stack, no "
    "answer",
    ExitCode.INTERRUPTED: "interrupted by SIGINT (Ctrl-C)",
    ExitCode.TERMINATED: "ended by SIGTERM",
}
