"""ops.provider_in_state: the config's access in a state, and nothing else of the state changed."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from infra.settings import Settings, settings_from
from model.resources import DYNAMIC_PROVIDER, TYPES, About
from ops.provider_in_state import with_access
from stack.state_secret import revealed, secret

NEW, OLD = "planted-new-password", "planted-old-password"
AISTOR = {
    "cloud": "aistor",
    "env": "local",
    "region": "us-west-2",
    "endpoint": "https://new.example.com:9000",
    "caBundle": "ca.pem",
    "adminUser": "new-admin",
    "adminPassword": NEW,
}
CONFIG = {"object-store:adminUser": "new-admin", "object-store:adminPassword": secret(NEW)}
PLUGIN = "urn:pulumi:local::object-store::pulumi:providers:minio::"


def inputs_of(name: str, password: object, user: str = "old-admin", server: str = "old.example.com:9000") -> Any:  # noqa: ANN401 - JSON
    """A resource of a state: a provider of the plugin."""
    access = {
        "minioServer": server,
        "minioSsl": "true",
        "minioRegion": "us-west-2",
        "minioUser": user,
        "minioPassword": password,
        "minioCacertFile": "../old.pem",
        "version": "0.17.1",
    }
    return {
        "urn": f"{PLUGIN}{name}",
        "id": name,
        "type": "pulumi:providers:minio",
        "inputs": {"__internal": {}, **access},
        "outputs": access,
    }


def dynamic(kind: str, **more: str) -> dict[str, Any]:
    """A resource of our own in a state, on the old server."""
    values = {"endpoint": "https://old.example.com:9000", "region": "us-west-2", **more}
    return {"urn": f"urn::{kind}", "id": "b", "type": kind, "inputs": dict(values), "outputs": {**values, "more": "1"}}


def state(password: object) -> dict[str, Any]:
    """A state with everything that may hold an access, and with what must stay."""
    config = {
        "object-store:adminUser": "old-admin",
        "object-store:adminPassword": password,
        "object-store:caBundle": "old.pem",
        "version": "3",
    }
    return {
        "version": 3,
        "deployment": {
            "resources": [
                inputs_of("aistor", password),
                {**inputs_of("aistor", password), "delete": True},
                inputs_of("default_0_17_1", password),
                {"urn": "urn::dynamic", "type": DYNAMIC_PROVIDER, "inputs": dict(config), "outputs": dict(config)},
                dynamic(TYPES["v3"][About.RETENTION], ca_pem="old"),
                dynamic(TYPES["v4"][About.USER], caPem="old"),
                {"urn": "urn::bucket", "type": TYPES["v3"][About.BUCKET], "inputs": {"region": "x"}, "outputs": {}},
            ]
        },
    }


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return settings_from(AISTOR, "local", tmp_path, {})


def resources(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a state."""
    found: list[dict[str, Any]] = content["deployment"]["resources"]
    return found


@pytest.mark.parametrize("password", [secret(OLD), {**secret(OLD), "ciphertext": "v1:x"}, OLD])
def test_every_place_of_an_access_gets_the_configs(settings: Settings, password: object) -> None:
    """The plugin's provider, the dynamic provider, and the address in our own resources; inputs and outputs alike."""
    before = state(password)
    given = copy.deepcopy(before)

    plugin, old, other, dynamic_provider, retention, user, bucket = resources(with_access(before, settings, CONFIG))

    assert before == given
    for part in ("inputs", "outputs"):
        assert plugin[part]["minioServer"] == "new.example.com:9000"
        assert plugin[part]["minioUser"] == "new-admin"
        assert revealed(plugin[part]["minioPassword"]) == NEW
        assert plugin[part]["minioPassword"]["plaintext"] == json.dumps(NEW)
        assert plugin[part]["minioCacertFile"] != "../old.pem"
        assert plugin[part]["version"] == "0.17.1"
        assert dynamic_provider[part] == {**CONFIG, "version": "3"}
        assert retention[part]["endpoint"] == user[part]["endpoint"] == "https://new.example.com:9000"
        assert "BEGIN CERTIFICATE" in retention[part]["ca_pem"]
        assert retention[part]["ca_pem"] == user[part]["caPem"]
        assert ("caPem" in retention[part], "ca_pem" in user[part]) == (False, False)
    assert plugin["inputs"]["__internal"] == {}
    assert retention["outputs"]["more"] == "1"
    assert [old, other, bucket] == [resources(given)[place] for place in (1, 2, 6)]


def test_state_that_has_the_access_is_equal(settings: Settings) -> None:
    """Nothing would have to be written, also where the engine writes the same secret in another form."""
    once = with_access(state(secret(OLD)), settings, CONFIG)
    resources(once)[0]["inputs"]["minioPassword"] = {**secret(NEW), "other": 1}

    assert with_access(once, settings, CONFIG) == once


def test_ca_file_leaves_with_tls(tmp_path: Path) -> None:
    """Over plain http the plugin gets no CA file: it would use TLS."""
    values = {key: value for key, value in AISTOR.items() if key != "caBundle"}
    plain = settings_from({**values, "endpoint": "http://new.example.com:9000"}, "local", tmp_path, {})

    plugin, *_, retention, _user, _bucket = resources(with_access(state(secret(OLD)), plain, CONFIG))

    assert "minioCacertFile" not in plugin["inputs"]
    assert plugin["inputs"]["minioSsl"] == "false"
    assert retention["inputs"]["ca_pem"] == ""


def test_state_on_aws_and_a_stack_without_a_state_have_no_access(settings: Settings) -> None:
    """On AWS the credentials come from the SDK's chain."""
    on_aws = settings_from({"cloud": "aws", "env": "prod", "region": "us-west-2"}, "aws", Path.cwd(), {})

    assert with_access(state(secret(OLD)), on_aws, CONFIG) == state(secret(OLD))
    assert with_access({"version": 3, "deployment": None}, settings, CONFIG) == {"version": 3, "deployment": None}
