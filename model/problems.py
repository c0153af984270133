"""How bad input is reported: every problem at once, each with its place, the legal values and a line to paste.

The rule: nothing that reads input raises anything else for what a person wrote wrong. Faults of servers and of the
program itself are not problems of input and do not belong here.
"""

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing wrong in the input.

    Attributes:
        where: File and key, such as `infra/taxonomy.yaml: domains.media-raw.band`.
        wrong: What is wrong, naming the value found (never a secret value).
        legal: The legal values or form.
        paste: The line to paste, or the command to run.
    """

    where: str
    wrong: str
    legal: str
    paste: str

    def __str__(self) -> str:
        """Say it in four short lines."""
        return f"{self.where}: {self.wrong}\n  legal: {self.legal}\n  write: {self.paste}"


class InvalidInputError(ValueError):
    """What was declared cannot be deployed; nothing was sent to any cloud.

    Attributes:
        problems: All that was found, in the order of the input.
    """

    def __init__(self, problems: list[Problem]) -> None:
        """Hold the problems and say them all."""
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__(f"{count} in the input, nothing was sent:\n" + "\n".join(map(str, problems)))


def key_path(where: str, path: str) -> str:
    """Join a file and a key: a stack's prefix ends in `:` (`Pulumi.local.yaml: object-store:`) and joins tightly."""
    return f"{where}{path}" if where.endswith(":") else f"{where}: {path}"


def nearest(name: str, names: tuple[str, ...]) -> str:
    """The declared name most like a mistaken one, for the line to paste."""
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.0)), names[0])
