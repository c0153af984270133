"""The policy on roles: a role names the callers that may assume it.

The rule: a role is for callers with a token, so its trust policy allows only one federated provider, for one audience
and for specific subjects (`model.shared_issuers`). It leaves out the role's permissions: the policies on policy
documents judge those.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy

from model.shared_issuers import too_wide
from policy.documents import MalformedDocumentError, statements_of
from policy.resources import AWS_ROLE, Properties, of_types

_ACTION = "sts:AssumeRoleWithWebIdentity"


def _trust(args: ResourceValidationArgs) -> Iterator[str]:
    if args.props.get("inlinePolicies"):
        yield "the role has inline policies, which no other policy of this pack checks"
    try:
        statements = statements_of(args.props.get("assumeRolePolicy"))
    except MalformedDocumentError as error:
        yield str(error)
        return
    for number, statement in enumerate(statements, start=1):
        if statement.get("Effect") == "Allow":
            name = f"statement {statement.get('Sid') or number}"
            yield from (f"{name} {problem}" for problem in _problems(statement))


def _problems(statement: Properties) -> Iterator[str]:
    principal = statement.get("Principal")
    providers = _listed(principal.get("Federated")) if isinstance(principal, Mapping) else []
    named = isinstance(principal, Mapping) and set(principal) == {"Federated"} and len(providers) == 1
    if not named or ":oidc-provider/" not in providers[0] or "*" in providers[0]:
        yield "allows principals other than a single OpenID Connect provider"
        return
    if _listed(statement.get("Action")) != [_ACTION]:
        yield f"allows actions other than {_ACTION}"
    # IAM compares the names of condition keys, and so the issuer in them, without regard to case.
    issuer = providers[0].partition(":oidc-provider/")[2].lower()
    asked = _asked(statement)
    if not asked.get(("StringEquals", f"{issuer}:aud")):
        yield "does not require an audience, so it accepts a token for another service"
    subjects = [
        *asked.get(("StringEquals", f"{issuer}:sub"), []),
        *asked.get(("StringLike", f"{issuer}:sub"), []),
    ]
    if not subjects:
        yield "does not require a subject, so it accepts every caller of the issuer"
    elif any(too_wide(f"https://{issuer}", subject) for subject in subjects):
        yield "has a subject that does not name the accepted callers"


def _asked(statement: Properties) -> dict[tuple[str, str], list[str]]:
    asked: dict[tuple[str, str], list[str]] = {}
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, value in keys.items():
            asked.setdefault((str(operator), str(key).lower()), []).extend(_listed(value))
    return asked


def _listed(value: Any) -> list[str]:  # noqa: ANN401 - one or many values, IAM accepts both
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]


POLICIES = [
    ResourceValidationPolicy(
        "role-trust",
        "Every role names who may assume it, by issuer, audience and subject: a trust without a subject accepts every "
        "account of the issuer.",
        of_types((AWS_ROLE,), _trust),
    ),
]
