"""What a slice holds, in a form that is small and tells a difference: by bucket of ids, how many, and their hash. Pure.

The rule: the table and the store are compared by id and newest `received_at`, and never by a watermark, because a row
may become visible long after the moment that is written in it (https://github.com/PostHog/posthog/issues/25850).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

BUCKETS: Final = 256
"""Into so many buckets the ids of a slice are divided; a late row brings its whole bucket."""
Written = Mapping[int, tuple[Annotated[int, Field(ge=1)], Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]]
"""How a commit writes a tally: by bucket, how many ids, and their hash in hex."""


@dataclass(frozen=True)
class Tally:
    """The ids of a slice, or of some of its buckets.

    Attributes:
        buckets: By bucket, how many ids, and the hash of them with their newest `received_at`.
    """

    buckets: Written

    @property
    def ids(self) -> int:
        """How many distinct ids there are."""
        return sum(count for count, _ in self.buckets.values())

    def only(self, buckets: Collection[int]) -> "Tally":
        """That of some buckets alone."""
        return Tally({bucket: held for bucket, held in self.buckets.items() if bucket in buckets})


@dataclass(frozen=True)
class Difference:
    """How what the table holds differs from what is stored.

    Attributes:
        late: Buckets that hold something that is not stored.
        late_ids: How many ids more than are stored; 0 if only newer versions came.
        gone: Buckets of which the table holds less than is stored.
        gone_ids: How many ids less.
    """

    late: Sequence[int]
    late_ids: int
    gone: Sequence[int]
    gone_ids: int

    def __bool__(self) -> bool:
        """Whether they differ."""
        return bool(self.late or self.gone)


def difference(table: Tally, stored: Tally) -> Difference:
    """Compare. A bucket with fewer ids than are stored counts as gone; it may hide a late row.

    Args:
        table: What the table holds.
        stored: What is stored.
    """
    late, gone = [], []
    late_ids = gone_ids = 0
    for bucket in sorted({*table.buckets, *stored.buckets}):
        now, then = table.buckets.get(bucket, (0, "")), stored.buckets.get(bucket, (0, ""))
        if now == then:
            continue
        if now[0] < then[0]:
            gone.append(bucket)
            gone_ids += then[0] - now[0]
        else:
            late.append(bucket)
            late_ids += now[0] - then[0]
    return Difference(late, late_ids, gone, gone_ids)


def merged(tallies: Iterable[tuple[Tally, Collection[int]]]) -> Tally:
    """Of several tallies of one slice, in the order of their commits: each bucket as the last one has it.

    Args:
        tallies: Each with the buckets that it covers, which may be empty there.
    """
    held: dict[int, tuple[int, str]] = {}
    for one, covered in tallies:
        for bucket in covered:
            held.pop(bucket, None)
        held |= one.buckets
    return Tally(held)
