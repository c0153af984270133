"""An entry of an archive: one file, folder or link as it was, and where its content lies in packs.

The rule: an entry says everything that a restore needs, so the newest entry of a path is enough. Paths are bytes, as
the system has them, relative to their source. In JSON a path that is not UTF-8 is in base64 under `path_base64`.
"""

import base64
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from model.secrecy.redaction import SHOWN, redacted

#: Keys of Anthropic, OpenAI, GitHub, Slack, AWS and age, and JSON Web Tokens, by how each begins.
_SECRETS = re.compile(
    r"sk-[\w-]{20,}|gh[oprsu]_\w{30,}|github_pat_\w{30,}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|AGE-SECRET-KEY-1\w+|eyJ[\w-]{10,}\.eyJ[\w-]{10,}[\w.-]*"
)

_MODE_MAXIMUM = 0o1777
_TIME_MAXIMUM_NS = 2**63 * 10**9

Kind = Literal["file", "folder", "link"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a file's content, as one frame of a pack.

    Attributes:
        pack: The pack's key.
        at: Offset of the frame in the pack, in bytes.
        length: Bytes of the frame.
        head: Bytes of the tar header before the content, in the unpacked frame.
        start: Offset of the content in the file.
        size: Bytes of the content.
        sha256: Of the content, in hex.
    """

    pack: str
    at: int
    length: int
    head: int
    start: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or link.

    Attributes:
        path: Relative to the source.
        kind: What it is.
        mode: Permissions.
        mtime_ns: When its content was last changed, in nanoseconds since 1970.
        size: Bytes of the content; 0 for a folder or a link.
        sha256: Of the content; of a link's target; empty for a folder.
        segments: The content's parts in their order.
        target: Where a link leads.
        same_as: The path of the first name of the same file (a hard link), in the same source.
        hollow: Whether the file is less than half of what it was before: something may have emptied it.
    """

    path: bytes
    kind: Kind
    mode: int
    mtime_ns: int
    size: int = 0
    sha256: str = ""
    segments: tuple[Segment, ...] = ()
    target: bytes = b""
    same_as: bytes = b""
    hollow: bool = False

    @property
    def packs(self) -> set[str]:
        """The keys of the packs that hold the content."""
        return {segment.pack for segment in self.segments}

    def same_content(self, other: "Entry") -> bool:
        """Whether another entry has the same kind and content."""
        return (self.kind, self.size, self.sha256) == (other.kind, other.size, other.sha256)


def line_of(entry: Entry) -> str:
    """An entry as one line of JSON."""
    held: dict[str, Any] = {**_text("path", entry.path), "kind": entry.kind, "mode": entry.mode}
    held["mtime_ns"] = entry.mtime_ns
    if entry.kind == "file":
        held |= {"size": entry.size, "sha256": entry.sha256}
        held["segments"] = [
            [part.pack, part.at, part.length, part.head, part.start, part.size, part.sha256] for part in entry.segments
        ]
    if entry.kind == "link":
        held |= {"sha256": entry.sha256, **_text("target", entry.target)}
    if entry.same_as:
        held |= _text("same_as", entry.same_as)
    if entry.hollow:
        held["hollow"] = True
    return json.dumps(held, ensure_ascii=False, separators=(",", ":"))


def entry_of(line: str | bytes) -> Entry:
    """Read one line. Raise ValueError if it is none."""
    try:
        held = json.loads(line)
        entry = Entry(
            path=_bytes(held, "path"),
            kind=held["kind"],
            mode=int(held["mode"]),
            mtime_ns=int(held["mtime_ns"]),
            size=int(held.get("size", 0)),
            sha256=str(held.get("sha256", "")),
            segments=tuple(_segment(part) for part in held.get("segments", ())),
            target=_bytes(held, "target"),
            same_as=_bytes(held, "same_as"),
            hollow=bool(held.get("hollow", False)),
        )
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as fault:
        raise ValueError(f"an entry of a manifest is malformed: {type(fault).__name__}") from None
    if entry.kind not in ("file", "folder", "link") or not is_inside(entry.path):
        raise ValueError("an entry of a manifest has an unknown kind, or a path that leads out of its source")
    if not 0 <= entry.mode <= _MODE_MAXIMUM or abs(entry.mtime_ns) >= _TIME_MAXIMUM_NS:
        raise ValueError("an entry of a manifest has permissions or a time that no file has")
    if entry.kind == "link" and (not entry.target or b"\0" in entry.target):
        raise ValueError("a link of a manifest leads nowhere")
    at = 0
    for part in entry.segments:
        if part.start != at or part.size < 0 or part.at < 0 or part.length <= 0 or part.head < 0:
            raise ValueError("the segments of an entry of a manifest do not join")
        at += part.size
    if at != entry.size:
        raise ValueError("the segments of an entry of a manifest are not its whole content")
    return entry


def packs_of(line: str) -> set[str]:
    """The keys of the packs that hold the content of an entry, from a line that this program wrote."""
    return {str(part[0]) for part in json.loads(line).get("segments", ())}


def _segment(part: list[Any]) -> Segment:
    # Thousands of entries of a restore name the same few packs.
    at, length, head, start, size = (int(number) for number in part[1:6])
    return Segment(sys.intern(str(part[0])), at, length, head, start, size, str(part[6]))


def parents_of(path: bytes) -> Iterator[bytes]:
    """The folders that a path leads through, the last one first."""
    while path := os.path.dirname(path):
        yield path


def is_inside(path: bytes) -> bool:
    """Whether a relative path stays in its source."""
    return bool(path) and b"\0" not in path and all(part not in (b"", b".", b"..") for part in path.split(b"/"))


def shown(path: bytes) -> str:
    """A path for a message or a receipt: text, with an escape for each byte or character that is none.

    What has the form of a widely used kind of secret, or is one that this process has read, is not shown.
    """
    text = path.decode("utf-8", "backslashreplace")
    text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return redacted(_SECRETS.sub(SHOWN, text))


def _text(name: str, value: bytes) -> dict[str, str]:
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def _bytes(held: dict[str, Any], name: str) -> bytes:
    if f"{name}_base64" in held:
        return base64.b64decode(held[f"{name}_base64"], validate=True)
    value = held["path"] if name == "path" else held.get(name, "")
    if not isinstance(value, str):
        raise TypeError
    return value.encode()
