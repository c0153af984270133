"""The project folder of the sandbox: its content, the values that stay, and the secrets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import project
from sandbox.environment import stack_environment
from sandbox.folder import SandboxError, StackFolder, StackName, write_atomically, write_private
from sandbox.server.process import AdminCredentials, RunningServer

PROJECT = """
name: object-store
main: infra/
runtime: {name: python, options: {toolchain: pip, virtualenv: .venv}}
config: {protect: {type: boolean, default: true}}
"""
CONFIG = {
    StackName.LOCAL: {"cloud": "aistor", "endpoint": "https://localhost:31000", "caBundle": "aistor-ca.pem"},
    StackName.AWS: {"cloud": "aws", "region": "us-west-2"},
}
ADMIN = AdminCredentials(user="planted-user", password="planted-password")


def server_at(port: int, folder: Path, stack: StackName, admin_api: str = "v3") -> RunningServer:
    """A server of a stack, with its own description."""
    return RunningServer(
        pid=1,
        cloud=stack.cloud,
        endpoint=f"https://127.0.0.1:{port}",
        plugin="aws" if stack is StackName.AWS else "minio",
        plugin_port=4711,
        ca_bundle=str(folder / "ca.pem"),
        region="us-west-2",
        admin_api=admin_api,
    )


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a committed project and two stack files."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "ca.pem").write_text("a certificate\n")
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    for stack, values in CONFIG.items():
        commit(tmp_path, stack, values)
    monkeypatch.setattr(project, "repository", lambda: tmp_path)
    return tmp_path


def commit(repository: Path, stack: StackName, values: dict[str, Any]) -> None:
    """Commit the config of a stack."""
    document = {"config": {f"object-store:{key}": value for key, value in values.items()}}
    (repository / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))


def make(
    repository: Path, stack: StackName, port: int = 9000, admin_api: str = "v3", *, asked: bool = False
) -> StackFolder:
    """Write the project folder for a server on that port."""
    folder = StackFolder(stack, repository / ".sandbox")
    server = server_at(port, repository, stack, admin_api)
    project.make_project(folder, server, ADMIN, admin_api_asked=asked)
    return folder


def config(folder: StackFolder) -> dict[str, Any]:
    """The config of the sandbox's stack file, without the namespace."""
    values: dict[str, Any] = yaml.safe_load(folder.stack_file.read_text())["config"]
    return {key.removeprefix("object-store:"): value for key, value in values.items()}


def as_pulumi_saves(folder: StackFolder, **changes: object) -> None:
    """Change the stack file as `pulumi config set` does: booleans become text, and a salt and secrets appear."""
    document = yaml.safe_load(folder.stack_file.read_text())
    values = {
        key: str(value).lower() if isinstance(value, bool) else value for key, value in document["config"].items()
    }
    values |= {f"object-store:{key}": value for key, value in changes.items()}
    folder.stack_file.write_text(yaml.safe_dump({"encryptionsalt": "v1:salt", "config": values}, indent=4))


def test_project_points_at_the_program_of_the_clone(repository: Path) -> None:
    """The sandbox runs the committed program: only `main` and `virtualenv` of the committed project change."""
    folder = make(repository, StackName.LOCAL)

    made = yaml.safe_load(folder.project_file.read_text())
    committed = yaml.safe_load(PROJECT)
    assert (folder.project / made["main"]).resolve() == repository / "infra"
    assert not Path(made["main"]).is_absolute()
    virtualenv = made["runtime"]["options"].pop("virtualenv", None)
    assert virtualenv == (sys.prefix if sys.prefix != sys.base_prefix else None)
    committed["runtime"]["options"].pop("virtualenv")
    assert {**made, "main": "infra/"} == committed


def test_local_stack_is_led_to_the_server(repository: Path) -> None:
    """The local stack has the committed config with the server's endpoint and CA, and is disposable."""
    folder = make(repository, StackName.LOCAL)

    assert config(folder) == {
        "cloud": "aistor",
        "endpoint": "https://127.0.0.1:9000",
        "clientEndpoint": "https://127.0.0.1:9000",
        "caBundle": str(repository / "ca.pem"),
        "protect": False,
        "emptyOnDestroy": True,
    }


