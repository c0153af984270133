"""A document of Typesense as a row of the table, in the form in which ClickHouse writes one. Pure.

The rule: what a document does not have is left out of its line, above all `received_at`, so the same event from
ClickHouse counts before it. A field that is not a column of the table is kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from workloads.otel.span import DAY, day_of

COLUMNS: Final[Mapping[str, str]] = {
    "id": "String",
    "timestamp": "DateTime64(3, 'UTC')",
    "date": "Date",
    "sessionId": "Nullable(String)",
    "systemId": "Nullable(String)",
    "level": "LowCardinality(String)",
    "source": "LowCardinality(String)",
    "component": "LowCardinality(String)",
    "action": "String",
    "success": "UInt8",
    "duration_ms": "Nullable(UInt32)",
    "error": "String",
    "metadata_json": "String",
    "metadata_keys": "Array(String)",
    "search_text": "String",
    "received_at": "DateTime64(3, 'UTC')",
}
"""The owner's table: name and type; the last one no document has."""
_MILLISECOND: Final = 10**6
"""In nanoseconds."""


class NoEventError(ValueError):
    """A line is not the document of an event; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Event:
    """A document as a row.

    Attributes:
        id: Its id, as the bytes by which parts are sorted.
        day: The UTC day.
        milliseconds: Its `timestamp`, since 1970.
        line: The row's line with its end.
        unknown: Its fields that are no columns.
    """

    id: bytes
    day: date
    milliseconds: int
    line: bytes
    unknown: frozenset[str]


def event_of(line: bytes) -> Event:
    """The row of a document. Raise NoEventError."""
    # Bytes that are no UTF-8 stay as they are, and so does half a character that is escaped.
    try:
        text, errors = line.decode(), "backslashreplace"
    except UnicodeDecodeError:
        text, errors = line.decode("utf-8", "surrogateescape"), "surrogateescape"
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise NoEventError("it is not JSON, or too deep") from None
    if not isinstance(document, dict):
        raise NoEventError("it is not an object of JSON")
    name, milliseconds = document.get("id"), document.get("timestamp")
    if not isinstance(name, str) or not name:
        raise NoEventError("it has no id")
    if type(milliseconds) is not int:
        raise NoEventError(f"{name!r} has no timestamp in milliseconds")
    try:
        day = day_of(milliseconds * _MILLISECOND)
        row = json.dumps(_row(document, day, milliseconds), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Event(
            name.encode("utf-8", "surrogateescape"),
            day,
            milliseconds,
            row.encode("utf-8", errors) + b"\n",
            frozenset(document.keys() - COLUMNS.keys()),
        )
    except (OverflowError, RecursionError, ValueError):
        raise NoEventError(f"{name!r} has a time, a number or a text that cannot be written") from None


def _row(document: Mapping[str, Any], day: date, milliseconds: int) -> Mapping[str, Any]:
    seconds, rest = divmod(milliseconds % (DAY // _MILLISECOND), 1000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
    own: dict[str, str | int] = {"timestamp": f"{day}T{clock}Z", "date": f"{day}"}
    if isinstance(document.get("success"), bool):
        own["success"] = int(document["success"])
    held = {**document, **own}
    order = [*(one for one in COLUMNS if one in held), *sorted(held.keys() - COLUMNS.keys())]
    return {one: held[one] for one in order if held[one] is not None}
