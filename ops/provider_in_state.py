"""The access to the server in a stack's state: what the engine asks with in a refresh or an import.

The rule: the config is what counts, so its values take the place of the state's before a command lets the engine ask
(`ops.tried_access` tries them first). Neither reads the other: the engine asks with the provider in the state, our own
resources with the address in their own inputs. Pure: it takes a state and returns a new one.

Inputs of the plugin's provider: https://www.pulumi.com/registry/packages/minio/api-docs/provider/. A dynamic provider
has the stack's whole config as inputs.
"""

import copy
import json
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.settings import AistorSettings, Settings
from model.policies import Cloud
from model.resources import DYNAMIC, DYNAMIC_PROVIDER, PROVIDER
from stack.config import program_folder
from stack.state import resources_of
from stack.state_secret import revealed, secret

PASSWORD_INPUT = "minioPassword"  # noqa: S105 - an input's name
#: The name of this project's provider of the plugin; a default provider has the same type.
PLUGIN_PROVIDER_NAME = "aistor"
_CA_FILE_INPUT = "minioCacertFile"
_ACCESS_INPUTS = ("minioServer", "minioSsl", "minioRegion", "minioUser", PASSWORD_INPUT, _CA_FILE_INPUT)
# The plugin resolves a relative path from the program's folder, and every state holds it in that form.
_PROGRAM_FOLDER = Path(__file__).resolve().parents[1] / "infra"


def provider_inputs(settings: Settings, ca_file: str | None, *, password: bool) -> dict[str, Any]:
    """The explicit provider's inputs as the engine keeps them.

    Args:
        settings: The stack's settings.
        ca_file: The path of the CA bundle for the plugin.
        password: Include the admin's password as a secret; without it the inputs may be shown.
    """
    if settings.aistor is not None:
        own = settings.aistor
        inputs: dict[str, Any] = {
            "minioServer": own.endpoint.host_port,
            "minioSsl": "true" if own.endpoint.tls else "false",
            "minioRegion": settings.region,
            "minioUser": own.admin_user,
        }
        if ca_file is not None:
            inputs[_CA_FILE_INPUT] = ca_file
        if password:
            inputs[PASSWORD_INPUT] = secret(own.admin_password)
        return inputs
    inputs = {
        "region": settings.region,
        "defaultTags": json.dumps({"tags": dict(settings.tags)}),
        # Values that the SDK fills in by itself.
        "skipCredentialsValidation": "false",
        "skipRegionValidation": "true",
    }
    if settings.aws is not None and settings.aws.allowed_account_ids:
        inputs["allowedAccountIds"] = json.dumps(settings.aws.allowed_account_ids)
    return inputs


def provider_version(cloud: Cloud) -> str:
    """The version of the provider's SDK, which equals that of its plugin."""
    return version("pulumi_minio" if cloud == "aistor" else "pulumi_aws")


def ca_file_of_state(settings: Settings) -> str | None:
    """The path of the CA bundle as a state holds it, relative to the program's folder; None without a bundle."""
    own = settings.aistor
    if own is None or own.ca_file is None:
        return None
    return os.path.relpath(Path(own.ca_file).resolve(), program_folder() or _PROGRAM_FOLDER)


def with_access(exported: Mapping[str, Any], settings: Settings, config: Mapping[str, Any]) -> dict[str, Any]:
    """The state with the config's endpoint, CA bundle, region and admin's key pair; the same if it has them.

    Args:
        exported: The exported state. With its secrets in clear, an unchanged password is recognised as such.
        settings: The stack's settings; on AWS the state holds no access, and nothing changes.
        config: The stack's config as the engine passes it to a provider (`ops.identities_in_state.engine_config`).
    """
    state: dict[str, Any] = copy.deepcopy(dict(exported))
    own = settings.aistor
    if own is None:
        return state
    for resource in resources_of(state):
        # An old provider, which an update replaced, only deletes what it made.
        if resource.get("delete"):
            continue
        if is_plugin_provider(resource):
            access = provider_inputs(settings, ca_file_of_state(settings), password=True)
            _replace(resource, access, _ACCESS_INPUTS)
        elif resource["type"] == DYNAMIC_PROVIDER:
            _replace(resource, config, [key for key in resource.get("inputs") or {} if ":" in key])
        elif resource["type"].startswith(DYNAMIC):
            for properties in _properties(resource):
                properties.update(_address(properties, own, settings.region))
    return state


def names_another_server(exported: Mapping[str, Any], settings: Settings) -> str | None:
    """Host and port of the server that a state describes, if that is not the config's; on AWS never."""
    own = settings.aistor
    for resource in resources_of(exported):
        if own is None or resource.get("delete") or not is_plugin_provider(resource):
            continue
        inputs = resource.get("inputs") or {}
        wanted = provider_inputs(settings, None, password=False)
        if any(inputs.get(key) != wanted[key] for key in ("minioServer", "minioSsl")):
            return str(inputs.get("minioServer", ""))
    return None


def is_plugin_provider(resource: Mapping[str, Any]) -> bool:
    """Whether a resource of a state is the provider that the program declares for the plugin."""
    named = resource["urn"].rpartition("::")[2] == PLUGIN_PROVIDER_NAME
    return bool(named and resource["type"] == PROVIDER["aistor"])


def _replace(resource: dict[str, Any], wanted: Mapping[str, Any], ours: Iterable[str]) -> None:
    """Replace a provider's properties of the given names; an equal secret stays as it is."""
    keys = {*ours, *wanted}
    for properties in _properties(resource):
        for key in keys:
            if key not in wanted:
                properties.pop(key, None)
            elif key not in properties or revealed(properties[key]) != revealed(wanted[key]):
                properties[key] = wanted[key]


def _properties(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [resource[part] for part in ("inputs", "outputs") if isinstance(resource.get(part), dict)]


def _address(properties: Mapping[str, Any], own: AistorSettings, region: str) -> dict[str, str]:
    """A dynamic resource's inputs with the server's address, under the names that this resource has for them."""
    values = {"endpoint": own.endpoint.url, "region": region, "caPem": own.ca_pem or "", "ca_pem": own.ca_pem or ""}
    return {key: value for key, value in values.items() if key in properties}
