"""Every workflow has pinned actions and least permissions, and no secret where a stranger's code runs.

actionlint and zizmor check the form (`make lint`). These tests check this project's own decisions, and run the one
script that has logic, with a stand-in for GitHub's command line.
"""

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.engine.finder import VERSION as ENGINE_VERSION

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted(GITHUB.glob("actions/*/action.yml"))]
COMMENT_MAXIMUM = 65_536  # characters that GitHub accepts
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
OF_THIS_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
# The write permissions of jobs: each for the one task of the job.
WRITES = {
    ("preview", "aws"): {"id-token"},
    ("preview", "comment"): {"pull-requests"},
    ("deploy", "aws"): {"id-token"},
    ("real", "aws"): {"id-token"},
}
# Jobs that a fork's pull request starts: its code runs in them.
FOR_FORKS = {("ci", "ci"), ("preview", "offline")}


def loaded(path: Path) -> dict[Any, Any]:
    """A workflow; `on` is YAML 1.1's True."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


JOBS = [(path.stem, name, job) for path in WORKFLOWS for name, job in loaded(path)["jobs"].items()]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
each_job = pytest.mark.parametrize(
    ("workflow", "name", "job"), JOBS, ids=lambda value: value if isinstance(value, str) else ""
)


def test_the_four_are_there() -> None:
    """All workflows exist, so that the tests below do not check an empty list."""
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "preview", "real"]


@each_file
def test_actions_are_pinned_by_commit_with_the_version_beside(path: Path) -> None:
    """A tag can move, a commit cannot. The only exception is our own action in the same checkout."""
    used = re.findall(r"^\s*(?:- )?uses: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)

    assert used
    for each in used:
        assert PINNED.fullmatch(each) or each.startswith("./.github/actions/setup "), each


def test_one_commit_of_each_action() -> None:
    """All uses of an action have the same version."""
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for action, commit in re.findall(r"uses: ([\w./-]+)@(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            pins.setdefault(action, set()).add(commit)

    assert {action for action, commits in pins.items() if len(commits) > 1} == set()


@each_file
def test_an_ignored_finding_has_its_reason(path: Path) -> None:
    """An exemption from a linter covers only one line, and the line says why."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if "zizmor:" in line:
            assert re.search(r"# zizmor: ignore\[[\w-]+\] \w+.{10,}", line), line


@each_workflow
def test_workflow_gives_no_permission_and_says_what_may_overlap(path: Path) -> None:
    """Permissions are set for each job, and a running update is never cancelled."""
    workflow = loaded(path)

    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    if path.stem in {"deploy", "real"}:
        assert workflow["concurrency"]["cancel-in-progress"] is False


@each_workflow
def test_no_trigger_hands_secrets_to_strangers(path: Path) -> None:
    """No workflow uses a trigger that runs with secrets for a fork."""
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(loaded(path)[True])


@each_job
def test_job_ends_and_may_no_more_than_it_needs(workflow: str, name: str, job: dict[str, Any]) -> None:
    """Every job has a time limit and its own permissions."""
    permissions = job["permissions"]

    assert 0 < job["timeout-minutes"] <= 90
    assert {key for key, value in permissions.items() if value == "write"} == WRITES.get((workflow, name), set())
    assert {key for key, value in permissions.items() if value == "read"} <= {"contents"}


@each_job
def test_checkout_keeps_no_token(workflow: str, name: str, job: dict[str, Any]) -> None:
    """The token does not stay in the checkout, where every later step could read it."""
    del workflow, name
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_job
def test_secrets_are_where_no_stranger_runs(workflow: str, name: str, job: dict[str, Any]) -> None:
    """A job for forks has no secret, no environment and no self-hosted runner; the other jobs exclude forks."""
    text = yaml.safe_dump(job)
    holds = "secrets." in text or "environment" in job or "self-hosted" in text or "id-token" in text
    if (workflow, name) in FOR_FORKS:
        assert not holds
        assert "github.token" not in text
    elif workflow == "preview":
        assert OF_THIS_REPOSITORY in job["if"]
        assert "dependabot[bot]" in job["if"]
    elif "secrets." in text:
        assert job["environment"], "a secret belongs to an environment"


@each_job
def test_the_home_network_is_left_by_the_local_stack_only(workflow: str, name: str, job: dict[str, Any]) -> None:
    """The self-hosted runner runs only the local stack's jobs."""
    on_ours = job["runs-on"] == ["self-hosted", "joelclaw"]

    assert on_ours == (name == "local" and workflow in {"preview", "deploy"})


