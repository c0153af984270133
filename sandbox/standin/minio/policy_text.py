"""Policy documents as text: MinIO's format, and the documents that the provider refuses before a request.

The one rule: the text in the state is the server's, not the program's; `policy_equivalence` decides whether both mean
the same. Left out: whether an action exists, which only the server knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.standin.values import Bag

_END_OF_INPUT = "unexpected end of JSON input"
# Error of Python's parser -> error of Go's encoding/json.
_GO_WORDS = {
    "Expecting value": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Extra data": "after top-level value",
}


def indented(document: Mapping[str, object]) -> str:
    """Return the document in the server's format: one space for each level."""
    return json.dumps(document, indent=1, ensure_ascii=False)


def valid_policy(value: str, path: str) -> str | None:
    """Check that a policy is a JSON object, in the words of the real provider."""
    if not value.startswith("{"):
        return f'"{path}" contains an invalid JSON policy'
    try:
        json.loads(value)
    except json.JSONDecodeError as error:
        return f'"{path}" contains an invalid JSON: {_in_go_words(error)}'
    return None


def _in_go_words(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos :].strip()
    if not rest:
        return _END_OF_INPUT
    return f"invalid character '{rest[0]}' {_GO_WORDS.get(error.msg, error.msg)}"


def document_of(policy: str | None) -> Bag | None:
    """Return the document of a service account's policy; None means that it inherits its user's."""
    if not policy:
        return None
    document: Bag = json.loads(policy)
    return document
