"""Who may assume a role, in words that can be compared, read from the trust policy of a resource.

The rule: a statement that this module does not understand counts as "everyone". It reports too much rather than too
little.
"""

from collections.abc import Mapping
from typing import Any

EVERYBODY = "everyone (its trust policy has an unknown form)"
_ACTION = "sts:AssumeRoleWithWebIdentity"


def trusted(document: Mapping[str, Any] | None) -> frozenset[str]:
    """Each trusted subject with its issuer and audience; `EVERYBODY` for a statement of unknown form."""
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
