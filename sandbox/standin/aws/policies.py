"""Policy documents: how the AWS provider stores, keeps and refuses them.

The one rule: if a document means the same as the one in the state (`policy_equivalence`), the state's document stays,
because AWS returns documents in its own order. Left out: documents that only AWS rejects (unknown actions, missing
principals).
"""

from __future__ import annotations

import json

from sandbox.standin.policy_equivalence import equivalent

__all__ = ["equivalent", "kept_or_read", "normalised", "why_invalid"]


def normalised(text: str) -> str:
    """Return the document with sorted keys and without spaces, as the provider stores it in the state."""
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        return text


def kept_or_read(kept: object, read: str) -> str:
    """Return the state's document if it means the same as the read one, else the read one."""
    return normalised(kept if isinstance(kept, str) and equivalent(kept, read) else read)


def why_invalid(value: object, path: str) -> str | None:
    """Return the provider's own complaint about a policy that is not a JSON object, or None."""
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        return f'"{path}" is an empty string, which is not a valid JSON value'
    complaints = {
        '"': "contains a JSON-encoded string, not a JSON-encoded object",
        "[": "contains a JSON array, not a JSON object",
    }
    if not text.startswith("{"):
        return f'"{path}" contains an invalid JSON policy: {complaints.get(text[0], "not a JSON object")}'
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f'"{path}" contains an invalid JSON policy: {error.msg}, at byte offset {error.pos + 1}'
    return None
