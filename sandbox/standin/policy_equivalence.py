"""Whether a provider sees no change between two policy documents.

The one rule: two documents are equivalent if they mean the same (`model.policy_meaning`) and have the same number of
statements, because the providers use hashicorp's awspolicyequivalence, which counts them. Left out: what a policy
allows.
"""

from __future__ import annotations

import json

from model.policy_meaning import same_meaning


def equivalent(one: object, other: object) -> bool:
    """Return whether a provider treats two policy documents, as JSON text, as the same."""
    if not isinstance(one, str) or not isinstance(other, str) or not same_meaning(one, other):
        return False
    return one == other or _statements(one) == _statements(other)


def _statements(text: str) -> int:
    statements = json.loads(text).get("Statement") or []
    return len(statements) if isinstance(statements, list) else 1
