"""The report for a browser: one self-contained file without scripts, made from the findings. Pure.

The rule: nothing is loaded from anywhere, every colour has a sign and words beside it, and all text is escaped by the
template engine. It holds what the terminal shows, and when what expires by band.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from jinja2 import Environment, PackageLoader, StrictUndefined

from infra.deployment import Deployment
from infra.plan import BucketPlan, IdentityPlan, LifecycleRule
from infra.taxonomy import BandName
from verify.checks import Finding, Status
from verify.facts import Facts
from verify.report import GROUPS, failures, grouped, places, summary_line
from verify.wish import SAMPLE, Wish

# In days, each as far from the next; what lies beyond is drawn at the end.
AXIS_DAYS = (1, 2, 7, 14, 30, 90, 180, 365, 730)
_SIGNS = {Status.PASS: "✓", Status.FAIL: "✗", Status.CANNOT_TELL: "?", Status.NOT_ASKED: "-"}
_CLASSES = {Status.PASS: "pass", Status.FAIL: "fail", Status.CANNOT_TELL: "untold", Status.NOT_ASKED: "none"}
# In the table of buckets, as on the terminal: the sign says the rest.
_WORDS = {Status.PASS: "ok", Status.FAIL: "FAIL", Status.CANNOT_TELL: "", Status.NOT_ASKED: ""}


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        kind: A class, for its colour.
        sign: What it says, in a character.
        word: What it says, in a word.
        title: All of it, in words.
        untold: How much of it cannot be told.
    """

    kind: str
    sign: str
    word: str
    title: str
    untold: int = 0


@dataclass(frozen=True)
class Event:
    """Something that happens to objects of some buckets.

    Attributes:
        days: After so many days.
        what: What happens.
        kind: expire, noncurrent, move, lock or abort.
        left: Where on the axis, in percent.
        impossible: Why the backend does not do it; empty where it does.
    """

    days: int
    what: str
    kind: str
    left: float
    impossible: str


@dataclass(frozen=True)
class Line:
    """Buckets whose objects end alike."""

    band: str
    domains: str
    events: tuple[Event, ...]

    @property
    def expires(self) -> bool:
        """Whether current versions ever do."""
        return any(event.kind == "expire" for event in self.events)


