"""model.lifecycle: when an object is removed, by the servers' own arithmetic."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.lifecycle import LAST_MIDNIGHT, current_goes_at, midnight_after, noncurrent_goes_at
from model.plan import LifecycleRule

moments = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.timezones())  # noqa: DTZ001 - hypothesis adds the zone
some_days = st.integers(1, 2**31 - 1)


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("modified", "days", "goes"),
    [
        # The example of the S3 user guide.
        ("2014-01-15 10:30", 3, "2014-01-19"),
        # The example in the comment of MinIO's ExpectedExpiryTime.
        ("2020-05-21 13:42:50", 1, "2020-05-23"),
        ("2026-02-27 23:59:59.999999", 1, "2026-03-01"),
        ("2026-02-28 00:00", 1, "2026-03-02"),
        ("2026-02-28 00:00:00.000001", 1, "2026-03-02"),
        ("2023-02-28 12:00", 365, "2024-02-29"),
    ],
)
def test_days_are_rounded_up_to_the_next_midnight(modified: str, days: int, goes: str) -> None:
    """The vendors' own examples hold, as do both sides of a midnight and of a leap day."""
    assert midnight_after(at(modified), days) == at(goes)


def test_the_midnight_is_that_of_utc() -> None:
    """An evening in Los Angeles is already the next day in UTC."""
    evening = datetime(2026, 3, 4, 20, tzinfo=timezone(timedelta(hours=-8)))

    assert midnight_after(evening, 1) == at("2026-03-07")


@given(moments, some_days, some_days)
def test_moment_is_a_midnight_never_early_and_grows_with_the_days(modified: datetime, days: int, more: int) -> None:
    """In any zone the result is a midnight UTC, at most a day late, and more days never make it earlier."""
    goes = midnight_after(modified, days)

    assert goes == goes.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if goes < LAST_MIDNIGHT:
        assert timedelta(days=days) < goes - modified.astimezone(UTC) <= timedelta(days=days + 1)
    assert midnight_after(modified, max(days, more)) >= midnight_after(modified, min(days, more))


def test_rule_of_more_days_than_a_calendar_has_is_no_error() -> None:
    """The largest number of days that S3 accepts is never reached."""
    assert midnight_after(at("2026-01-01"), 2**31 - 1) == LAST_MIDNIGHT


RULES = (
    LifecycleRule(id="tmp", prefix="tmp/", expire_after_days=1, expire_noncurrent_after_days=2),
    LifecycleRule(id="all", expire_after_days=10, abort_multipart_after_days=1),
    LifecycleRule(id="old", prefix="old/", expire_noncurrent_after_days=5),
)


@pytest.mark.parametrize(
    ("key", "current", "noncurrent"),
    [
        ("tmp/a", "2026-01-03", "2026-01-04"),
        ("tmp", "2026-01-12", None),
        ("a", "2026-01-12", None),
        ("a/tmp/b", "2026-01-12", None),
        ("old/tmp/a", "2026-01-12", "2026-01-07"),
    ],
)
def test_the_soonest_of_the_rules_for_the_key_counts(key: str, current: str, noncurrent: str | None) -> None:
    """A prefix matches the key's start; no rule means never; days of unfinished uploads do not apply to objects."""
    modified = at("2026-01-01 12:00")

    assert current_goes_at(RULES, key, modified) == at(current)
    assert noncurrent_goes_at(RULES, key, modified) == (at(noncurrent) if noncurrent else None)


def test_without_rules_nothing_goes() -> None:
    """No object is removed without a rule, or with a rule that expires nothing."""
    assert current_goes_at((), "a", at("2026-01-01")) is None
    assert current_goes_at((LifecycleRule(id="uploads", abort_multipart_after_days=1),), "a", at("2026-01-01")) is None
