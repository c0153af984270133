"""Identities in an exported state, in the plugin's form and in this package's, and the conversion between the two.

The rule: ids and secrets are copied unchanged (a secret as ciphertext), so that nothing on the server has to change.
Types, URNs, inputs and outputs are those that the engine itself writes. Pure: it takes a state and returns a new one.

Outputs of the plugin's types: recorded from pulumi-minio 0.17.1. The form of a state:
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (ResourceV3).
"""

import copy
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider

from infra.identity.attachment import AttachmentProvider
from infra.identity.policy import PolicyProvider
from infra.identity.service_account import ON, ServiceAccountProvider
from infra.identity.user import ENABLED, UserProvider
from model.resources import (
    DYNAMIC_PROVIDER,
    OF_IDENTITY,
    STACK,
    STORE,
    STORE_NAME,
    TYPES,
    About,
    AdminApiVersion,
    identity_types,
)
from ops.provider_in_state import is_plugin_provider
from stack.state import resources_of
from stack.state_secret import secret

_PROVIDERS: dict[str, type[ResourceProvider]] = {
    About.USER: UserProvider,
    About.POLICY: PolicyProvider,
    About.ATTACHMENT: AttachmentProvider,
    About.KEY: ServiceAccountProvider,
}
_SECRET_OUTPUTS = {About.USER: ["secret"], About.KEY: ["secretKey"]}
# The inputs of each kind; its other properties are only outputs.
_OWN_INPUTS = {
    About.USER: ("name", "status"),
    About.POLICY: ("name", "policy"),
    About.ATTACHMENT: ("userName", "policyName"),
    About.KEY: ("targetUser", "policy", "status"),
}
_PLUGIN_INPUTS = {**_OWN_INPUTS, About.USER: ("name",), About.KEY: ("policy", "targetUser")}
_OUTPUTS = {
    About.USER: ("name", "status", "secret"),
    About.POLICY: ("name", "policy"),
    About.ATTACHMENT: ("userName", "policyName"),
    About.KEY: ("targetUser", "policy", "status", "accessKey", "secretKey"),
}
_WANTED_STATUS = {About.USER: ENABLED, About.KEY: ON}


class StateError(Exception):
    """The state does not belong to a deployed AIStor stack; the message says what is missing."""


@dataclass(frozen=True)
class Place:
    """The stack and the server of a state.

    Attributes:
        stack: The stack's own name, without organisation and project.
        project: The project's name.
        connection: The server's connection inputs (`infra.identity.connection.connection_inputs`).
        config: The stack's config as the engine passes it to a provider, secret values in the engine's own form.
    """

    stack: str
    project: str
    connection: Mapping[str, str]
    config: Mapping[str, Any]

    def urn(self, kind: str, name: str, parent: str = "") -> str:
        """The URN of a resource; `parent` is the type of its parent, if that is not the stack."""
        return f"urn:pulumi:{self.stack}::{self.project}::{parent}{'$' if parent else ''}{kind}::{name}"


def identities_of(exported: Mapping[str, Any], version: AdminApiVersion) -> list[str]:
    """URNs of the identities' resources that one version manages in a state."""
    types = identity_types(version)
    return [one["urn"] for one in resources_of(exported) if one["type"] in types]


def moved(exported: Mapping[str, Any], to: AdminApiVersion, place: Place) -> dict[str, Any]:
    """The state with all identities managed by another version; nothing else changes.

    Raises:
        StateError: The state lacks the plugin's provider, or the replacement of a resource is incomplete.
    """
    other: AdminApiVersion = "v3" if to == "v4" else "v4"
    others = {TYPES[other][word]: word for word in OF_IDENTITY}
    state = _with_provider(exported, to, place)
    resources = resources_of(state)
    provider = _provider_of(resources, to)
    renamed: dict[str, str] = {}
    for resource in resources:
        word = others.get(resource["type"])
        if word is None:
            continue
        if resource.get("delete"):
            raise StateError(f"the replacement of {resource['urn']} is incomplete; first run: pulumi up")
        old = resource["urn"]
        kind = TYPES[to][word]
        resource["urn"] = old.replace(f"{resource['type']}::", f"{kind}::")
        renamed[old] = resource["urn"]
        resource.pop("sourcePosition", None)
        resource.pop("stackTrace", None)
        values = {**(resource.get("inputs") or {}), **(resource.get("outputs") or {})}
        resource |= {"type": kind, "provider": provider, **properties_of(word, to, resource["id"], values, place)}
    state["deployment"]["resources"] = [_rewired(resource, renamed) for resource in resources]
    return state


def added(
    exported: Mapping[str, Any], found: Iterable[tuple[About, str, str, Mapping[str, Any]]], place: Place
) -> dict[str, Any]:
    """The state with added resources of this package, as they are on the server.

    Args:
        exported: The state; a missing stack, store or provider resource is added.
        found: The kind of each resource, its name in the program, its id and its live values.
        place: The stack of the state.
    """
    state = _with_store(_with_provider(exported, "v4", place), place)
    resources = state["deployment"]["resources"]
    provider = _provider_of(resources, "v4")
    for word, name, own_id, values in found:
        resources.append(
            {
                "urn": place.urn(TYPES["v4"][word], name, STORE["aistor"]),
                "custom": True,
                "id": own_id,
                "type": TYPES["v4"][word],
                "parent": place.urn(STORE["aistor"], STORE_NAME),
                "provider": provider,
                **properties_of(word, "v4", own_id, values, place),
            }
        )
    return state


