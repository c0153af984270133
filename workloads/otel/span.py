"""Spans of time in nanoseconds since 1970, and the slices into which a day is divided. Pure.

The rule: every span includes its first moment and not its last, so neighbours share no row. A column with nine digits
loses nothing, because all arithmetic is in whole nanoseconds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND
DIGITS_MAXIMUM: Final = 9
"""Digits after the second that ClickHouse's DateTime64 can have."""
_STEPS: Final = (DAY, 3600 * SECOND, 60 * SECOND, SECOND, 10**6, 10**3, 1)
Histogram = Callable[["Span", int], Mapping[int, int]]
"""Counts the rows of a span in steps of so many nanoseconds: by the number of the step, how many."""


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
    """What one part holds: a span, or of a span with too many rows the ids of one share.

    Attributes:
        span: The time.
        share: Which share of the ids, from 0.
        shares: How many there are.
    """

    span: Span
    share: int = 0
    shares: int = 1

    @property
    def name(self) -> str:
        """Its bounds and its share, for keys and messages."""
        return self.span.name if self.shares == 1 else f"{self.span.name}-{self.share + 1}of{self.shares}"


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


def divided(span: Span, rows: int, histogram: Histogram) -> list[Slice]:
    """Divide a span into slices of at most so many rows; together they cover all of it.

    Args:
        span: The span.
        rows: Rows of a slice at most. One moment with more of them is divided by ids, into shares of about so many.
        histogram: Counts.
    """
    return _divided(span, rows, histogram, None)


def _divided(span: Span, rows: int, histogram: Histogram, count: int | None) -> list[Slice]:
    if count is None:
        count = sum(histogram(span, span.end - span.first).values())
    if count <= rows:
        return [Slice(span)]
    length = span.end - span.first
    step = next((one for one in _STEPS if one < length), 0)
    if not step:
        shares = -(-count // rows)
        return [Slice(span, share, shares) for share in range(shares)]
    counts = histogram(span, step)
    slices: list[Slice] = []
    begin, held = span.first, 0
    for number in sorted(counts):
        first, end = span.first + number * step, min(span.first + (number + 1) * step, span.end)
        if held + counts[number] > rows:
            if first > begin:
                slices.append(Slice(Span(begin, first)))
            begin, held = first, 0
        if counts[number] > rows:
            slices += _divided(Span(first, end), rows, histogram, counts[number])
            begin, held = end, 0
        else:
            held += counts[number]
    if begin < span.end:
        slices.append(Slice(Span(begin, span.end)))
    return slices


def uncovered(span: Span, covered: Iterable[Slice]) -> list[Span | Slice]:
    """What of a span no slice covers: spans, and of a span that is divided by ids the missing shares."""
    whole: list[Span] = []
    shared: dict[tuple[Span, int], set[int]] = {}
    for one in covered:
        if one.shares == 1:
            whole.append(one.span)
        else:
            shared.setdefault((one.span, one.shares), set()).add(one.share)
    begun: list[Slice] = []
    for (held, shares), found in shared.items():
        if len(found) == shares:
            whole.append(held)
        elif not any(one.first <= held.first and held.end <= one.end for one in whole):
            whole.append(held)
            begun += [Slice(held, share, shares) for share in range(shares) if share not in found]
    missing: list[Span | Slice] = []
    at = span.first
    for held in sorted(whole):
        if held.first > at:
            missing.append(Span(at, min(held.first, span.end)))
        at = max(at, held.end)
    if at < span.end:
        missing.append(Span(at, span.end))
    return [*missing, *begun]


def _clock(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{rest:09}"
