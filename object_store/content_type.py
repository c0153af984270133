"""The content type of an upload: a given one is checked, a missing one is guessed from the key.

The guess depends on the key alone. It uses the tables of Python's `mimetypes` and the few names below, never the
machine's own `/etc/mime.types`, so two machines store the same object alike. A compressed file has the type of its
compression (`a.json.gz` is `application/gzip`), because the adapter sets no Content-Encoding that a browser would undo.
"""

from __future__ import annotations

import re
from mimetypes import MimeTypes
from typing import Final

from object_store.errors import InvalidContentType
from object_store.outgoing import Form, fault_of

DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"

# Suffixes that the stores' producers use and that Python's tables lack, or lacked in 3.11.
_OWN = {
    ".epub": "application/epub+zip",
    ".jsonl": "application/x-ndjson",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".md": "text/markdown",
    ".mkv": "video/matroska",
    ".ndjson": "application/x-ndjson",
    ".vtt": "text/vtt",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
_COMPRESSED = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
    "br": DEFAULT_CONTENT_TYPE,  # brotli has no registered file type
}
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(\s*;[\x20-\x7e]*)?")

_types = MimeTypes()
for _suffix, _media_type in _OWN.items():
    _types.add_type(_media_type, _suffix)


def guess_content_type(key: str) -> str:
    """Content type for a key by its last suffix; `application/octet-stream` for an unknown suffix."""
    # "./" keeps a name such as "data:x" from being read as a URL.
    media_type, encoding = _types.guess_type("./" + key.rpartition("/")[2])
    if encoding is not None:
        return _COMPRESSED[encoding]
    return media_type or DEFAULT_CONTENT_TYPE


def check_content_type(bucket: str, key: str, content_type: str) -> str:
    """Return the content type if a header can hold it; otherwise raise InvalidContentType."""
    if fault_of(content_type, Form.HEADER) or not _MEDIA_TYPE.fullmatch(content_type):
        raise InvalidContentType(
            f"{content_type!r} is not a content type; legal: type/subtype with optional parameters, such as "
            "'text/plain; charset=utf-8', or None to guess it from the key",
            bucket=bucket,
            key=key,
        )
    return content_type
