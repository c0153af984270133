"""Evaluates the one expression of the language CEL that the owner's functions need: `+`, `?:`, texts and fields.

The rule: as in Inngest, a field that is missing, null or empty is false. Everything else in CEL is an error here.
"""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(r'\s*("[^"]*"|[A-Za-z_][A-Za-z_.]*|[?:+()])')


def evaluated(expression: str, data: dict[str, Any]) -> str:
    """The text that an expression gives for an event's data."""
    tokens = _TOKEN.findall(expression)
    assert "".join(tokens) == re.sub(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', "", expression)
    value = _choice(tokens, {"event": {"data": data}})
    assert not tokens
    assert isinstance(value, str)
    return value


def _choice(tokens: list[str], scope: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    value = _sum(tokens, scope)
    if tokens[:1] != ["?"]:
        return value
    tokens.pop(0)
    first = _choice(tokens, scope)
    assert tokens.pop(0) == ":"
    second = _choice(tokens, scope)
    return first if value else second


def _sum(tokens: list[str], scope: dict[str, Any]) -> Any:  # noqa: ANN401 - likewise
    value = _one(tokens, scope)
    while tokens[:1] == ["+"]:
        tokens.pop(0)
        more = _one(tokens, scope)
        value = value + more if isinstance(value, str) and isinstance(more, str) else None
    return value


def _one(tokens: list[str], scope: dict[str, Any]) -> Any:  # noqa: ANN401 - likewise
    first = tokens.pop(0)
    if first == "(":
        value = _choice(tokens, scope)
        assert tokens.pop(0) == ")"
        return value
    if first.startswith('"'):
        return first[1:-1]
    value = scope
    for name in first.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
