"""Reads a stack's state as Pulumi exports it.

The rule: an export with secrets stays in memory, and code that reads it registers each secret
(`model.secrecy.redaction`). `model.resources` and the caller interpret the resources and their types.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stack.runner import read_json, read_json_together

State = Mapping[str, Any]


def read_state(stack: str) -> dict[str, Any]:
    """A stack's state, with its secrets encrypted.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
    """
    return read_json("stack", "export", stack=stack)


def read_state_in_clear(stack: str) -> dict[str, Any]:
    """A stack's state, with its secrets in clear; it stays in memory.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
    """
    return read_json("stack", "export", "--show-secrets", stack=stack)


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
    return config, state


def resources_of(state: State) -> list[dict[str, Any]]:
    """The state's resources, including those pending deletion; a stack that was never deployed has none."""
    return list((state.get("deployment") or {}).get("resources") or [])


def under_way(state: State) -> list[dict[str, Any]]:
    """The pending operations of an interrupted update: `type` (`creating`, `deleting` …) and `resource`."""
    return list((state.get("deployment") or {}).get("pending_operations") or [])
