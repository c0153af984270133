"""Trust: which tokens allow a caller to assume an identity's role on AWS, instead of a key that never expires.

The rule: a trust names its callers. A subject may hold wildcards, but not where they would accept every caller of the
issuer (`model.shared_issuers`). Pure: it does not contact a cloud. It leaves out the IAM document (`model.policies`)
and the role itself (`infra.aws_role`).
"""

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from model.problems import InvalidInputError, Problem
from model.shared_issuers import is_shared, too_wide, wild

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
DEFAULT_AUDIENCE = "sts.amazonaws.com"
# Of a provider's URL and of each of its audiences:
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
CLAIM_CHARACTERS = 255
EXAMPLE = f'trust: {{oidc: {{issuer: "{GITHUB_ISSUER}", subject: "repo:joelhooks/joelclaw:ref:refs/heads/main"}}}}'
# No port, no query: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
_ISSUER = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._~-]+)*/?")
# No white space, which claims do not contain, and no `$`, which starts an IAM variable.
_CLAIM = re.compile(r"[!#%-~]+")


def one_or_more(value: object) -> object:
    """Accept a single text as a list of one."""
    return (value,) if isinstance(value, str) else value


class OidcTrust(BaseModel):
    """Who may assume an identity's role: callers with a token from this issuer, for this audience and these subjects.

    Attributes:
        issuer: The `iss` of the tokens, an https URL without port or query.
        audience: The `aud` of the tokens.
        subject: The `sub` of the tokens, one or more; `*` and `?` are wildcards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, Field(max_length=CLAIM_CHARACTERS)]
    audience: Annotated[str, Field(max_length=CLAIM_CHARACTERS)] = DEFAULT_AUDIENCE
    subject: Annotated[tuple[str, ...], BeforeValidator(one_or_more), Field(min_length=1)]

    @field_validator("issuer")
    @classmethod
    def _an_issuer(cls, value: str) -> str:
        if not _ISSUER.fullmatch(value):
            raise ValueError(f"an https URL in lower case without port or query, such as {GITHUB_ISSUER}")
        if value.endswith("/") and is_shared(value):
            raise ValueError(f"without the slash at the end, which the tokens do not have: {value.rstrip('/')}")
        return value

    @field_validator("audience")
    @classmethod
    def _one_audience(cls, value: str) -> str:
        if not _CLAIM.fullmatch(value) or wild(value):
            raise ValueError(f"one audience without wildcards, such as {DEFAULT_AUDIENCE}")
        return value

    @model_validator(mode="after")
    def _named_subjects(self) -> "Self":
        for subject in self.subject:
            if not _CLAIM.fullmatch(subject):
                raise ValueError(f"the subject {subject!r} is malformed: white space, quotes and `$` are not allowed")
            if why := too_wide(self.issuer, subject):
                raise ValueError(f"the subject {subject!r} {why}")
        return self

    @property
    def provider(self) -> str:
        """The issuer as IAM names it, without the scheme."""
        return self.issuer.removeprefix("https://")


class Trust(BaseModel):
    """How an identity authenticates without its own key.

    Attributes:
        oidc: With tokens of an OpenID Connect issuer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    oidc: OidcTrust


def provider_arn(trust: OidcTrust, account: str) -> str:
    """The ARN of the issuer's provider in an account; all stacks of the account share it."""
    return f"arn:aws:iam::{account}:oidc-provider/{trust.provider}"


def role_arn(name: str, account: str) -> str:
    """The ARN of an identity's role; the role has the name that the identity's user would have."""
    return f"arn:aws:iam::{account}:role/{name}"


def the_account(accounts: "Iterable[str]") -> str | None:
    """The one account that a stack may change; None if several or all accounts are allowed."""
    allowed = tuple(accounts)
    return allowed[0] if len(allowed) == 1 else None


def check_trusts(names: "Iterable[str]", cloud: str, accounts: "Iterable[str]", where: str) -> None:
    """Check that a stack can have roles for these identities.

    Args:
        names: The identities with a trust.
        cloud: The stack's cloud.
        accounts: The stack's `allowedAccountIds`.
        where: The name of the config in problems.

    Raises:
        InvalidInputError: The cloud has no roles, or the config does not name exactly one account.
    """
    trusting = tuple(names)
    if not trusting:
        return
    if cloud != "aws":
        raise InvalidInputError(
            [
                Problem(
                    f"{where}identities.{name}.trust",
                    "AIStor has no roles: an identity on AIStor needs a key",
                    "only with object-store:cloud: aws",
                    "(remove the trust: the identity gets a key)",
                )
                for name in trusting
            ]
        )
    if the_account(accounts) is None:
        raise InvalidInputError(
            [
                Problem(
                    f"{where}allowedAccountIds",
                    f"a trust ({', '.join(trusting)}) needs the account of its issuer's provider, and the config names "
                    f"{len(tuple(accounts))} accounts",
                    "exactly one account",
                    'object-store:allowedAccountIds: ["123456789012"]',
                )
            ]
        )
