"""What runs, when, and for how long at most. Pure.

The rule: times are those of Los Angeles, and none is between 01:00 and 03:00, when the hosts' own maintenance runs. In
another time zone a job is moved so that this holds on every day of the year. The check of the receipts is a job of its
own and takes no lock, so a run that hangs does not keep it from being found.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = "America/Los_Angeles"
_DAY_MINUTES: Final = 24 * 60
_WAIT: Final = ("--wait", str(3 * 3600))
"""After a sleep everything that was missed starts at once, so a job waits for the one that has the state."""

_LOOK: Final = ("--wait", str(3600))
"""A run that has not ended after this counts as open; the check takes no lock, so it cannot hang with it."""


@dataclass(frozen=True)
class Job:
    """A command that runs by the clock.

    Attributes:
        workload: The workload in `workloads.yaml`.
        name: Of the job, with the workload in front.
        words: The command, without its program.
        hour: In Los Angeles.
        minute: Likewise.
        weekdays: On which it runs, 0 for Sunday; none for every day.
        at_load: Whether it also runs when the machine starts, because one that was off at its hour has missed it.
        limit_hours: After which it is ended where something can end it.
    """

    workload: str
    name: str
    words: tuple[str, ...]
    hour: int
    minute: int
    weekdays: tuple[int, ...] = ()
    at_load: bool = False
    limit_hours: int = 5


def jobs_of(workload: str, every_days: int, scrub_days: int = 1) -> tuple[Job, ...]:
    """The jobs of a workload that is archived, and scrubbed, every so many days."""
    regular, scrubbed = (() if days == 1 else tuple(range(0, 7, days)) for days in (every_days, scrub_days))
    return {
        "sessions": (
            Job("sessions", "sessions-archive", ("sessions", "archive", *_WAIT), 4, 10, regular, at_load=True),
            Job("sessions", "sessions-scrub", ("scrub", *_WAIT), 4, 45, scrubbed),
            Job("sessions", "sessions-coverage", ("sessions", "coverage", *_WAIT), 5, 30),
            Job("sessions", "sessions-receipts", ("receipts", *_LOOK), 5, 45, limit_hours=4),
        ),
        "vault": (
            Job("vault", "vault-snapshot", ("vault", "snapshot", *_WAIT), 4, 25, regular, at_load=True),
            Job("vault", "vault-scrub", ("scrub", "--workload", "vault", *_WAIT), 4, 50, scrubbed),
            # Twice a week: it must be proven within 7 days, and a machine that was off once must not miss that.
            Job("vault", "vault-drill", ("vault", "drill", *_WAIT), 5, 0, (0, 3)),
            Job("vault", "vault-receipts", ("receipts", "--workload", "vault", *_LOOK), 5, 50, limit_hours=4),
        ),
        "otel": (
            Job("otel", "otel-export", ("otel", "export", *_WAIT), 4, 35, regular, at_load=True),
            Job("otel", "otel-scrub", ("scrub", "--workload", "otel", *_WAIT), 4, 55, scrubbed),
            Job("otel", "otel-gaps", ("otel", "gaps"), 5, 35),
            Job("otel", "otel-receipts", ("receipts", "--workload", "otel", *_LOOK), 5, 55, limit_hours=4),
        ),
    }[workload]


def local_times(job: Job, zone: ZoneInfo, now: datetime) -> list[tuple[int | None, int, int]]:
    """Weekday (None for every day), hour and minute of a job on the clock of another zone.

    It is the earliest such time that is on no day of the coming year before the job's time in Los Angeles; where the
    two change their clocks on other days, it is up to two hours later there on some days.
    """
    days = [now + timedelta(days=day) for day in range(366)]
    ahead = max(_offset(day, zone) - _offset(day, ZoneInfo(ZONE)) for day in days)
    minutes = job.hour * 60 + job.minute + ahead
    weekdays = job.weekdays or (None,)
    return [
        (None if day is None else (day + minutes // _DAY_MINUTES) % 7, *divmod(minutes % _DAY_MINUTES, 60))
        for day in weekdays
    ]


def _offset(day: datetime, zone: ZoneInfo) -> int:
    """Minutes that a zone is ahead of UTC."""
    ahead = day.astimezone(UTC).astimezone(zone).utcoffset()
    return round((ahead or timedelta()).total_seconds() / 60)
