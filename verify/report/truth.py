"""Who may do what, by plan and in truth: one line for each identity, and for everybody else who reaches a bucket. Pure.

The rule: it shows what the audit found; without an auditor there are no lines. The heat map beside it shows what was
tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from model.allowed import Line, overview
from model.deployment import Deployment
from verify.checks import identities
from verify.checks.finding import Status
from verify.facts import Facts


@dataclass(frozen=True)
class Area:
    """One thing that somebody may do, by plan or in truth.

    Attributes:
        does: What, in words: `put`.
        planned: Where in a bucket by plan: `*`, or `2026/*`, or with a condition; empty if nowhere.
        truth: Where in truth.
        buckets: In which buckets it is so.
        elsewhere: Whether it is so of a bucket that the plan does not have, or of none.
    """

    does: str
    planned: tuple[str, ...]
    truth: tuple[str, ...]
    buckets: tuple[str, ...]
    elsewhere: bool


@dataclass(frozen=True)
class TruthLine:
    """One identity.

    Attributes:
        who: Its name.
        planned: What the plan grants it.
        truth: What it may do in truth.
        status: PASS if both are the same, CANNOT TELL if something could not be read.
    """

    who: str
    planned: str
    truth: str
    status: Status
    _holder: identities.Holder = field(repr=False)
    _buckets: tuple[str, ...] = field(repr=False)

    @cached_property
    def areas(self) -> tuple[Area, ...]:
        """Each thing that it may do, by plan or in truth; only a report with room for it computes this."""
        return tuple(_areas(self._holder, self._buckets))


def truth_lines(deployment: Deployment, facts: Facts) -> tuple[TruthLine, ...]:
    """The lines, those of the plan first; none if the audit read nothing."""
    audit = facts.audit
    if audit is None or audit.why_not or not audit.principals.ok:
        return ()
    buckets = tuple(bucket.name for bucket in deployment.plan.buckets)
    holders = [*identities.declared(deployment, facts), *identities.others(deployment, facts)]
    return tuple(_line(one, buckets) for one in holders)


def _line(one: identities.Holder, buckets: tuple[str, ...]) -> TruthLine:
    status = Status.FAIL if one.differences else Status.CANNOT_TELL if one.unread else Status.PASS
    return TruthLine(one.name, one.planned or "nothing", one.truth, status, one, buckets)


def _areas(holder: identities.Holder, buckets: tuple[str, ...]) -> Iterator[Area]:
    if holder.access is None:
        return
    alike: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[Line]] = {}
    for line in overview(*holder.access, buckets):
        if line.bucket or holder.planned:  # what others may do in other buckets is not ours to say
            alike.setdefault((line.does, line.planned, line.live), []).append(line)
    for (does, planned, truth), lines in alike.items():
        yield Area(
            does, planned, truth, tuple(one.bucket for one in lines if one.bucket), any(not one.bucket for one in lines)
        )
