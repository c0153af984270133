"""Who may do what, as the heat map shows it: what each identity holds in a bucket, and what its attempts showed.

The rule: an action that was not tried is shown as not tried, and the worst action of a cell is its verdict. Pure.
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
    """What the plan allows an identity in a bucket; `append` is read and put, `write` is append and delete."""

    READ = "read"
    APPEND = "append"
    WRITE = "write"
    VERIFIER = "verifier"
    AUDITOR = "auditor"
    NONE = "none"


@unique
class Match(StrEnum):
    """How the allowed actions of an identity compare with its grants; the first that applies is a cell's verdict.

    Attributes:
        WIDER: The server allowed an action that is not granted.
        NARROWER: The server did not allow an action that is granted.
        UNCLEAR: An answer was neither success nor the backend's code for a refusal, which proves nothing.
        CANNOT_TELL: The backend does not show whether an action is allowed, or an attempt would do harm.
        NOT_TRIED: Not selected, left out of the sample, or the server had stopped answering.
        EXACT: The server allowed what is granted and refused everything else.
    """

    WIDER = "wider"
    NARROWER = "narrower"
    UNCLEAR = "unclear"
    CANNOT_TELL = "cannot tell"
    NOT_TRIED = "not tried"
    EXACT = "exact"


@dataclass(frozen=True)
class Deviation:
    """An action whose result differs from the plan, or for which that cannot be told."""

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
        deviations: The actions that differ from the plan, worst first; empty if the match is exact.
    """

    identity: str
    holding: Holding
    match: Match
    tried: int
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True)
class HeatRow:
    """A bucket of the heat map, with one cell for each of `Summary.identities`, in that order."""

    bucket: BucketPlan
    cells: tuple[HeatCell, ...]

    @property
    def amiss(self) -> bool:
        """Whether a cell is wider, narrower or unclear."""
        return any(cell.match in (Match.WIDER, Match.NARROWER, Match.UNCLEAR) for cell in self.cells)


def heat_cell(facts: Facts, identity: IdentityPlan, bucket: BucketPlan, cell: Sequence[Finding]) -> HeatCell:
    """The verdict of one cell.

    Args:
        facts: What was answered.
        identity: Who tried.
        bucket: Where.
        cell: The findings of the cell; empty if it was not tried.
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
    if identity.audits:
        return Holding.AUDITOR
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