def test_aws_stack_has_the_one_account_of_the_server(repository: Path) -> None:
    """The server's account id guards the aws stack, which gets endpoint and keys by the SDK's own means."""
    folder = make(repository, StackName.AWS)

    assert config(folder) == {
        "cloud": "aws",
        "region": "us-west-2",
        "protect": False,
        "emptyOnDestroy": True,
        "allowedAccountIds": ["123456789012"],
    }
    lines = ["[default]", "aws_access_key_id = planted-user", "aws_secret_access_key = planted-password"]
    assert folder.aws_credentials.read_text().splitlines() == lines


@pytest.mark.parametrize("stack", list(StackName))
def test_no_secret_is_in_a_readable_file(repository: Path, stack: StackName) -> None:
    """Only files of mode 0600 hold admin keys and passphrase, and no repr of an object shows them."""
    folder = make(repository, stack)

    passphrase = folder.passphrase.read_text()
    assert len(passphrase) >= 32
    secrets = ("planted-", passphrase)
    holders = [p for p in folder.home.rglob("*") if p.is_file() and any(secret in p.read_text() for secret in secrets)]
    assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}
    assert "planted-password" not in repr(ADMIN) + str(ADMIN)
    assert "planted-" not in repr(project.overrides(stack, server_at(1, repository, stack), ADMIN))


@pytest.mark.parametrize("stack", list(StackName))
def test_second_run_keeps_every_file_byte_for_byte(repository: Path, stack: StackName) -> None:
    """Without news, no file changes, even if Pulumi has rewritten the stack file."""
    folder = make(repository, stack)
    as_pulumi_saves(folder, adminPassword={"secure": "v1:abc"})
    before = {path: path.read_bytes() for path in folder.home.rglob("*") if path.is_file()}

    make(repository, stack)

    assert {path: path.read_bytes() for path in folder.home.rglob("*") if path.is_file()} == before


def test_what_a_person_set_stays(repository: Path) -> None:
    """A user's keys, secrets and the salt survive a new server port; the server's own facts change."""
    folder = make(repository, StackName.LOCAL)
    by_hand = {"encryption": "SSE-S3", "domains": {"images": {"band": "warm"}}, "protect": "true"}
    as_pulumi_saves(folder, **by_hand, adminPassword={"secure": "v1:abc"}, endpoint="https://elsewhere:1")

    make(repository, StackName.LOCAL, port=9001)

    after = config(folder)
    assert {key: after[key] for key in by_hand} == by_hand
    assert after["adminPassword"] == {"secure": "v1:abc"}
    assert after["endpoint"] == after["clientEndpoint"] == "https://127.0.0.1:9001"
    assert yaml.safe_load(folder.stack_file.read_text())["encryptionsalt"] == "v1:salt"


def test_change_of_the_committed_config_arrives(repository: Path) -> None:
    """A later change of a committed key applies, unless a user has set the key."""
    commit(repository, StackName.AWS, {"cloud": "aws", "region": "us-west-2", "env": "prod", "flag": True})
    folder = make(repository, StackName.AWS)
    as_pulumi_saves(folder)

    commit(repository, StackName.AWS, {"cloud": "aws", "region": "eu-west-1", "encryption": "SSE-S3", "flag": False})
    make(repository, StackName.AWS)

    after = config(folder)
    assert (after["region"], after["encryption"], after["flag"]) == ("eu-west-1", "SSE-S3", False)
    assert "env" not in after


@pytest.mark.parametrize(
    ("text", "reason"), [("a: [", "a value that is missing"), ("- a\n", "must hold a YAML mapping")]
)
def test_malformed_stack_file_is_named(repository: Path, text: str, reason: str) -> None:
    """An unreadable stack file raises an error with the file's path."""
    folder = make(repository, StackName.LOCAL)
    folder.stack_file.write_text(text)

    with pytest.raises(SandboxError, match=reason) as caught:
        make(repository, StackName.LOCAL)

    assert str(folder.stack_file) in str(caught.value)


