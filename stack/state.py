"""A stack's state as Pulumi exports it, and what is read from it.

The rule: an export with secrets stays in memory, and whoever reads it keeps each secret (`model.secrecy.redaction`).
What is told of resources and of their types is `model.resources`'s and the reader's own.
"""

from collections.abc import Mapping
from typing import Any

from stack.runner import read_json, read_json_together

State = Mapping[str, Any]


def read_state(stack: str) -> dict[str, Any]:
    """A stack's state, its secrets encrypted.

    Raises:
        EngineError: There is no pulumi, or no such stack.
    """
    return read_json("stack", "export", stack=stack)


def config_and_state(stack: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stack's config and its exported state, both with their secrets, asked at the same time.

    Raises:
        EngineError: There is no pulumi, or no such stack.
    """
    commands = (("config", "--json", "--show-secrets"), ("stack", "export", "--show-secrets"))
    config, state = read_json_together(*commands, stack=stack)
    return config, state


def resources_of(state: State) -> list[dict[str, Any]]:
    """Its resources, what is to be deleted included; a stack that was never deployed has none."""
    return list((state.get("deployment") or {}).get("resources") or [])


def under_way(state: State) -> list[dict[str, Any]]:
    """The operations that an interrupted update was at: `type` (`creating`, `deleting` …) and `resource`."""
    return list((state.get("deployment") or {}).get("pending_operations") or [])
