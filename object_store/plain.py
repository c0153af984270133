"""Text of a server or a file system for a terminal: no character of it steers the terminal.

The rule: what a person reads of a key, a file name or an answer passes one of these; what a program reads (JSON) does
not. Unprintable are also the marks that turn the direction of writing, so a name cannot pose as another one.
"""

from __future__ import annotations


def plain(name: str) -> str:
    """Return a key or a file name; quoted, if a terminal would obey one of its characters."""
    return name if name.isprintable() else repr(name)


def escaped(message: str) -> str:
    """Return a message with an escape in place of each such character."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in message)
