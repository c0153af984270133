"""A site for the workflows: a repository like an operator's, both sandbox servers, and act.

The rule: the base commit holds what README tells an operator to commit (the CA, the endpoint, the account, the salt),
so the workflows deploy their own checkout. It has two of the nine domains, which keeps a run short. Everything ends
with the session.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sandbox.act import PROGRAM
from sandbox.engine import language_host
from sandbox.engine.finder import existing_engine
from sandbox.go_program import NoProgramError
from sandbox.progress import Progress
from sandbox.project import ACCOUNT_ID
from sandbox.server.temporary import RunningServer, running_server
from tests.workflows.acting import STAND_IN, Acted, Actor, write_private
from trials.checkout import keep_domains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.engine.finder import Engine

ROOT = Path(__file__).parents[2]
COPIED = (
    ".ci",
    ".github",
    ".gitignore",
    "Makefile",
    "Pulumi.aws.yaml",
    "Pulumi.local.yaml",
    "Pulumi.yaml",
    "README.md",
    "cli",
    "infra",
    "model",
    "object_store",
    "ops",
    "policy",
    "pyproject.toml",
    "requirements-dev.txt",
    "requirements.txt",
    "sandbox",
    "stack",
    "verify",
)
SHELL = {key: os.environ[key] for key in ("PATH", "HOME", "XDG_CACHE_HOME", "GOPATH", "GOCACHE") if key in os.environ}
PYTHONS = str(Path(sys.base_prefix) / "bin")  # the folder of a `python3` that is new enough
DOMAINS = ("media-raw", "agent-loop-artifacts")  # a cold one and a hot one
NOTED_CI = '#!/bin/sh\necho "$0" was run\n'


@dataclass(frozen=True)
class Site:
    """The repository with its branches, each checked out in its own folder.

    Attributes:
        main: The base.
        harmless: The merge commit of a pull request that adds a domain.
        dangerous: The merge commit of a pull request that shortens an expiry and acknowledges nothing.
        actor: act.
        secrets: The planted secrets; none of them may appear.
        local: The server of the local stack.
        aws: The server of the aws stack.
    """

    main: Path
    harmless: Path
    dangerous: Path
    actor: Actor
    secrets: dict[str, str]
    local: RunningServer
    aws: RunningServer


def git(folder: Path, *words: str) -> str:
    """Run git as a user without git settings."""
    who = {
        f"GIT_{role}_{what}": f"{role}@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who}
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout  # noqa: S603 - git


def commit(folder: Path, message: str) -> None:
    """Commit all files."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a YAML file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def merged(main: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The merge commit that GitHub creates for a pull request; its first parent is the base."""
    git(main, "clone", "--quiet", str(main), str(folder))
    git(folder, "checkout", "--quiet", "-b", "topic")
    edited(folder / "infra" / "taxonomy.yaml", change)
    commit(folder, "a change of the taxonomy")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "merge", "--quiet", "--no-ff", "--message", "the merge", "topic")
    return folder


def damaged(checkout: Path, folder: Path, name: str, old: str, new: str) -> Path:
    """A copy of a checkout with one changed line in a file."""
    git(checkout, "clone", "--quiet", str(checkout), str(folder))
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    git(folder, "commit", "--quiet", "--all", "--amend", "--no-edit")
    return folder


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copy_files(folder: Path) -> None:
    """The files of this repository that the workflows use."""
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)


def set_up_as_operator(folder: Path, local: RunningServer) -> None:
    """The files that README tells an operator to commit, without salts, with fewer domains and a hollow `.ci/run`."""
    edited(folder / "infra" / "taxonomy.yaml", lambda taxonomy: keep_domains(taxonomy, DOMAINS))
    (folder / ".ci" / "run").write_text(NOTED_CI)
    real = folder / ".github" / "workflows" / "real.yml"
    text = real.read_text(encoding="utf-8")
    assert text.count("127.0.0.1:9000") == 4
    # Only the container's port is fixed in a workflow, and another run of the tests may use it.
    real.write_text(text.replace("127.0.0.1:9000", f"127.0.0.1:{free_port()}"), encoding="utf-8")
    shutil.copy2(local.ca_bundle, folder / "aistor-ca.pem")
    endpoint = {"object-store:endpoint": local.endpoint, "object-store:clientEndpoint": local.endpoint}
    edited(folder / "Pulumi.local.yaml", lambda stack: stack["config"].update(endpoint))
    account = {"object-store:allowedAccountIds": [ACCOUNT_ID]}
    edited(folder / "Pulumi.aws.yaml", lambda stack: stack["config"].update(account))
    git(folder, "init", "--quiet", "--initial-branch", "main")


