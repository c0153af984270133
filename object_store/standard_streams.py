"""Standard input, output and error of a command, when one of them is closed, full, or read no more.

The rule: a result that did not reach standard output is a failure of the command; a message that did not reach
standard error changes nothing (`screen` drops it). The application's console has the same rule in `cli.streams`: it
must not wait for the import of the adapter.
"""

from __future__ import annotations

import os
import sys


def open_closed() -> None:
    """Open each closed one, before a file or a connection gets its number and then the command's text.

    What is opened fails as a closed one does: input cannot be read, output cannot be written. Standard error takes all.
    """
    for number, name, flags in ((0, "stdin", os.O_WRONLY), (1, "stdout", os.O_RDONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def unwritten() -> OSError | None:
    """Flush standard output, and return why it did not take all; the rest is then dropped."""
    lost: OSError | None = getattr(sys.stdout, "fault", None)  # of an earlier write
    try:
        sys.stdout.flush()
    except OSError as fault:
        lost = lost or fault
    if lost is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more
        vars(sys.stdout)["fault"] = None  # reported once
    return lost