def properties_of(
    word: About, version: AdminApiVersion, own_id: str, values: Mapping[str, Any], place: Place
) -> dict[str, Any]:
    """Inputs, outputs and the names of the secret outputs, as the engine has them.

    Raises:
        StateError: A value is missing.
    """
    missing = [key for key in _OWN_INPUTS[word] if key not in values and key != "status"]
    if missing:
        raise StateError(f"{own_id} has no {' and no '.join(missing)} in the state; first run: pulumi up --refresh")
    outputs = {key: values[key] for key in _OUTPUTS[word] if key in values}
    wanted = {**outputs, "status": _WANTED_STATUS.get(word)}
    inputs: dict[str, Any]
    if version == "v4":
        common: dict[str, Any] = {**place.connection, PROVIDER_KEY: serialize_provider(_PROVIDERS[word]())}
        inputs = {key: wanted[key] for key in _OWN_INPUTS[word]} | common
        outputs |= common
    else:
        inputs = {key: wanted[key] for key in _PLUGIN_INPUTS[word]}
        outputs |= {"id": own_id, **_plugin_only(word, outputs)}
    properties: dict[str, Any] = {"inputs": inputs, "outputs": outputs}
    if word in _SECRET_OUTPUTS:
        properties["additionalSecretOutputs"] = _SECRET_OUTPUTS[word]
    return properties


def _plugin_only(word: About, outputs: Mapping[str, Any]) -> dict[str, Any]:
    if word not in _WANTED_STATUS:
        return {}
    off = {"disableUser": outputs.get("status") != _WANTED_STATUS[word], "updateSecret": False}
    return off if word == About.KEY else {**off, "forceDestroy": False, "tags": None}


def _rewired(resource: dict[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """The resource with every renamed URN replaced."""
    waits = resource.get("dependencies")
    if waits:
        resource["dependencies"] = [renamed.get(urn, urn) for urn in waits]
    by_property = resource.get("propertyDependencies")
    if by_property:
        resource["propertyDependencies"] = {
            key: [renamed.get(urn, urn) for urn in urns or []] for key, urns in by_property.items()
        }
    for key in ("parent", "deletedWith"):
        if resource.get(key) in renamed:
            resource[key] = renamed[resource[key]]
    return resource


def _with_provider(exported: Mapping[str, Any], version: AdminApiVersion, place: Place) -> dict[str, Any]:
    """A copy of the state with the version's provider before the first identity."""
    state: dict[str, Any] = copy.deepcopy(dict(exported))
    resources = resources_of(state)
    provider = next((one for one in resources if _is_provider(one, version)), None)
    if provider is None and version == "v3":
        raise StateError("the state does not contain the plugin's provider; first run: pulumi up")
    identities = identity_types("v3") | identity_types("v4")
    first = next((at for at, one in enumerate(resources) if one["type"] in identities), len(resources))
    if provider is None:
        resources.insert(first, _dynamic_provider(place))
    elif resources.index(provider) > first:
        resources.remove(provider)
        resources.insert(first, provider)
    state["deployment"] = {**(state.get("deployment") or {}), "resources": resources}
    return state


def _with_store(state: dict[str, Any], place: Place) -> dict[str, Any]:
    resources = state["deployment"]["resources"]
    root = place.urn(STACK, f"{place.project}-{place.stack}")
    if not any(one["type"] == STACK for one in resources):
        resources.insert(0, {"urn": root, "custom": False, "type": STACK})
    if not any(one["type"] == STORE["aistor"] for one in resources):
        resources.append(
            {"urn": place.urn(STORE["aistor"], STORE_NAME), "custom": False, "type": STORE["aistor"], "parent": root}
        )
    return state


def _dynamic_provider(place: Place) -> dict[str, Any]:
    return {
        "urn": place.urn(DYNAMIC_PROVIDER, "default"),
        "custom": True,
        "id": str(uuid.uuid4()),
        "type": DYNAMIC_PROVIDER,
        "inputs": dict(place.config),
        "outputs": dict(place.config),
    }


def _is_provider(resource: Mapping[str, Any], version: AdminApiVersion) -> bool:
    if version == "v4":
        return bool(resource["type"] == DYNAMIC_PROVIDER)
    return is_plugin_provider(resource)


def _provider_of(resources: Iterable[Mapping[str, Any]], version: AdminApiVersion) -> str:
    provider = next(one for one in resources if _is_provider(one, version))
    return f"{provider['urn']}::{provider['id']}"


def engine_config(values: Mapping[str, tuple[str, bool]]) -> dict[str, Any]:
    """A stack's config as a provider's inputs, by full key, secret values in the engine's own form.

    Args:
        values: The value of each full key and whether it is secret.
    """
    return {key: secret(value) if is_secret else value for key, (value, is_secret) in values.items()}
