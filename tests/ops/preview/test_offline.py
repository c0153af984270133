"""The preview without engine and secrets: a checkout compared with a git revision or a published deployment."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from model.deployment import build_deployment
from model.plan import build_plan
from model.taxonomy_file import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[3]
SHORTER = "session-archive: objects now expire after 90 days (was 365)"
ENCRYPTED = "v1:bm90aGluZw==:bm90aGluZw=="


@pytest.fixture(name="clone")
def _clone(tmp_path: Path) -> Path:
    """A separate repository with the program and one commit."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("cli", "infra", "model", "ops", "stack"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.aws.yaml"):
        shutil.copy2(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "--quiet", "-m", "first")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in the repository."""
    program = shutil.which("git")
    assert program is not None
    done = subprocess.run([program, "-C", str(folder), *arguments], capture_output=True, text=True, check=True)  # noqa: S603 - git
    return done.stdout


def edit(path: Path, change: "Callable[[dict[str, Any]], object]") -> None:
    """Edit a YAML file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def offline(
    clone: Path, *arguments: str, stack: str = "local", more: "Mapping[str, str] | None" = None
) -> "subprocess.CompletedProcess[str]":
    """Run `object-store preview --offline` there, without an engine on PATH and with only these `more` variables."""
    git_folder = str(Path(str(shutil.which("git"))).parent)
    return subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "cli", "preview", "--stack", stack, "--offline", *arguments],
        cwd=clone,
        env={"PYTHONPATH": str(clone), "PATH": git_folder, "HOME": str(clone), **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def sentences(done: "subprocess.CompletedProcess[str]") -> dict[str, list[str]]:
    """The sentences of a JSON report, by risk."""
    said = json.loads(done.stdout)
    return {
        risk: [c["sentence"] for c in said["changes"] if c["risk"] == risk] for risk in ("danger", "notice", "safe")
    }


def test_nothing_changed_says_so_and_what_it_could_not_see(clone: Path) -> None:
    """The exit status is 0, with the list of what only an engine or a key would show."""
    done = offline(clone)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("local: no change\n")
    assert "not seen by this preview" in done.stdout
    assert "the live store and the stack's state" in done.stdout


@pytest.mark.parametrize("stack", ["local", "aws"])
def test_says_the_same_as_the_engines_preview(clone: Path, stack: str) -> None:
    """Several edits at once give the same sentences and risks as the engine in tests/e2e/test_preview.py."""

    def change(taxonomy: dict[str, Any]) -> None:
        taxonomy["domains"]["session-archive"]["expire_after_days"] = 90
        taxonomy["domains"]["docs-raw"]["retention_mode"] = "COMPLIANCE"
        taxonomy["domains"]["discovery-raw"]["band"] = "hot"
        taxonomy["domains"]["build-cache"] = {"band": "hot"}
        taxonomy["identities"]["worker"]["grants"]["discovery-raw"] = "write"

    edit(clone / "infra" / "taxonomy.yaml", change)
    done = offline(clone, "--format", "json", "--base-revision", "HEAD", stack=stack)

    assert done.returncode == 1, done.stderr
    found = sentences(done)
    on_aistor = {
        "discovery-raw: noncurrent versions are now removed after 30 days (was 180)",
        "session-archive: noncurrent versions are now removed after 90 days (was 365)",
    }
    no_longer = {"worker: is no longer refused: puts over an object (puts without If-None-Match) in discovery-raw"}
    assert set(found["danger"]) == {
        "discovery-raw: objects now expire after 14 days (was 180)",
        "discovery-raw: versioning would be SUSPENDED",
        SHORTER,
        "worker: may now delete in discovery-raw",
        *(no_longer if stack == "aws" else on_aistor),
    }
    on_aws = [
        "discovery-raw: unfinished uploads are now removed after 2 days (was 7)",
        "discovery-raw: objects no longer move to another storage class (was STANDARD_IA after 30 days)",
    ]
    assert found["notice"] == [
        *(on_aws if stack == "aws" else []),
        "docs-raw: retention mode of new objects is now COMPLIANCE (was GOVERNANCE)",
    ]
    assert found["safe"] == [
        "build-cache: bucket is new (hot, objects expire after 14 days)",
        "discovery-raw: moves from warm to hot",
        "reader: may now read in build-cache",
        "verifier: may now verify in build-cache",
    ]
    assert json.loads(done.stdout)["totals"]["unchanged"] is None


def test_config_of_the_stack_counts_and_encrypted_values_are_left_out(clone: Path) -> None:
    """Protection is reported, the acknowledgement holds, and the secret is neither needed nor shown."""

    def change(content: dict[str, Any]) -> None:
        content["config"] |= {
            "object-store:adminPassword": {"secure": ENCRYPTED},
            "object-store:protect": False,
            "object-store:acknowledge": [SHORTER],
            "object-store:endpoint": "https://other.example:9000",
        }

    edit(clone / "Pulumi.local.yaml", change)
    edit(clone / "infra" / "taxonomy.yaml", lambda t: t["domains"]["session-archive"].update(expire_after_days=90))
    done = offline(clone, "--format", "json")

    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert [c["sentence"] for c in said["changes"] if c["acknowledged"]] == [SHORTER]
    off = [s for s in sentences(done)["danger"] if s.endswith("its protection against deletion is removed")]
    assert len(off) == 9
    assert "stack: endpoint changes in the stack's file" in sentences(done)["notice"]
    assert ENCRYPTED not in done.stdout


@pytest.mark.parametrize(("was", "now"), [("v3", "v4"), ("v4", "v3")])
def test_another_admin_api_is_said_with_the_move(clone: Path, was: str, now: str) -> None:
    """The plan does not change, so the setting itself is reported, with the command for a deployed stack."""
    edit(clone / "Pulumi.local.yaml", lambda content: content["config"].update({"object-store:adminApi": was}))
    who = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    git(clone, *who, "commit", "--quiet", "--allow-empty", "-am", was)
    edit(clone / "Pulumi.local.yaml", lambda content: content["config"].update({"object-store:adminApi": now}))
    done = offline(clone, "--format", "json")

    assert done.returncode == 0, done.stderr
    (change,) = json.loads(done.stdout)["changes"]
    assert (change["risk"], change["sentence"]) == (
        "notice",
        f"stack: adminApi is now {now} (was {was}) in the stack's file",
    )
    assert f"object-store switch-admin-api --stack NAME --to {now}" in change["advice"]


def test_admin_api_that_is_no_longer_named_is_harmless(clone: Path) -> None:
    """A stack without the key follows its state, so no move is advised."""
    edit(clone / "Pulumi.local.yaml", lambda content: content["config"].update({"object-store:adminApi": "v3"}))
    who = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    git(clone, *who, "commit", "--quiet", "-am", "v3")
    edit(clone / "Pulumi.local.yaml", lambda content: content["config"].pop("object-store:adminApi"))
    done = offline(clone, "--format", "json")

    (change,) = json.loads(done.stdout)["changes"]
    assert (change["risk"], change["sentence"], change["advice"]) == (
        "notice",
        "stack: adminApi is now not set (was v3) in the stack's file",
        "this changes nothing in a deployed stack: its state decides",
    )


def test_rename_that_keeps_the_bucket_is_safe(clone: Path) -> None:
    """A rename with `renamed_from` gives one safe sentence."""

    def change(taxonomy: dict[str, Any]) -> None:
        domains = taxonomy["domains"]
        taxonomy["domains"] = {("vaults" if name == "vault-backups" else name): one for name, one in domains.items()}
        taxonomy["domains"]["vaults"]["renamed_from"] = "vault-backups"
        taxonomy["identities"]["vault-backup"]["grants"] = {"vaults": "append"}

    edit(clone / "infra" / "taxonomy.yaml", change)
    done = offline(clone, "--format", "json")

    assert done.returncode == 0, done.stderr
    assert sentences(done) == {
        "danger": [],
        "notice": [],
        "safe": ["vaults: renamed from vault-backups; its bucket joelclaw-local-usw2-vault-backups is kept"],
    }


def test_move_that_cannot_be_done_is_an_error_with_the_steps(clone: Path) -> None:
    """Leaving cold exits with 2, as with the engine."""
    edit(clone / "infra" / "taxonomy.yaml", lambda t: t["domains"]["media-raw"].update(band="warm"))
    done = offline(clone)

    assert (done.returncode, done.stdout) == (2, "")
    assert "has object lock, which cannot be removed" in done.stderr
    assert "1. give media-raw its former band" in done.stderr


def test_what_the_cloud_would_refuse_is_an_error_as_with_the_engine(clone: Path) -> None:
    """The checks of the program count here, too: a pull request from a fork has no other preview."""
    edit(clone / "Pulumi.aws.yaml", lambda content: content["config"].update({"object-store:region": "us-gov-west-1"}))
    done = offline(clone, stack="aws")

    assert (done.returncode, done.stdout) == (2, "")
    assert "Pulumi.aws.yaml: object-store:region: us-gov-west-1 is of the partition aws-us-gov" in done.stderr


def test_published_deployment_may_be_the_base(clone: Path, tmp_path: Path) -> None:
    """The plans are compared, and what a deployment does not publish is listed as unseen."""
    plan = build_plan(load(), env="local", region_code="usw2", tls_only=True, where="test: ")
    published = build_deployment(plan, stack="local", cloud="aistor", region="us-west-2")
    path = tmp_path / "published.json"
    path.write_text(published.model_dump_json(), encoding="utf-8")
    edit(clone / "infra" / "taxonomy.yaml", lambda t: t["domains"]["session-archive"].update(expire_after_days=90))
    done = offline(clone, "--base-deployment", str(path))

    assert done.returncode == 1, done.stderr
    assert f"danger  {SHORTER}\n" in done.stdout
    assert "this checkout compared with the deployment in published.json" in done.stdout
    assert "protection and other settings that a deployment does not publish" in done.stdout


def test_changed_code_is_named(clone: Path) -> None:
    """Changed code is listed by file; the taxonomy itself is not in the list."""
    with (clone / "infra" / "aws.py").open("a", encoding="utf-8") as file:
        file.write("\n")
    edit(clone / "infra" / "taxonomy.yaml", lambda t: t["domains"]["docs-raw"].update(purpose="other"))
    done = offline(clone)

    assert done.returncode == 0
    assert "what these changed files do to resources: infra/aws.py\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--base-revision", "nowhere"], "git fetch origin main"),
        (["--base-revision=--output=x"], "must be a git revision"),
        (["--base-deployment", "none.json"], "none.json: cannot be read: No such file"),
        (["--data-at-risk"], "--offline does not read the store"),
        (["--limit", "100"], "--limit must be at least 2000"),
        (["--base-revision", "HEAD", "--base-deployment", "x"], "not both"),
    ],
)
def test_bad_arguments_exit_2_and_say_what_to_write(clone: Path, arguments: list[str], expected: str) -> None:
    """Every error exits with 2 and without a stack trace."""
    done = offline(clone, *arguments)

    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_stack_without_a_file_and_a_broken_file_are_said(clone: Path) -> None:
    """The message names the file."""
    absent = offline(clone, stack="nowhere")
    (clone / "Pulumi.aws.yaml").write_text("config: [", encoding="utf-8")
    broken = offline(clone, stack="aws")

    assert (absent.returncode, broken.returncode) == (2, 2)
    assert "Pulumi.nowhere.yaml: cannot be read" in absent.stderr
    assert "Pulumi.aws.yaml:1:10: a value that is missing" in broken.stderr


