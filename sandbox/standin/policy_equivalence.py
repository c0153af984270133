"""When two IAM policy documents mean the same, so that the provider sees no change between them.

The one rule: order, spacing, and one string against a list of one string make no difference, everything else does
(the providers use hashicorp's awspolicyequivalence for it; MinIO gives the members of a list back in an order of
its own at every read). Left out: what a policy allows.
"""

from __future__ import annotations

import json
from typing import Any

_LISTS = ("Action", "NotAction", "Resource", "NotResource")
_MAPS = ("Principal", "NotPrincipal", "Condition")


def equivalent(one: object, other: object) -> bool:
    """Tell whether two policy documents, as JSON text, mean the same; text that is no JSON object means nothing."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    meanings = [_meaning(text) for text in (one, other)]
    return meanings[0] is not None and meanings[0] == meanings[1]


def _meaning(text: str) -> tuple[object, ...] | None:
    try:
        document = json.loads(text.strip() or "{}")
    except ValueError:
        return None
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        return None
    statements = document.get("Statement") or []
    listed = statements if isinstance(statements, list) else [statements]
    return document.get("Version", ""), document.get("Id", ""), sorted(_statement(item) for item in listed)


def _statement(statement: Any) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(statement, dict):
        return json.dumps(statement)
    kept = {key: value for key, value in statement.items() if value not in (None, "", [], {})}
    for key in _LISTS:
        if key in kept:
            kept[key] = _strings(kept[key])
    for key in _MAPS:
        if isinstance(kept.get(key), dict):
            kept[key] = _strings_below(kept[key])
    kept["Effect"] = str(kept.get("Effect", "")).lower()
    return json.dumps(kept, sort_keys=True)


def _strings(value: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    listed = value if isinstance(value, list) else [value]
    return sorted(str(item).lower() if isinstance(item, bool) else str(item) for item in listed)


def _strings_below(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return {key: _strings_below(item) for key, item in value.items()} if isinstance(value, dict) else _strings(value)
