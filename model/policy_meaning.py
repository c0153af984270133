"""Whether two policy documents mean the same, however each is written.

The rule: the order of statements, actions, resources and values means nothing, nor does a list of one against the one
itself; MinIO gives every document back in an order of its own. What documents allow together is
`ops.preview.access`'s.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import json
from collections.abc import Mapping
from typing import Any

_LISTS = ("Action", "NotAction", "Resource", "NotResource")
_PRINCIPALS = ("Principal", "NotPrincipal")


def same_meaning(one: str, other: str) -> bool:
    """Whether two documents (JSON texts) mean the same; a text that is no document equals only itself."""
    if one == other:
        return True
    try:
        return _form(json.loads(one)) == _form(json.loads(other))
    except (ValueError, AttributeError, TypeError):
        return False


def _form(document: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    statements = document.get("Statement") or []
    listed = [statements] if isinstance(statements, Mapping) else statements
    return str(document.get("Version", "")), frozenset(json.dumps(_statement(one), sort_keys=True) for one in listed)


def _statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    form = {key: value for key, value in statement.items() if value not in ("", None, {}, [])}
    for key in _LISTS:
        if key in form:
            form[key] = _values(form[key])
    for key in _PRINCIPALS:
        if isinstance(form.get(key), Mapping):
            form[key] = {kind: _values(value) for kind, value in form[key].items()}
    if "Condition" in form:
        form["Condition"] = {
            test: {key.lower(): _values(value) for key, value in keys.items()}
            for test, keys in form["Condition"].items()
        }
    return form


def _values(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return sorted({str(one).lower() if isinstance(one, bool) else str(one) for one in listed})
