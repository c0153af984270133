"""A report as text for a terminal, as markdown for a comment, and as JSON.

The rule: markdown always stays below its limit. Safe changes are folded, then each list is truncated with a count,
dangers last. The text begins with a marker by which the workflow finds and replaces its comment. It holds no escape
code, and no value that the report does not hold. GitHub accepts 65 536 characters in a comment:
https://docs.github.com/en/rest/issues/comments (body is too long, maximum is 65536 characters).
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from ops.preview.change import Change, Risk
from ops.preview.report import Report, lines_to_paste

COMMENT_CHARACTERS = 65536
# One item takes at most this part of a comment.
_ITEM_PART = 8
# Characters that a terminal could interpret as a command; line ends and tabs are harmless.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES = {Risk.DANGER: "bold red", Risk.NOTICE: "yellow", Risk.SAFE: "green"}
_TITLES = {Risk.DANGER: "Dangerous", Risk.NOTICE: "To notice", Risk.SAFE: "Safe"}


def as_json(report: Report) -> str:
    """The report as JSON text."""

    def plain(value: object) -> str:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    return json.dumps(report.as_json(), indent=2, default=plain) + "\n"


def as_text(report: Report, console: Console) -> None:
    """Print the report on a terminal; the console drops styles that it does not support."""
    console.print(Text(f"{report.stack}: {report.totals}", style="bold"))
    console.print(Text(f"  {_shown(report.source)}", style="dim"))
    for risk in reversed(Risk):
        for change in report.of(risk):
            held = risk is Risk.DANGER and change.sentence in report.acknowledged
            line = Text(f"{risk.value:<7}", style=_STYLES[risk])
            line.append(f" {_shown(change.sentence)}", style="default")
            if held:
                line.append(" (acknowledged)", style="dim")
            console.print(line)
            if change.advice:
                console.print(Text(f"          {_shown(change.advice)}", style="dim"))
    for title, items in _further(report):
        console.print(Text(f"{title}:", style="bold"))
        for item in items:
            console.print(Text(f"  {_shown(item)}"))
    if report.open_dangers:
        console.print(Text("to acknowledge the dangers that are intended:", style="bold"))
        for line_to_paste in lines_to_paste(report.open_dangers, report.stack):
            console.print(Text(f"  {_shown(line_to_paste)}"))


def as_markdown(report: Report, limit: int = COMMENT_CHARACTERS) -> str:
    """The report as the text of a comment, shorter than `limit` characters."""
    low, high = 0, max(len(report.changes), *(len(items) for _, items in _further(report)), 0)
    best = _markdown(report, high, limit)
    if len(best) < limit:
        return best
    best = _markdown(report, 0, limit)
    while low < high:
        middle = (low + high + 1) // 2
        trial = _markdown(report, middle, limit)
        if len(trial) < limit:
            low, best = middle, trial
        else:
            high = middle - 1
    return best if len(best) < limit else _cut(best, limit)


def marker(stack: str) -> str:
    """The first line of a stack's markdown."""
    return f"<!-- object-store-preview: {stack} -->"


def _cut(text: str, limit: int) -> str:
    end = "\n\n(truncated: `object-store preview` prints everything)\n"
    return text[: max(0, limit - len(end) - 1)] + end


def _further(report: Report) -> list[tuple[str, Sequence[str]]]:
    """The sections after the changes, with their titles; empty sections are left out."""
    sections: list[tuple[str, Sequence[str]]] = [
        ("data at risk", [sentence for found in report.at_risk for sentence in found.sentences()]),
        ("could not be read", report.unread),
        ("would fail", (*report.errors, *report.refused)),
        ("protected, so the engine refuses", report.protected if report.open_dangers else ()),
        ("acknowledged but no longer needed: remove from the stack's file", report.stale),
        ("not seen by this preview", report.unseen),
    ]
    return [(title, items) for title, items in sections if items]


def _markdown(report: Report, shown: int, limit: int) -> str:
    most_characters = limit // _ITEM_PART
    parts = [
        marker(report.stack),
        f"### Store `{report.stack}`: {report.totals}",
        "",
        _escaped(report.source, limit),
        "",
    ]
    for risk in reversed(Risk):
        changes = report.of(risk)
        if not changes:
            continue
        # Dangers are truncated last: of each other kind, a tenth as many are shown.
        most = shown if risk is Risk.DANGER else (shown if shown >= len(report.changes) else shown // 10)
        lines = [_item(change, report, most_characters) for change in changes[:most]]
        if len(changes) > most:
            lines.append(f"- … and {len(changes) - most} more")
        if risk is Risk.SAFE:
            parts += [f"<details><summary>{_TITLES[risk]}: {len(changes)}</summary>", "", *lines, "", "</details>", ""]
        else:
            parts += [f"**{_TITLES[risk]}: {len(changes)}**", "", *lines, ""]
    for title, items in _further(report):
        lines = [f"- {_escaped(item, most_characters)}" for item in items[:shown]]
        if len(items) > shown:
            lines.append(f"- … and {len(items) - shown} more")
        parts += [f"**{title[0].upper()}{title[1:]}**", "", *lines, ""]
    if report.open_dangers:
        paste = lines_to_paste(report.open_dangers[:shown], report.stack)
        parts += [
            "<details><summary>To acknowledge the dangers that are intended</summary>",
            "",
            "```yaml",
            # A back quote could end the block; in a quoted YAML string this escape is a back quote.
            *(_shown(line).replace("`", "\\u0060") for line in paste),
            *([f"    # … and {left} more"] if (left := len(report.open_dangers) - shown) > 0 else []),
            "```",
            "",
            "</details>",
            "",
        ]
    return "\n".join(parts)


def _item(change: Change, report: Report, most: int) -> str:
    held = " _(acknowledged)_" if change.risk is Risk.DANGER and change.sentence in report.acknowledged else ""
    advice = f"<br>{_escaped(change.advice, most)}" if change.advice else ""
    return f"- **{_escaped(change.subject, most)}**: {_escaped(change.what, most)}{held}{advice}"


def _shown(text: str) -> str:
    """Text without characters that a terminal would interpret."""
    return _CONTROLS.sub("", text)


def _escaped(text: str, most: int) -> str:
    """Text escaped for markdown and HTML, on one line, truncated if it is very long."""
    found = _shown(" ".join(text.split()))
    found = found if len(found) <= most else f"{found[:most]}…"
    for mark in ("\\", "`", "*", "_", "[", "]", "|", "~"):
        found = found.replace(mark, f"\\{mark}")
    return found.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")
