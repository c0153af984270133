"""`object-store sandbox` from outside, in its own clone, with a fake server process.

The engine is the machine's. Left out: the real server and the stand-in plugins.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sandbox
from sandbox.engine.finder import VERSION, find_engine
from sandbox.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

class Note(ResourceProvider):
    def configure(self, request):
        request.config.require("adminPassword")
    def create(self, props):
        if props["text"] == "refused":
            raise ValueError("the server refuses this text")
        return CreateResult("note", {"text": props["text"]})
    def update(self, id, olds, news):
        return UpdateResult({"text": news["text"]})
    def diff(self, id, olds, news):
        replaces = ["text"] if news["text"] == "replaced" else []
        return DiffResult(changes=olds["text"] != news["text"], replaces=replaces)

class Noted(Resource):
    text: pulumi.Output[str]
    def __init__(self, name, text):
        super().__init__(Note(), name, {"text": text})

config = pulumi.Config("object-store")
if config.get("bad"):
    raise pulumi.RunError("object-store:bad is bad")
print("printed by the program")
note = Noted("note", config.get("text") or "first")
protect = config.require_bool("protect")
pulumi.export("deployment", {"text": note.text, "protect": protect, "root": pulumi.get_root_directory()})
pulumi.export("credentials", pulumi.Output.secret({"worker": config.require_secret("adminPassword")}))
"""
SERVERLESS_PATH = "/usr/bin:/bin"


