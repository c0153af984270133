"""ci.yml: its steps before `.ci/run`, for all of its triggers. Here `.ci/run` only prints that it ran."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.workflows.acting import NODE
from tests.workflows.conftest import damaged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.conftest import Site

pytestmark = pytest.mark.e2e

STEPS = [
    "Checkout",
    "Python",
    "Go, for the engine, versitygw and actionlint",
    "Restore the built programs",
    "make lint, make test",
]


@pytest.mark.parametrize("event", ["pull_request_fork", "pull_request_dependabot", "pull_request_own", "push"])
def test_everything_is_checked_alike_and_with_no_secret(site: "Site", event: str) -> None:
    """A stranger's commit and the owner's run the same job, and no step holds a secret, not even the run's token."""
    acted = site.actor.run("ci", event, site.main if event == "push" else site.harmless)

    assert acted.status == 0, acted.log
    assert acted.results == {"ci": "success"}
    assert acted.jobs["ci"].steps == dict.fromkeys(STEPS, "success")
    assert acted.jobs["ci"].said == ".ci/run was run\n"
    assert acted.held("ci", site.secrets) == set()
    assert [given["persist-credentials"] for given in acted.given("actions/checkout", "ci")] == ["false"]
    assert [given["python-version"] for given in acted.given("actions/setup-python", "ci")] == ["3.11"]
    (go,) = acted.given("actions/setup-go", "ci")
    assert (site.main / go["go-version-file"]).is_file()


def test_what_was_built_is_kept_by_what_it_was_built_from(site: "Site", tmp_path: "Path") -> None:
    """The cache key changes only with the pins of a built program."""
    if NODE is None:
        pytest.skip("this machine has no node, which act needs for hashFiles")
    other = damaged(site.main, tmp_path / "pins", "sandbox/act_module/go.sum", "h1:", "h1:x")
    same = damaged(site.main, tmp_path / "code", "sandbox/act.py", "takes=", "takes= ")

    keys = []
    for checkout in (site.main, other, same):
        (given,) = site.actor.run("ci", "push", checkout).given("actions/cache", "ci")
        assert given["path"] == "~/.cache/object-store-engine"
        keys.append(given["key"])

    assert re.fullmatch(r"engine-Linux-\w+-[0-9a-f]{64}", keys[0])
    assert keys[0] == keys[2]
    assert keys[0] != keys[1]


def test_check_that_fails_fails_the_job(site: "Site", tmp_path: "Path") -> None:
    """Damage: if `.ci/run` ends with 1, the job fails."""
    checkout = damaged(site.main, tmp_path / "fails", ".ci/run", 'echo "$0" was run', "exit 1")

    acted = site.actor.run("ci", "push", checkout)

    assert acted.status == 1
    assert acted.results == {"ci": "failure"}
    assert acted.jobs["ci"].steps["make lint, make test"] == "failure"
