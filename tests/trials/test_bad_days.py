"""Bad days: the table agrees with the docs. tests/e2e/test_bad_days.py rehearses."""

from pathlib import Path

import pytest

from trials.bad_days.days import DAYS, BadDay
from trials.bad_days.lines import DOCS, Section, lines_of

BLOCK = "<!-- not run: `make bad-days` runs it -->\n```sh\npulumi up\n```\n"


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_every_day_has_lines(day: BadDay) -> None:
    """The page that a person follows gives the lines of each day, and they end with a proof of the store."""
    lines = lines_of(day.section)

    assert lines.rstrip().endswith("object-store verify --stack local")


def test_every_block_for_a_bad_day_is_rehearsed() -> None:
    """No section of the page promises a rehearsal that no day runs."""
    text = (DOCS / "operations.md").read_text(encoding="utf-8")

    rehearsed_ones = {day.section for day in DAYS if day.section.page == "operations.md"}

    assert text.count("`make bad-days`") >= len(rehearsed_ones)
    assert sum(text.count(f"### {section.heading}\n") for section in rehearsed_ones) == len(rehearsed_ones)


def test_names_are_different() -> None:
    """A name on the command line chooses one day."""
    assert len({day.name for day in DAYS}) == len(DAYS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Page\n", "has no section"),
        ("### Lost\n\n```sh\npulumi up\n```\n", "no block"),
        (f"### Lost\n\n{BLOCK}\n{BLOCK}", "2 blocks"),
    ],
)
def test_page_without_lines_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    """A section that is gone, or has no block or two for the rehearsal, is named."""
    (tmp_path / "page.md").write_text(text, encoding="utf-8")

    with pytest.raises(LookupError, match=message):
        lines_of(Section("page.md", "Lost"), tmp_path)
