"""JSON that another program wrote: published files, journals and references.

The rule: what two programs would read differently is refused: a key that appears twice, a number that is none (NaN) or
that needs more than 64 bits, half of a surrogate pair, more than 200 levels. No message shows a value.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

from object_store.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_FILE_BYTES_MAXIMUM: Final = 64 * 2**20
_WHOLE_NUMBERS: Final = range(-(2**63), 2**64)


def json_of(text: str | bytes) -> Any:  # noqa: ANN401  # JSON holds anything
    """Return the value that JSON in UTF-8 says.

    Raises:
        ValueError: it is not JSON, or two programs would read it differently; the message has line and column.
    """
    if isinstance(text, bytes):
        text = text.removeprefix(codecs.BOM_UTF8).decode()
    from_json(text, allow_inf_nan=False)  # Python's own parser names no place for half of these faults
    return json.loads(text, object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction)


def published_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file that a stack published.

    Raises:
        ConfigurationError: it cannot be read, is not a file, is larger than 64 MiB, or holds no JSON object.
    """
    legal = "legal: what `pulumi stack output NAME --json` prints"
    try:
        # Without O_NONBLOCK the opening of a pipe waits until a program writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with ExitStack() as stack:
            stack.callback(os.close, descriptor)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigurationError(f"{path} is not a regular file; {legal}")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(_FILE_BYTES_MAXIMUM + 1)
    except OSError as fault:
        raise ConfigurationError(f"{path} cannot be read: {fault.strerror}") from None
    if len(content) > _FILE_BYTES_MAXIMUM:
        raise ConfigurationError(f"{path} is larger than {_FILE_BYTES_MAXIMUM:,} bytes; {legal}")
    try:
        found = json_of(content)
    except UnicodeDecodeError as fault:
        raise ConfigurationError(f"{path} is not UTF-8 (byte {fault.start + 1}); {legal}") from None
    except ValueError as fault:
        raise ConfigurationError(f"{path} is not JSON: {fault}; {legal}") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} is not a JSON object; {legal}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return found


def _whole(digits: str) -> int:
    number = int(digits)
    if number not in _WHOLE_NUMBERS:
        raise ValueError("a number needs more than 64 bits")
    return number


def _fraction(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number needs more than 64 bits")
    return number
