"""Which days an export, or a look at the gaps, is about. Pure.

The rule: a day is a UTC day of the event, and is looked at from six hours after its end until the table's TTL has taken
it.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from model.problems import InvalidInputError, Problem
from workloads.otel.span import days_between

SETTLES: Final = timedelta(minutes=5)
"""A row counts once it was received so long ago: its insert may still be under way."""
_AFTER: Final = timedelta(hours=6)
"""A day is exported so long after its end."""


def last_day(now: datetime) -> date:
    """The last day that ended long enough ago."""
    return (now - _AFTER).date() - timedelta(days=1)


def days_asked(first: date | None, last: date | None, newest: date) -> tuple[date | None, date]:
    """The days that are meant.

    Args:
        first: What `--from` gives.
        last: What `--to` gives.
        newest: The last day that can be asked for.

    Raises:
        InvalidInputError: A day is not over for long enough, or the last one is before the first.
    """
    problems = [
        Problem(option, f"{day} has not ended, or not for long enough", f"{newest} or earlier", f"{option} {newest}")
        for option, day in (("--from", first), ("--to", last))
        if day is not None and day > newest
    ]
    if not problems and first is not None and last is not None and first > last:
        problems = [Problem("--from", f"{first} is after {last}", f"{last} or earlier", f"--from {last}")]
    if problems:
        raise InvalidInputError(problems)
    return first, last or newest


def days_to_look_at(
    known: Iterable[date], ttl_days: float | None, now: datetime, first: date | None, last: date
) -> list[date]:
    """The days that may hold something that is not stored.

    Args:
        known: The days of which the table or the store has rows.
        ttl_days: The table's TTL; before it the table holds nothing.
        now: The time.
        first: The first day that was asked for; None for all.
        last: The last one.
    """
    begin = min(known, default=last)
    if ttl_days is not None:
        begin = max(begin, (now - timedelta(days=ttl_days + 1)).date())
    return days_between(max(begin, first) if first else begin, last)


def is_aged(day: date, ttl_days: float | None, now: datetime) -> bool:
    """Whether the table's own TTL may already have taken rows of a day."""
    return ttl_days is not None and (now.date() - day).days >= ttl_days - 1
