"""Which days an export, or a look at the gaps, is about. Pure.

The rule: a day is a UTC day of the event, and is looked at from six hours after its end, as long as the table has it. A
day of which it has nothing is looked at until the table's TTL would have taken it.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

from model.problems import InvalidInputError, Problem
from workloads.otel.span import days_between

SETTLES: Final = timedelta(minutes=5)
"""A row counts once it was received so long ago: its insert may still be under way."""
_AFTER: Final = timedelta(hours=6)
"""A day is exported so long after its end."""
_EMPTY_DAYS_MAXIMUM: Final = 400
"""Between two days with events so many may lie that have none: one event of 1970 makes no 20 000 empty days."""


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
    table: Iterable[date], stored: Iterable[date], begin: date, first: date | None, last: date
) -> list[date]:
    """The days that may hold something that is not stored.

    Args:
        table: The days of which the table has rows; its TTL takes them late, so they count also before `begin`.
        stored: The days of which the store has anything.
        begin: Of `begin_of`.
        first: The first day that was asked for; None for all.
        last: The last one.
    """
    held = set(table)
    later = {day for day in {*held, *stored, begin, last} if day >= begin}
    days = {*filled(later), *held}
    return sorted(day for day in days if (first or date.min) <= day <= last)


def begin_of(known: Iterable[date], ttl_days: float | None, now: datetime, last: date) -> date:
    """The first day of which each row should be in the table, if it ever was.

    Args:
        known: The days of which the table or the store has rows.
        ttl_days: The table's TTL; before it the table may have lost a day.
        now: The time.
        last: The last day that is looked at.
    """
    begin = min(known, default=last)
    return begin if ttl_days is None else max(begin, (now - timedelta(days=ttl_days + 1)).date())


def filled(days: Iterable[date]) -> list[date]:
    """Some days, and those between them; not if they are years apart, because then a clock was wrong."""
    found = sorted(set(days))
    between = [
        day
        for one, other in pairwise(found)
        if (other - one).days <= _EMPTY_DAYS_MAXIMUM
        for day in days_between(one, other)[1:-1]
    ]
    return sorted([*found, *between])


def is_aged(day: date, ttl_days: float | None, now: datetime) -> bool:
    """Whether the table's own TTL may already have taken rows of a day."""
    return ttl_days is not None and (now.date() - day).days >= ttl_days - 1


def is_too_short(ttl_days: float | None) -> bool:
    """Whether the table's TTL may take rows of a day before a daily run stores them."""
    return ttl_days is not None and timedelta(days=ttl_days) < timedelta(days=2) + _AFTER
