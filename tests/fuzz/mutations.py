"""Damages to a file: what an editor, a copy, another program or an attacker makes of one.

The rule: every choice comes from the given generator, so that a seed always gives the same inputs, on every commit.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

DEEP = 3000
LONG_DIGITS = 5000

_YAML_VALUES = (
    "{{ x }}",
    "2026-02-30",
    "2026-12-31",
    "0000-00-00 99:99:99",
    '!!int "x"',
    "!!float x",
    "!!bool x",
    "!!timestamp x",
    "!!binary é",
    "!!set [a]",
    "!!python/object:os.system x",
    "!foo x",
    "&a [*a]",
    "&a {b: *a}",
    "*nobody",
    "<<",
    "? [a, b]",
    "{[a]: b}",
    "{? {a: b} : c}",
    "[" * DEEP,
    "{a: " * 300 + "1" + "}" * 300,
    "9" * LONG_DIGITS,
    "0x" + "f" * LONG_DIGITS,
    "0x_",
    "0b",
    "._",
    "1e999",
    ".nan",
    "-.inf",
    "1:30:99",
    "012",
    "1_000",
    '"\\x07"',
    '"\\ud800"',
    '"\\U99999999"',
    '"\\q"',
    "a: b: c",
    "@x",
    "`x",
    "%x",
    "| x",
    ">-9",
    "'",
    '"',
    "yes",
    "~",
    "",
    "-1",
    "1.5",
    "null",
    "[]",
    "{}",
    "[a, [b]]",
    "{secure: 5}",
    "{secure: [a]}",
    "x" * 5000,
    "\u2028",
    "\x85",
    "é",
)
_YAML_LINES = (
    "<<: 5",
    "<<: [a]",
    "<<: {a: b}",
    "123: x",
    "~: x",
    "true: x",
    "2026-12-31: x",
    "? [a, b]",
    "? {a: b}",
    "{{ x }}: y",
    "[a]: b",
    "!!int x: y",
    "- a",
    "---",
    "...",
    "%YAML 9.9",
    "%TAG ! x",
    "\t- a",
    "\ta: b",
    "a",
    ": x",
    "&a: *a",
    "'a\x00': 1",
    '"\\0": 1',
)
_JSON_VALUES = (
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e999",
    "-1e999",
    "NaN",
    "-Infinity",
    "9" * 30,
    "9" * LONG_DIGITS,
    "-" + "9" * LONG_DIGITS,
    '""',
    '"x"',
    '"\\ud800"',
    '"\\udc00x"',
    '"\\u0000"',
    '"\\u001b[31m"',
    '"\x07"',
    '"a\\nb"',
    '"é"',
    '"' + "x" * 5000 + '"',
    "[]",
    "{}",
    "[null]",
    "[[]]",
    '{"a": {}}',
    '{"": 1}',
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    "[" * DEEP,
    "{{ x }}",
    "'x'",
    "undefined",
    '["a", "a"]',
    '"2026-02-30"',
    '"https://[::1"',
    '"http://x:99999999"',
    '"https://u:p@h"',
)
_BYTES = (
    b"\x00",
    b"\x07",
    b"\x1b[31m",
    b"\x7f",
    b"\t",
    b"\r",
    b"\xe9",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b'"',
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\\",
    b"#",
    b"&",
    b"*",
)
# Those that most readers forget, once more each.
_OFTEN_YAML = (
    "{{ x }}",
    "2026-02-30",
    '!!int "x"',
    "&a [*a]",
    "[" * DEEP,
    "9" * LONG_DIGITS,
    '"\\x07\x07"',
    '"\\U99999999"',
)
_OFTEN_JSON = ("9" * LONG_DIGITS, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, '"\\ud800"')
_KEY_AND_VALUE = re.compile(r"^(\s*)([^:#]+): ?(.*)$")
_JSON_SCALAR = re.compile(r'"(?:[^"\\]|\\.)*"(?!\s*:)|-?\d[\d.eE+-]*|\btrue\b|\bfalse\b|\bnull\b')
_JSON_KEY = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s*:)')


def _yaml_value(random: Random) -> str:
    return random.choice(random.choice((_YAML_VALUES, _OFTEN_YAML, _OFTEN_YAML)))


def _json_value(random: Random) -> str:
    return random.choice(random.choice((_JSON_VALUES, _OFTEN_JSON)))


def mutated(random: Random, document: bytes, form: str) -> bytes:
    """A document with one to three damages.

    Args:
        random: Where all choices come from.
        document: The whole document, in UTF-8.
        form: `yaml` or `json`.
    """
    text = document.decode()
    ways = _YAML if form == "yaml" else _JSON
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        text = random.choice(ways)(random, text)
    found = text.encode("utf-8", "surrogatepass")
    return random.choice(_ON_BYTES)(random, found) if random.random() < 0.15 else found


def _lines(change: Callable[[Random, list[str], int], None]) -> Callable[[Random, str], str]:
    def changed(random: Random, text: str) -> str:
        lines = text.split("\n")
        change(random, lines, random.randrange(len(lines)))
        return "\n".join(lines)

    return changed


def _value(random: Random, lines: list[str], at: int) -> None:
    found = [number for number, line in enumerate(lines) if _KEY_AND_VALUE.match(line)]
    if found:
        number = random.choice(found)
        lines[number] = _KEY_AND_VALUE.sub(lambda m: f"{m[1]}{m[2]}: {_yaml_value(random)}", lines[number])
    else:
        lines[at] = _yaml_value(random)


def _key(random: Random, lines: list[str], at: int) -> None:
    indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
    lines.insert(at, indent + random.choice(_YAML_LINES))


def _twice(random: Random, lines: list[str], at: int) -> None:
    lines.insert(random.randrange(len(lines)), lines[at])


def _without(_: Random, lines: list[str], at: int) -> None:
    del lines[at]


def _indented(random: Random, lines: list[str], at: int) -> None:
    lines[at] = random.choice(("\t", " ", "   ", "")) + lines[at].lstrip(" " * random.randrange(3))


def _piece(value: Callable[[Random], str]) -> Callable[[Random, str], str]:
    def inserted(random: Random, text: str) -> str:
        at = random.randrange(len(text) + 1)
        return text[:at] + value(random) + text[at:]

    return inserted


def _json_at(pattern: re.Pattern[str], new: Callable[[Random], str]) -> Callable[[Random, str], str]:
    def replaced(random: Random, text: str) -> str:
        places = list(pattern.finditer(text))
        if not places:
            return new(random)
        place = random.choice(places)
        return text[: place.start()] + new(random) + text[place.end() :]

    return replaced


def _json_nested(random: Random, text: str) -> str:
    """Replace a whole object or list."""
    starts = [place.start() for place in re.finditer(r"[\[{]", text)]
    at = random.choice(starts) if starts else 0
    try:
        _, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        end = len(text)
    return text[:at] + _json_value(random) + text[end:]


def _json_more(random: Random, text: str) -> str:
    """Add a key at the beginning of an object, perhaps one that it has."""
    keys = [*_JSON_KEY.findall(text), '"a"', '""', '"\\u0000"', "a", "1"]
    opened = [place.end() for place in re.finditer(r"\{", text)]
    at = random.choice(opened) if opened else 0
    return f"{text[:at]}{random.choice(keys)}: {_json_value(random)},{text[at:]}"


def _cut(random: Random, found: bytes) -> bytes:
    return found[: random.randrange(len(found) + 1)]


def _byte(random: Random, found: bytes) -> bytes:
    at = random.randrange(len(found) + 1)
    return found[:at] + random.choice(_BYTES) + found[at + random.randrange(2) :]


def _encoded(random: Random, found: bytes) -> bytes:
    text = found.decode("utf-8", "replace")
    return random.choice(
        (
            text.encode("utf-16"),
            text.encode("utf-16-be"),
            b"\xef\xbb\xbf" + found,
            text.replace("\n", "\r\n").encode(),
            f"é{text}".encode("latin-1", "replace"),
            b"",
            b"\n\n",
        )
    )


_YAML = (
    (_lines(_value),) * 6
    + (_lines(_key),) * 3
    + tuple(map(_lines, (_twice, _without, _indented)))
    + (_piece(_yaml_value),)
)
_JSON = (
    *(_json_at(_JSON_SCALAR, _json_value),) * 6,
    _json_at(_JSON_KEY, lambda random: random.choice(('"a"', '""', '"__proto__"', "a", "1", "null", '"\\ud800"'))),
    _json_nested,
    _json_nested,
    _json_more,
    _piece(_json_value),
)
_ON_BYTES = (_cut, _byte, _byte, _encoded)
