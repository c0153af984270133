"""The identity that `docs-ingest` gives to a document, and the key that keeps it. Pure.

The rule: the identity is made of the file's name and its bytes, so the last segment of the key is the name as it is,
and the segment before begins with the SHA-256. Two names of the same bytes are two documents, as they are today; so are
two spellings of a name (NFC and NFD) of which only one has its accents as characters of their own.
"""

import re
from typing import Final

PREFIX: Final = "docs/"
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_SLUG_MAXIMUM: Final = 48
_DIGEST_SHOWN: Final = 12
_KEY: Final = re.compile(rf"{PREFIX}[0-9a-f]{{2}}/([0-9a-f]{{64}})(?:\.[0-9]+)?/([^/]+)")


def document_id(name: str, sha256: str) -> str:
    """`docId`, as `validateFile` of docs-ingest computes it from a file's name and content.

    >>> document_id("A Book (2nd).pdf", "0123456789abcdef")
    'a-book-2nd-0123456789ab'
    """
    slug = _OTHER.sub("-", _stem(name).lower()).strip("-") or "document"
    return f"{slug[:_SLUG_MAXIMUM]}-{sha256[:_DIGEST_SHOWN]}"


def key_of(name: str, sha256: str, number: int = 1) -> str:
    """The key of a document; a higher number is for a key that other bytes have taken."""
    again = "" if number == 1 else f".{number}"
    return f"{PREFIX}{sha256[:2]}/{sha256}{again}/{name}"


def id_of_key(key: str) -> str:
    """The identity that a consumer computes from a reference. Raise ValueError for another kind of key."""
    found = _KEY.fullmatch(key)
    if found is None:
        raise ValueError(f"{key} is not the key of a document")
    return document_id(found[2], found[1])


def _stem(name: str) -> str:
    """The name without its suffix, as Node's `basename(name, extname(name))` has it."""
    dot = name.rfind(".")
    return name if dot <= 0 or name == ".." else name[:dot]