@dataclass
class Clone:
    """A clone of the project, with a small program and a fake server process."""

    path: Path
    environ: dict[str, str]
    python: Path

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a sandbox command in the clone."""
        return subprocess.run(  # noqa: S603 - our own code
            [self.python, "-m", "cli", "sandbox", *arguments],
            cwd=self.path,
            env={**self.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def shell(self, stack: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the environment of a stack, as a user would."""
        lines = f'set -e; eval "$({self.python} -m cli sandbox env {stack})"; {script}'
        return subprocess.run(  # noqa: S603 - what a person would type
            ["/bin/sh", "-c", lines],
            cwd=self.path,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def server(self, stack: str) -> dict[str, object]:
        """The server.json of a stack's server."""
        answer: dict[str, object] = json.loads((self.path / ".sandbox" / stack / "server" / "server.json").read_text())
        return answer


@pytest.fixture
def clone(tmp_path: Path, warm_python: Path) -> Iterator[Clone]:
    """A clone; at its end, none of its processes is left."""
    path = tmp_path / "a clone"
    package = Path(sandbox.__file__).parent
    for name in ("sandbox", "cli"):
        shutil.copytree(package.parent / name, path / name)  # compiled too: every clone would compile it again
    shutil.copyfile(Path(__file__).parent / "fake_serve.py", path / "sandbox" / "server" / "serve.py")
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.aws.yaml"):
        shutil.copyfile(package.parent / name, path / name)
    (path / "infra").mkdir()
    (path / "infra" / "__main__.py").write_text(PROGRAM)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI")}
    clone = Clone(path, environ, warm_python)
    yield clone
    clone.run("down")


@pytest.fixture
def without_engine(clone: Clone, tmp_path: Path) -> Clone:
    """The clone without an engine: not on PATH, not in the cache, no internet, no Go."""
    module = clone.path / "sandbox" / "engine" / "finder.py"
    text = module.read_text().replace("import sys, urllib.request", "raise SystemExit('no such host')")
    assert "no such host" in text
    module.write_text(text)
    clone.environ |= {"PATH": SERVERLESS_PATH, "XDG_CACHE_HOME": str(tmp_path / "empty cache")}
    return clone


@pytest.fixture(scope="module")
def engine_version() -> str:
    """The version of this machine's engine, which is built if necessary."""
    search = find_engine(os.environ, Progress())
    if search.engine is None:
        pytest.skip("no engine: " + "; ".join(search.tried))
    return search.engine.version


@pytest.mark.e2e
def test_sandbox_comes_up_is_used_stops_and_goes_on(clone: Clone, engine_version: str) -> None:
    """Up, a deployment by hand, a second up without changes, a stop that keeps the state, and a restart all work."""
    up = clone.run("up")
    assert up.returncode == 0, up.stderr
    assert up.stdout == ""
    assert f"engine: {engine_version}" in up.stderr
    for stack in ("local", "aws"):
        assert f"{stack}: {clone.server(stack)['endpoint']}" in up.stderr
        assert f'eval "$(object-store sandbox env {stack})"' in up.stderr

    deployed = clone.shell("local", "pulumi up --yes --non-interactive; pulumi stack output deployment")
    assert deployed.returncode == 0, deployed.stderr
    assert '"text":"first"' in deployed.stdout.replace(" ", "")
    stack_file = clone.path / ".sandbox" / "local" / "project" / "Pulumi.local.yaml"
    before, server = stack_file.read_bytes(), clone.server("local")

    again = clone.run("up")
    assert again.returncode == 0, again.stderr
    assert "The local server is already running." in again.stderr
    assert (stack_file.read_bytes(), clone.server("local")) == (before, server)
    status = clone.run("status")
    assert status.returncode == 0
    told = f"stack local, server up, endpoint {server['endpoint']}, plugin minio:4711, admin API v3, resources 3"
    assert told in status.stdout

    assert clone.run("down", "--keep").returncode == 0
    assert clone.run("status").returncode == 1
    assert clone.run("up", "--quiet").returncode == 0
    assert clone.server("local")["pid"] != server["pid"]
    assert clone.shell("local", "pulumi preview --expect-no-changes --non-interactive").returncode == 0

    down = clone.run("down")
    assert down.returncode == 0, down.stderr
    assert not (clone.path / ".sandbox").exists()


def test_local_server_speaks_the_admin_api_that_is_asked_for(without_engine: Clone) -> None:
    """The admin API version stays until a command requests another, which restarts the server; the config follows."""
    clone = without_engine
    stack_file = clone.path / ".sandbox" / "local" / "project" / "Pulumi.local.yaml"

    clone.run("up", "--stack", "local", "--admin-api", "v4")
    first = clone.server("local")
    assert first["admin_api"] == "v4"
    assert "object-store:adminApi: v4" in stack_file.read_text()
    assert "admin API v4" in clone.run("status", "--stack", "local").stdout

    clone.run("up", "--stack", "all")
    assert clone.server("local") == first
    assert clone.server("aws")["admin_api"] == "v3"
    clone.run("down", "--keep")
    clone.run("up", "--stack", "local")
    assert clone.server("local")["admin_api"] == "v4"

    back = clone.run("up", "--stack", "local", "--admin-api", "v3")
    assert "speaks admin API v4" in back.stderr
    assert clone.server("local")["admin_api"] == "v3"
    assert "object-store:adminApi: v3" in stack_file.read_text()


def test_aws_has_no_admin_api(without_engine: Clone) -> None:
    """The message names the refused option, and no server starts."""
    refused = without_engine.run("up", "--stack", "aws", "--admin-api", "v4")

    assert refused.returncode == 2
    assert "--admin-api applies only to the local stack" in refused.stderr
    assert not (without_engine.path / ".sandbox").exists()


@pytest.mark.e2e
def test_no_secret_leaves_the_private_files(clone: Clone, engine_version: str) -> None:  # noqa: ARG001 - a fixture
    """No output shows admin keys or passphrase. Only files of mode 0600 hold them; the state has them encrypted."""
    outputs = [
        clone.run("up"),
        clone.shell("local", "pulumi up --yes --non-interactive; pulumi config"),
        clone.run("up"),
    ]
    outputs += [clone.run("env", "local"), clone.run("env", "aws"), clone.run("status")]
    home = clone.path / ".sandbox"
    secrets = ["planted-user", "planted-password", (home / "local" / "passphrase").read_text()]

    assert [output.returncode for output in outputs] == [0] * 6
    for output in outputs:
        assert not [secret for secret in secrets if secret in output.stdout + output.stderr]
    for file in (path for path in home.rglob("*") if path.is_file()):
        if any(secret.encode() in file.read_bytes() for secret in secrets):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert "planted" not in "".join(path.read_text() for path in (home / "local" / "state").rglob("*.json"))


@pytest.mark.e2e
def test_environment_is_what_a_shell_needs(clone: Clone, engine_version: str) -> None:
    """`env` prints only shell lines, even for a path with a space, and then `pulumi` is the wrapper."""
    clone.run("up", "--stack", "local", "--quiet")
    clone.environ |= {"AWS_PROFILE": "production", "PULUMI_CONFIG_PASSPHRASE": "another"}

    lines = clone.run("env", "local").stdout.splitlines()
    used = clone.shell("local", 'command -v pulumi; pulumi version; echo "<$AWS_PROFILE$PULUMI_CONFIG_PASSPHRASE>"')

    assert {line.split()[0] for line in lines} == {"export", "unset"}
    wrapper, version, foreign = used.stdout.splitlines()
    assert wrapper == str(clone.path / ".sandbox" / "local" / "bin" / "pulumi")
    assert version.removeprefix("v") == engine_version
    assert foreign == "<>"
    aws = clone.run("env", "aws")
    assert (aws.returncode, aws.stdout) == (2, "")
    assert "object-store sandbox up --stack aws" in aws.stderr


def test_unknown_stack_is_refused_with_the_legal_names(clone: Clone) -> None:
    """An unknown stack gives exit status 2 and the legal names, no standard output, and creates nothing."""
    for arguments in (["env", "prod"], ["up", "--stack", "prod"], ["rehearse", "--stack", "all"]):
        answer = clone.run(*arguments)

        assert (answer.returncode, answer.stdout) == (2, "")
        assert "'local'" in answer.stderr
        assert "'aws'" in answer.stderr
    assert not (clone.path / ".sandbox").exists()


def test_nothing_up_is_told(clone: Clone) -> None:
    """Without a sandbox, `env` and `rehearse` fail and name the remedy, `status` reports it, and `down` succeeds."""
    for command in (["env", "local"], ["rehearse", "--stack", "local"]):
        answer = clone.run(*command)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert "object-store sandbox up --stack local" in answer.stderr
        assert "Traceback" not in answer.stderr
    status = clone.run("status", "--stack", "local")
    assert status.returncode == 1
    assert status.stdout.startswith("stack local, server down, endpoint -, plugin -, admin API -, resources -, engine")
    assert clone.run("down").returncode == 0


@pytest.mark.parametrize(
    ("fault", "message", "log"),
    [("dies", "ended with 9", "the port is taken"), ("hangs", "was not ready within 2 s", "still thinking")],
)
def test_server_that_does_not_come_up_is_told_with_its_log(clone: Clone, fault: str, message: str, log: str) -> None:
    """If a server ends or is too slow, `up` fails with the end of its log, and leaves no process behind."""
    module = clone.path / "sandbox" / "server" / "process.py"
    module.write_text(module.read_text().replace("READY_SECONDS = 60.0", "READY_SECONDS = 2.0"))

    up = clone.run("up", "--stack", "local", FAKE_SERVE=fault)

    assert up.returncode == 2
    assert message in up.stderr
    assert log in up.stderr
    assert "Traceback" not in up.stderr
    assert not processes_of(clone)


def test_server_that_does_not_stop_is_killed(without_engine: Clone) -> None:
    """`down` kills a server that ignores the request, after the time for writing its state."""
    clone = without_engine
    module = clone.path / "sandbox" / "server" / "process.py"
    module.write_text(module.read_text().replace("STOP_SECONDS = 20.0", "STOP_SECONDS = 1.0"))
    clone.run("up", "--stack", "local", FAKE_SERVE="stubborn")
    assert processes_of(clone)

    assert clone.run("down").returncode == 0
    assert not processes_of(clone)


def test_without_engine_the_program_is_rehearsed(without_engine: Clone) -> None:
    """Without an engine, `up` gives the reasons and the alternative. A rehearsal creates, keeps, updates, publishes."""
    clone = without_engine
    up = clone.run("up", "--stack", "local")
    assert up.returncode == 1
    for reason in (
        "PATH: `pulumi` is not there",
        f"cache: {clone.environ['XDG_CACHE_HOME']}/object-store-engine/{VERSION} does not exist",
        "official installer: no such host",
        "`go` is not on PATH",
    ):
        assert reason in up.stderr
    assert "object-store sandbox rehearse --stack local" in up.stderr
    environment = clone.run("env", "local")
    assert environment.returncode == 0
    assert "local has no engine" in environment.stderr

    first = clone.run("rehearse", "--stack", "local")
    assert first.returncode == 0, first.stderr
    assert "local: 1 created" in first.stderr
    assert "engine does: state, preview, refresh" in first.stderr
    assert "planted" not in first.stdout + first.stderr
    home = clone.path / ".sandbox" / "local"
    assert first.stdout.splitlines() == [str(home / "deployment.json"), str(home / "credentials.json")]
    deployment = {"text": "first", "protect": False, "root": str(home / "project")}
    assert json.loads((home / "deployment.json").read_text()) == deployment
    assert json.loads((home / "credentials.json").read_text()) == {"worker": "planted-password"}
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "rehearsal.json").stat().st_mode) == 0o600

    assert "local: 1 unchanged" in clone.run("rehearse", "--stack", "local").stderr
    set_config(clone, text="second")
    assert "local: 1 updated" in clone.run("rehearse", "--stack", "local").stderr
    assert json.loads((home / "deployment.json").read_text())["text"] == "second"
    set_config(clone, text="replaced")
    replaced = clone.run("rehearse", "--stack", "local")
    assert replaced.returncode == 2
    assert "a change of text replaces the resource" in replaced.stderr
    assert "Traceback" not in replaced.stderr


