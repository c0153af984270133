"""Who may do what, as the heat map shows it: what each identity holds in a bucket, and how that went.

The rule: what was not tried is shown as not tried, and the worst of a cell is its verdict. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique

from model.plan import BucketPlan, IdentityPlan
from verify.checks import Finding, Status
from verify.facts import Facts, Tried
from verify.probe.actions import ACTIONS


@unique
class Holding(StrEnum):
    """What the plan lets an identity do in a bucket; `append` is read and put, `write` is append and delete."""

    READ = "read"
    APPEND = "append"
    WRITE = "write"
    VERIFIER = "verifier"
    NONE = "none"


@unique
class Match(StrEnum):
    """How what an identity could do compares with what it holds; the first that applies is the verdict of a cell.

    Attributes:
        WIDER: Something was let in that is not granted.
        NARROWER: Something that is granted was not let in.
        UNCLEAR: Something was neither let in nor refused in the backend's words, which proves nothing.
        CANNOT_TELL: The backend, or harm, leaves something untold.
        NOT_TRIED: Not asked for, left out of the sample, or the server had fallen silent.
        EXACT: What is granted was let in, all else refused.
    """

    WIDER = "wider"
    NARROWER = "narrower"
    UNCLEAR = "unclear"
    CANNOT_TELL = "cannot tell"
    NOT_TRIED = "not tried"
    EXACT = "exact"


@dataclass(frozen=True)
class Deviation:
    """An action that did not go as the plan says, or of which that cannot be told."""

    action: str
    match: Match
    wanted: str
    found: str


@dataclass(frozen=True)
class HeatCell:
    """An identity in a bucket.

    Attributes:
        identity: The identity's name.
        holding: What the plan grants.
        match: The verdict.
        tried: How many actions were judged.
        deviations: The actions that are not as they should be, worst first; empty where the match is exact.
    """

    identity: str
    holding: Holding
    match: Match
    tried: int
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True)
class HeatRow:
    """A bucket of the heat map; one cell for each of `Summary.identities`, in their order."""

    bucket: BucketPlan
    cells: tuple[HeatCell, ...]

    @property
    def amiss(self) -> bool:
        """Whether a cell is wider, narrower or unclear."""
        return any(cell.match in (Match.WIDER, Match.NARROWER, Match.UNCLEAR) for cell in self.cells)


def heat_cell(facts: Facts, identity: IdentityPlan, bucket: BucketPlan, cell: Sequence[Finding]) -> HeatCell:
    """How one cell went.

    Args:
        facts: What was answered.
        identity: Who tried.
        bucket: Where.
        cell: The findings of the cell; none where it was not tried.
    """
    if not cell:
        return HeatCell(identity.name, _holding(identity, bucket), Match.NOT_TRIED, 0, ())
    answers = facts.grants.get(identity.name, {}).get(bucket.name, {})
    deviations = [
        Deviation(finding.action, _match(finding, identity, bucket, answers), finding.wanted, finding.found)
        for finding in cell
        if finding.action is not None and finding.status is not Status.PASS
    ]
    order = list(Match)
    deviations.sort(key=lambda deviation: order.index(deviation.match))
    verdict = deviations[0].match if deviations else Match.EXACT
    tried = sum(finding.status is not Status.NOT_ASKED for finding in cell)
    return HeatCell(identity.name, _holding(identity, bucket), verdict, tried, tuple(deviations))


def _holding(identity: IdentityPlan, bucket: BucketPlan) -> Holding:
    if identity.verifies:
        return Holding.VERIFIER
    return next((Holding(g.access.value) for g in identity.grants if g.bucket == bucket.name), Holding.NONE)


def _match(finding: Finding, identity: IdentityPlan, bucket: BucketPlan, answers: Mapping[str, Tried]) -> Match:
    if finding.status is Status.NOT_ASKED:
        return Match.NOT_TRIED
    if finding.status is Status.CANNOT_TELL:
        return Match.CANNOT_TELL
    answer = answers.get(finding.action or "")
    if answer is None:
        return Match.UNCLEAR
    action = ACTIONS[finding.action or ""]
    if action.allowed(identity, bucket):
        return Match.NARROWER
    return Match.WIDER if action.let_in(answer) else Match.UNCLEAR
