"""The planted secrets, and the search for them in a text or a file.

The rule: this module defines the searched forms itself and does not take them from `model.secrecy.redaction`, which is
under test. It also searches a text without its white space and colours, because a table folds a value.
"""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote, quote_plus

LEAST_CHARACTERS = 16
_BETWEEN = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\s+")


@dataclass(frozen=True)
class Planted:
    """A secret that must not appear.

    Attributes:
        name: Its name, such as `admin password of local`.
        value: Long enough not to appear by chance.
    """

    name: str
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a value that could appear by chance."""
        if len(self.value) < LEAST_CHARACTERS:
            raise ValueError(f"{self.name}: {len(self.value)} characters could be anything")


@cache
def forms(value: str) -> dict[bytes, str]:
    """Each encoding of a value, with its name."""
    found = {
        value: "in clear",
        json.dumps(value)[1:-1]: "in JSON",
        json.dumps(json.dumps(value)[1:-1])[1:-1]: "in JSON within JSON",
        quote(value, safe=""): "in a URL",
        quote(value): "in a URL",
        quote_plus(value): "in a form",
    }
    raw = value.encode()
    for before in range(3):  # the position in a group of three bytes changes the encoded text
        whole = raw[(3 - before) % 3 :]
        whole = whole[: len(whole) // 3 * 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.setdefault(encode(whole).decode(), "in base64")
    return {form.encode(): how for form, how in found.items()}


def shown(content: bytes, planted: Iterable[Planted]) -> set[str]:
    """The secrets that a content shows, and in which form."""
    squeezed = _BETWEEN.sub(b"", content)
    return {
        f"{one.name}, {how}"
        for one in planted
        for form, how in forms(one.value).items()
        if form in content or _squeezed(form) in squeezed
    }


@cache
def _squeezed(form: bytes) -> bytes:
    return _BETWEEN.sub(b"", form)