def test_rehearsal_tells_bad_input_as_the_program_does(without_engine: Clone) -> None:
    """A RunError of the program gives its message and exit status 1, and nothing is created or published."""
    clone = without_engine
    clone.run("up", "--stack", "local")
    set_config(clone, bad="yes")

    answer = clone.run("rehearse", "--stack", "local")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "object-store:bad is bad" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (clone.path / ".sandbox" / "local" / "deployment.json").exists()


def test_rehearsal_that_fails_names_the_resource(without_engine: Clone) -> None:
    """A provider's refusal appears once, with the resource and the provider's own words."""
    clone = without_engine
    clone.run("up", "--stack", "local")
    set_config(clone, text="refused")

    answer = clone.run("rehearse", "--stack", "local")

    assert answer.returncode == 2
    assert answer.stderr.count("ValueError: the server refuses this text") == 1
    assert "pulumi-python:dynamic:Resource note: " in answer.stderr
    assert "Task was destroyed" not in answer.stderr


def test_quiet_says_nothing(without_engine: Clone) -> None:
    """With --quiet, a command prints only errors."""
    clone = without_engine
    clone.run("up", "--stack", "local", "--quiet")

    for command in (["rehearse", "--stack", "local"], ["status", "--stack", "local"], ["down", "--stack", "local"]):
        answer = clone.run(*command, "--quiet")
        assert (answer.returncode, answer.stderr) == (0, "printed by the program\n" if command[0] == "rehearse" else "")


def set_config(clone: Clone, **values: str) -> None:
    """Set config, as a user who edits the stack file would."""
    path = clone.path / ".sandbox" / "local" / "project" / "Pulumi.local.yaml"
    text = path.read_text()
    for key, value in values.items():
        text = re.sub(rf"(?m)^  object-store:{key}: .*\n", "", text) + f"  object-store:{key}: {value}\n"
    path.write_text(text)


def processes_of(clone: Clone) -> str:
    """The running server processes of the clone."""
    answer = subprocess.run(["ps", "-ww", "-e", "-o", "stat=,command="], capture_output=True, text=True, check=True)  # noqa: S607
    lines = [line for line in answer.stdout.splitlines() if str(clone.path / ".sandbox") in line and line[0] != "Z"]
    return "\n".join(lines)
