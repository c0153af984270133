"""What the store holds of each event day, by its commits.

The rule: only what a commit names counts, and only while its part is listed. A commit that cannot be read is named, and
what it covered counts as missing, so the next export stores it again.
"""

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from model.problems import InvalidInputError
from object_store import NotFound, ObjectStore
from workloads.archive.commit import SHA256_METADATA, Stored
from workloads.otel.day_commit import PREFIX, DayCommit, day_prefix, place_of, read
from workloads.otel.span import Slice, Span, span_of, uncovered
from workloads.otel.tally import Tally, merged

_AT_ONCE: Final = 8


@dataclass
class Day:
    """A day in the store.

    Attributes:
        day: The day.
        commits: Its commits whose parts are there, in the order of their numbers.
        lost: Those whose parts are gone or damaged.
        faults: What is wrong with these, by the number of the commit, and with commits that cannot be read.
        sequence: The highest number that is taken.
    """

    day: date
    commits: list[DayCommit] = field(default_factory=list)
    lost: list[DayCommit] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    sequence: int = 0

    def slices(self) -> dict[Slice, Tally]:
        """What was exported from the table, by slice; a slice of which only some buckets are stored is not among it."""
        found: dict[Slice, list[tuple[Tally, Sequence[int]]]] = {}
        for one in self.commits:
            if one.origin == "clickhouse" and (one.slice in found or one.buckets is None):
                found.setdefault(one.slice, []).append((one.held, one.covered))
        return {part: merged(tallies) for part, tallies in found.items()}

    def missing(self) -> list[Span | Slice]:
        """What of the day was never exported from the table."""
        return uncovered(span_of(self.day), self.slices())

    def wounds(self) -> list[str]:
        """What is wrong, and was not stored again since."""
        lost = {one.sequence: one for one in self.lost}
        return [text for number, text in sorted(self.faults.items()) if not self._is_healed(lost.get(number))]

    def _is_healed(self, lost: DayCommit | None) -> bool:
        if lost is None:
            return False
        later = [one for one in self.commits if one.sequence > lost.sequence and one.origin == lost.origin]
        again = {bucket for one in later if one.slice == lost.slice for bucket in one.covered}
        whole = [one.slice for one in later if one.buckets is None]
        return again.issuperset(lost.covered) or not uncovered(lost.slice.span, whole)

    @property
    def is_backfilled(self) -> bool:
        """Whether it has rows that did not come from the table."""
        return any(one.origin != "clickhouse" for one in self.commits)


@dataclass(frozen=True)
class Held:
    """What the store holds.

    Attributes:
        days: Each day of which there is anything.
        keys: Every key.
    """

    days: dict[date, Day]
    keys: frozenset[str]

    def day(self, day: date) -> Day:
        """A day, perhaps with nothing in it."""
        return self.days.get(day) or Day(day)


@dataclass(frozen=True)
class Parts:
    """What is committed.

    Attributes:
        stored: The parts that commits name.
        keys: Every key that is there.
    """

    stored: Sequence[Stored]
    keys: frozenset[str]


def otel_parts(store: ObjectStore, bucket: str) -> Parts:
    """What is committed of all days. Raise ObjectStoreError."""
    held = read_days(store, bucket)
    commits = [one for day in held.days.values() for one in [*day.commits, *day.lost]]
    return Parts([one.part.stored for one in commits if one.part is not None], held.keys)


def read_days(store: ObjectStore, bucket: str, days: Collection[date] | None = None, bad: Iterable[str] = ()) -> Held:
    """Read the commits.

    Args:
        store: The store.
        bucket: The bucket's name.
        days: Only these; None for all.
        bad: The keys of parts that were found damaged; they count as gone.

    Raises:
        ObjectStoreError: The store is away, denies it, or answers with a part of a listing.
    """
    prefixes = [PREFIX] if days is None or len(days) > _AT_ONCE else [day_prefix(one) for one in sorted(days)]
    keys = frozenset(ref.key for prefix in prefixes for ref in store.list(bucket, prefix))
    there, damaged = keys, frozenset(bad)
    found: dict[date, Day] = {}
    wanted = []
    for key in sorted(keys):
        place = place_of(key)
        if place is not None and (days is None or place[0] in days):
            wanted.append((key, place))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        all_read = pool.map(lambda one: _read(store, bucket, one[0]), wanted)
        for (key, (day, number)), got in zip(wanted, all_read, strict=True):
            held = found.setdefault(day, Day(day))
            held.sequence = max(held.sequence, number)
            if isinstance(got, str):
                held.faults[number] = got
            elif got.part and got.part.stored.key not in there:
                held.lost.append(got)
                held.faults[number] = f"{got.part.stored.key} is gone, or hidden by a delete marker; {key} names it"
            elif got.part and got.part.stored.key in damaged:
                held.lost.append(got)
                held.faults[number] = f"{got.part.stored.key} is damaged; {key} names it"
            else:
                held.commits.append(got)
    return Held(found, keys)


def _read(store: ObjectStore, bucket: str, key: str) -> DayCommit | str:
    try:
        got = store.fetch(bucket, key)
        return read(got.body, key, got.metadata.get(SHA256_METADATA, ""))
    except NotFound:
        return f"{key} is listed, and is not there"
    except InvalidInputError as fault:
        problem = fault.problems[0]
        return f"{problem.where} {problem.wrong}"