def render_html(deployment: Deployment, facts: Facts, findings: Sequence[Finding], wish: Wish) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("verify"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    cells = [finding for finding in findings if finding.identity is not None]
    identities = [i for i in deployment.plan.identities if any(finding.identity == i.name for finding in cells)]
    return environment.get_template("report.html.j2").render(
        deployment=deployment,
        facts=facts,
        taken_at=f"{datetime.fromisoformat(facts.taken_at):%Y-%m-%d %H:%M:%S} UTC",
        summary=summary_line(findings),
        verdict=_verdict(facts, findings),
        groups=list(GROUPS),
        rows=_bucket_rows(deployment, findings),
        identities=identities,
        heat=_heat_rows(deployment, identities, cells),
        untried=wish.untried(deployment.plan) if cells else 0,
        sample=SAMPLE,
        lines=_lines(deployment, wish),
        axis=[(days, _left(days)) for days in AXIS_DAYS],
        warnings=[finding for finding in findings if finding.status is Status.PASS and finding.remedy],
        store=[finding for finding in findings if finding.bucket is None],
        signs=_SIGNS,
        classes=_CLASSES,
        untold=[(check, why, places(found)) for (check, why), found in grouped(findings, Status.CANNOT_TELL).items()],
        failures=failures(findings),
    )


def _verdict(facts: Facts, findings: Sequence[Finding]) -> Cell:
    failed = sum(finding.status is Status.FAIL for finding in findings)
    if failed:
        return Cell("fail", "✗", f"{failed} failed", "something is not as the plan says")
    # Also where the finding that says so was not selected.
    if facts.gave_up or not facts.door.open:
        return Cell("fail", "✗", "not finished", "the store did not answer to the end")
    if any(finding.status is Status.PASS for finding in findings):
        return Cell("pass", "✓", "proven", "all that can be told is as the plan says")
    return Cell("none", "-", "nothing asked", "nothing was asked that can be told")


def _bucket_rows(deployment: Deployment, findings: Sequence[Finding]) -> list[tuple[BucketPlan, list[Cell]]]:
    by_bucket: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.bucket is not None and finding.identity is None:
            by_bucket.setdefault(finding.bucket, []).append(finding)
    return [
        (bucket, [_group_cell([f for f in by_bucket[bucket.name] if f.check in names]) for names in GROUPS.values()])
        for bucket in deployment.plan.buckets
        if bucket.name in by_bucket
    ]


def _group_cell(group: Sequence[Finding]) -> Cell:
    worst = _worst(group)
    told = "; ".join(f"{finding.check.replace('_', ' ')}: {finding.status.value}" for finding in group)
    untold = sum(finding.status is Status.CANNOT_TELL for finding in group)
    if worst is Status.CANNOT_TELL and any(finding.status is Status.PASS for finding in group):
        worst = Status.PASS
    sign = "" if worst is Status.CANNOT_TELL else _SIGNS[worst]
    return Cell(_CLASSES[worst], sign, _WORDS[worst], told or "not asked", untold)


def _worst(group: Sequence[Finding]) -> Status:
    order = (Status.FAIL, Status.CANNOT_TELL, Status.PASS, Status.NOT_ASKED)
    return next((status for status in order if any(finding.status is status for finding in group)), Status.NOT_ASKED)


def _heat_rows(
    deployment: Deployment, identities: Sequence[IdentityPlan], findings: Sequence[Finding]
) -> list[tuple[BucketPlan, list[Cell]]]:
    by_cell: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_cell.setdefault((finding.bucket or "", finding.identity or ""), []).append(finding)
    tried = {bucket for bucket, _ in by_cell}
    return [
        (
            bucket,
            [_heat_cell(identity, bucket, by_cell.get((bucket.name, identity.name), [])) for identity in identities],
        )
        for bucket in deployment.plan.buckets
        if bucket.name in tried
    ]


def _heat_cell(identity: IdentityPlan, bucket: BucketPlan, cell: Sequence[Finding]) -> Cell:
    if not cell:
        return Cell("none", "", "", "not tried")
    granted = next((grant.access.value for grant in identity.grants if grant.bucket == bucket.name), "nothing")
    access = "verifier" if identity.verifies else granted
    worst = _worst(cell)
    wrong = [f for f in cell if f.status in (Status.FAIL, Status.CANNOT_TELL)]
    told = (
        "; ".join(f"{f.action}: wanted {f.wanted}, found {f.found}" for f in wrong) or f"{len(cell)} actions as granted"
    )
    title = f"{identity.name}: {access}: {told}"
    if worst is not Status.PASS:
        return Cell(_CLASSES[worst], _SIGNS[worst], access, title)
    if access == "nothing":
        return Cell("heat-nothing", "·", "", title)
    return Cell(f"heat-{access}", "", access, title)


def _lines(deployment: Deployment, wish: Wish) -> list[Line]:
    """Buckets with the same events share a line; the rule for probes is everybody's and left out."""
    alike: dict[tuple[str, tuple[Event, ...]], list[str]] = {}
    for bucket in wish.chosen(deployment.plan):
        events = [event for rule in bucket.rules if not rule.prefix for event in _events(deployment, rule)]
        if bucket.retention is not None:
            mode = bucket.retention.mode.value.lower()
            events.append(_event(bucket.retention.days, f"locked until then ({mode})", "lock", None))
        events.sort(key=lambda event: event.days)
        alike.setdefault((bucket.band.value, tuple(events)), []).append(bucket.domain)
    order = [band.value for band in BandName]
    return [
        Line(band, ", ".join(domains), events)
        for (band, events), domains in sorted(alike.items(), key=lambda entry: order.index(entry[0][0]))
    ]


def _events(deployment: Deployment, rule: LifecycleRule) -> list[Event]:
    found = []
    if rule.expire_after_days is not None:
        found.append(_event(rule.expire_after_days, "current versions expire", "expire", None))
    if rule.expire_noncurrent_after_days is not None:
        found.append(
            _event(
                rule.expire_noncurrent_after_days, "old versions go, counted from their replacement", "noncurrent", None
            )
        )
    if rule.abort_multipart_after_days is not None:
        why = deployment.cannot("abort_multipart")
        found.append(_event(rule.abort_multipart_after_days, "unfinished uploads go", "abort", why))
    if rule.transition is not None:
        what = f"move to {rule.transition.storage_class}"
        found.append(_event(rule.transition.after_days, what, "move", deployment.cannot("transition")))
    return found


def _event(days: int, what: str, kind: str, impossible: str | None) -> Event:
    return Event(days, what, kind, _left(days), impossible or "")


def _left(days: int) -> float:
    """Where on the axis, in percent: between two marks in proportion, each mark as far from the next."""
    marks = AXIS_DAYS
    if days >= marks[-1]:
        return 100.0
    for index, (low, high) in enumerate(pairwise(marks)):
        if days < high:
            return round(100 * (index + max(0, days - low) / (high - low)) / (len(marks) - 1), 2)
    return 100.0
