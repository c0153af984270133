"""`object-store preflight`: reads the stack, queries the server, prints the findings.

The rule: no output contains a secret. Exit status: 0 no STOP (there may be warnings), 1 at least one STOP, 2 it could
not run.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.secrecy.redaction import redacted
from model.terminal_text import printable
from ops.preflight.aistor import judge_aistor
from ops.preflight.aws import judge_aws
from ops.preflight.finding import Before, Finding, Level
from ops.preflight.server import ask_aistor, ask_aws
from ops.preflight.stack import read_stack
from verify.probe.answers import LocalFaultError
from verify.record import write_text
from verify.target import CannotRunError

_SIGNS = {
    Level.PASS: "[green]ok[/green]",
    Level.WARN: "[yellow]WARN[/yellow]",
    Level.STOP: "[bold red]STOP[/bold red]",
}
# The width of the table; a narrower terminal folds its last column.
_WIDTH = 140


def run(stack: str, before: Before, *, folder: Path | None, report: Path | None, quiet: bool) -> ExitCode:
    """Run the preflight of one stack.

    Args:
        stack: The stack's name; the `pulumi` on PATH reads it.
        before: What runs next; before `up`, what harms only a refresh is a warning.
        folder: The folder of Pulumi.yaml; None for the nearest from here upwards.
        report: A JSON file for all findings.
        quiet: Print only what to do, and the count.
    """
    errors = Console(stderr=True)
    try:
        # The status line appears only on a terminal.
        with errors.status(f"preflight of {stack}: reading the stack, querying the server"):
            findings = preflight(stack, before, folder)
    except (CannotRunError, InvalidInputError, LocalFaultError) as error:
        sys.stderr.write(f"preflight of {stack} could not run: {printable(error)}\n")
        return ExitCode.CANNOT
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    print_findings(console, stack, findings, quiet=quiet)
    if report is not None:
        try:
            write_text(report, _as_json(stack, before, findings))
        except CannotRunError as error:
            sys.stderr.write(f"{error}\n")
            return ExitCode.CANNOT
    return ExitCode.WRONG if any(finding.level is Level.STOP for finding in findings) else ExitCode.DONE


def preflight(stack: str, before: Before, folder: Path | None = None) -> list[Finding]:
    """All findings.

    Raises:
        CannotRunError: The stack could not be read.
        LocalFaultError: This machine could not do its part.
        InvalidInputError: Its config or the taxonomy is invalid.
    """
    read = read_stack(stack, folder, os.environ)
    own = read.settings.aistor
    # It imports the program's own modules, which a machine without Pulumi's SDK lacks; `read_stack` has said so.
    from ops.preflight.losses import ask_losses, nothing_lost  # noqa: PLC0415
    from ops.preflight.names import ask_names, names_ours  # noqa: PLC0415
    from ops.preflight.room_for_keys import ask_room, room_for_keys  # noqa: PLC0415

    judge: Callable[..., list[Finding]]
    if own is not None:
        on_aistor = ask_aistor(read.facts, own, read.settings.region)
        judge, buckets = partial(judge_aistor, read.facts, on_aistor, before), on_aistor.buckets
    else:
        on_aws = ask_aws(read.facts, read.settings)
        judge, buckets = partial(judge_aws, read.facts, on_aws, before), on_aws.buckets
    losses = ask_losses(read.settings, read.facts.state.held, let_in=buckets.ok)
    taken = ask_names(read.settings, read.plan, read.facts.state.names, let_in=buckets.ok)
    findings = judge(all_gone=losses.value is not None and losses.value.all_gone)
    if own is None:
        findings += room_for_keys(ask_room(read.settings, read.plan, read.facts.state, let_in=buckets.ok))
    return [*findings, *names_ours(stack, read.plan, taken), nothing_lost(stack, losses, before)]


def print_findings(console: Console, stack: str, findings: Sequence[Finding], *, quiet: bool) -> None:
    """Print the table (not with `quiet`), what to do about each WARN and STOP, and the count."""
    if not quiet:
        table = Table(title=f"preflight of {_shown(stack)}", title_justify="left", box=SIMPLE_HEAD)
        table.add_column("check", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("found", overflow="fold")
        for finding in findings:
            table.add_row(finding.check, _SIGNS[finding.level], _shown(redacted(finding.found)))
        console.print(table)
    for level in (Level.WARN, Level.STOP):
        for finding in findings:
            if finding.level is level and finding.remedy:
                console.print(
                    f"{_SIGNS[level]} {finding.check}\n"
                    f"  wanted: {_shown(finding.wanted)}\n"
                    f"  found:  {_shown(finding.found)}\n"
                    f"  {_shown(finding.remedy)}",
                    soft_wrap=True,
                    highlight=False,
                )
    counts = Counter(finding.level for finding in findings)
    console.print(
        f"preflight of {_shown(stack)}: {counts[Level.PASS]} ok, {counts[Level.WARN]} WARN, {counts[Level.STOP]} STOP",
        soft_wrap=True,
        highlight=False,
    )


def _as_json(stack: str, before: Before, findings: Sequence[Finding]) -> str:
    content = {"stack": stack, "before": before, "findings": [asdict(finding) for finding in findings]}
    return json.dumps(content, indent=2) + "\n"


def _shown(text: str) -> str:
    """Text of others: no markup, and nothing that a terminal obeys."""
    return escape(printable(text))
