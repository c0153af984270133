"""ops.switch_admin_api in process: the calls to engine and server, and every way that ends without a move."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.admin_api import UnavailableError
from ops import switch_admin_api
from tests.console import command as console

main = console("switch-admin-api")

PASSWORD = "planted-admin-password"  # noqa: S105 - planted
CONFIG: dict[str, Any] = {
    "object-store:cloud": {"value": "aistor"},
    "object-store:env": {"value": "local"},
    "object-store:endpoint": {"value": "https://127.0.0.1:9000"},
    "object-store:adminUser": {"value": "provisioner"},
    "object-store:adminPassword": {"value": PASSWORD, "secret": True},
}
FAKE = """#!/usr/bin/env python3
import os, pathlib, sys
folder, words = pathlib.Path(__file__).parent, [word for word in sys.argv[1:] if word != "--non-interactive"]
with open(folder / "calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")
command = " ".join(words[:2])
if command == "config --json":
    print((folder / "config.json").read_text())
elif command == "stack export":
    print((folder / "state.json").read_text())
elif command == "stack import":
    text = sys.stdin.read()
    if os.environ.get("FAKE_IMPORT_FAILS"):
        sys.exit("it failed: " + text)
    (folder / "state.json").write_text(text)
"""
URN = "urn:pulumi:local::object-store::object-store:storage:AistorStore$minio:index/iamUser:IamUser::worker-user"
PLUGIN = "urn:pulumi:local::object-store::pulumi:providers:minio::aistor"
KEY = {"urn": "urn::worker-key-2", "type": "minio:index/iamServiceAccount:IamServiceAccount", "id": "KEY2"}
STATE: dict[str, Any] = {
    "version": 3,
    "deployment": {
        "resources": [
            {"urn": PLUGIN, "custom": True, "id": "11", "type": "pulumi:providers:minio"},
            {
                "urn": URN,
                "custom": True,
                "id": "u",
                "type": "minio:index/iamUser:IamUser",
                "inputs": {"name": "u"},
                "outputs": {"name": "u", "status": "enabled"},
            },
        ]
    },
}


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pulumi").write_text(FAKE, encoding="utf-8")
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (tmp_path / "state.json").write_text(json.dumps(STATE), encoding="utf-8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(switch_admin_api, "check_reachable", lambda *_: None)
    speaks(monkeypatch, "v3", "v4")
    return tmp_path


def speaks(monkeypatch: pytest.MonkeyPatch, *versions: str) -> None:
    """The server's answer."""
    monkeypatch.setattr(switch_admin_api, "versions_spoken", lambda *_: frozenset(versions))


def types(folder: Path) -> list[str]:
    """The types in the state, except providers."""
    resources = json.loads((folder / "state.json").read_text(encoding="utf-8"))["deployment"]["resources"]
    return [one["type"] for one in resources if "providers" not in one["type"]]


def calls(folder: Path) -> list[str]:
    """The commands given to pulumi."""
    return (folder / "calls").read_text(encoding="utf-8").splitlines()


