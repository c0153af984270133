"""The committed table of differences matches the answers of the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trials.differences_page import HEAD, PAGE, column, tables, titles
from trials.observations import OBSERVATIONS, observe
from trials.servers import GIVEN

if TYPE_CHECKING:
    from trials.servers import Server


def test_table_is_what_the_server_answers(server: Server) -> None:
    """Each cell of the server's column is its current answer."""
    if server.name == GIVEN:
        pytest.skip("a given server has no column; `python -m docs.differences --endpoint URL` shows its answers")
    written = column(PAGE.read_text("utf-8"), server.title)

    assert written == observe(server), "run `python -m docs.differences` and commit what it writes"


def test_page_is_as_the_command_writes_it() -> None:
    """Head, questions and layout are those of the code, and each of the three servers has a column."""
    page = PAGE.read_text("utf-8")
    columns = {title: column(page, title) for title in titles(page)}

    assert len(columns) == 3
    assert [set(answers) for answers in columns.values()] == [set(OBSERVATIONS)] * 3
    assert page == HEAD + tables(columns)
