"""Spans of time in nanoseconds since 1970, and the slices into which a day is divided. Pure.

The rule: every span includes its first moment and not its last, and every slice its first id and not its last, so
neighbours share no row. A column with nine digits loses nothing, because all arithmetic is in whole nanoseconds. A day
is divided by id, because the table is sorted by it: the server reads each row for one slice only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND
DIGITS_MAXIMUM: Final = 9
"""Digits after the second that ClickHouse's DateTime64 can have."""


@dataclass(frozen=True, order=True)
class Span:
    """A time from its first moment until before its end.

    Attributes:
        first: Nanoseconds since 1970.
        end: Likewise.
    """

    first: int
    end: int

    @property
    def day(self) -> date:
        """The UTC day in which it begins."""
        return day_of(self.first)

    @property
    def name(self) -> str:
        """Its bounds as times of the day, for keys and messages: `000000.000000000-240000.000000000`."""
        start = self.first - self.first % DAY
        return f"{_clock(self.first - start)}-{_clock(self.end - start)}"


@dataclass(frozen=True, order=True)
class Slice:
    """What one part holds: of a span of time a range of ids, which are bytes in hex here.

    Attributes:
        span: The time.
        low: The first id; empty for all from the first.
        high: The id after the last; empty for all to the last.
    """

    span: Span
    low: str = ""
    high: str = ""

    @property
    def name(self) -> str:
        """The bounds of its time, and of the ids where it begins, for keys and messages."""
        return self.span.name if not (self.low or self.high) else f"{self.span.name}-{self.low[:16] or '0'}"


def day_of(moment: int) -> date:
    """The UTC day of a moment."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=moment // DAY)).date()


def span_of(day: date) -> Span:
    """A whole UTC day."""
    first = (day - date(1970, 1, 1)).days * DAY
    return Span(first, first + DAY)


def days_between(first: date, last: date) -> list[date]:
    """All days from the first to the last."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def divided(part: Slice, ids: Sequence[str], rows: int) -> list[Slice]:
    """Divide a slice into smaller ones; together they cover all of it.

    Args:
        part: The slice.
        ids: Ids of it in their order, each as often as it has rows; or a part of them, chosen without regard to them.
        rows: So many of these ids a slice gets at most, but one id is never divided.
    """
    bounds: list[str] = []
    begin = 0
    while begin + rows < len(ids):
        end = begin + rows
        while end > begin and ids[end - 1] == ids[end]:
            end -= 1
        if end == begin:  # all of them are one id
            end = next((at for at in range(begin, len(ids)) if ids[at] != ids[begin]), len(ids))
        if end < len(ids):
            bounds.append(ids[end])
        begin = end
    edges = [part.low, *bounds, part.high]
    return [Slice(part.span, low, high) for low, high in pairwise(edges)]


def uncovered(part: Slice, covered: Iterable[Slice]) -> list[Slice]:
    """What of a slice none of these covers."""
    missing: list[Slice] = []
    at = part.low
    for one in sorted(covered):
        if one.low > at:
            missing.append(Slice(part.span, at, one.low if not part.high else min(one.low, part.high)))
        if not one.high or (part.high and one.high >= part.high):
            return missing
        at = max(at, one.high)
    return [*missing, Slice(part.span, at, part.high)]


def _clock(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{rest:09}"
