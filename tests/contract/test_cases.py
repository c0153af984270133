"""The table of contract cases, held by each language on each server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.case_table import FOLDER, Case, cases_of, check
from tests.contract.python_driver import PythonDriver
from tests.typescript.driver import TypeScriptDriver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.case_table import Driver
    from trials.servers import Server

WITH_A_SERVER = ("bodies", "conditions", "keys", "metadata")
WITHOUT = ("references", "settings")


@pytest.fixture(name="driver", scope="session", params=["python", "typescript"])
def _driver(request: pytest.FixtureRequest, server: Server) -> Iterator[Driver]:
    """A language's adapter on a server."""
    yield from _driven(request, server)


@pytest.fixture(name="bare", scope="session", params=["python", "typescript"])
def _bare(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A language's adapter without a server."""
    yield from _driven(request, None)


def _driven(request: pytest.FixtureRequest, server: Server | None) -> Iterator[Driver]:
    if request.param == "python":
        ours = PythonDriver(server)
        yield ours
        ours.close()
    else:
        theirs = TypeScriptDriver(request.getfixturevalue("typescript"), server)
        yield theirs
        theirs.close()


def _named(names: tuple[str, ...]) -> list[object]:
    return [pytest.param(case, id=f"{name}-{number}") for name in names for number, case in enumerate(cases_of(name))]


def test_every_file_of_cases_is_read() -> None:
    """No file of the folder is left out, and no fact is there twice in one."""
    assert {one.stem for one in FOLDER.glob("*.json")} == {*WITH_A_SERVER, *WITHOUT}
    for name in (*WITH_A_SERVER, *WITHOUT):
        facts = [case.fact for case in cases_of(name)]
        assert len(set(facts)) == len(facts) > 5


@pytest.mark.parametrize("case", _named(WITH_A_SERVER))
def test_case(driver: Driver, bucket: str, prefix: str, tmp_path: Path, case: Case) -> None:
    """The case's fact holds."""
    check(case, driver, bucket, prefix, tmp_path)


@pytest.mark.parametrize("case", _named(WITHOUT))
def test_case_without_a_server(bare: Driver, tmp_path: Path, case: Case) -> None:
    """The case's fact holds."""
    check(case, bare, "bucket", "", tmp_path)
