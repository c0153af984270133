"""What both reports show, computed once from the deployment, the facts, the findings and the selection. Pure.

The rule: CANNOT TELL is counted beside PASS and never as PASS, and what was not tried is shown as not tried. The same
message about many places is shown once, with the places. `verify.report.terminal` and `verify.report.html` decide how
it looks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model.deployment import Deployment, Unsupported
from model.plan import BucketPlan
from verify.checks import Check, Finding, Status
from verify.facts import Facts
from verify.report.groups import CHECKS, GROUP_OF, Group
from verify.report.lives import Life, lives
from verify.report.matrix import HeatRow, heat_cell
from verify.report.truth import TruthLine, truth_lines
from verify.selection import SAMPLE, Selection

_JUDGED = frozenset({Status.PASS, Status.FAIL})
NOT_LOOKED_AT = (
    "the content of objects, versions beyond a sample, buckets outside the prefix, temporary sessions, access points, "
    "other accounts, and the server's own configuration"
)


@dataclass(frozen=True)
class Tally:
    """How many findings there are of each status."""

    passed: int = 0
    failed: int = 0
    untold: int = 0
    not_asked: int = 0

    @property
    def worst(self) -> Status:
        """FAIL before CANNOT TELL before PASS; NOT ASKED if there is nothing else."""
        if self.failed:
            return Status.FAIL
        if self.untold:
            return Status.CANNOT_TELL
        return Status.PASS if self.passed else Status.NOT_ASKED


@dataclass(frozen=True)
class BucketRow:
    """A bucket with the tally of its checks by group; a group that was not selected is absent."""

    bucket: BucketPlan
    tallies: Mapping[Group, Tally]

    @property
    def worst(self) -> Status:
        """The worst of all groups."""
        return _total(self.tallies.values()).worst


@dataclass(frozen=True)
class Told:
    """One message of findings about one place or many.

    Attributes:
        check: The check's id; `grants` for the cells of the matrix.
        meaning: The fact that the check proves.
        places: Buckets, identities in buckets, or the store.
        wanted: What the plan says.
        found: What the store says, or why it cannot be told.
        remedy: What to do; empty if there is nothing to do.
    """

    check: str
    meaning: str
    places: tuple[str, ...]
    wanted: str
    found: str
    remedy: str

    @property
    def where(self) -> str:
        """The places in a few words; a report of a failure should show all of `places`."""
        return self.places[0] if len(self.places) == 1 else f"{len(self.places)} of: {self.places[0]}, …"


@dataclass(frozen=True)
class CheckLine:
    """A check and its tally."""

    check: Check
    group: Group
    tally: Tally


@dataclass(frozen=True)
class Summary:
    """All that a report shows.

    Attributes:
        stack: The stack's name.
        cloud: aistor or aws.
        region: The region that requests are signed for.
        endpoint: The URL that was tried.
        bucket_prefix: The beginning of every bucket's name.
        run_id: The run's id.
        taken_at: When the run began (ISO 8601, UTC).
        requests: Requests sent by the suite's own clients.
        unfinished: Why the run could not finish; empty if it did.
        door_open: Whether anything was sent after the first look at the endpoint.
        bucket_count: The number of buckets with findings.
        tally: Of all findings.
        groups: The selected groups of the bucket table, in order.
        rows: The bucket table, in the plan's order.
        identities: The columns of the heat map; empty if grants were not selected.
        heat: The heat map, in the plan's order.
        truth: Each identity by plan and in truth, as the audit found it; empty without an auditor.
        proof: What is proven by trial, what by audit, and what is not looked at, in one sentence.
        untried: The number of cells that the sample leaves out.
        sample: How many buckets are tried, if an identity does not hold more than this number.
        store: Findings about the store as a whole.
        checks: Every check that was run, with its tally.
        warnings: Checks that pass but need attention.
        untold: What cannot be told, and why.
        failures: Where the store differs from the plan.
        lives: What happens to objects, by band.
        unsupported: What the backend cannot do.
    """

    stack: str
    cloud: str
    region: str
    endpoint: str
    bucket_prefix: str
    run_id: str
    taken_at: str
    requests: int
    unfinished: str
    door_open: bool
    bucket_count: int
    tally: Tally
    groups: tuple[Group, ...]
    rows: tuple[BucketRow, ...]
    identities: tuple[str, ...]
    heat: tuple[HeatRow, ...]
    truth: tuple[TruthLine, ...]
    proof: str
    untried: int
    sample: int
    store: tuple[Finding, ...]
    checks: tuple[CheckLine, ...]
    warnings: tuple[Told, ...]
    untold: tuple[Told, ...]
    failures: tuple[Told, ...]
    lives: tuple[Life, ...]
    unsupported: tuple[Unsupported, ...]

    @property
    def line(self) -> str:
        """The counts, in one line."""
        tally = self.tally
        return f"{self.bucket_count} buckets: {tally.passed} proven, {tally.failed} failed, {tally.untold} cannot tell"


def summarise(deployment: Deployment, facts: Facts, findings: Sequence[Finding], selection: Selection) -> Summary:
    """Compute all that a report shows."""
    plan = deployment.plan
    tallies = _tallies(findings)
    cells: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.identity is not None and finding.bucket is not None:
            cells.setdefault((finding.identity, finding.bucket), []).append(finding)
    identities = [i for i in plan.identities if any(identity == i.name for identity, _ in cells)]
    in_matrix = {bucket for _, bucket in cells}
    return Summary(
        stack=deployment.stack,
        cloud=deployment.cloud,
        region=deployment.region,
        endpoint=facts.door.endpoint,
        bucket_prefix=plan.bucket_prefix,
        run_id=facts.run_id,
        taken_at=facts.taken_at,
        requests=facts.requests,
        unfinished=facts.unfinished,
        door_open=facts.door.open,
        bucket_count=len(tallies),
        tally=_tally(findings),
        groups=tuple(group for group in Group if any(group in by_group for by_group in tallies.values())),
        rows=tuple(BucketRow(b, tallies[b.name]) for b in plan.buckets if b.name in tallies),
        identities=tuple(identity.name for identity in identities),
        heat=tuple(
            HeatRow(b, tuple(heat_cell(facts, i, b, cells.get((i.name, b.name), [])) for i in identities))
            for b in plan.buckets
            if b.name in in_matrix
        ),
        truth=truth_lines(deployment, facts),
        proof=_proof(facts, findings),
        untried=selection.untried(plan) if cells else 0,
        sample=SAMPLE,
        store=tuple(finding for finding in findings if finding.bucket is None),
        checks=_check_lines(findings),
        warnings=_told(f for f in findings if f.status is Status.PASS and f.remedy),
        untold=_told(f for f in findings if f.status is Status.CANNOT_TELL),
        failures=_told(_failures(findings)),
        lives=lives(deployment, selection),
        unsupported=deployment.unsupported,
    )


def _proof(facts: Facts, findings: Sequence[Finding]) -> str:
    """What is proven by trial, what by audit, and what is not looked at; empty if neither ran."""
    tried = bool(facts.grants)
    audited = any(GROUP_OF[one.check] is Group.AUDIT and one.status in _JUDGED for one in findings)
    told = []
    if tried:
        told.append("by trial: what each key can and cannot do to the run's own objects")
    if audited:
        told.append("by audit: every setting of the buckets and, for all requests, who may do what")
    if not told:
        return ""
    missing = "" if audited else "what no trial reaches, because nothing was audited; "
    return f"Proven {', '.join(told)}. Not looked at: {missing}{NOT_LOOKED_AT}."


def _tally(findings: Iterable[Finding]) -> Tally:
    counts = Counter(finding.status for finding in findings)
    return Tally(counts[Status.PASS], counts[Status.FAIL], counts[Status.CANNOT_TELL], counts[Status.NOT_ASKED])


def _total(tallies: Iterable[Tally]) -> Tally:
    all_of_them = tuple(tallies)
    return Tally(
        sum(tally.passed for tally in all_of_them),
        sum(tally.failed for tally in all_of_them),
        sum(tally.untold for tally in all_of_them),
        sum(tally.not_asked for tally in all_of_them),
    )


def _tallies(findings: Iterable[Finding]) -> dict[str, dict[Group, Tally]]:
    """By bucket and group."""
    by_place: dict[str, dict[Group, list[Finding]]] = {}
    for finding in findings:
        if finding.bucket is not None:
            by_place.setdefault(finding.bucket, {}).setdefault(GROUP_OF[finding.check], []).append(finding)
    return {
        bucket: {group: _tally(found) for group, found in by_group.items()} for bucket, by_group in by_place.items()
    }


def _check_lines(findings: Iterable[Finding]) -> tuple[CheckLine, ...]:
    by_check: dict[str, list[Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    lines = [CheckLine(CHECKS[name], GROUP_OF[name], _tally(found)) for name, found in by_check.items()]
    order = list(Group)
    return tuple(sorted(lines, key=lambda line: order.index(line.group)))


def _failures(findings: Sequence[Finding]) -> list[Finding]:
    """Every failure; the failures of one cell of the matrix are joined to one."""
    failed = [finding for finding in findings if finding.status is Status.FAIL]
    cells: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in failed:
        if finding.identity is not None:
            cells.setdefault((finding.identity, finding.bucket), []).append(finding)
    return [finding for finding in failed if finding.identity is None] + [
        Finding(
            "grants",
            cell[0].resource,
            Status.FAIL,
            "; ".join(f"{finding.action} {finding.wanted}" for finding in cell),
            "; ".join(f"{finding.action} {finding.found}" for finding in cell),
            cell[0].remedy,
        )
        for cell in cells.values()
    ]


def _told(findings: Iterable[Finding]) -> tuple[Told, ...]:
    """Each message once, with all places that it is about.

    Findings that are not failures are the same message if `found` and `remedy` are equal; `wanted` may differ.
    """
    alike: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in findings:
        wanted = finding.wanted if finding.status is Status.FAIL else ""
        alike.setdefault((finding.check, wanted, finding.found, finding.remedy), []).append(finding)
    return tuple(
        Told(
            check,
            CHECKS[check].meaning if check in CHECKS else "",
            tuple(finding.resource for finding in found),
            " or ".join(dict.fromkeys(finding.wanted for finding in found)),
            answer,
            remedy,
        )
        for (check, _, answer, remedy), found in alike.items()
    )
