"""`sts:AssumeRoleWithWebIdentity`: a caller with an issuer's token assumes a role, if the role trusts the token.

The rule: provider, audience, lifetime and the role's trust policy are checked as AWS checks them. The token's signature
is not: the sandbox must not fetch an issuer's keys, so it accepts every well-formed token. Real AWS fetches the keys.
Left out: the session's permissions (`sandbox.server.authority`).

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from sandbox.server import moto_store
from sandbox.server.answers import ApiError
from sandbox.server.policy_engine import Access, PolicyError, Verdict, evaluate, parse_text

if TYPE_CHECKING:
    from sandbox.server.web import Request

ACTION = "AssumeRoleWithWebIdentity"
_PARTS = 3  # parts of a token: header, claims, signature


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token."""

    issuer: str
    audiences: tuple[str, ...]
    subject: str
    expires: float


def is_asked(request: Request) -> bool:
    """Whether this is the one STS call without a signature."""
    return request.method == "POST" and request.path == "/" and _form(request).get("Action") == ACTION


def check(request: Request) -> None:
    """Refuse unless the role trusts the token.

    Raises:
        ApiError: The role does not trust the token; in AWS's code and words.
    """
    form = _form(request)
    claims = read_token(form.get("WebIdentityToken", ""))
    issuer = claims.issuer.removeprefix("https://")
    provider = f"arn:aws:iam::{moto_store.ACCOUNT}:oidc-provider/{issuer}"
    known = moto_store.audiences(provider)
    if known is None:
        raise _invalid(f"No OpenIDConnect provider found in your account for {claims.issuer}")
    if not set(known) & set(claims.audiences):
        raise _invalid("Incorrect token audience")
    if claims.expires <= time.time():
        raise ApiError("ExpiredTokenException", "Token expired: current date/time must be before the expiration", 400)
    role = form.get("RoleArn", "")
    if not _trusts(moto_store.trust_of(role), role, provider, issuer, claims):
        raise ApiError("AccessDenied", f"Not authorized to perform sts:{ACTION}", 403)


def read_token(token: str) -> Claims:
    """The claims of a JSON Web Token; the signature is not checked.

    Raises:
        ApiError: The text is not a JSON Web Token.
    """
    parts = token.split(".")
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        audience = claims["aud"]
        audiences = (audience,) if isinstance(audience, str) else tuple(map(str, audience))
        found = Claims(str(claims["iss"]), audiences, str(claims["sub"]), float(claims["exp"]))
    except (IndexError, KeyError, TypeError, ValueError):
        found = None
    if found is None or len(parts) != _PARTS:
        raise _invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    return found


def _trusts(document: str | None, role: str, provider: str, issuer: str, claims: Claims) -> bool:
    if document is None:
        return False
    context = {f"{issuer}:aud".lower(): claims.audiences, f"{issuer}:sub".lower(): (claims.subject,)}
    access = Access(f"sts:{ACTION}", role, context)
    try:
        return evaluate([parse_text(document)], access, frozenset({provider})) is Verdict.ALLOWED
    except PolicyError:
        return False


def _form(request: Request) -> dict[str, str]:
    if "x-www-form-urlencoded" not in request.headers.get("content-type", ""):
        return {}
    return {name: values[0] for name, values in parse_qs(request.body.decode(errors="replace")).items()}


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidIdentityToken", message, 400)
