"""Whether two policy documents mean the same, even if their text differs.

The rule: only this module compares documents, by the documented grammar of both servers. It ignores the order of
statements, actions, resources and values, repeated entries, and the difference between a value and a list of that one
value (MinIO returns every document in its own order). Condition keys are case-insensitive. Actions and values are
case-sensitive, because MinIO compares them exactly. `ops.preview.access` decides what documents allow together.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html (everybody; an account),
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html (case of keys)
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from model.written import WrittenError
from model.written_json import parse_json

_LISTS = ("Action", "NotAction", "Resource", "NotResource")
_PRINCIPALS = ("Principal", "NotPrincipal")
_EVERYBODY = {"AWS": ["*"]}
_ACCOUNT = re.compile(r"[0-9]{12}")


def same_meaning(one: str, other: str) -> bool:
    """Whether two documents (JSON texts) mean the same; a text that is not a document equals only itself."""
    if one == other:
        return True
    try:
        return _form(parse_json(one, "policy")) == _form(parse_json(other, "policy"))
    except (WrittenError, AttributeError, TypeError):
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
        if key in form:
            form[key] = _principals(form[key])
    if "Condition" in form:
        form["Condition"] = {
            test: sorted((key.lower(), _values(value)) for key, value in keys.items())
            for test, keys in form["Condition"].items()
        }
    return form


def _principals(principals: object) -> object:
    """Principals by kind; AWS returns everyone as given or as `{"AWS": "*"}`, and an account as its root's ARN."""
    if not isinstance(principals, Mapping):
        return _EVERYBODY if _values(principals) == ["*"] else principals
    found = {kind: _values(value) for kind, value in principals.items()}
    if "AWS" in found:
        roots = (f"arn:aws:iam::{one}:root" if _ACCOUNT.fullmatch(one) else one for one in found["AWS"])
        found["AWS"] = sorted(set(roots))
    return found


def _values(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return sorted({str(one).lower() if isinstance(one, bool) else str(one) for one in listed})