def engine_environment(engine: Engine) -> dict[str, str]:
    """The variables that lead the engine to this clone's Python language host."""
    environ = {
        "OBJECT_STORE_PYTHON": sys.executable,
        "OBJECT_STORE_LANGUAGE_HOST": str(Path(language_host.__file__).resolve()),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    return environ | ({} if engine.plugins else {"PULUMI_IGNORE_AMBIENT_PLUGINS": "true"})


@pytest.fixture(scope="session", name="engine")
def _engine() -> Engine:
    search = existing_engine(SHELL)
    if search.engine is None:
        pytest.skip("no Pulumi engine on this machine: " + "; ".join(search.tried))
    return search.engine


@pytest.fixture(scope="session", name="act")
def _act() -> Path:
    try:
        return PROGRAM.find(SHELL, Progress())
    except NoProgramError as reason:
        pytest.skip(f"act {PROGRAM.version} is not built and cannot be built: {reason}")


@pytest.fixture(scope="session", name="site")
def _site(engine: Engine, act: Path, warm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as ending:
        main = folder / "main"
        copy_files(main)
        with pytest.MonkeyPatch.context() as patch:
            # The plugin finds the CA's file from the checkout in which its process starts.
            patch.chdir(main)
            local = ending.enter_context(running_server("aistor", folder / "aistor", plugin=True))
        aws = ending.enter_context(running_server("aws", folder / "aws", plugin=True))
        planted = {
            "AISTOR_ROOT_USER": local.admin.user,
            "AISTOR_ROOT_PASSWORD": local.admin.password,
            **{
                name: f"planted{secrets.token_hex(16)}"
                for name in (
                    "GITHUB_TOKEN",
                    "PULUMI_ACCESS_TOKEN",
                    "PULUMI_CONFIG_PASSPHRASE",
                    "STATE_ACCESS_KEY_ID",
                    "STATE_SECRET_ACCESS_KEY",
                )
            },
        }
        write_private(
            folder / "aws-credentials",
            f"[default]\naws_access_key_id = {aws.admin.user}\naws_secret_access_key = {aws.admin.password}\n",
        )
        (folder / "state").mkdir()
        (folder / "runs").mkdir()
        settings = {
            "python": sys.executable,
            "stand_in": STAND_IN,
            "warm_python": str(warm_python),
            "parent": os.getpid(),
            "path": os.pathsep.join([*([str(engine.plugins)] if engine.plugins else []), PYTHONS, os.defpath]),
            "engine": str(engine.executable),
            "engine_environment": engine_environment(engine),
            "providers": {"local": f"minio:{local.plugin_port}", "aws": f"aws:{aws.plugin_port}"},
            "aws_environment": {
                "AWS_ENDPOINT_URL": aws.endpoint,
                "AWS_CA_BUNDLE": aws.ca_bundle,
                "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws-credentials"),
                "AWS_CONFIG_FILE": os.devnull,
            },
        }
        variables = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy"}
        variables["PULUMI_BACKEND_URL"] = f"file://{folder / 'state'}"
        set_up_as_operator(main, local)
        for stack in ("local", "aws"):
            environ = {
                **engine_environment(engine),
                "PATH": os.defpath,
                "HOME": str(folder),
                "PULUMI_HOME": str(folder / "pulumi-home"),
                "PULUMI_BACKEND_URL": variables["PULUMI_BACKEND_URL"],
                "PULUMI_CONFIG_PASSPHRASE": planted["PULUMI_CONFIG_PASSPHRASE"],
            }
            command = [str(engine.executable), "stack", "init", stack, "--non-interactive"]
            subprocess.run(command, cwd=main, env=environ, check=True, capture_output=True)  # noqa: S603 - the engine
        commit(main, "the base")

        def add(taxonomy: dict[str, Any]) -> None:
            taxonomy["domains"]["build-cache"] = {"band": "warm", "purpose": "caches of builds"}

        def shorten(taxonomy: dict[str, Any]) -> None:
            taxonomy["domains"]["agent-loop-artifacts"]["expire_after_days"] = 7

        yield Site(
            main=main,
            harmless=merged(main, folder / "harmless", add),
            dangerous=merged(main, folder / "dangerous", shorten),
            actor=Actor(act, folder / "runs", settings, planted, variables),
            secrets=planted,
            local=local,
            aws=aws,
        )


@pytest.fixture(scope="session", name="deployed")
def _deployed(site: Site) -> Acted:
    """Both stacks, deployed by the workflow as after a push to main."""
    return site.actor.run("deploy", "push", site.main)
