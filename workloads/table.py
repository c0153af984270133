"""Prints the tables of the workloads' commands.

The rule: a cell is text and never markup, because names come from others. A terminal folds what is too wide; in a
pipe or a file, each row is one line.
"""

from collections.abc import Container, Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.terminal_text import printable

_UNFOLDED_WIDTH = 100_000


def print_table(headings: Iterable[str], rows: Iterable[Sequence[str]], right: Container[str] = ()) -> None:
    """Print rows under their headings.

    Args:
        headings: A heading for each column.
        rows: A cell for each column.
        right: The headings whose columns hold numbers.
    """
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_UNFOLDED_WIDTH)
    console.print(table)


def megabytes(size: int) -> str:
    """A size for a table."""
    return f"{size / 1e6:.1f} MB"
