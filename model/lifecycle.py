"""When S3 lets an object go: lifecycle rules and a moment in, the moment of going out.

The rule: days are counted from the object's last modification or, for a noncurrent version, from when its successor
was written (a delete marker is a successor too), and the result is rounded up to the next midnight of UTC; exactly at
midnight, to the one after. An object is eligible from then on; when the server really removes it is the server's
matter, hours or days later. Pure. It leaves out transitions, which lose nothing, and unfinished uploads, which are no
objects yet.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html (how the time is calculated)
and, for AIStor, `ExpectedExpiryTime` in MinIO's internal/bucket/lifecycle/lifecycle.go.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from model.plan import LifecycleRule

#: What a rule of more days than a calendar has amounts to.
LAST_MIDNIGHT = datetime(9999, 12, 31, tzinfo=UTC)


def midnight_after(moment: datetime, days: int) -> datetime:
    """So many days after a moment (with a time zone), rounded up to the next midnight of UTC."""
    start = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if days >= (LAST_MIDNIGHT - start).days:
        return LAST_MIDNIGHT
    return start + timedelta(days=days + 1)


def current_goes_at(rules: Iterable[LifecycleRule], key: str, modified: datetime) -> datetime | None:
    """When a current version expires: by the rule that takes it first; None for never.

    In a bucket without versions the object is then gone; with versions it gets a delete marker and is noncurrent.
    """
    return _soonest(rules, key, modified, lambda rule: rule.expire_after_days)


def noncurrent_goes_at(rules: Iterable[LifecycleRule], key: str, replaced: datetime) -> datetime | None:
    """When a noncurrent version is removed, which became noncurrent at `replaced`; None for never."""
    return _soonest(rules, key, replaced, lambda rule: rule.expire_noncurrent_after_days)


def _soonest(
    rules: Iterable[LifecycleRule], key: str, moment: datetime, days_of: Callable[[LifecycleRule], int | None]
) -> datetime | None:
    days = [given for rule in rules if key.startswith(rule.prefix) and (given := days_of(rule)) is not None]
    return midnight_after(moment, min(days)) if days else None
