"""Text of a server, a key or an engine for a terminal: no character of it steers the terminal.

The rule: a command shows such text through `printable`, and adds colours and line breaks of its own around it. The
marks that turn the direction of writing count too, so a name cannot pose as another one. The adapter, which is
installed alone, has its own in `object_store.plain`.
"""


def printable(text: object) -> str:
    """A text with an escape for each character that a terminal would obey; line breaks stay."""
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in str(text))
