"""What the store holds of each event day, by its commits.

The rule: only what a commit names counts, and only while its part is listed. A commit that cannot be read is named, and
what it covered counts as missing, so the next export stores it again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from model.problems import InvalidInputError
from object_store import CorruptBody, NotFound, ObjectRef, ObjectStore
from workloads.archive.commit import SHA256_METADATA, Stored
from workloads.otel.day_commit import PREFIX, DayCommit, Part, day_prefix, place_of, read
from workloads.otel.span import Slice, span_of, uncovered
from workloads.otel.tally import Tally, merged

_AT_ONCE: Final = 8
_Commits = Sequence[tuple[tuple[date, int], DayCommit | str]]
"""Day and number of each commit, and what was read; of one that cannot be read, what is wrong."""


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

    def missing(self) -> list[Slice]:
        """What of the day was never exported from the table."""
        return uncovered(Slice(span_of(self.day)), self.slices())

    def wounds(self) -> list[str]:
        """What is wrong, and was not stored again since."""
        healed = {one.sequence for one in self.lost if self._is_healed(one)}
        return [text for number, text in sorted(self.faults.items()) if number not in healed]

    def missed(self) -> list[Part]:
        """The parts that are gone or damaged, and were not stored again since."""
        return [one.part for one in self.lost if one.part is not None and not self._is_healed(one)]

    def _is_healed(self, lost: DayCommit) -> bool:
        """Whether later commits have stored what this one did; not if the table had fewer ids then."""
        later = [one for one in self.commits if one.sequence > lost.sequence and one.origin == lost.origin]
        again = {bucket for one in later if one.slice == lost.slice for bucket in one.covered}
        whole = [one.slice for one in later if one.buckets is None]
        if not again.issuperset(lost.covered) and uncovered(lost.slice, whole):
            return False
        tallies: dict[Slice, list[tuple[Tally, Sequence[int]]]] = {}
        for one in later:
            tallies.setdefault(one.slice, []).append((one.held, one.covered))
        ids: Counter[int] = Counter()
        for each in tallies.values():
            ids.update({bucket: count for bucket, (count, _) in merged(each).buckets.items()})
        return all(ids[bucket] >= count for bucket, (count, _) in lost.tally.items())

    @property
    def is_backfilled(self) -> bool:
        """Whether it has rows that did not come from the table."""
        return any(one.origin != "clickhouse" for one in self.commits)


@dataclass(frozen=True)
class Held:
    """What the store holds.

    Attributes:
        days: Each day of which there is anything.
    """

    days: dict[date, Day]

    def day(self, day: date) -> Day:
        """A day, perhaps with nothing in it."""
        return self.days.get(day) or Day(day)


@dataclass(frozen=True)
class Parts:
    """What is committed.

    Attributes:
        stored: The parts that commits name.
        keys: Every key that is there.
        needs: Says of some parts that are gone or damaged what they alone hold.
    """

    stored: Sequence[Stored]
    keys: Collection[str]
    needs: Callable[[Collection[str]], Mapping[str, str]]


def otel_parts(store: ObjectStore, bucket: str) -> Parts:
    """What is committed of all days. Raise ObjectStoreError."""
    there = _listed(store, bucket, [PREFIX])
    commits = _read_all(store, bucket, there, None)
    parts = [one.part.stored for _, one in commits if not isinstance(one, str) and one.part is not None]

    def needs(bad: Collection[str]) -> dict[str, str]:
        missed = [(day, part) for day in _days(commits, there, bad).values() for part in day.missed()]
        return {part.stored.key: f"{part.rows} rows of {day.day} were not stored again" for day, part in missed}

    return Parts(parts, there.keys(), needs)


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
    there = _listed(store, bucket, prefixes)
    return Held(_days(_read_all(store, bucket, there, days), there, bad))


def _listed(store: ObjectStore, bucket: str, prefixes: Iterable[str]) -> dict[str, ObjectRef]:
    return {ref.key: ref for prefix in prefixes for ref in store.list(bucket, prefix)}


def _read_all(store: ObjectStore, bucket: str, keys: Iterable[str], days: Collection[date] | None) -> _Commits:
    """The commits among some keys, in the order of their days and numbers."""
    places = [(place_of(key), key) for key in sorted(keys)]
    wanted = [(place, key) for place, key in places if place is not None and (days is None or place[0] in days)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        all_read = pool.map(lambda one: _read(store, bucket, one[1]), wanted)
        return [(place, got) for (place, _), got in zip(wanted, all_read, strict=True)]


def _days(commits: _Commits, there: Mapping[str, ObjectRef], bad: Iterable[str]) -> dict[date, Day]:
    damaged = frozenset(bad)
    found: dict[date, Day] = {}
    for (day, number), got in commits:
        held = found.setdefault(day, Day(day))
        held.sequence = max(held.sequence, number)
        wrong = got if isinstance(got, str) else _wrong(got, there, damaged)
        if wrong:
            held.faults[number] = wrong
        if not isinstance(got, str):
            (held.lost if wrong else held.commits).append(got)
    return found


def _wrong(commit: DayCommit, there: Mapping[str, ObjectRef], damaged: Collection[str]) -> str:
    """What is wrong with the part of a commit; empty if nothing is known."""
    if commit.part is None:
        return ""
    part = commit.part.stored
    ref = there.get(part.key)
    if ref is None:
        return f"{part.key} is gone, or hidden by a delete marker; {commit.key} names it"
    if (ref.etag, ref.size) != (part.etag, part.size):
        return f"{part.key} was replaced by another object; {commit.key} names it"
    return f"{part.key} is damaged; {commit.key} names it" if part.key in damaged else ""


def _read(store: ObjectStore, bucket: str, key: str) -> DayCommit | str:
    try:
        got = store.fetch(bucket, key)
        return read(got.body, key, got.metadata.get(SHA256_METADATA, ""))
    except NotFound:
        return f"{key} is listed, and is not there"
    except CorruptBody as fault:
        return str(fault)
    except InvalidInputError as fault:
        problem = fault.problems[0]
        return f"{problem.where} {problem.wrong}"