def test_environment_leads_local_to_no_account_and_aws_to_the_server(tmp_path: Path) -> None:
    """Foreign variables are unset, and the SDKs of the aws stack find endpoint, CA and keys."""
    foreign = {
        "PATH": "/usr/bin",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "https://elsewhere",
        "AWS_CA_BUNDLE": "/etc/other.pem",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "PULUMI_CONFIG_PASSPHRASE": "another",
        "KEPT": "yes",
    }

    for stack in StackName:
        folder = StackFolder(stack, tmp_path)
        server = server_at(9000, tmp_path, stack)
        applied = stack_environment(folder, server, foreign).applied_to(foreign)
        aws = {key: value for key, value in applied.items() if key.startswith("AWS_")}
        assert applied["KEPT"] == "yes"
        assert "PULUMI_CONFIG_PASSPHRASE" not in applied
        assert applied["PULUMI_DEBUG_PROVIDERS"] == f"{server.plugin}:4711"
        if stack is StackName.LOCAL:
            assert aws == {
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        else:
            assert aws == {
                "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": str(folder.aws_credentials),
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL": "https://127.0.0.1:9000",
                "AWS_CA_BUNDLE": str(tmp_path / "ca.pem"),
                "AWS_REGION": "us-west-2",
            }


def test_environment_of_one_stack_replaces_that_of_the_other(tmp_path: Path) -> None:
    """One shell can switch between stacks: PATH does not grow, and nothing of the other stack remains."""
    environ = {"PATH": "/usr/bin"}
    for stack in (StackName.AWS, StackName.LOCAL, StackName.LOCAL):
        folder = StackFolder(stack, tmp_path)
        environ = stack_environment(folder, server_at(9000, tmp_path, stack), environ).applied_to(environ)

    assert environ["PATH"] == f"{tmp_path / 'local' / 'bin'}:{Path(sys.executable).parent}:/usr/bin"
    assert "AWS_ENDPOINT_URL" not in environ


def test_environment_keeps_the_sandbox_off_a_proxy(tmp_path: Path) -> None:
    """Behind a proxy, clients reach the server on this machine directly, and the user's own exceptions stay."""
    folder = StackFolder(StackName.LOCAL, tmp_path)
    behind = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.org"}
    server = server_at(9000, tmp_path, StackName.LOCAL)

    assert stack_environment(folder, server, behind).set["NO_PROXY"] == "127.0.0.1,example.org"
    assert "NO_PROXY" not in stack_environment(folder, server, {}).set


def test_private_file_is_private_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users can never read a private file, not even briefly, and a failed write leaves the old file."""
    modes = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode & 0o777)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_private(tmp_path / "secret", "one")

    def full_disk(_self: Path, _target: Path) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "secret", "two", mode=0o600)

    assert modes == [0o600]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("secret", "one")]


def test_config_names_no_admin_api_unless_asked(repository: Path) -> None:
    """The state decides, and a new stack's identities work on every server; a user's value stays."""
    for spoken in ("v3", "v4"):
        assert "adminApi" not in config(make(repository, StackName.LOCAL, admin_api=spoken))
    folder = make(repository, StackName.LOCAL, admin_api="v4")
    as_pulumi_saves(folder, adminApi="v3")

    assert config(make(repository, StackName.LOCAL, admin_api="v4"))["adminApi"] == "v3"


@pytest.mark.parametrize("earlier", ["v3", "v4"])
def test_config_follows_the_admin_api_that_is_asked_for(repository: Path, earlier: str) -> None:
    """A request for a server of another version also changes the setting, even if a user has set it."""
    as_pulumi_saves(make(repository, StackName.LOCAL), adminApi=earlier)
    for asked in ("v4", "v3", "v4"):
        folder = make(repository, StackName.LOCAL, admin_api=asked, asked=True)
        assert config(folder)["adminApi"] == asked
    assert config(make(repository, StackName.LOCAL, admin_api="v4"))["adminApi"] == "v4"
