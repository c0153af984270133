"""deploy.yml: it deploys only main, a danger ends it before anything changes, and it keeps the reports."""

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.workflows.acting import NAMES
from tests.workflows.conftest import DOMAINS, damaged

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.server.temporary import RunningServer
    from tests.workflows.acting import Acted
    from tests.workflows.conftest import Site

pytestmark = pytest.mark.e2e

DEPLOY = "Preflight, preview, up, verify"
STEPS = {
    "local": ["Checkout", "Set up", DEPLOY, "Keep the reports"],
    "aws": ["Checkout", "Set up", "AWS role", DEPLOY, "Keep the reports"],
}
BUCKETS = {"local": "joelclaw-local-usw2-", "aws": "joelclaw-prod-usw2-"}
ORDER = [
    "object-store preflight",
    "object-store preview",
    "pulumi preview",
    "pulumi up",
    "object-store verify --stack",
]


def buckets_of(server: "RunningServer") -> set[str]:
    """The names of all buckets of a server."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.admin.user,
        aws_secret_access_key=server.admin.password,
        verify=server.ca_bundle,
    )
    try:
        return {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    finally:
        client.close()


def commands(acted: "Acted", stack: str) -> list[str]:
    """The calls of the hollow programs in a stack's job, in order."""
    calls = [call for call in acted.calls if call["job"] == stack and call["what"] in ("object-store", "pulumi")]
    return [f"{call['what']} {' '.join(call['words'])}" for call in calls]


@pytest.mark.parametrize("stack", ["local", "aws"])
def test_push_to_main_deploys_and_verifies(site: "Site", deployed: "Acted", stack: str) -> None:
    """The job deploys an empty stack from its own checkout, proves it, and keeps the report of each command."""
    assert deployed.status == 0, deployed.log
    assert deployed.results == {"local": "success", "aws": "success"}
    job = deployed.jobs[stack]
    assert job.steps == dict.fromkeys(STEPS[stack], "success")
    assert buckets_of(site.local if stack == "local" else site.aws) >= {f"{BUCKETS[stack]}{name}" for name in DOMAINS}
    assert "joelclaw-object-store@v0.1.0" in job.said  # the policy pack
    assert "2 buckets: " in job.said
    assert " 0 failed, " in job.said
    reports = deployed.artifact(f"reports-{stack}")
    assert list(reports) == ["preflight.json", "preview.md", "verify.html", "verify.json", "verify.xml"]
    assert 'failures="0"' in reports["verify.xml"]
    assert job.summary == reports["preview.md"]
    assert "0 dangerous" in job.summary
    (kept,) = deployed.given("actions/upload-artifact", stack)
    assert kept["retention-days"] == "90"


def test_state_is_where_the_backend_says(site: "Site", deployed: "Acted") -> None:
    """Both stacks are in the environment's backend, with encrypted secrets."""
    del deployed
    folder = site.main.parent / "state"
    states = {path.name: path.read_text(encoding="utf-8") for path in folder.glob(".pulumi/stacks/*/*.json")}

    assert set(states) == {"local.json", "aws.json"}
    for text in states.values():
        assert not [name for name, value in site.secrets.items() if name not in NAMES and value in text]


@pytest.mark.parametrize(
    ("event", "changes", "expected"),
    [
        ("workflow_dispatch", {}, {"local", "aws"}),
        ("workflow_dispatch", {"inputs": {"stack": "local"}}, {"local"}),
        ("workflow_dispatch", {"inputs": {"stack": "aws"}}, {"aws"}),
        ("workflow_dispatch", {"ref": "refs/heads/topic"}, set()),
        ("push", {"ref": "refs/heads/topic"}, set()),
    ],
    ids=["all", "local", "aws", "another branch by hand", "another branch"],
)
def test_main_alone_is_deployed_and_the_stack_that_was_chosen(
    site: "Site", event: str, changes: dict[str, Any], expected: set[str]
) -> None:
    """By hand or by a push, no job starts from another branch, for any choice of stack."""
    acted = site.actor.run("deploy", event, site.main, hollow=True, changes=changes)

    assert acted.status == 0, acted.log
    assert acted.results == dict.fromkeys(expected, "success")
    for stack in expected:
        done = commands(acted, stack)
        assert [line.startswith(start) for line, start in zip(done, ORDER, strict=True)] == [True] * len(ORDER)
        assert acted.held(stack, site.secrets) == set(site.secrets) - {"GITHUB_TOKEN"} - (
            {name for name in site.secrets if name.startswith(("AISTOR", "STATE"))} if stack == "aws" else set()
        )


@pytest.mark.parametrize("number", range(len(ORDER)), ids=ORDER)
def test_command_that_fails_ends_the_job_and_what_was_reported_is_kept(site: "Site", number: int) -> None:
    """After a failure no later command runs, so a failure before `pulumi up` changes nothing."""
    acted = site.actor.run("deploy", "push", site.main, hollow=True, fails=ORDER[number])

    assert acted.status == 1
    assert acted.results == {"local": "failure", "aws": "failure"}
    for stack in ("local", "aws"):
        assert acted.jobs[stack].steps == {**dict.fromkeys(STEPS[stack], "success"), DEPLOY: "failure"}
        done = commands(acted, stack)
        assert len(done) == number + 1
        assert done[-1].startswith(ORDER[number])
        assert "preflight.json" in acted.artifact(f"reports-{stack}")


def test_failure_that_is_passed_over_is_seen(site: "Site", tmp_path: "Path") -> None:
    """Damage: if the job ignores a failed preflight, the update runs after a preflight with STOP."""
    line = "--before up --json reports/preflight.json"
    checkout = damaged(site.main, tmp_path / "lax", ".github/workflows/deploy.yml", line, f"{line} || true")

    acted = site.actor.run("deploy", "push", checkout, hollow=True, fails=ORDER[0])

    assert acted.results == {"local": "success", "aws": "failure"}
    assert len(commands(acted, "local")) == len(ORDER)


def test_condition_that_forgets_main_is_seen(site: "Site", tmp_path: "Path") -> None:
    """Damage: without the condition on main, a push to a branch deploys the local stack."""
    checkout = damaged(
        site.main, tmp_path / "any", ".github/workflows/deploy.yml", "github.ref == 'refs/heads/main' && ", ""
    )

    acted = site.actor.run("deploy", "push", checkout, hollow=True, changes={"ref": "refs/heads/topic"})

    assert set(acted.results) == {"local"}