def test_state_goes_first_and_config_second(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state has our identities, then the config says v4; each resource is named."""
    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 0

    assert types(folder) == ["pulumi-python:dynamic/identity:User"]
    assert calls(folder)[-2:] == [
        "stack import --stack local",
        "config set object-store:adminApi v4 --stack local",
    ]
    said = capsys.readouterr().out
    assert "  worker-user\n" in said
    assert "pulumi preview --stack local" in said


def test_there_and_back(folder: Path) -> None:
    """The same command moves back."""
    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 0
    assert main(["--stack", "local", "--to", "v3", "--yes"]) == 0

    assert types(folder) == ["minio:index/iamUser:IamUser"]


def test_second_run_does_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If state and config are already moved, nothing is written."""
    assert main(["--stack", "local", "--to", "v3", "--yes"]) == 0

    assert "nothing to move" in capsys.readouterr().out
    assert not [call for call in calls(folder) if "import" in call or "set" in call]


def test_killed_between_state_and_config_is_finished(folder: Path) -> None:
    """With a moved state and an old config, the config is set and the state does not change."""
    old = {**CONFIG, "object-store:adminApi": {"value": "v3"}}
    (folder / "config.json").write_text(json.dumps(old), encoding="utf-8")
    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 0
    (folder / "calls").unlink()

    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 0

    assert calls(folder)[-1] == "config set object-store:adminApi v4 --stack local"
    assert not [call for call in calls(folder) if "import" in call]


@pytest.mark.parametrize(("to", "sets"), [("v3", 1), ("v4", 0)])
def test_new_stack_is_set_to_what_it_would_not_get(folder: Path, to: str, sets: int) -> None:
    """A state without identities gets v4 by itself, and v3 only from the config."""
    (folder / "state.json").write_text(json.dumps({"version": 3, "deployment": {}}), encoding="utf-8")

    assert main(["--stack", "local", "--to", to, "--yes"]) == 0

    assert calls(folder).count(f"config set object-store:adminApi {to} --stack local") == sets


@pytest.mark.parametrize("known", [True, False])
def test_identities_of_another_server_do_not_get_its_address(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    known: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The config names another server: the state stays, unless that one has a key of the stack under a new address."""
    provider = {**STATE["deployment"]["resources"][0], "inputs": {"minioServer": "old.example.com:9000"}}
    before = {**STATE, "deployment": {"resources": [provider, STATE["deployment"]["resources"][1], KEY]}}
    before["deployment"]["resources"][-1]["inputs"] = {"targetUser": "u", "policy": "{}"}
    (folder / "state.json").write_text(json.dumps(before), encoding="utf-8")
    monkeypatch.setattr("ops.same_server.knows_a_key", lambda keys, _: keys == ["KEY2"] and known)

    assert main(["--stack", "local", "--to", "v4", "--yes"]) == (0 if known else 2)

    moved = json.loads((folder / "state.json").read_text(encoding="utf-8")) != before
    assert moved is known
    said = capsys.readouterr().err
    assert ("the state describes the server old.example.com:9000" in said) is not known
    assert ("object-store recover --stack local" in said) is not known


def test_state_that_changes_meanwhile_is_not_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An update of somebody else, during the question, made a key: the move would have taken it out of the state."""
    newer = json.dumps({**STATE, "deployment": {"resources": [*STATE["deployment"]["resources"], KEY]}})

    def answer(_: object) -> str:
        (folder / "state.json").write_text(newer, encoding="utf-8")
        return "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)

    assert main(["--stack", "local", "--to", "v4"]) == 2

    assert (folder / "state.json").read_text(encoding="utf-8") == newer
    assert "the state changed meanwhile; run it again" in capsys.readouterr().err
    assert not [call for call in calls(folder) if "import" in call or "set" in call]


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 1), ("no", 1)])
def test_person_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, status: int
) -> None:
    """On a terminal the answer decides, and no answer means no."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)

    assert main(["--stack", "local", "--to", "v4"]) == status
    assert (types(folder) == ["minio:index/iamUser:IamUser"]) is (status == 1)
    assert ("Nothing was moved." in capsys.readouterr().out) is (status == 1)


def test_nobody_to_ask_is_no(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal and without --yes nothing is moved."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)

    assert main(["--stack", "local", "--to", "v4"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert types(folder) == ["minio:index/iamUser:IamUser"]


def test_server_without_v3_stays_at_v4(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plugin could not work there."""
    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 0
    speaks(monkeypatch, "v4")

    assert main(["--stack", "local", "--to", "v3", "--yes"]) == 2
    assert "stay at v4" in capsys.readouterr().err
    assert types(folder) == ["pulumi-python:dynamic/identity:User"]


def test_server_that_speaks_neither_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is moved to a version that the server does not speak."""
    speaks(monkeypatch)

    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 2
    assert "neither" in capsys.readouterr().err
    assert types(folder) == ["minio:index/iamUser:IamUser"]


def test_server_that_is_silent_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proxy's page is not an answer."""

    def silent(*_: object) -> frozenset[str]:
        raise UnavailableError("info", "HTTP 502", "this is not an answer of a MinIO server", 502)

    monkeypatch.setattr(switch_admin_api, "versions_spoken", silent)

    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 2
    assert "HTTP 502" in capsys.readouterr().err
    assert types(folder) == ["minio:index/iamUser:IamUser"]


def test_interrupted_update_is_recovered_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A state with pending operations is not edited."""
    content = json.loads(json.dumps(STATE))
    content["deployment"]["pending_operations"] = [{"type": "creating", "resource": {"urn": "u", "type": "t"}}]
    (folder / "state.json").write_text(json.dumps(content), encoding="utf-8")

    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 2
    assert "object-store recover --stack local" in capsys.readouterr().err


def test_aws_stack_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """AWS has no such API."""
    content = {key: CONFIG[key] for key in ("object-store:env",)}
    content |= {"object-store:cloud": {"value": "aws"}, "object-store:region": {"value": "us-west-2"}}
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")

    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 2
    assert "AWS" in capsys.readouterr().err


def test_failed_import_shows_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine's message is shown without the admin's password, and the config is not set."""
    monkeypatch.setenv("FAKE_IMPORT_FAILS", "1")

    assert main(["--stack", "local", "--to", "v4", "--yes"]) == 2

    captured = capsys.readouterr()
    assert "it failed" in captured.err
    assert PASSWORD not in captured.out + captured.err
    assert not [call for call in calls(folder) if "set" in call]
