"""The report for a browser: one self-contained file without scripts, made from the summary. Pure.

The rule: the page loads nothing, every colour has a sign and words beside it, and the template engine escapes all text.
`verify.report.summary` decides what the page shows; the template decides how it looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from jinja2 import Environment, PackageLoader, StrictUndefined

from model.deployment import Deployment
from verify.checks import Finding, Status
from verify.facts import Facts
from verify.report.groups import Group
from verify.report.lives import Event, Kind, Life
from verify.report.matrix import HeatCell, HeatRow, Holding, Match
from verify.report.summary import BucketRow, Summary, summarise
from verify.selection import Selection

# In days, drawn at equal distances; an event after the last mark is drawn at the end.
AXIS_DAYS = (1, 2, 7, 14, 30, 90, 180, 365, 730)
# Longer tables and lists are folded, except for the rows that fail.
MANY_ROWS = 60
_SIGNS = {Status.PASS: "✓", Status.FAIL: "✗", Status.CANNOT_TELL: "?", Status.NOT_ASKED: "-"}
_CLASSES = {Status.PASS: "pass", Status.FAIL: "fail", Status.CANNOT_TELL: "untold", Status.NOT_ASKED: "none"}
_MATCHES = {
    Match.WIDER: Status.FAIL,
    Match.NARROWER: Status.FAIL,
    Match.UNCLEAR: Status.FAIL,
    Match.CANNOT_TELL: Status.CANNOT_TELL,
    Match.NOT_TRIED: Status.NOT_ASKED,
}


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        kind: A class, for its colour.
        sign: The verdict, as one character.
        word: The verdict, as one word.
        title: The full text.
        untold: How many of its checks cannot tell.
    """

    kind: str
    sign: str
    word: str
    title: str
    untold: int = 0


@dataclass(frozen=True)
class Row:
    """A bucket with its cells; `amiss` if one of them fails, so that the row is not folded."""

    domain: str
    band: str
    amiss: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Bar:
    """An event on the axis: a bar from the left to `left` percent, or to the end if the event never happens."""

    event: Event
    kind: str
    left: float


def render_html(deployment: Deployment, facts: Facts, findings: Sequence[Finding], selection: Selection) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("verify.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary = summarise(deployment, facts, findings, selection)
    return environment.get_template("report.html.j2").render(
        summary=summary,
        taken_at=f"{datetime.fromisoformat(summary.taken_at):%Y-%m-%d %H:%M:%S} UTC",
        verdict=_verdict(summary),
        rows=[_bucket_row(row, summary.groups) for row in summary.rows],
        heat=[_heat_row(row) for row in summary.heat],
        lives=[(life, _bars(life)) for life in summary.lives],
        axis=[(days, _left(days)) for days in AXIS_DAYS],
        signs=_SIGNS,
        classes=_CLASSES,
        many=MANY_ROWS,
    )


def _verdict(summary: Summary) -> Cell:
    # First: what was not asked is not known, whatever failed before.
    if summary.unfinished:
        return Cell("fail", "✗", "not finished", summary.unfinished)
    if summary.tally.failed:
        return Cell("fail", "✗", f"{summary.tally.failed} failed", "the store differs from the plan")
    if summary.tally.passed:
        return Cell("pass", "✓", "proven", "every check that can tell agrees with the plan")
    return Cell("none", _SIGNS[Status.NOT_ASKED], "nothing asked", "no check ran that can tell")


def _bucket_row(row: BucketRow, groups: Sequence[Group]) -> Row:
    cells = tuple(_group_cell(row, group) for group in groups)
    return Row(row.bucket.domain, row.bucket.band.value, row.worst is Status.FAIL, cells)


def _group_cell(row: BucketRow, group: Group) -> Cell:
    tally = row.tallies.get(group)
    if tally is None:
        return Cell("none", _SIGNS[Status.NOT_ASKED], "", f"{group.value}: not asked")
    title = f"{group.value}: {tally.passed} proven, {tally.failed} failed, {tally.untold} cannot tell"
    # CANNOT TELL is counted beside what is proven, never as proven.
    if tally.failed:
        return Cell("fail", "✗", f"FAIL {tally.failed}", title, tally.untold)
    if tally.passed:
        return Cell("pass", "✓", "ok", title, tally.untold)
    return (
        Cell("untold", "", "", title, tally.untold)
        if tally.untold
        else Cell("none", _SIGNS[Status.NOT_ASKED], "", title)
    )


def _heat_row(row: HeatRow) -> Row:
    return Row(row.bucket.domain, row.bucket.band.value, row.amiss, tuple(_heat_cell(cell) for cell in row.cells))


def _heat_cell(cell: HeatCell) -> Cell:
    title = f"{cell.identity}: {cell.holding.value}: {cell.match.value}"
    if cell.match is Match.EXACT:
        title = f"{title}, {cell.tried} actions"
        if cell.holding is Holding.NONE:
            return Cell("heat-none", "·", "", title)
        return Cell(f"heat-{cell.holding.value}", "", cell.holding.value, title)
    status = _MATCHES[cell.match]
    told = "; ".join(f"{d.action}: wanted {d.wanted}, found {d.found}" for d in cell.deviations)
    word = "" if cell.match is Match.NOT_TRIED else cell.holding.value
    if status is Status.FAIL:
        word = f"{word}, {cell.match.value}"
    return Cell(_CLASSES[status], _SIGNS[status], word, f"{title}: {told}" if told else title)


def _bars(life: Life) -> list[Bar]:
    """By days; events that never happen come last."""
    events = sorted(life.events, key=lambda event: (event.days is None, event.days))
    return [Bar(event, _kind(event), 100.0 if event.days is None else _left(event.days)) for event in events]


def _kind(event: Event) -> str:
    if event.kind is Kind.EXPIRE and event.days is None:
        return "keep"
    return f"{event.kind.value} absent" if event.unsupported else event.kind.value


def _left(days: int) -> float:
    """The place on the axis in percent: marks are at equal distances, days between two marks in proportion."""
    if days >= AXIS_DAYS[-1]:
        return 100.0
    for index, (low, high) in enumerate(pairwise(AXIS_DAYS)):
        if days < high:
            return round(100 * (index + max(0, days - low) / (high - low)) / (len(AXIS_DAYS) - 1), 2)
    return 100.0
