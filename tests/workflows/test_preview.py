"""preview.yml: the jobs that a pull request starts, the secrets that they hold, and the output for its readers."""

import json
from typing import TYPE_CHECKING

import pytest

from tests.workflows.conftest import damaged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workflows.acting import Acted
    from tests.workflows.conftest import Site

pytestmark = pytest.mark.e2e

OFFLINE = ["Checkout, with the base revision", "Set up", "Compare the plans", "Keep the previews"]
LOCAL = ["Checkout", "Set up", "Preview", "Keep the preview"]
AWS = ["Checkout", "Set up", "AWS role, read-only", "Preview", "Keep the preview"]
COMMENT = ["Download the previews", "Write or update the comment"]
ADDED = "- **build-cache**: bucket is new (warm, objects expire after 180 days)"
SHORTENED = "- **agent-loop-artifacts**: objects now expire after 7 days (was 14)"
PACK = "joelclaw-object-store@v0.1.0"  # the engine's name of the policy pack


def body_of(acted: "Acted", number: str) -> str:
    """A comment of the pull request."""
    comments = json.loads((acted.folder / "comments.json").read_text(encoding="utf-8"))
    assert list(comments) == [number]
    return str(comments[number])


def test_fork_starts_the_offline_job_alone_from_nothing(site: "Site") -> None:
    """On an empty machine the job compares a stranger's change with its base, without a secret, role or comment.

    This run offers all secrets, so the workflow itself keeps them from the job, not only GitHub.
    """
    acted = site.actor.run("preview", "pull_request_fork", site.harmless, ready=False)

    assert acted.status == 0, acted.log
    assert acted.results == {"offline": "success"}
    job = acted.jobs["offline"]
    assert job.steps == dict.fromkeys(OFFLINE, "success")
    assert "environment: installing requirements.txt" in job.said  # `make env` had to install everything
    assert acted.held("offline", site.secrets) == set()
    assert {call["what"] for call in acted.calls} == {
        "actions/checkout",
        "actions/setup-python",
        "actions/upload-artifact",
    }
    previews = acted.artifact("preview-offline")
    assert list(previews) == ["aws.md", "local.md"]
    assert job.summary == previews["local.md"] + previews["aws.md"]
    assert job.summary.count(ADDED) == 2
    assert "plans only: this checkout compared with HEAD^1" in job.summary


def test_dependabot_is_a_stranger_and_danger_fails_its_job(site: "Site") -> None:
    """Dependabot's own branch gets no secret either; after a danger the job still reports the other stack."""
    acted = site.actor.run("preview", "pull_request_dependabot", site.dangerous)

    assert acted.status == 1
    assert acted.results == {"offline": "failure"}
    job = acted.jobs["offline"]
    assert job.steps == {**dict.fromkeys(OFFLINE, "success"), "Compare the plans": "failure"}
    assert acted.held("offline", site.secrets) == set()
    assert job.summary.count(SHORTENED) == 2
    assert list(acted.artifact("preview-offline")) == ["aws.md", "local.md"]
    assert acted.called("gh") == []


@pytest.mark.usefixtures("deployed")
def test_own_branch_gets_both_real_previews_in_one_comment(site: "Site") -> None:
    """Engine and policy pack run for both stacks; summary, artifact and comment hold their results."""
    acted = site.actor.run("preview", "pull_request_own", site.harmless)

    assert acted.status == 0, acted.log
    assert acted.results == {"local": "success", "aws": "success", "comment": "success"}
    for name, steps in (("local", LOCAL), ("aws", AWS), ("comment", COMMENT)):
        assert acted.jobs[name].steps == dict.fromkeys(steps, "success")
    listed, written = acted.called("gh")
    assert listed.startswith("api --paginate repos/o/r/issues/7/comments --jq ")
    assert written == "api --silent --method POST repos/o/r/issues/7/comments --field body=@comment.md"
    body = body_of(acted, "41")
    assert body.startswith("<!-- object-store-preview -->\n")
    for stack in ("local", "aws"):
        job = acted.jobs[stack]
        (preview,) = acted.artifact(f"preview-{stack}").values()
        assert job.summary == preview
        assert preview.strip() in body
        assert ADDED in preview
        assert "the engine's preview on the stack's state" in preview
        assert f"Previewing update ({stack})" in job.said
        assert PACK in job.said
    assert body.count("0 dangerous") == 2


