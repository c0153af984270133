"""How a command shows its progress: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from object_store.plain import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def moving(what: str, total_bytes: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the number of bytes transferred; any thread may call it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task(escaped(what), total=total_bytes)
        yield lambda size: progress.advance(task, size)


def plain_size(size: int) -> str:
    """Return a size for people, such as `1.2 MB`."""
    return decimal(size)
