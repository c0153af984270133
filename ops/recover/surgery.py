"""The surgery on an exported state: takes out what is gone, and writes what is switched off as the server has it.

The rule: pure, and no reference dangles afterwards, because the engine refuses such a state. A status goes into the
outputs, which the engine compares with the program. A provider takes the old value of an input that the program leaves
to it for the program's wish, so such an input is taken out.

The form of a state: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (ResourceV3).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from model.resources import DYNAMIC, TYPES, About
from ops.recover.lost import Cause, Live
from stack.state import resources_of

# The names of the inputs that a provider filled in: pkg/tfbridge/schema.go of pulumi-terraform-bridge.
_DEFAULTS = "__defaults"
# The outputs of a user or key that is switched off, as a provider reads them.
_OFF: Mapping[str, Mapping[str, Any]] = {
    TYPES["v3"][About.USER]: {"disableUser": True, "status": "disabled"},
    TYPES["v3"][About.KEY]: {"disableUser": True, "status": "off"},
    TYPES["v4"][About.USER]: {"status": "disabled"},
    TYPES["v4"][About.KEY]: {"status": "off"},
    TYPES["aws"][About.KEY]: {"status": "Inactive"},
}


def operated(exported: Mapping[str, Any], causes: Iterable[Cause]) -> dict[str, Any]:
    """The state without what is gone, and with the live status of what is switched off.

    Args:
        exported: The state; it is not changed.
        causes: The losses that were found in this very state.
    """
    found = list(causes)
    gone = {one.place for cause in found if cause.live is Live.GONE for one in (cause.root, *cause.taken)}
    off = {cause.root.place for cause in found if cause.live is Live.OFF}
    everything = resources_of(exported)
    kept = [_switched_off(one) if place in off else one for place, one in enumerate(everything) if place not in gone]
    # A resource that waits for its deletion has the URN of its replacement, and nothing depends on the old one.
    lost = ({one["urn"] for one in everything} - {one["urn"] for one in kept}) | (_living(everything) - _living(kept))
    resources = [_without_references(one, lost) for one in kept]
    return {**exported, "deployment": {**exported["deployment"], "resources": resources}}


def _living(resources: Iterable[Mapping[str, Any]]) -> set[str]:
    return {one["urn"] for one in resources if not one.get("delete")}


def _switched_off(resource: Mapping[str, Any]) -> dict[str, Any]:
    live = _OFF[resource["type"]]
    inputs = dict(resource.get("inputs") or {})
    if not resource["type"].startswith(DYNAMIC):  # the program itself declares the status of our own resources
        inputs = {key: value for key, value in inputs.items() if key not in live}
        if _DEFAULTS in inputs:
            inputs[_DEFAULTS] = [name for name in inputs[_DEFAULTS] if name not in live]
    return {**resource, "inputs": inputs, "outputs": {**(resource.get("outputs") or {}), **live}}


def _without_references(resource: Mapping[str, Any], lost: set[str]) -> dict[str, Any]:
    left = {key: value for key, value in resource.items() if not (key == "deletedWith" and value in lost)}
    for key in ("dependencies", "replaceWith"):
        if key in left:
            left[key] = _left_of(left[key], lost)
    if "propertyDependencies" in left:
        left["propertyDependencies"] = {
            name: _left_of(urns, lost) for name, urns in (left["propertyDependencies"] or {}).items()
        }
    return left


def _left_of(urns: Iterable[str] | None, lost: set[str]) -> list[str]:
    return [urn for urn in urns or () if urn not in lost]
