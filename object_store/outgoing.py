"""What may leave in a header, a URL or a path: `fault_of` checks each such value before a client gets it.

The rule: every value of a caller, of the environment or of an event that a request will hold passes `fault_of` first.
A client would refuse such a value late, or send another one. The message never holds the value, which may be a secret.

Sources: https://www.rfc-editor.org/rfc/rfc9110#section-5.5 (values of headers),
https://www.rfc-editor.org/rfc/rfc3986#section-2.5 (UTF-8 in URLs)
"""

from __future__ import annotations

import re
from enum import Enum


class Form(Enum):
    """Where a value goes, and the characters that it may have there."""

    WORD = re.compile(r"[\x21-\x7e]+")
    """One word of a header: a credential, a token, a region."""

    HEADER = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
    """A whole header: a content type, a value of the metadata."""

    PATH = re.compile(r"[^\x00-\x1f\x7f]+")
    """A path, percent-encoded: a key."""

    QUERY = re.compile(r".+", re.DOTALL)
    """A parameter of a query, percent-encoded: a prefix."""


_FAULTS = {
    Form.WORD: "holds white space or a character that is not printable ASCII",
    Form.HEADER: "holds a character that is not printable ASCII, or a space at an end",
    Form.PATH: "holds a control character",
}


def fault_of(  # one return for each fault
    value: object, form: Form, *, max_bytes: int | None = None
) -> str | None:
    """Return why a value must not leave, as the end of a sentence about it; None if it may."""
    if not isinstance(value, str):
        return f"is {type(value).__name__}, not str"
    if not value:
        return "is empty"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "holds a lone surrogate, which is not UTF-8"
    if max_bytes is not None and size > max_bytes:
        return f"has {size} bytes"
    return None if form.value.fullmatch(value) else _FAULTS[form]
