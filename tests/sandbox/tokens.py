"""JSON Web Tokens for the sandbox, which checks their claims but not their signature."""

from __future__ import annotations

import base64
import json
import time

LIFE = 600.0


def token_of(*, iss: str, sub: str, aud: str = "sts.amazonaws.com", exp: float | None = None) -> str:
    """A token with these claims and a meaningless signature."""
    claims = {"iss": iss, "sub": sub, "aud": aud, "exp": int(time.time() + LIFE if exp is None else exp)}
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps(claims), "planted"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
