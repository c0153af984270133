"""Resolves the pending operations of an update whose engine was killed.

The rule: pure, and it changes nothing on the server. A pending creation with a name of ours becomes a resource of the
state: whether it is there, the server says (`ops.recover.lost`). A pending creation that can safely be repeated is
forgotten. A key whose creation was interrupted may remain on the server; it is unused, because its secret was never
published.

`pulumi refresh --import-pending-creates` does not help here: the engine 3.274.1 accepts the option and imports nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from model.resources import TYPES, About, types_about
from stack.state import resources_of, under_way

# Types whose id consists of input names. Every other type of the stores can be created again by an overwriting request.
# The plugin overwrites users and policies, too, but the program stops at one that exists and is not in the state.
NAMED_BY = {
    **dict.fromkeys(types_about(About.BUCKET), ("bucket",)),
    TYPES["aws"][About.USER]: ("name",),
    TYPES["aws"][About.ROLE]: ("name",),
    TYPES["v3"][About.USER]: ("name",),
    TYPES["v3"][About.POLICY]: ("name",),
    TYPES["v4"][About.USER]: ("name",),
    TYPES["v4"][About.POLICY]: ("name",),
    TYPES["v4"][About.ATTACHMENT]: ("userName", "policyName"),
}
AWS_POLICY = TYPES["aws"][About.POLICY]
KEYS = types_about(About.KEY)
_UNSURE = frozenset({"creating", "deleting"})
#: Among the initialization errors of a resource until a refresh reads it. The engine clears them then, and an update
#: takes them for a difference: pkg/resource/deploy/step.go (RefreshStep.Apply) of pulumi/pulumi.
UNREAD = "an interrupted operation was resolved, and its result was not read yet"


@dataclass(frozen=True)
class TakenUp:
    """The resolved operations of an interrupted update.

    Attributes:
        state: The exported stack without pending operations: a pending creation with a known id is now a resource.
        under_way: URNs of the resources whose operation was pending.
        unsure: Those of them that were being created or deleted, which explains why the server may not have them.
        unread: URNs of the resources whose outputs a refresh must read, because this or an earlier run resolved them.
        replacing: URNs of new resources whose old ones now wait for their deletion.
        keys: URNs of keys that may remain on the server.
    """

    state: Mapping[str, Any]
    under_way: tuple[str, ...]
    unsure: frozenset[str]
    unread: tuple[str, ...]
    replacing: frozenset[str]
    keys: tuple[str, ...]


def taken_up(exported: Mapping[str, Any], account_id: str, unmade: Collection[str] = ()) -> TakenUp:
    """Resolve the pending operations of an exported stack.

    Args:
        exported: The output of `pulumi stack export`; it is not changed.
        account_id: The AWS account, which is part of a managed policy's id; empty on AIStor.
        unmade: URNs of replacements that the server does not have: the old ones live on.
    """
    deployment = exported.get("deployment") or {}
    operations = under_way(exported)
    resources = resources_of(exported)
    keys = []
    for operation in operations:
        resource = operation["resource"]
        if operation["type"] != "creating":
            continue
        known = None if resource["urn"] in unmade else _known_id(resource, account_id)
        if known is not None:
            resources = _with({**resource, "id": known, "outputs": resource.get("inputs", {})}, resources)
        elif resource["type"] in KEYS:
            keys.append(resource["urn"])
    urns = tuple(operation["resource"]["urn"] for operation in operations)
    unsure = frozenset(operation["resource"]["urn"] for operation in operations if operation["type"] in _UNSURE)
    resources = [_marked(one) if one["urn"] in urns and _is_read(one) else one for one in resources]
    unread = tuple(one["urn"] for one in resources if UNREAD in _errors_of(one))
    state = {**exported, "deployment": {**deployment, "resources": resources, "pending_operations": []}}
    waiting = {one["urn"] for one in resources if one.get("delete")}
    replacing = frozenset(one["urn"] for one in resources_of(exported) if not one.get("delete")) & waiting
    return TakenUp(state, urns, unsure, unread, replacing & unsure, tuple(keys))


def is_interrupted(exported: Mapping[str, Any]) -> bool:
    """Whether a state has pending operations, or resolved ones whose result no refresh has read."""
    return bool(under_way(exported)) or any(UNREAD in _errors_of(one) for one in resources_of(exported))


def _with(new: dict[str, Any], resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources with a new one, which takes the place of the one that it replaces.

    The engine accepts one living resource of a URN, and none before the resources that it depends on. It writes what it
    has finished before the rest, so what the new one depends on is before the old one.
    """
    place = next(
        (place for place, one in enumerate(resources) if one["urn"] == new["urn"] and not one.get("delete")), None
    )
    if place is None:
        return [*resources, new]
    old = resources[place]
    if old.get("id") == new["id"] and not old.get("pendingReplacement"):
        return resources
    left = [*resources[:place], new, *resources[place + 1 :]]
    # What was deleted before its replacement is in the state as `pendingReplacement`.
    return left if old.get("pendingReplacement") else [*left, {**old, "delete": True}]


def _is_read(resource: Mapping[str, Any]) -> bool:
    """Whether a refresh reads a resource: it has an id, and does not wait for its deletion."""
    return bool(resource.get("id")) and not resource.get("delete")


def _marked(resource: Mapping[str, Any]) -> dict[str, Any]:
    errors = _errors_of(resource)
    return {**resource, "initErrors": errors if UNREAD in errors else [*errors, UNREAD]}


def _errors_of(resource: Mapping[str, Any]) -> list[str]:
    return list(resource.get("initErrors") or [])


def _known_id(resource: Mapping[str, Any], account_id: str) -> str | None:
    inputs = resource.get("inputs", {})
    if resource["type"] == AWS_POLICY and account_id:
        return f"arn:aws:iam::{account_id}:policy/{inputs['name']}"
    names = NAMED_BY.get(resource["type"])
    return "/".join(inputs[name] for name in names) if names else None
