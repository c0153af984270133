"""The keys of media files: by content, by the source's own identity and by the event's time.

The rule: neither a title, a slug nor the time of a run is in a key except in the last segment, which only names the
file, so equal names cannot meet. A segment has at most 200 bytes, and the original name is in the object's metadata.
"""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

SEGMENT_BYTES: Final = 200
NAME_METADATA: Final = "name"
"""The metadata that has the original name, percent-encoded: every server returns ASCII unchanged."""
_CONTENT: Final = 16
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,16}$")
_SAFE: Final = " !#$&'()+,;=@[]^{}~"


def chat_key(source: str, when: datetime, sha256: str, name: str) -> str:
    """The key of a file of a chat.

    Args:
        source: The chat's system (`telegram`).
        when: When the event happened; its day in UTC counts.
        sha256: Of the content, in hex.
        name: The file's original name.
    """
    return f"chat/{segment(source)}/{when.astimezone(UTC):%Y/%m/%d}/{sha256[:_CONTENT]}/{segment(name)}"


def video_key(extractor: str, identity: str, sha256: str, name: str) -> str:
    """The key of a file of a download; the parameters are those of `Download`, and as of `chat_key`."""
    return f"video/{segment(extractor)}/{segment(identity)}/{sha256[:_CONTENT]}/{segment(name)}"


def derived_key(original: str, sha256: str, name: str) -> str:
    """The key of what was made of a stored file: below the original's own key without its name."""
    return f"{original.rpartition('/')[0]}/{sha256[:_CONTENT]}/{segment(name)}"


def segment(name: str) -> str:
    """A name as a segment of a key: what a server might change is percent-encoded, and a long one is cut."""
    whole = "".join(map(_written, name))
    if whole.strip(" ") in ("", ".", "..") or whole != whole.strip(" "):
        whole = whole.replace(".", "%2E").replace(" ", "%20") or "%"
    if len(whole.encode()) <= SEGMENT_BYTES:
        return whole
    suffix = _SUFFIX.search(whole)
    end = suffix[0] if suffix else ""
    start = whole[: len(whole) - len(end)].encode()[: SEGMENT_BYTES - len(end)].decode(errors="ignore")
    return start.rstrip(" ") + end


def _written(one: str) -> str:
    """A character of a name, as a key has it; a byte that is not UTF-8 is percent-encoded."""
    is_safe = ord(one) >= 0xA0 and one.isprintable()  # noqa: PLR2004 - the end of the control characters
    return one if is_safe else quote(one, safe=_SAFE, errors="surrogateescape")


def name_encoded(name: str) -> str:
    """An original name as metadata."""
    return quote(name, safe="", errors="surrogateescape")


def name_decoded(value: str) -> str:
    """An original name from metadata."""
    return unquote(value, errors="surrogateescape")
