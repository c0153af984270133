"""A table of the workloads' commands shows every name as it is."""

import pytest
from rich.text import Text

from workloads.table import print_table

NAMES = ["[/b]", "[red]x[/red]", "a" * 300, "\x1b[2J"]


def test_cells_are_text_and_rows_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """No cell is markup or a command to the terminal, and none is folded where no terminal is."""
    print_table(("name", "size"), [(name, "1") for name in NAMES], right=("size",))

    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["name", "size"]
    assert [row.split() for row in rows] == [[name, "1"] for name in [*NAMES[:3], "\\x1b[2J"]]


def test_terminal_folds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal, each line fits."""
    for name, value in (("TTY_COMPATIBLE", "1"), ("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "60")):
        monkeypatch.setenv(name, value)

    print_table(("name", "size"), [(name, "1") for name in NAMES], right=("size",))

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert max(Text.from_ansi(line).cell_len for line in lines) <= 60
