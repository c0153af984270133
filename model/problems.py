"""Reports of bad input: every problem at once, each with its place, the legal values and a line to paste.

The rule: code that reads input raises only these errors for a user's mistake. Failures of servers and of the program
itself are not input problems and do not belong here.
"""

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake in the input.

    Attributes:
        where: File and key, such as `infra/taxonomy.yaml: domains.media-raw.band`.
        wrong: What is wrong, with the value found (never a secret value).
        legal: The legal values or form; empty if the line to paste says it all.
        paste: The line to paste, or the command to run.
    """

    where: str
    wrong: str
    legal: str
    paste: str

    def __str__(self) -> str:
        """Format the problem as place and mistake, legal values, and the line to paste."""
        legal = f"\n  legal: {self.legal}" if self.legal else ""
        return on_screen(f"{self.where}: {self.wrong}{legal}\n  write: {self.paste}")


class InvalidInputError(ValueError):
    """The declared input cannot be deployed; nothing was sent to any cloud.

    Attributes:
        problems: All problems found, in the order of the input.
    """

    def __init__(self, problems: list[Problem]) -> None:
        """Store the problems and list them all in the message."""
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__(f"{count} in the input, nothing was sent:\n" + "\n".join(map(str, problems)))


def on_screen(text: str) -> str:
    """Text that may repeat input, with the characters escaped that a terminal would obey or cannot encode."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


def key_path(where: str, path: str) -> str:
    """Join a file and a key; after a prefix that ends in `:` (`Pulumi.local.yaml: object-store:`) without a space."""
    return f"{where}{path}" if where.endswith(":") else f"{where}: {path}"


def nearest(name: str, names: tuple[str, ...]) -> str:
    """The declared name that is most similar to a mistyped one, for the line to paste."""
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.0)), names[0])
