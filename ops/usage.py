"""Options that are wrong together, or a person who is not there to be asked.

The rule: both are found before anything is read or sent, and end a command with exit status 2.
"""

import sys


class UsageError(Exception):
    """The options do not go together, or one of them is out of its limits; the message says what goes."""


class NobodyToAskError(Exception):
    """The command asks, and standard input is no terminal."""


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to go on: by an option, or by a person's answer.

    Args:
        question: What is asked, with its question mark.
        yes: The person agreed on the command line.

    Raises:
        NobodyToAskError: Standard input is no terminal; the message says which option answers.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise NobodyToAskError(f"{question} There is nobody to ask here; to agree, add --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
