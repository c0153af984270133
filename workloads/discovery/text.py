"""The text of a page, uncut, as plain Markdown: headings, lists, links and preformatted text are marked.

The rule: nothing that a reader of the page could read is left out; scripts and styles are. The page is
read in pieces by libxml2 and no tree is made, so a large page takes no more memory than a small one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from lxml import etree

_SILENT: Final = frozenset({"script", "style", "template", "title"})
_HEADINGS: Final = {f"h{level}": f"{'#' * level} " for level in range(1, 7)}
_BLOCKS: Final = (
    "address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer form "
    "header hr legend main nav ol p pre section summary table tbody tfoot thead ul"
)
_APART: Final = frozenset(_BLOCKS.split()) | frozenset(_HEADINGS)
_LINES: Final = frozenset({"br", "li", "tr", "option"})
_RUN_MAXIMUM: Final = 10_000
_TITLE_MAXIMUM: Final = 500
_PARTS_MAXIMUM: Final = 500_000
"""So many attributes may a tag have, as far as their signs tell: libxml2 holds them all until the tag ends."""
_BETWEEN: Final = " \t\r\n\f=/\"'"
_SPACE: Final = re.compile(r"[ \t\r\n\f]+")


class TextError(Exception):
    """No text can be made of a page; the message says why."""


@dataclass(frozen=True)
class Page:
    """What a page has besides its text.

    Attributes:
        title: The beginning of its title; empty for none.
        characters: How many characters its text has, white space left out.
        asks_for_password: Whether there is a field for a password.
    """

    title: str
    characters: int
    asks_for_password: bool


def extracted(pieces: Iterable[str], to: Path) -> Page:
    """Write the text of a page to a new file.

    Args:
        pieces: The page.
        to: A new file; it is UTF-8.

    Raises:
        OSError: The file cannot be written.
        TextError: It has a tag that would fill the memory.
    """
    with to.open("x", encoding="utf-8", errors="replace", newline="") as file:
        target = _Target(file)
        # `huge_tree`: before 2.14, libxml2 silently ends a page at a depth or a length that it takes for too much.
        parser = etree.HTMLParser(target=target, huge_tree=True, encoding="utf-8")
        parts, met = 0, 0
        for piece in pieces:
            parser.feed(piece.encode("utf-8", "replace"))
            parts = parts + sum(map(piece.count, _BETWEEN)) if target.met == met else 0
            met = target.met
            if parts > _PARTS_MAXIMUM:
                raise TextError(f"one tag or comment of it has more than {_PARTS_MAXIMUM} parts")
        parser.feed(b" ")  # so that an empty page ends as well
        parser.close()
        return target.page()


class _Target:
    """Writes what libxml2 meets.

    Attributes:
        met: How much that was.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.met = 0
        self._title: list[str] = []
        self._silent: list[str] = []
        self._links: list[str] = []
        self._run: list[str] = []
        """Text that was met and not written yet; the parser gives it sign by sign at times."""
        self._pre = 0
        self._gap = 0
        """Line breaks to write before the next text."""
        self._space = self._is_begun = self._asks = self._is_titled = False
        self._characters = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        self.met += 1
        self._flush()
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag == "a":
            self._links.append(attributes.get("href", "").strip())
            if self._links[-1]:
                self._write("[")
        elif tag == "img" and attributes.get("alt", "").strip():
            self.data(f" {attributes['alt']} ")
            self._flush()
        elif tag == "input" and attributes.get("type", "").strip().lower() == "password":
            self._asks = True
        elif tag in ("td", "th"):
            self._space = True
        self._break(tag)
        if tag in _HEADINGS:
            self._write(_HEADINGS[tag])
        elif tag == "li":
            self._write("- ")
        self._pre += tag == "pre"

    def end(self, tag: str) -> None:
        """End an element."""
        self.met += 1
        self._flush()
        if self._silent and tag == self._silent[-1]:
            self._is_titled |= self._silent.pop() == "title"
        elif tag == "a" and self._links and (link := self._links.pop()):
            self._write(f"]({_SPACE.sub('%20', link)})", is_after=True)
        self._pre -= tag == "pre"
        if tag != "br":
            self._break(tag)

    def data(self, text: str) -> None:
        """Take text."""
        self.met += 1
        self._run.append(text)
        if len(self._run) > _RUN_MAXIMUM:
            self._flush()

    def _flush(self) -> None:
        if not self._run:
            return
        text = "".join(self._run)
        self._run.clear()
        if self._silent:
            if self._silent[-1] == "title" and not self._is_titled:
                self._title.append(text)
            return
        if self._pre:
            self._write(text)
        elif words := _SPACE.sub(" ", text):
            self._space |= words.startswith(" ")
            if words != " ":
                self._write(words.strip(" "))
                self._space = words.endswith(" ")
        self._characters += len(_SPACE.sub("", text))

    def comment(self, _: str) -> None:
        """Leave it out."""
        self.met += 1

    def close(self) -> None:
        """End the file with a line break."""
        self._flush()
        if self._is_begun:
            self._file.write("\n")

    def page(self) -> Page:
        """What was met."""
        title = _SPACE.sub(" ", "".join(self._title)).strip()
        return Page(title[:_TITLE_MAXIMUM], self._characters, self._asks)

    def _break(self, tag: str) -> None:
        self._gap = max(self._gap, 2 if tag in _APART else tag in _LINES)

    def _write(self, text: str, *, is_after: bool = False) -> None:
        if self._is_begun and not is_after:
            self._file.write("\n" * self._gap or (" " if self._space else ""))
        if not is_after:
            self._gap, self._space = 0, False
        self._is_begun = True
        self._file.write(text)
