"""The lines that a section of the docs gives for a bad day.

The rule: a block is such a block if the comment before it names `make bad-days`, so no other command runs it.
"""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_HEADING = re.compile(r"^#{2,4} +(.+)$", re.MULTILINE)
_BLOCK = re.compile(
    r"^ *<!-- not run: [^\n]*`make bad-days`[^\n]* -->\n^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Section:
    """A section of a page of the docs.

    Attributes:
        page: The page's file name in `docs/`.
        heading: The section's heading.
    """

    page: str
    heading: str

    @property
    def anchor(self) -> str:
        """The link to it from another page of `docs/`."""
        words = re.sub(r"[^a-z0-9 -]", "", self.heading.lower())
        return f"{self.page}#{words.replace(' ', '-')}"


def lines_of(section: Section, docs: Path = DOCS) -> str:
    """The commands that a section gives for a bad day, as a script.

    Raises:
        LookupError: The page has no such section, or the section has no such block or several.
    """
    text = (docs / section.page).read_text(encoding="utf-8")
    parts = _HEADING.split(text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    if section.heading not in found:
        raise LookupError(f"{section.page} has no section {section.heading!r}")
    blocks = [textwrap.dedent(block) for _, block in _BLOCK.findall(found[section.heading])]
    if not blocks:
        raise LookupError(f"no block of {section.page}, {section.heading!r}, is for `make bad-days`")
    if len(blocks) > 1:
        raise LookupError(f"{len(blocks)} blocks of {section.page}, {section.heading!r}, are for `make bad-days`")
    return blocks[0]
