"""The report on the terminal: a table of the buckets, the heat map of grants, what cannot be told, failures last.

The rule: CANNOT TELL is shown with its reason and never counted as proven; the same reason for many buckets is said
once. No colour codes where the output is no terminal (rich sees to that), and every colour has a sign beside it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.deployment import Deployment
from infra.plan import BucketPlan, IdentityPlan
from verify.checks import BUCKET_CHECKS, Finding, Status
from verify.facts import Facts
from verify.wish import Part, Wish

# What the table needs; a narrower terminal folds its headings.
TABLE_WIDTH = 140
# More rows than this are no longer looked at: then only those that are not as they should be are shown.
MANY_BUCKETS = 60
_ACCESS = frozenset(
    {"encryption_as_planned", "ownership_enforced", "policy_as_planned", "public_access_blocked"}
    | {name for name, (check, _) in BUCKET_CHECKS.items() if check.part is Part.STRANGERS}
)
GROUPS: Mapping[str, frozenset[str]] = {
    "band": frozenset(
        {name for name, (check, _) in BUCKET_CHECKS.items() if check.part is None and name != "probes_removed"}
        - _ACCESS
        | {"expiry_announced"}
    ),
    "access": _ACCESS,
    **{
        title: frozenset(name for name, (check, _) in BUCKET_CHECKS.items() if check.part is part)
        - {"expiry_announced"}
        for title, part in {
            "smoke": Part.SMOKE,
            "data": Part.OBJECTS,
            "links": Part.LINKS,
            "immutable": Part.LOCK,
        }.items()
    },
    "removed": frozenset({"probes_removed"}),
}
_LEGEND = (
    "r read, a append (read and put), w write (append and delete), v verifier (all, under .verify/ alone), "
    "· nothing; ! not so, ? cannot tell, blank not tried"
)


def print_report(
    console: Console, deployment: Deployment, facts: Facts, findings: Sequence[Finding], wish: Wish
) -> None:
    """Print it all."""
    buckets = [f for f in findings if f.bucket is not None and f.identity is None]
    cells = [f for f in findings if f.identity is not None]
    if buckets:
        console.print(_bucket_table(deployment, buckets), soft_wrap=False)
    if cells:
        console.print(_heat_map(deployment, cells), soft_wrap=False)
        console.print(f"[dim]{_LEGEND}[/dim]", soft_wrap=True, highlight=False)
        untried = wish.untried(deployment.plan)
        if untried:
            console.print(
                f"[dim]{untried} cells were left out: of the buckets that an identity does not hold a sample of 16 is "
                "tried; --full-matrix tries all[/dim]",
                soft_wrap=True,
                highlight=False,
            )
    for finding in findings:
        if finding.status is Status.PASS and finding.remedy:
            _say(console, f"[yellow]warning[/yellow] {escape(finding.check)}: {escape(finding.remedy)}")
    for (check, reason), found in grouped(findings, Status.CANNOT_TELL).items():
        _say(console, f"[yellow]cannot tell[/yellow] {escape(check)} ({escape(places(found))})\n  {escape(reason)}")
    for finding in failures(findings):
        _say(
            console,
            f"[bold red]failed[/bold red] {escape(finding.resource)} {escape(finding.check)}\n"
            f"  wanted: {escape(finding.wanted)}\n"
            f"  found:  {escape(finding.found)}\n"
            f"  {escape(finding.remedy)}",
        )
    if not facts.door.open:
        _say(console, "Nothing else was asked.")
    _say(console, summary_line(findings))


def summary_line(findings: Sequence[Finding]) -> str:
    """The count, in one line."""
    counts = Counter(finding.status for finding in findings)
    buckets = len({finding.bucket for finding in findings if finding.bucket})
    return (
        f"{buckets} buckets: {counts[Status.PASS]} proven, {counts[Status.FAIL]} failed, "
        f"{counts[Status.CANNOT_TELL]} cannot tell"
    )


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)


def _bucket_table(deployment: Deployment, findings: Sequence[Finding]) -> Table:
    by_place: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        title = next(title for title, names in GROUPS.items() if finding.check in names)
        by_place.setdefault((finding.bucket or "", title), []).append(finding)
    table = _table(f"{deployment.stack} on {deployment.cloud}", deployment)
    shown = [title for title in GROUPS if any(place[1] == title for place in by_place)]
    for title in shown:
        table.add_column(title, justify="center")
    for bucket in deployment.plan.buckets:
        groups = [by_place.get((bucket.name, title), []) for title in shown]
        if any(groups) and _worth_a_row(deployment, [finding for group in groups for finding in group]):
            table.add_row(escape(bucket.domain), bucket.band.value, *(_sign(group) for group in groups))
    return table


def _table(title: str, deployment: Deployment) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    widest = max(len(bucket.domain) for bucket in deployment.plan.buckets)
    table.add_column(f"bucket {deployment.plan.bucket_prefix}…", overflow="fold", min_width=widest)
    table.add_column("band")
    return table


def _worth_a_row(deployment: Deployment, findings: Iterable[Finding]) -> bool:
    return len(deployment.plan.buckets) <= MANY_BUCKETS or any(f.status is Status.FAIL for f in findings)


def _sign(findings: Sequence[Finding]) -> str:
    """The worst of a group, and how many of it cannot be told."""
    counts = Counter(finding.status for finding in findings)
    if counts[Status.FAIL]:
        return "[bold red]FAIL[/bold red]"
    untold = f" [yellow]?{counts[Status.CANNOT_TELL]}[/yellow]" if counts[Status.CANNOT_TELL] else ""
    if counts[Status.PASS]:
        return f"[green]ok[/green]{untold}"
    return untold.strip() or "[dim]-[/dim]"


def _heat_map(deployment: Deployment, findings: Sequence[Finding]) -> Table:
    by_cell: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_cell.setdefault((finding.identity or "", finding.bucket or ""), []).append(finding)
    table = _table("who may do what", deployment)
    identities = [i for i in deployment.plan.identities if any(cell[0] == i.name for cell in by_cell)]
    for identity in identities:
        table.add_column(escape(identity.name), justify="center")
    for bucket in deployment.plan.buckets:
        cells = [by_cell.get((identity.name, bucket.name), []) for identity in identities]
        if any(cells) and _worth_a_row(deployment, [finding for cell in cells for finding in cell]):
            signs = [_heat(identity, bucket, cell) for identity, cell in zip(identities, cells, strict=True)]
            table.add_row(escape(bucket.domain), bucket.band.value, *signs)
    return table


def _heat(identity: IdentityPlan, bucket: BucketPlan, cell: Sequence[Finding]) -> str:
    if not cell:
        return ""
    granted = next((grant.access.value[0] for grant in identity.grants if grant.bucket == bucket.name), "·")
    letter = "v" if identity.verifies else granted
    if any(finding.status is Status.FAIL for finding in cell):
        return f"[bold red]{letter}![/bold red]"
    if any(finding.status is Status.CANNOT_TELL for finding in cell):
        return f"[yellow]{letter}?[/yellow]"
    return f"[dim]{letter}[/dim]" if letter == "·" else f"[green]{letter}[/green]"


def grouped(findings: Sequence[Finding], status: Status) -> dict[tuple[str, str], list[Finding]]:
    """Findings of a status by check and reason, so that one reason for many buckets is said once."""
    found: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.status is status:
            reason = f"{finding.found}. {finding.remedy}".strip() if finding.remedy else finding.found
            found.setdefault((finding.check, reason), []).append(finding)
    return found


def places(findings: Sequence[Finding]) -> str:
    """Where, in a few words."""
    names = [finding.resource for finding in findings]
    return names[0] if len(names) == 1 else f"{len(names)} of: {names[0]}, …"


def failures(findings: Sequence[Finding]) -> list[Finding]:
    """Every failure; those of one cell of the matrix as one."""
    failed = [finding for finding in findings if finding.status is Status.FAIL]
    merged: dict[tuple[str | None, str | None], list[Finding]] = {}
    for finding in failed:
        if finding.identity is not None:
            merged.setdefault((finding.identity, finding.bucket), []).append(finding)
    return [finding for finding in failed if finding.identity is None] + [
        Finding(
            "grants",
            cell[0].resource,
            Status.FAIL,
            "; ".join(f"{finding.action} {finding.wanted}" for finding in cell),
            "; ".join(f"{finding.action} {finding.found}" for finding in cell),
            cell[0].remedy,
        )
        for cell in merged.values()
    ]
