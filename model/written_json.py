"""Reads JSON that a person or another program wrote.

The rule: what two programs would read differently is refused: a key that appears twice, a number that is none (NaN) or
that needs more than 64 bits, half of a surrogate pair (https://www.rfc-editor.org/rfc/rfc8259#section-4 and the
sections 6 and 8.2). No message shows a value.
"""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from pydantic_core import from_json

from model.written import WrittenError, position_of, read_written, shown, text_of

NESTING_MAXIMUM = 200
"""pydantic_core's own limit (https://docs.pydantic.dev/latest/api/pydantic_core/#pydantic_core.from_json)."""

_PLACE = re.compile(r" at line (\d+) column (\d+)$")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_WHOLE_NUMBERS = range(-(2**63), 2**64)
_WRITE = {
    "EOF while parsing a value": "JSON, such as {}",
    "trailing comma": "the line above without its last comma",
    "trailing characters": "one JSON value in the file",
    "key must be a string": 'the key in double quotes: "key": …',
    "control character": r"the character as \n, \t or \u0001",
    "recursion limit exceeded": f"at most {NESTING_MAXIMUM} levels",
    "number out of range": "a number of at most 20 digits",
    "unexpected end of hex escape": "the character itself instead of half of a surrogate pair",
}


class _TwiceError(ValueError):
    """An object has a key twice."""


class _NumberError(ValueError):
    """A number that programs read differently."""


def read_json_file(path: Path, where: str | None = None) -> object:
    """The value in a file of JSON.

    Raises:
        WrittenError: It cannot be read, or is not JSON.
    """
    name = str(path) if where is None else where
    return parse_json(read_written(path, name), name)


def parse_json(content: str | bytes, where: str) -> Any:  # noqa: ANN401 - JSON holds anything
    """The value that JSON says.

    Args:
        content: The JSON.
        where: The name of its source in messages.

    Raises:
        WrittenError: It is not JSON, or two programs would read it differently.
    """
    text = content if isinstance(content, str) else text_of(content, where)
    try:
        from_json(text, allow_inf_nan=False)  # Python's own parser names no place for half of these faults
        return json.loads(text, object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction)
    except _TwiceError as error:
        _refuse_twice(text, str(error), where)
    except _NumberError as error:
        number = str(error)
        raise WrittenError(
            where,
            "a number that not every program can hold",
            "a number of 64 bits",
            position_of(text, text.index(number)),
        ) from None
    except ValueError as error:
        raise _malformed(str(error), text, where) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return found


def _whole(digits: str) -> int:
    number = int(digits)
    if number not in _WHOLE_NUMBERS:
        raise _NumberError(digits)
    return number


def _fraction(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _NumberError(digits)
    return number


def _malformed(said: str, text: str, where: str) -> WrittenError:
    if not text.strip():
        return WrittenError(where, "is empty", "JSON, such as {}")
    place = _PLACE.search(said)
    if place is None:
        return WrittenError(where, f"is not JSON: {said}", "JSON")
    reason = said[: place.start()]
    line, column_bytes = int(place[1]), int(place[2])
    before = text.split("\n")[line - 1].encode()[: max(column_bytes - 1, 0)]
    write = next((advice for fault, advice in _WRITE.items() if reason.startswith(fault)), "JSON")
    return WrittenError(where, f"is not JSON: {reason}", write, (line, len(before.decode(errors="ignore")) + 1))


def _refuse_twice(text: str, key: str, where: str) -> NoReturn:
    """Name the place at which an object has a key for the second time."""
    seen: list[set[str] | None] = []
    tokens = list(_TOKEN.finditer(text))
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token[0] in "{[":
            seen.append(set() if token[0] == "{" else None)
        elif token[0] in "}]":
            seen.pop()
        elif seen and (keys := seen[-1]) is not None and after is not None and after[0] == ":":
            name = json.loads(token[0])
            if name in keys:
                raise WrittenError(
                    where,
                    f"the key {shown(name)} appears twice",
                    "each key once: remove or rename one of the two",
                    position_of(text, token.start()),
                )
            keys.add(name)
    raise WrittenError(where, f"the key {shown(key)} appears twice", "each key once")
