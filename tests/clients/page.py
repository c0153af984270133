"""The lines of `docs/clients.md`, by client and operation: what the page says is what the tests run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
OPERATIONS = ("put", "list", "get")
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^(?P<line>.*?) +# (?P<operation>put|list|get)$")


@dataclass
class Lines:
    """A block of a client.

    Attributes:
        client: The heading of its section, with a number from its second block on.
        kind: sh or python.
        setup: The lines before the operations.
        operations: One line for each operation.
    """

    client: str
    kind: str
    setup: str = ""
    operations: dict[str, str] = field(default_factory=dict)


def blocks() -> dict[str, Lines]:
    """Each block that has operations, by client."""
    found: dict[str, Lines] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title = section.partition("\n")[0]
        for kind, text in _BLOCK.findall(section):
            name = title if title not in found else f"{title}, 2"
            lines = Lines(name, kind)
            for line in text.splitlines():
                operation = _LINE.match(line)
                if operation:
                    lines.operations[operation["operation"]] = operation["line"]
                else:
                    lines.setup += line + "\n"
            if lines.operations:
                found[name] = lines
    return found
