"""Times of events as text, and back. Pure.

The rule: all are UTC and in whole nanoseconds; a time without its zone is refused.
"""

import re
from calendar import timegm
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from model.problems import InvalidInputError, Problem
from workloads.otel.span import SECOND, Span, span_of

FORM: Final = "a day (2026-11-30), or a time with its zone (2026-11-30T04:00:00Z)"
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


def moment_of(text: str) -> int:
    """Nanoseconds since 1970 of a time as ClickHouse writes it (`2026-11-30T04:00:00.123Z`). Raise ValueError."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return _seconds(found[1]) * SECOND + int((found[2] or "0").ljust(9, "0"))


@lru_cache(100_000)
def _seconds(text: str) -> int:
    return timegm(datetime.fromisoformat(text).timetuple())


def day_asked(option: str, text: str) -> date | None:
    """The day of an option; None without one. Raise InvalidInputError."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(option, text, "a day (2026-11-30)", "2026-11-30") from None


def span_asked(first: str, last: str) -> Span:
    """The time between `--from` and `--to`; a day that `--to` names belongs to it.

    Raises:
        InvalidInputError: One of them is neither a day nor a time, or nothing is between them.
    """
    begin, end = _bounds("--from", first)[0], _bounds("--to", last)[1]
    if begin >= end:
        raise InvalidInputError([Problem("--from", f"{first} is not before {last}", FORM, f"--from {last}")])
    return Span(begin, end)


def _bounds(option: str, text: str) -> tuple[int, int]:
    try:
        if len(text) == len("2026-11-30"):
            day = span_of(date.fromisoformat(text))
            return day.first, day.end
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            raise _wrong(option, text, FORM, f"{text}Z" if "T" in text else "2026-11-30T04:00:00Z")
        when = when.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(option, text, FORM, "2026-11-30") from None
    microseconds = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return microseconds * 1000, microseconds * 1000


def _wrong(option: str, text: str, legal: str, paste: str) -> InvalidInputError:
    return InvalidInputError([Problem(option, f"{text!r} is neither a day nor a time", legal, f"{option} {paste}")])