@each_job
def test_what_is_called_is_there(workflow: str, name: str, job: dict[str, Any]) -> None:
    """Every module that a step runs can run, and every project file that it names exists."""
    del workflow, name
    script = "\n".join(step.get("run", "") for step in job["steps"])
    for module in re.findall(r"python -m ([\w.]+)", script):
        spec = importlib.util.find_spec(module)
        assert spec is not None, module
        if spec.submodule_search_locations is not None:
            assert importlib.util.find_spec(f"{module}.__main__") is not None, module
    for named in re.findall(r"--policy-pack (\S+)|(\.ci/run)", script):
        assert (ROOT / "".join(named)).exists(), named
    for step in job["steps"]:
        if step.get("uses", "").startswith("./"):
            assert (ROOT / step["uses"] / "action.yml").exists()


def test_engine_is_the_one_that_is_tested() -> None:
    """The workflows deploy with the engine version of the end-to-end tests."""
    action = loaded(GITHUB / "actions" / "setup" / "action.yml")
    (step,) = [step for step in action["runs"]["steps"] if step.get("uses", "").startswith("pulumi/actions@")]

    assert step["with"] == {"pulumi-version": ENGINE_VERSION}  # no command, so it only installs


def test_danger_stops_a_deployment_before_anything_changes() -> None:
    """Preflight, preview and policies run before the update, verification after it; each failure ends the job."""
    for job in loaded(GITHUB / "workflows" / "deploy.yml")["jobs"].values():
        (script,) = [step["run"] for step in job["steps"] if "run" in step]
        steps = [
            "object-store preflight",
            "object-store preview",
            "pulumi preview",
            "pulumi up",
            "object-store verify --stack",
        ]
        places = [script.index(step) for step in steps]

        assert places == sorted(places)
        assert "||" not in script
        assert "set +e" not in script


FAKE_GH = r"""#!/bin/sh
printf '%s\n' "$*" >> "$GH_LOG"
case "$*" in *--paginate*) printf '%s' "$GH_FOUND" ;; esac
"""


def comment(folder: Path, found: str) -> list[str]:
    """Run the comment's script in a folder and return its calls of `gh`."""
    steps = loaded(GITHUB / "workflows" / "preview.yml")["jobs"]["comment"]["steps"]
    (script,) = [step["run"] for step in steps if "run" in step]
    (folder / "gh").write_text(FAKE_GH, encoding="utf-8")
    (folder / "gh").chmod(0o755)
    environ = {
        "PATH": f"{folder}:{os.defpath}",
        "GH_LOG": str(folder / "log"),
        "GH_FOUND": found,
        "REPOSITORY": "o/r",
        "NUMBER": "7",
        "RUN": "https://github.com/o/r/actions/runs/1",
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]  # as GitHub runs `shell: bash`
    subprocess.run(command, cwd=folder, env=environ, check=True)  # noqa: S603 - our own script
    return (folder / "log").read_text(encoding="utf-8").splitlines()


def test_first_comment_is_made(tmp_path: Path) -> None:
    """Without a comment of ours, the script posts one that begins with the marker and holds both stacks."""
    (tmp_path / "preview").mkdir()
    for stack in ("local", "aws"):
        (tmp_path / "preview" / f"{stack}.md").write_text(f"<!-- object-store-preview: {stack} -->\nof {stack}\n")

    listed, written = comment(tmp_path, "")

    assert "repos/o/r/issues/7/comments" in listed
    assert 'startswith("<!-- object-store-preview -->")' in listed
    assert written == "api --silent --method POST repos/o/r/issues/7/comments --field body=@comment.md"
    text = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert text.startswith("<!-- object-store-preview -->\n")
    assert text.index("of local") < text.index("of aws")


def test_comment_is_updated_in_place(tmp_path: Path) -> None:
    """If a comment of ours exists, the script rewrites it; of several, it rewrites the first."""
    _, written = comment(tmp_path, "41\n43\n")

    assert written == "api --silent --method PATCH repos/o/r/issues/comments/41 --field body=@comment.md"


def test_stack_without_a_preview_is_said(tmp_path: Path) -> None:
    """The comment reports a job that failed before it could write a preview."""
    (tmp_path / "preview").mkdir()
    (tmp_path / "preview" / "aws.md").write_text("of aws\n")

    comment(tmp_path, "")

    text = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert "### local\n\nNo preview: its job failed before it could write one." in text
    assert "(https://github.com/o/r/actions/runs/1)" in text
    assert "### aws" not in text


def test_two_full_previews_fit_one_comment(tmp_path: Path) -> None:
    """The `--limit` of each preview leaves room for two stacks in one comment."""
    script = (GITHUB / "workflows" / "preview.yml").read_text(encoding="utf-8")
    limits = {int(limit) for limit in re.findall(r"--limit (\d+)", script)}
    (tmp_path / "preview").mkdir()
    for stack in ("local", "aws"):
        (tmp_path / "preview" / f"{stack}.md").write_text("ü" * max(limits), encoding="utf-8")

    comment(tmp_path, "")

    assert len(limits) == 1
    assert len((tmp_path / "comment.md").read_text(encoding="utf-8")) < COMMENT_MAXIMUM
