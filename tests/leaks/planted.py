"""The planted secrets, and where a text or a file shows one.

The rule: the forms in which one is looked for are written here anew and not taken from `model.secrecy.redaction`, which
is what is on trial. A text is also looked through without its white space and colours, since a table folds a value.
"""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

LEAST_CHARACTERS = 16
_BETWEEN = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\s+")


@dataclass(frozen=True)
class Planted:
    """A secret that nobody may see.

    Attributes:
        name: What it is, such as `admin password of local`.
        value: Long enough to be met by no chance.
    """

    name: str
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse one that could be met by chance."""
        if len(self.value) < LEAST_CHARACTERS:
            raise ValueError(f"{self.name}: {len(self.value)} characters could be anything")


def forms(value: str) -> dict[bytes, str]:
    """Each way in which a value may be written, and what that is called."""
    found = {
        value: "in clear",
        json.dumps(value)[1:-1]: "in JSON",
        json.dumps(json.dumps(value)[1:-1])[1:-1]: "in JSON within JSON",
        quote(value, safe=""): "in a URL",
        quote(value): "in a URL",
        quote_plus(value): "in a form",
    }
    raw = value.encode()
    for before in range(3):  # where a value begins within a group of three bytes decides how it looks
        whole = raw[(3 - before) % 3 :]
        whole = whole[: len(whole) // 3 * 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.setdefault(encode(whole).decode(), "in base64")
    return {form.encode(): how for form, how in found.items()}


def shown(content: bytes, planted: Iterable[Planted]) -> set[str]:
    """Which secrets a content shows, and how."""
    squeezed = _BETWEEN.sub(b"", content)
    return {
        f"{one.name}, {how}"
        for one in planted
        for form, how in forms(one.value).items()
        if form in content or _BETWEEN.sub(b"", form) in squeezed
    }
