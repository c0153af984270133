"""The time, in one place, so that a test can set it for everything."""

from datetime import UTC, datetime


def now_utc() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)
