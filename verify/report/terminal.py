"""The report on the terminal: a table of the buckets, the heat map of grants, what verify cannot tell, failures last.

The rule: CANNOT TELL is shown with its reason and never counted as proven; the same reason for many buckets is shown
once. rich writes no colour codes if the output is not a terminal, and every colour has a sign beside it.
"""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from model.deployment import Deployment
from model.terminal_text import printable
from verify.checks import Finding, Status
from verify.facts import Facts
from verify.report.matrix import HeatCell, Holding, Match
from verify.report.summary import Summary, Tally, summarise
from verify.selection import Selection

# The width that the table needs; a narrower terminal folds its headings.
TABLE_WIDTH = 140
# With more rows than this, the tables show only the buckets that fail.
MANY_BUCKETS = 60
_LEGEND = (
    "r read, a append (read and put), w write (append and delete), v verifier (all, under .verify/ only), "
    "c auditor (configuration only), "
    "· nothing; ! differs (+ wider, - narrower), ? cannot tell, blank not tried"
)
_LETTERS = {Holding.NONE: "·", Holding.AUDITOR: "c"}
_COLOURS = {Status.PASS: "green", Status.FAIL: "bold red", Status.CANNOT_TELL: "yellow", Status.NOT_ASKED: "dim"}
_AMISS = {Match.WIDER: "!+", Match.NARROWER: "!-", Match.UNCLEAR: "!"}


def print_report(
    console: Console, deployment: Deployment, facts: Facts, findings: Sequence[Finding], selection: Selection
) -> None:
    """Print the whole report."""
    summary = summarise(deployment, facts, findings, selection)
    if summary.rows:
        console.print(_bucket_table(summary), soft_wrap=False)
    _print_access(console, summary)
    for told in summary.warnings:
        _say(console, f"[yellow]warning[/yellow] {_shown(told.check)}: {_shown(told.remedy)}")
    for told in summary.untold:
        reason = f"{told.found}. {told.remedy}" if told.remedy else told.found
        _say(console, f"[yellow]cannot tell[/yellow] {_shown(told.check)} ({_shown(told.where)})\n  {_shown(reason)}")
    for told in summary.failures:
        _say(
            console,
            f"[bold red]failed[/bold red] {_shown(', '.join(told.places))} {_shown(told.check)}\n"
            f"  wanted: {_shown(told.wanted)}\n"
            f"  found:  {_shown(told.found)}\n"
            f"  {_shown(told.remedy)}",
        )
    if not summary.door_open:
        _say(console, "No other request was sent.")
    if summary.proof:
        _say(console, f"[dim]{_shown(summary.proof)}[/dim]")
    if summary.bucket_count or not summary.unfinished:
        _say(console, summary.line)


def _print_access(console: Console, summary: Summary) -> None:
    """Who may do what: as tried, and by plan and in truth as audited."""
    if summary.heat:
        console.print(_heat_map(summary), soft_wrap=False)
        _say(console, f"[dim]{_LEGEND}[/dim]")
        if summary.untried:
            _say(
                console,
                f"[dim]{summary.untried} cells were left out: for each identity the run tries a sample of "
                f"{summary.sample} of the buckets that it does not hold; --full-matrix tries all[/dim]",
            )
    if summary.truth:
        console.print(_truth_table(summary), soft_wrap=False)


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)


def _table(summary: Summary, title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    widest = max(len(row.bucket.domain) for row in summary.rows)
    table.add_column(f"bucket {summary.bucket_prefix}…", overflow="fold", min_width=widest)
    table.add_column("band")
    for column in columns:
        table.add_column(_shown(column), justify="center")
    return table


def _bucket_table(summary: Summary) -> Table:
    table = _table(summary, f"{summary.stack} on {summary.cloud}", [group.value for group in summary.groups])
    for row in summary.rows:
        if len(summary.rows) <= MANY_BUCKETS or row.worst is Status.FAIL:
            signs = [_sign(row.tallies.get(group, Tally())) for group in summary.groups]
            table.add_row(_shown(row.bucket.domain), row.bucket.band.value, *signs)
    return table


def _sign(tally: Tally) -> str:
    """The worst verdict of a group, and how many of its checks cannot tell."""
    if tally.failed:
        return "[bold red]FAIL[/bold red]"
    untold = f" [yellow]?{tally.untold}[/yellow]" if tally.untold else ""
    if tally.passed:
        return f"[green]ok[/green]{untold}"
    return untold.strip() or "[dim]-[/dim]"


def _heat_map(summary: Summary) -> Table:
    table = _table(summary, "who may do what", summary.identities)
    for row in summary.heat:
        if len(summary.heat) <= MANY_BUCKETS or row.amiss:
            signs = [_heat(cell) for cell in row.cells]
            table.add_row(_shown(row.bucket.domain), row.bucket.band.value, *signs)
    return table


def _truth_table(summary: Summary) -> Table:
    table = Table(title="by plan and in truth", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("who", "by plan", "in truth"):
        table.add_column(heading, overflow="fold")
    for line in summary.truth:
        truth = _shown(line.truth)
        table.add_row(_shown(line.who), _shown(line.planned), f"[{_COLOURS[line.status]}]{truth}[/]")
    return table


def _heat(cell: HeatCell) -> str:
    letter = _LETTERS.get(cell.holding, cell.holding.value[0])
    if cell.match in _AMISS:
        return f"[bold red]{letter}{_AMISS[cell.match]}[/bold red]"
    if cell.match is Match.NOT_TRIED:
        return ""
    if cell.match is Match.CANNOT_TELL:
        return f"[yellow]{letter}?[/yellow]"
    return f"[dim]{letter}[/dim]" if cell.holding is Holding.NONE else f"[green]{letter}[/green]"


def _shown(text: str) -> str:
    """Text of others: no markup, and nothing that a terminal obeys."""
    return escape(printable(text))
