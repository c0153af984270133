"""The policy on roles: a role names who may assume it.

The rule: a role is for callers with a token, so its trust policy lets in a federated provider alone, for one audience
and for subjects that say who (`model.trust.too_wide`). What the role may do is the business of the policies on policy
documents.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import ResourceValidationArgs, ResourceValidationPolicy

from model.trust import too_wide
from policy.documents import MalformedDocumentError, statements_of
from policy.resources import AWS_ROLE, Properties, of_types

_ACTION = "sts:AssumeRoleWithWebIdentity"


def _trust(args: ResourceValidationArgs) -> Iterator[str]:
    if args.props.get("inlinePolicies"):
        yield "it has inline policies, which no other policy here looks at"
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
        yield "lets in others than one OpenID Connect provider"
        return
    if _listed(statement.get("Action")) != [_ACTION]:
        yield f"allows something else than {_ACTION}"
    issuer = providers[0].partition(":oidc-provider/")[2]
    asked = _asked(statement)
    if not asked.get(("StringEquals", f"{issuer}:aud")):
        yield "asks for no audience, so a token that was made for another service is let in"
    subjects = [
        *asked.get(("StringEquals", f"{issuer}:sub"), []),
        *asked.get(("StringLike", f"{issuer}:sub"), []),
    ]
    if not subjects:
        yield "asks for no subject, so whoever the issuer vouches for is let in"
    elif any(too_wide(f"https://{issuer}", subject) for subject in subjects):
        yield "has a wildcard subject that does not say who is let in"


def _asked(statement: Properties) -> dict[tuple[str, str], list[str]]:
    conditions = statement.get("Condition") or {}
    return {
        (str(operator), str(key)): _listed(value)
        for operator, keys in conditions.items()
        for key, value in keys.items()
    }


def _listed(value: Any) -> list[str]:  # noqa: ANN401 - one or many, as IAM writes them
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]


POLICIES = [
    ResourceValidationPolicy(
        "role-trust",
        "Every role names who may assume it, by issuer, audience and subject: a trust without a subject lets in "
        "everybody who has an account with the issuer.",
        of_types((AWS_ROLE,), _trust),
    ),
]
