"""Who may assume a role, in words that can be compared: of the document that a resource has, whoever wrote it.

The rule: what is not understood counts as everybody, so that rather too much is said than too little.
"""

from collections.abc import Mapping
from typing import Any

EVERYBODY = "anybody (its trust policy is not one of ours)"
_ACTION = "sts:AssumeRoleWithWebIdentity"


def trusted(document: Mapping[str, Any] | None) -> frozenset[str]:
    """Each subject that is let in, with its issuer and the audience; `EVERYBODY` for what is not understood."""
    statements = (document or {}).get("Statement")
    found: set[str] = set()
    for statement in statements if isinstance(statements, list) else [{}]:
        if statement.get("Effect") != "Deny":
            found |= _let_in(statement)
    return frozenset(found)


def _let_in(statement: Mapping[str, Any]) -> set[str]:
    asked: dict[str, list[str]] = {}
    for operator, keys in (statement.get("Condition") or {}).items():
        if operator not in ("StringEquals", "StringLike"):
            continue
        for key, value in keys.items():
            asked[key] = [str(one) for one in (value if isinstance(value, list) else [value])]
    subjects = {key.removesuffix(":sub"): values for key, values in asked.items() if key.endswith(":sub")}
    if statement.get("Action") != _ACTION or len(subjects) != 1:
        return {EVERYBODY}
    ((issuer, values),) = subjects.items()
    audiences = asked.get(f"{issuer}:aud", ["any audience"])
    return {f"{subject} of {issuer} for {audience}" for subject in values for audience in audiences}
