"""The distribution of the tests to workers."""

from pathlib import Path

import pytest

from tests.workers import LONG, file_of, group_of

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/model/test_plan.py::test_x[local]", "model/test_plan.py"),
        ("tests/e2e/test_preview.py::test_x[local-a domain-dropped]", "e2e/test_preview.py[local]"),
        ("tests/e2e/test_preview.py::test_x[aws-another region]", "e2e/test_preview.py[aws]"),
        ("tests/e2e/test_preview.py::test_x", "e2e/test_preview.py"),
        ("tests/e2e/test_admin_api.py::test_x[v4]", "e2e/test_admin_api.py[v4]"),
        ("tests/workflows/test_preview.py::test_x", "workflows/test_deploy.py"),
    ],
)
def test_group_is_a_file_or_one_stack_of_it(nodeid: str, group: str) -> None:
    """Tests that share an expensive fixture are in one group."""
    assert group_of(nodeid) == group


def test_long_files_are_there() -> None:
    """Every long file exists, so a renamed file does not silently lose its place."""
    assert [file for file in LONG if not (TESTS / file).is_file()] == []


def test_each_test_runs_in_its_group(request: pytest.FixtureRequest) -> None:
    """A worker sees the names from which the groups are computed."""
    assert file_of(request.node.nodeid) == "repository/test_workers.py"
