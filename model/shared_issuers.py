"""Issuers of tokens that many organizations share, and how a subject of theirs names the organization.

The rule: with a shared issuer the `iss` of a token says nothing about the organization, so the subject must, before its
first wildcard; a subject without wildcards must, too, because a customer of GitHub may shorten the subject to a claim
that is not unique (`environment:production`). An issuer whose URL names the organization is not in these tables.

Sources: AWS's list of shared issuers
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html and the form of the
subjects: https://docs.github.com/en/actions/reference/security/oidc (also its immutable form, with ids after `@`),
https://docs.gitlab.com/ci/secrets/id_token_authentication/,
https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens,
https://buildkite.com/docs/agent/cli/reference/oidc, https://vercel.com/docs/oidc/reference,
https://www.pulumi.com/docs/esc/guides/configuring-oidc/aws/,
https://docs.upbound.io/manuals/packages/providers/authentication/.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class SharedIssuer:
    """How the subjects of a shared issuer name an organization.

    Attributes:
        callers: What gets tokens, in the plural.
        organization: What the issuer calls an organization.
        named: What the beginning of a subject must match; it names the organization in full.
        example: A subject with a wildcard that is narrow enough.
    """

    callers: str
    organization: str
    named: re.Pattern[str]
    example: str


def _named(pattern: str) -> re.Pattern[str]:
    """NAME stands for a name without wildcards."""
    return re.compile(pattern.replace("NAME", "[^*?:/]+"))


_GITHUB = SharedIssuer(
    "repositories",
    "owner",
    _named(r"(repo|repository):NAME/.|(repository_owner|repository_owner_id|repository_id):NAME(:|$)"),
    "repo:joelhooks/joelclaw:*",
)
_TERRAFORM = SharedIssuer(
    "workspaces",
    "organization",
    _named("organization:NAME:."),
    "organization:joelhooks:project:joelclaw:workspace:prod:run_phase:*",
)
_BY_HOST: dict[str, SharedIssuer] = {
    "token.actions.githubusercontent.com": _GITHUB,
    "vstoken.actions.githubusercontent.com": _GITHUB,
    "gitlab.com": SharedIssuer(
        "projects", "group", _named("project_path:NAME/."), "project_path:joelhooks/joelclaw:ref_type:branch:ref:*"
    ),
    "app.terraform.io": _TERRAFORM,
    "app.eu.terraform.io": _TERRAFORM,
    "agent.buildkite.com": SharedIssuer(
        "pipelines",
        "organization",
        # A single claim in place of the subject: https://github.com/buildkite/agent/pull/3784
        _named("organization:NAME:.|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
        "organization:joelhooks:pipeline:joelclaw:ref:refs/heads/main:*",
    ),
    "oidc.codefresh.io": SharedIssuer("pipelines", "account", _named("account:NAME:."), "account:ID:pipeline:ID:*"),
    "scalr.io": SharedIssuer("workspaces", "account", _named("account:NAME:."), "account:joelhooks:environment:prod:*"),
    "oidc.vercel.com": SharedIssuer(
        "projects", "team", _named("owner:NAME:."), "owner:joelhooks:project:joelclaw:environment:*"
    ),
    "api.pulumi.com": SharedIssuer(
        "stacks",
        "organization",
        _named(r"pulumi:[a-z]+:(org|pulumi\.organization\.login):NAME(:|$)"),
        "pulumi:deploy:org:joelhooks:project:joelclaw:*",
    ),
    "proidc.upbound.io": SharedIssuer(
        "control planes", "organization", _named("mcp:NAME/."), "mcp:joelhooks/prod:provider:*"
    ),
}
# Shared, too, but no public page says how their subjects name an organization.
_OF_UNKNOWN_FORM = frozenset(
    {
        "cognito-identity.amazonaws.com",
        "oidc-configuration.audit-log.githubusercontent.com",
        "rh-oidc.s3.us-east-1.amazonaws.com",
        "sandboxes.cloud",
        "sts.windows.net",
        "studio.datachain.ai",
        "token.sandboxes.cloud",
        "tokens.cloud.shisho.dev",
    }
)
_CLUSTER = "system:serviceaccount:"
_OF_A_CLUSTER = _named(f"{_CLUSTER}NAME:.")
# A label and the beginning of its value (`org/ID`), or one UUID (Bitbucket's `{repository}:`).
_OF_ANOTHER_ISSUER = _named(r"\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?[:/].|NAME[:/]+[^*?:/]")


def wild(text: str) -> bool:
    """Whether a text contains one of IAM's wildcards."""
    return "*" in text or "?" in text


def is_shared(issuer: str) -> bool:
    """Whether many organizations get tokens from this issuer."""
    return _host(issuer) in _BY_HOST or _host(issuer) in _OF_UNKNOWN_FORM


def too_wide(issuer: str, subject: str) -> str:
    """Why a subject accepts more callers than its author can intend; empty if it does not.

    Args:
        issuer: The issuer's URL; upper case and a slash at the end make no difference.
        subject: The `sub` that a trust accepts.
    """
    shared = _BY_HOST.get(_host(issuer))
    if shared is not None:
        if shared.named.match(subject):
            return ""
        said = f"accepts {shared.callers} of any {shared.organization}: name the {shared.organization}"
        return f"{said}, such as {shared.example}"
    if not wild(subject):
        return ""
    if is_shared(issuer):
        return "has a wildcard, but this issuer also serves strangers: write each subject in full"
    if not (_OF_A_CLUSTER if subject.startswith(_CLUSTER) else _OF_ANOTHER_ISSUER).match(subject):
        return (
            "accepts every caller of the issuer: name the callers, such as system:serviceaccount:joelclaw:*, or write "
            "the subject in full"
        )
    return ""


def _host(issuer: str) -> str:
    return urlsplit(issuer.lower()).hostname or ""