@pytest.mark.usefixtures("deployed")
def test_each_job_holds_what_it_needs_and_no_more(site: "Site") -> None:
    """Only the comment's job has the token, and it has no key; the aws job has no key of the AIStor."""
    acted = site.actor.run("preview", "pull_request_own", site.harmless, hollow=True)

    of_pulumi = {"PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"}
    assert acted.held("aws", site.secrets) == of_pulumi
    assert acted.held("local", site.secrets) == set(site.secrets) - {"GITHUB_TOKEN"}
    assert acted.held("comment", site.secrets) == {"GITHUB_TOKEN"}
    (role,) = acted.given("aws-actions/configure-aws-credentials", "aws")
    assert role["role-to-assume"] == "arn:aws:iam::123456789012:role/deploy"
    # The runner on the home network has its own Python; GitHub's runner gets one from the action.
    assert acted.given("actions/setup-python", "local") == []
    assert len(acted.given("actions/setup-python", "aws")) == 1


def test_failed_preview_is_commented_on_and_the_comment_updated_in_place(site: "Site", tmp_path: "Path") -> None:
    """After a failed preview the policies still run, the job fails, and two runs give one comment."""
    kept = tmp_path / "comments.json"
    runs = [
        site.actor.run("preview", "pull_request_own", site.harmless, hollow=True, fails=fails, comments=kept)
        for fails in ("object-store preview --stack local", "pulumi preview --stack aws")
    ]

    for acted, failed in zip(runs, ("local", "aws"), strict=True):
        assert acted.status == 1
        assert acted.results == {"local": "success", "aws": "success", "comment": "success", failed: "failure"}
        assert acted.jobs[failed].steps["Preview"] == "failure"
        assert acted.jobs[failed].steps["Keep the preview"] == "success"
        assert len(acted.called("pulumi", failed)) == 1
    assert [acted.called("gh")[1].split(" --field")[0] for acted in runs] == [
        "api --silent --method POST repos/o/r/issues/7/comments",
        "api --silent --method PATCH repos/o/r/issues/comments/41",
    ]
    assert list(json.loads(kept.read_text(encoding="utf-8"))) == ["41"]


def test_condition_that_lets_a_fork_in_is_seen(site: "Site", tmp_path: "Path") -> None:
    """Damage: without the local job's condition on the repository, a fork starts it with the AIStor's keys."""
    ours = "github.event.pull_request.head.repo.full_name == github.repository"
    checkout = damaged(site.harmless, tmp_path / "open", ".github/workflows/preview.yml", ours, "true")

    acted = site.actor.run("preview", "pull_request_fork", checkout, hollow=True)

    assert set(acted.results) == {"offline", "local"}
    assert "AISTOR_ROOT_PASSWORD" in acted.held("local", site.secrets)


def test_secret_that_a_step_prints_is_seen(site: "Site", tmp_path: "Path") -> None:
    """Damage: if a step prints the passphrase, the run is refused, although GitHub would mask it."""
    line = "mkdir preview\n          status=0\n          .venv"
    loud = line.replace("mkdir", 'echo "$PULUMI_CONFIG_PASSPHRASE"; mkdir')
    checkout = damaged(site.harmless, tmp_path / "loud", ".github/workflows/preview.yml", line, loud)

    with pytest.raises(AssertionError, match="preview on pull_request_own shows PULUMI_CONFIG_PASSPHRASE"):
        site.actor.run("preview", "pull_request_own", checkout, hollow=True)
