"""What is made of a fetch before it is stored: the file of the bytes, the file of the text, and what a record says.

The rule: the bytes are those that came. A text is made only of what is the page that was asked for; what is not, has a
reason, and keeps its bytes if all of them came.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any, Final, Literal

from workloads.discovery.address import Address
from workloads.discovery.capture import Text
from workloads.discovery.encoding import EncodingError, charset_of, text_of, undone
from workloads.discovery.fetch import Fetched, fetch
from workloads.discovery.reach import Deadline, Reach, ReachError
from workloads.discovery.repository import (
    Limits,
    RepositoryError,
    bundled,
    check_git,
    describe,
    fetch_repository,
    is_repository,
)
from workloads.discovery.text import Page, TextError, extracted
from workloads.discovery.walls import wall_of
from workloads.settings import Discovery

_HEAD: Final = 2**18
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_TEXTS: Final = re.compile(r"text/.+|application/(json|xml|x-ndjson|yaml|toml|javascript)|.+\+(json|xml)")
_LOOKS_LIKE_A_PAGE: Final = re.compile(rb"\s*(<!doctype html|<html|<head|<body)", re.IGNORECASE)
_UNKNOWN: Final = "application/octet-stream"
_TYPES: Final = MimeTypes()


@dataclass
class Made:
    """What was fetched, on its way to the store.

    Attributes:
        fetched: What came.
        kind: Of the capture.
        reason: Why it is a failed one; empty if it is not.
        raw: The file of the bytes, if they came as a whole.
        name: The last segment of its key.
        content_type: Of it.
        identity: What stands for its content in its key.
        extract: The file of the text.
        more: Further fields of the record.
    """

    fetched: Fetched
    kind: Literal["page", "repository"] = "page"
    reason: str = ""
    raw: Path | None = None
    name: str = ""
    content_type: str = _UNKNOWN
    identity: str = ""
    extract: Path | None = None
    more: dict[str, Any] = field(default_factory=dict)


def made_of(address: Address, folder: Path, settings: Discovery, reach: Reach) -> Made:
    """Fetch what is at an address.

    Args:
        address: The address.
        folder: An empty folder.
        settings: The limits.
        reach: Which servers may be asked.

    Raises:
        InvalidInputError: git is needed, and is missing or too old.
        OSError: The disk is full.
    """
    if is_repository(address, settings.clone):
        return _repository(address, folder, settings, reach)
    return _page(address, folder, settings, reach)


def _page(address: Address, folder: Path, settings: Discovery, reach: Reach) -> Made:
    limit = settings.max_bytes
    fetched = fetch(address, folder / "body", limit, Deadline(settings.max_seconds), reach)
    made = Made(fetched, reason=fetched.failure)
    if fetched.body is None:
        return made
    made.raw, made.identity, made.name = fetched.body, fetched.sha256[:16], "raw.bin"
    encoding = fetched.headers.get("content-encoding", "")
    try:
        content = undone(fetched.body, encoding, folder / "content", limit)
    except EncodingError as fault:
        made.reason = made.reason or str(fault)
        return made
    with content.open("rb") as file:
        head = file.read(_HEAD)
    kind = _kind(fetched.headers.get("content-type", ""), head)
    made.name, made.content_type = f"raw{_TYPES.guess_extension(kind) or '.bin'}", kind
    if content != fetched.body:
        made.name, made.content_type = f"{made.name}.gz", "application/gzip"
    if not made.reason:
        _add_text(made, content, kind, head, settings.max_seconds)
    return made


def _kind(said: str, head: bytes) -> str:
    """The media type of content; a page is one also if its server says nothing."""
    said = said.partition(";")[0].strip().lower()
    if not said and _LOOKS_LIKE_A_PAGE.match(head):
        return "text/html"
    return said if _MEDIA_TYPE.fullmatch(said) else _UNKNOWN


def _add_text(made: Made, content: Path, kind: str, head: bytes, seconds: float) -> None:
    """Make the text of what has one, and see whether it is a wall."""
    fetched, page, path = made.fetched, None, None
    if kind in _PAGES or _TEXTS.fullmatch(kind):
        charset = charset_of(content, fetched.headers.get("content-type", ""))
        pieces = _timed(text_of(content, charset), seconds)
        path = content.with_name("extract.md" if kind in _PAGES else "extract.txt")
        try:
            found = extracted(pieces, path) if kind in _PAGES else _copied(pieces, path)
        except ReachError:
            made.reason = f"its text was not made within {seconds:g} seconds"
            return
        except TextError as fault:
            made.reason = str(fault)
            return
        page = found if kind in _PAGES else None
        text = Text(
            charset=charset.name,
            charset_found=charset.found,
            replaced=charset.replaced,
            characters=found.characters,
        )
        made.more = {"text": text, "title": found.title}
        if charset.replaced:
            made.more["notes"] = (f"{charset.replaced} signs are not {charset.name}, and are U+FFFD in the text",)
    else:
        made.more = {"notes": (f"{kind} is not text, so there is no extract",)}
    made.reason = wall_of(fetched.first, fetched.last, fetched.headers, head, page)
    if made.reason:
        made.more.pop("text", None)
    else:
        made.extract = path


def _timed(pieces: Iterator[str], seconds: float) -> Iterator[str]:
    """Pieces until a time is over: odd pages take a minute. Raise ReachError."""
    deadline = Deadline(seconds)
    for piece in pieces:
        deadline.left()
        yield piece


def _copied(pieces: Iterator[str], to: Path) -> Page:
    """Write text to a new file as it is."""
    characters = 0
    with to.open("x", encoding="utf-8", newline="") as file:
        for piece in pieces:
            file.write(piece)
            characters += len("".join(piece.split()))
    return Page("", characters, asks_for_password=False)


def _repository(address: Address, folder: Path, settings: Discovery, reach: Reach) -> Made:
    check_git()
    limits = Limits(settings.clone_max_bytes, Deadline(settings.clone_max_seconds))
    fetched = fetch_repository(address, folder, limits, settings.clone, reach)
    made = Made(fetched, "repository", fetched.failure)
    if made.reason:
        return made
    extract = folder / "extract.md"
    try:
        bundle = bundled(fetched, folder, limits, reach)
        describe(bundle, folder, limits, extract)
    except (RepositoryError, ReachError) as fault:
        made.reason = str(fault)
        return made
    made.raw, made.name, made.content_type = bundle.path, "repository.bundle", "application/x-git-bundle"
    made.identity, made.extract = bundle.commit[:16], extract
    made.more = {"commit": bundle.commit, "branch": bundle.branch, "notes": bundle.lacks}
    return made
