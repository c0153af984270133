"""The secret values that this process has read, and how to remove them from texts.

The rule: code that reads a secret registers it here in the same line (`keep_secret`), and code that passes on foreign
text wraps it in `redacted`. A value is found as it is and in each encoding: as JSON, in a URL, in HTML, quoted for a
shell, and in base64 at each of the three possible offsets. Values of fewer than 8 characters are not kept: they would
redact unrelated text, and no secret of the project is that short. Vendor defaults are not kept either: they are public,
and messages name them.
Pure except for the values that it keeps. `model.secrecy.output_guard` guards where texts leave the process.

Searching 1 MB of text for one form takes 0.1 ms. One pattern of all forms took twenty times as long, because Python's
engine tries every alternative at every character.
"""

import html
import json
import re
import shlex
from base64 import b64encode, urlsafe_b64encode
from threading import Lock
from urllib.parse import quote, quote_plus

from model.secrecy.vendor_defaults import VENDOR_DEFAULTS

LEAST_CHARACTERS = 8
# Each line of a multi-line value is also searched for alone, because output comes line by line.
LEAST_CHARACTERS_OF_LINE = 16
SHOWN = "[secret]"  # as Pulumi writes it
_PEM_FRAME = "-----"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Redactor:
    """The kept values, in all the forms that are searched for."""

    def __init__(self) -> None:
        """Start without values."""
        self._lock = Lock()
        self._values: set[str] = set()
        self._forms: tuple[str, ...] = ()
        self._beginnings: set[str] = set()

    def keep(self, value: str) -> None:
        """Redact this value from now on."""
        new = {
            part
            for part in (value, value.strip(), *_lines(value))
            if len(part) >= LEAST_CHARACTERS and part not in VENDOR_DEFAULTS
        }
        with self._lock:
            if new <= self._values:
                return
            forms = {form for value in new - self._values for form in forms_of(value)}
            self._values |= new
            # The longest first: a form may contain another one.
            self._forms = tuple(sorted({*self._forms, *forms}, key=lambda form: (-len(form), form)))
            self._beginnings.update(form[:length] for form in forms for length in range(1, len(form)))

    def redacted(self, text: str) -> str:
        """The text with a mark in place of each kept value."""
        text = self._searched(text)
        if "\x1b" not in text:
            return text
        # rich may colour parts of a value differently; in that case the text loses its colours.
        plain = _COLOURS.sub("", text)
        cleaned = self._searched(plain)
        return text if cleaned == plain else cleaned

    def _searched(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, SHOWN)
        return text

    def split(self, text: str) -> tuple[str, str]:
        """The text up to a possible beginning of a kept value, and the rest, which must wait for more text."""
        beginnings = self._beginnings
        longest = len(self._forms[0]) if self._forms else 0
        for length in range(min(longest, len(text)), 0, -1):
            if text[-length:] in beginnings:
                return text[:-length], text[-length:]
        return text, ""

    def forget(self) -> None:
        """Forget all values."""
        with self._lock:
            self._values, self._forms, self._beginnings = set(), (), set()


def forms_of(value: str) -> set[str]:
    """The value in all the forms in which it may be written."""
    as_json = json.dumps(value)[1:-1]
    forms = {
        value,
        as_json,
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(as_json)[1:-1],  # a JSON text within another, as in a state
        repr(value)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        quote(quote(value, safe=""), safe=""),
        shlex.quote(value).removeprefix("'").removesuffix("'"),
    }
    return forms | _in_base64(value.encode())


def _in_base64(value: bytes) -> set[str]:
    """For each possible offset, the part of the base64 form that does not depend on the surrounding bytes."""
    forms = set()
    for before in range(3):
        bits = 8 * (before + len(value))
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(bytes(before) + value).decode()
            form = encoded[-(-8 * before // 6) : bits // 6]
            if len(form) >= LEAST_CHARACTERS:
                forms.add(form)
    return forms


def _lines(value: str) -> list[str]:
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) < 2:  # noqa: PLR2004 - several
        return []
    return [line for line in lines if len(line) >= LEAST_CHARACTERS_OF_LINE and not line.startswith(_PEM_FRAME)]


KEPT = Redactor()


def keep_secret(value: str) -> str:
    """Return a value that was just read, and redact it from now on."""
    KEPT.keep(value)
    return value


def redacted(text: str) -> str:
    """The text with every secret that this process has read redacted."""
    return KEPT.redacted(text)
