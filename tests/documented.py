"""The commands of README and docs: blocks of `sh`, what a comment before a block says of it, and what is run of a page.

The rule: a block runs as it is, in the order of its page, or a comment before it says why it does not:
`<!-- not run: REASON -->`. A line with the comment `# FAIL …` or `# exit status 1 …` must end so. A block of YAML with
`<!-- add to: FILE KEY -->` before it is added under that key first.
"""

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = tuple(
    str(page.relative_to(ROOT))
    for page in (
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        ROOT / "object_store" / "README.md",
    )
    if page.name != "CHANGELOG.md"
)
_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<mark>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<kind>\w+)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_NOT_RUN = "not run: "
_ADD = "add to: "


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: The page's path.
        line: Its line there.
        text: What is in it.
        not_run: Why it is not run; empty if it is.
        added_to: File and key that it is added to; None for commands.
    """

    page: str
    line: int
    text: str
    not_run: str = ""
    added_to: tuple[Path, str] | None = None


def blocks_of(page: str) -> Iterator[Block]:
    """The blocks of a page that are commands, or that are added to a file."""
    content = (ROOT / page).read_text(encoding="utf-8")
    for found in _BLOCK.finditer(content):
        mark, text = found["mark"] or "", textwrap.dedent(found["text"])
        line = content.count("\n", 0, found.start("text"))
        if found["kind"] == "sh":
            yield Block(page, line, text, mark.removeprefix(_NOT_RUN) if mark.startswith(_NOT_RUN) else "")
        elif mark.startswith(_ADD):
            file, key = mark.removeprefix(_ADD).split()
            yield Block(page, line, found["text"], added_to=(Path(file), key))


def script_of(page: str) -> str:
    """All that is run of a page, as one script of bash; it says each line before it runs it."""
    lines = ["set -euo pipefail"]
    for block in blocks_of(page):
        if block.added_to is not None:
            file, key = block.added_to
            lines.append(shlex.join(["python", "-c", _ADDING, str(file), key, block.text]))
        elif not block.not_run:
            lines += [f"echo '+ {block.page}:{block.line}' >&2", _FAILING.sub(_EXPECTED, block.text.rstrip("\n"))]
    return "\n".join(lines) + "\n"


def runs_anything(page: str) -> bool:
    """Whether a block of the page is run."""
    return any(not block.not_run and block.added_to is None for block in blocks_of(page))


_FAILING = re.compile(r"^(?P<command>[a-z].*?) +# (?:FAIL|exit status 1) .*$", re.MULTILINE)
_EXPECTED = r"if \g<command>; then exit 90; else [ $? -eq 1 ]; fi"
_ADDING = """
import pathlib, sys
file, head, added = pathlib.Path(sys.argv[1]), f"\\n{sys.argv[2]}:\\n", sys.argv[3]
assert head in file.read_text(), head
file.write_text(file.read_text().replace(head, head + added, 1))
"""
