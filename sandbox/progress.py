"""The progress output of the sandbox: plain lines, and live progress on a terminal only.

All of it goes to standard error, so that standard output holds only the result of a command.
Left out: errors, which the command itself prints, with or without `--quiet`.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN_INTERVAL_SECONDS = 60.0  # how often a long step reports that it still runs, without a terminal


class Step:
    """A running step: its detail, and how much of it is done if that is known."""

    def __init__(self, title: str, console: Console, bars: Bars | None) -> None:
        """Show the step on `bars`, or in plain lines without them."""
        self._title = title
        self._console = console
        self._bars = bars
        self._task = bars.add_task(title, total=None, detail="") if bars else None
        self._started = self._spoken = time.monotonic()

    def update(self, detail: str, done: int | None = None, total: int | None = None) -> None:
        """Show the progress of the step."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, detail=detail, completed=done, total=total)
            return
        now = time.monotonic()
        if now - self._spoken >= PLAIN_INTERVAL_SECONDS:
            self._spoken = now
            _print(self._console, f"{self._title}: {detail} ({now - self._started:.0f} s)")


def _print(console: Console, message: str) -> None:
    # Users copy paths and commands from it: no markup, no colours inside, no wrapping.
    console.print(message, markup=False, highlight=False, soft_wrap=True)


class Progress:
    """Writes lines to standard error, unless it is quiet."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Write lines, or with `quiet` write nothing."""
        self._console = Console(stderr=True, quiet=quiet)

    def say(self, message: str) -> None:
        """Write one line."""
        _print(self._console, message)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step that may take more than two seconds until it ends."""
        if not self._console.is_terminal:
            self.say(title)
            yield Step(title, self._console, None)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=self._console, transient=True) as bars:
            yield Step(title, self._console, bars)
