"""Reads a stack's state as Pulumi exports it, and replaces it.

The rule: an export with secrets stays in memory, and code that reads it registers each secret
(`model.secrecy.redaction`). `model.resources` and the caller interpret the resources and their types.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stack.runner import EngineError, read_json, read_json_together, run_pulumi

State = Mapping[str, Any]


class StateChangedError(EngineError):
    """Somebody else wrote the state since it was read; nothing was written."""


def read_state(stack: str) -> dict[str, Any]:
    """A stack's state, with its secrets encrypted.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
    """
    return _well_formed(stack, read_json("stack", "export", stack=stack))


def read_state_in_clear(stack: str) -> dict[str, Any]:
    """A stack's state, with its secrets in clear; it stays in memory.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
    """
    return _well_formed(stack, read_json("stack", "export", "--show-secrets", stack=stack))


def check_unchanged(before: State, now: State) -> None:
    """Compare the state that a command has decided by with the one of this moment.

    Raises:
        StateChangedError: They differ.
    """
    if before != now:
        raise StateChangedError("the state changed meanwhile; run it again")


def replace_state(stack: str, before: State, after: State) -> None:
    """Import a state in place of the one that was read before.

    Raises:
        EngineError: The engine failed, or the stack is locked.
        StateChangedError: The stack has another state by now.
    """
    check_unchanged(before, read_state(stack))
    run_pulumi("stack", "import", "--stack", stack, text=json.dumps(after))


def config_and_state(stack: str, folder: Path | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A stack's config and its exported state, both with their secrets, read at the same time.

    Args:
        stack: The stack's name.
        folder: The project's folder, if pulumi would not find it itself.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
    """
    commands = (("config", "--json", "--show-secrets"), ("stack", "export", "--show-secrets"))
    config, state = read_json_together(*commands, stack=stack, folder=folder)
    return config, _well_formed(stack, state)


def _well_formed(stack: str, state: dict[str, Any]) -> dict[str, Any]:
    """The state, which a hand may have edited, if its parts have the engine's own types.

    Raises:
        EngineError: A part has another type; the message names it, and holds no value.
    """
    if (fault := next(_faults(state), None)) is None:
        return state
    raise EngineError(
        f"the state of {stack} is malformed: {fault}. Put a copy back (docs/operations.md, The state is lost), or "
        f"correct it: pulumi stack export --file state.json --stack {stack}, then "
        f"pulumi stack import --file state.json --stack {stack}"
    )


def _faults(state: State) -> Iterator[str]:
    deployment = state.get("deployment")
    if not isinstance(deployment, dict | None):
        yield "deployment is not an object"
        return
    parts = deployment or {}
    if not isinstance(parts.get("manifest"), dict | None):
        yield "deployment.manifest is not an object"
    for name in ("resources", "pending_operations"):
        if not isinstance(parts.get(name), list | None):
            yield f"deployment.{name} is not a list"
            return
    for number, one in enumerate(resources_of(state)):
        yield from _faults_of_resource(f"deployment.resources[{number}]", one)
    for number, one in enumerate(under_way(state)):
        where = f"deployment.pending_operations[{number}]"
        if not isinstance(one, dict) or not isinstance(one.get("type"), str):
            yield f"{where} has no type"
            return
        yield from _faults_of_resource(f"{where}.resource", one.get("resource"))


def _faults_of_resource(where: str, one: object) -> Iterator[str]:
    """What differs from ResourceV3: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go."""
    if not isinstance(one, dict):
        yield f"{where} is not an object"
        return
    for name in ("urn", "type"):
        if not isinstance(one.get(name), str) or not one[name]:
            yield f"{where} has no {name}"
    for name in ("id", "parent", "provider", "deletedWith", "created"):
        if not isinstance(one.get(name), str | None):
            yield f"{where}.{name} is not a text"
    for name in ("inputs", "outputs", "propertyDependencies"):
        if not isinstance(one.get(name), dict | None):
            yield f"{where}.{name} is not an object"
            return
    lists = {"dependencies": one.get("dependencies"), "replaceWith": one.get("replaceWith")}
    lists |= {f"propertyDependencies.{name}": urns for name, urns in (one.get("propertyDependencies") or {}).items()}
    for name, urns in lists.items():
        if not isinstance(urns, list | None) or not all(isinstance(urn, str) for urn in urns or ()):
            yield f"{where}.{name} is not a list of texts"


def resources_of(state: State) -> list[dict[str, Any]]:
    """The state's resources, including those pending deletion; a stack that was never deployed has none."""
    return list((state.get("deployment") or {}).get("resources") or [])


def under_way(state: State) -> list[dict[str, Any]]:
    """The pending operations of an interrupted update: `type` (`creating`, `deleting` …) and `resource`."""
    return list((state.get("deployment") or {}).get("pending_operations") or [])
