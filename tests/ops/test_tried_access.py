"""ops.tried_access: the state gets the config's access, but only one that the server has let in."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from model.problems import InvalidInputError
from ops.stack_settings import read_stack
from ops.tried_access import write_tried_access
from sandbox.server.temporary import RunningServer, running_server
from stack.state_secret import revealed, secret

FAKE = """#!/usr/bin/env python3
import pathlib, sys
folder, words = pathlib.Path(__file__).parent, sys.argv[1:]
with open(folder / "calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")
if words[0] == "config":
    print((folder / "config.json").read_text())
elif words[1] == "export":
    print((folder / "state.json").read_text())
elif words[1] == "import":
    (folder / "state.json").write_text(sys.stdin.read())
"""
PROVIDER = {
    "urn": "urn:pulumi:local::object-store::pulumi:providers:minio::aistor",
    "type": "pulumi:providers:minio",
    "id": "1",
    "inputs": {"minioServer": "old.example.com:9000", "minioUser": "old", "minioPassword": secret("planted-old-one")},
}


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(name="settings")
def _settings(server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    config: dict[str, Any] = {
        "cloud": {"value": "aistor"},
        "env": {"value": "local"},
        "region": {"value": server.region},
        "endpoint": {"value": server.endpoint},
        "caBundle": {"value": server.ca_bundle},
        "adminUser": {"value": server.admin.user},
        "adminPassword": {"value": server.admin.password, "secret": True},
    }
    content = {f"object-store:{key}": value for key, value in config.items()}
    (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
    state = {"version": 3, "deployment": {"resources": [PROVIDER]}}
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")
    (tmp_path / "pulumi").write_text(FAKE, encoding="utf-8")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return read_stack("local")


def held(folder: Path) -> dict[str, Any]:
    """The inputs of the provider in the state."""
    content = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    inputs: dict[str, Any] = content["deployment"]["resources"][0]["inputs"]
    return inputs


def test_access_that_the_server_lets_in_is_written_once(
    settings: Settings, server: RunningServer, tmp_path: Path
) -> None:
    """The state has the config's endpoint and pair, the second call writes nothing, and no argument holds a secret."""
    assert write_tried_access(settings)
    assert held(tmp_path)["minioServer"] == server.endpoint.partition("://")[2]
    assert held(tmp_path)["minioUser"] == server.admin.user
    assert revealed(held(tmp_path)["minioPassword"]) == server.admin.password

    assert not write_tried_access(settings)
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert calls.count("stack import") == 1
    assert server.admin.password not in calls


@pytest.mark.parametrize("field", ["admin_password", "admin_user"])
def test_refused_access_is_not_written(settings: Settings, tmp_path: Path, field: str) -> None:
    """The state keeps what it has."""
    assert settings.aistor is not None
    wrong = replace(settings, aistor=replace(settings.aistor, **{field: "planted-wrong-one"}))  # type: ignore[arg-type]  # a text

    with pytest.raises(InvalidInputError, match="refuses"):
        write_tried_access(wrong)

    assert held(tmp_path) == PROVIDER["inputs"]


def test_server_that_does_not_answer_is_not_written(settings: Settings, tmp_path: Path) -> None:
    """The endpoint is tried as well."""
    assert settings.aistor is not None
    nowhere = replace(settings.aistor.endpoint, port=1)
    wrong = replace(settings, aistor=replace(settings.aistor, endpoint=nowhere))

    with pytest.raises(InvalidInputError, match="no usable server answers"):
        write_tried_access(wrong)

    assert held(tmp_path) == PROVIDER["inputs"]
