"""Trust: whose tokens let a caller in as an identity's role on AWS, in place of a key that lives for ever.

The rule: a trust names its callers. A subject may hold wildcards, but never where they would let in whoever the issuer
vouches for: of GitHub the owner stands there letter by letter, of a cluster the namespace. Pure: no cloud is asked.
It leaves out the document that says it to IAM (`model.policies`) and the role itself (`infra.aws_role`).
"""

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from model.problems import InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
DEFAULT_AUDIENCE = "sts.amazonaws.com"
EXAMPLE = f'trust: {{oidc: {{issuer: "{GITHUB_ISSUER}", subject: "repo:joelhooks/joelclaw:ref:refs/heads/main"}}}}'
# No port, no query: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
_ISSUER = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._~-]+)*/?")
# Neither white space, which no claim has, nor `$`, which begins a variable of IAM's.
_CLAIM = re.compile(r"[!#%-~]+")
_NAMED_BY_GITHUB = re.compile(r"repo:[^*?/:]+/.+")
_NAMED_BY_A_CLUSTER = re.compile(r"system:serviceaccount:[^*?:]+:.+")


def one_or_more(value: object) -> object:
    """A single text stands for a list of one."""
    return (value,) if isinstance(value, str) else value


class OidcTrust(BaseModel):
    """Who may assume an identity's role: callers with a token of this issuer, for this audience, about these subjects.

    Attributes:
        issuer: The `iss` of the tokens, an https URL without port or query.
        audience: The `aud` of the tokens.
        subject: The `sub` of the tokens, one or more; `*` and `?` are wildcards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    audience: str = DEFAULT_AUDIENCE
    subject: Annotated[tuple[str, ...], BeforeValidator(one_or_more), Field(min_length=1)]

    @field_validator("issuer")
    @classmethod
    def _an_issuer(cls, value: str) -> str:
        if not _ISSUER.fullmatch(value):
            raise ValueError(f"an https URL in lower case without port or query, such as {GITHUB_ISSUER}")
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
                raise ValueError(f"the subject {subject!r} is none: it holds neither white space nor quotes nor `$`")
            if why := too_wide(self.issuer, subject):
                raise ValueError(f"the subject {subject!r} {why}")
        return self

    @property
    def provider(self) -> str:
        """The issuer as IAM names it: without its scheme."""
        return self.issuer.removeprefix("https://")


class Trust(BaseModel):
    """How an identity is let in without a key of its own.

    Attributes:
        oidc: By tokens of an OpenID Connect issuer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    oidc: OidcTrust


def wild(text: str) -> bool:
    """Whether a text holds one of IAM's wildcards."""
    return "*" in text or "?" in text


def too_wide(issuer: str, subject: str) -> str:
    """Why a subject lets in more than its author can mean; empty where it does not."""
    if not wild(subject):
        return ""
    if issuer == GITHUB_ISSUER and not _NAMED_BY_GITHUB.fullmatch(subject):
        return "lets in repositories of any owner: name the owner, such as repo:joelhooks/joelclaw:*"
    if re.match("system:serviceaccount:|[*?]", subject) and not _NAMED_BY_A_CLUSTER.fullmatch(subject):
        return "lets in whoever the issuer vouches for: say who, such as system:serviceaccount:joelclaw:*"
    return ""


def provider_arn(trust: OidcTrust, account: str) -> str:
    """The ARN of the issuer's provider in an account, which is there once for all stacks."""
    return f"arn:aws:iam::{account}:oidc-provider/{trust.provider}"


def role_arn(name: str, account: str) -> str:
    """The ARN of an identity's role; its name is the one that the identity's user would have."""
    return f"arn:aws:iam::{account}:role/{name}"


def the_account(accounts: "Iterable[str]") -> str | None:
    """The one account that a stack may change; None where it may be several or any."""
    allowed = tuple(accounts)
    return allowed[0] if len(allowed) == 1 else None


def check_trusts(names: "Iterable[str]", cloud: str, accounts: "Iterable[str]", where: str) -> None:
    """See whether a stack can have roles for these identities.

    Args:
        names: The identities with a trust.
        cloud: The stack's.
        accounts: Its `allowedAccountIds`.
        where: How a problem names the config.

    Raises:
        InvalidInputError: The cloud has no roles, or the account is not named.
    """
    trusting = tuple(names)
    if not trusting:
        return
    if cloud != "aws":
        raise InvalidInputError(
            [
                Problem(
                    f"{where}identities.{name}.trust",
                    "AIStor has no roles: it lets its identities in by key",
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
                    f"a trust ({', '.join(trusting)}) refers to its issuer's provider by account, and "
                    f"{len(tuple(accounts))} are named",
                    "exactly one account",
                    "object-store:allowedAccountIds: [123456789012]",
                )
            ]
        )
