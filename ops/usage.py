"""Errors for options that exclude each other, and for a question without a terminal.

The rule: a command finds a usage error before it reads or sends anything. Both errors end it with exit status 2.
"""

import sys


class UsageError(Exception):
    """The options exclude each other, or a value is out of its limits; the message says what is legal."""


class NobodyToAskError(Exception):
    """The command has a question, but standard input is not a terminal."""


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to continue: an option or the user's answer decides.

    Args:
        question: The question, with its question mark.
        yes: The user agreed on the command line.

    Raises:
        NobodyToAskError: Standard input is not a terminal; the message names the option that answers.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise NobodyToAskError(
            f"{question} Standard input is not a terminal, so the command cannot ask; to agree, add --yes"
        )
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
