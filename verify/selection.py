"""The selection of what a run gathers: which parts, buckets and identities, and how deep. Pure.

The rule: the report says what a selection leaves out. With many domains the matrix is sampled, so that its cost grows
with the number of buckets and not with its square. Each identity is tried in every bucket that it holds and in a sample
of the others.
"""

import random
from dataclasses import dataclass
from enum import StrEnum, unique

from model.plan import BucketPlan, IdentityPlan, StorePlan

# If an identity does not hold more than this number of buckets, a sample of this size is tried.
SAMPLE = 16


@unique
class Part(StrEnum):
    """A part of the facts that can be left out; each bucket's configuration is always gathered."""

    SMOKE = "smoke"
    OBJECTS = "objects"
    LINKS = "links"
    LOCK = "lock"
    STRANGERS = "strangers"
    GRANTS = "grants"
    STORE = "store"
    AUDIT = "audit"


@dataclass(frozen=True)
class Selection:
    """What a run gathers.

    Attributes:
        parts: Which parts.
        buckets: Names of the buckets; None for all.
        identities: Names of the identities of the matrix; None for all.
        deep: Large objects in every bucket, and listings of more than one page.
        full_matrix: Every identity in every bucket, without sampling.
        leave_locked_probe: Workloads write in COMPLIANCE buckets, where their probes stay until their retention ends.
    """

    parts: frozenset[Part] = frozenset(Part)
    buckets: frozenset[str] | None = None
    identities: frozenset[str] | None = None
    deep: bool = False
    full_matrix: bool = False
    leave_locked_probe: bool = False

    def chosen(self, plan: StorePlan) -> tuple[BucketPlan, ...]:
        """The selected buckets, in the plan's order."""
        return tuple(b for b in plan.buckets if self.buckets is None or b.name in self.buckets)

    def cells(self, plan: StorePlan) -> list[tuple[IdentityPlan, BucketPlan]]:
        """The cells of the matrix that are tried: all that an identity holds, and a sample of the rest.

        The same plan always gives the same sample, so that two runs can be compared.
        """
        buckets = self.chosen(plan)
        tried: dict[str, set[str]] = {}
        for identity in plan.identities:
            if self.identities is not None and identity.name not in self.identities:
                continue
            held = {bucket.name for bucket in buckets if identity.verifies} | {g.bucket for g in identity.grants}
            others = [bucket.name for bucket in buckets if bucket.name not in held]
            if not self.full_matrix and len(others) > SAMPLE:
                # S311: not a secret, but a sample that must be the same every time.
                others = random.Random(f"{plan.bucket_prefix}{identity.name}").sample(others, SAMPLE)  # noqa: S311
            tried[identity.name] = held.union(others)
        # Bucket by bucket, so that the workers use different identities and each identity needs few connections.
        return [(i, b) for b in buckets for i in plan.identities if b.name in tried.get(i.name, ())]

    def large(self, plan: StorePlan) -> frozenset[str]:
        """The buckets in which large objects are tried: one of each band and retention mode, or all with `deep`."""
        chosen = self.chosen(plan)
        if self.deep:
            return frozenset(bucket.name for bucket in chosen)
        first: dict[tuple[str, str], str] = {}
        for bucket in chosen:
            mode = bucket.retention.mode.value if bucket.retention else ""
            first.setdefault((bucket.band.value, mode), bucket.name)
        return frozenset(first.values())

    def untried(self, plan: StorePlan) -> int:
        """How many cells of the matrix the sample leaves out."""
        identities = [i for i in plan.identities if self.identities is None or i.name in self.identities]
        return len(identities) * len(self.chosen(plan)) - len(self.cells(plan))


EVERYTHING = Selection()
