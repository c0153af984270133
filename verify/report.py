"""The report on the terminal: a table bucket by check, then every failure with its remedy, then the count.

The rule: CANNOT TELL is shown with its reason and never counted as proven. No colour codes where the output is no
terminal (rich sees to that).
"""

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.deployment import Deployment
from verify.checks import CHECKS, Finding, Status

_SIGNS = {
    Status.PASS: "[green]ok[/green]",
    Status.FAIL: "[bold red]FAIL[/bold red]",
    Status.CANNOT_TELL: "[yellow]?[/yellow]",
    Status.NOT_ASKED: "[dim]-[/dim]",
}
_HEADINGS = {
    "bucket_in_region": "region",
    "versioning_as_planned": "versions",
    "lifecycle_as_planned": "lifecycle",
    "retention_as_planned": "retention",
    "object_uploaded": "upload",
    "object_read_back": "read",
    "object_listed": "list",
    "object_presigned": "presign",
    "object_deleted": "delete",
    "probes_removed": "removed",
}
# What the table needs; a narrower terminal folds its headings.
TABLE_WIDTH = 140


def print_report(console: Console, deployment: Deployment, findings: Sequence[Finding]) -> None:
    """Print the table, the failures and what cannot be told."""
    console.print(_table(deployment, findings), soft_wrap=False)
    for status, heading in ((Status.CANNOT_TELL, "cannot tell"), (Status.FAIL, "failed")):
        for finding in findings:
            if finding.status is status:
                console.print(
                    f"[bold]{heading}[/bold] {escape(finding.resource)} {escape(finding.check)}\n"
                    f"  wanted: {escape(finding.wanted)}\n"
                    f"  found:  {escape(finding.found)}\n"
                    f"  {escape(finding.remedy)}",
                    soft_wrap=True,
                    highlight=False,
                )
    for item in deployment.unsupported:
        console.print(
            f"[dim]not on {deployment.cloud}: {escape(item.feature)}: {escape(item.reason)}[/dim]",
            soft_wrap=True,
            highlight=False,
        )
    console.print(summary(findings), soft_wrap=True, highlight=False)


def summary(findings: Sequence[Finding]) -> str:
    """The count, in one line."""
    counts = Counter(finding.status for finding in findings)
    buckets = len({finding.resource for finding in findings})
    return (
        f"{buckets} buckets: {counts[Status.PASS]} proven, {counts[Status.FAIL]} failed, "
        f"{counts[Status.CANNOT_TELL]} cannot tell"
    )


def _table(deployment: Deployment, findings: Sequence[Finding]) -> Table:
    by_place = {(finding.resource, finding.check): finding for finding in findings}
    prefix = deployment.plan.bucket_prefix
    table = Table(title=f"{deployment.stack} on {deployment.cloud}", title_justify="left", box=SIMPLE_HEAD)
    table.add_column(
        f"bucket {prefix}…", overflow="fold", min_width=max(len(b.domain) for b in deployment.plan.buckets)
    )
    table.add_column("band")
    shown = [check for check in CHECKS if any(finding.check == check for finding in findings)]
    for check in shown:
        table.add_column(_HEADINGS[check], justify="center")
    for bucket in deployment.plan.buckets:
        row = [by_place.get((bucket.name, check)) for check in shown]
        if any(row):
            table.add_row(
                escape(bucket.domain), bucket.band.value, *(_SIGNS[cell.status] if cell else "" for cell in row)
            )
    return table