def test_markdown_goes_to_a_file_with_its_marker_first(clone: Path, tmp_path: Path) -> None:
    """`--out` writes the comment and prints nothing."""
    edit(clone / "infra" / "taxonomy.yaml", lambda t: t["domains"]["session-archive"].update(expire_after_days=90))
    path = tmp_path / "comment.md"
    done = offline(clone, "--format", "markdown", "--out", str(path))

    assert (done.returncode, done.stdout) == (1, "")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!-- object-store-preview: local -->\n")
    assert "- **session-archive**: objects now expire after 90 days (was 365)" in text
    assert "\x1b" not in text


def test_git_of_another_repository_and_settings_of_the_user_have_no_effect(clone: Path, tmp_path: Path) -> None:
    """`GIT_DIR` of another clone, a text conversion, a diff program and Python's variables change nothing."""
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(clone), str(other))
    edit(clone / "infra" / "taxonomy.yaml", lambda t: t["domains"]["session-archive"].update(expire_after_days=90))
    git(
        other,
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.invalid",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "x",
    )
    (other / "infra" / "taxonomy.yaml").write_bytes((clone / "infra" / "taxonomy.yaml").read_bytes())
    git(other, "-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "--quiet", "-am", "as edited")
    (clone / ".gitattributes").write_text("*.yaml diff=odd\n", encoding="ascii")
    for name, value in {"diff.odd.textconv": "echo {}; :", "diff.external": "false", "diff.relative": "true"}.items():
        git(clone, "config", name, value)
    more = {
        "GIT_DIR": str(other / ".git"),
        "GIT_EXTERNAL_DIFF": "false",
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONOPTIMIZE": "1",
        "PYTHONUTF8": "0",
        "PYTHONWARNINGS": "error",
    }

    done = offline(clone, "--format", "json", more=more)

    assert SHORTER in str(sentences(done)), done.stderr


def test_name_with_organization_and_project(clone: Path) -> None:
    """The stack's file is the same, also in the lines to paste."""
    edit(clone / "infra" / "taxonomy.yaml", lambda t: t["domains"]["session-archive"].update(expire_after_days=90))

    done = offline(clone, stack="organization/object-store/local")

    assert done.returncode == 1, done.stderr
    assert "# Pulumi.local.yaml" in done.stdout
