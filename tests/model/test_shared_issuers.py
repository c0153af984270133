"""model.shared_issuers: a subject names its organization where strangers get tokens from the same issuer."""

import pytest

from model.shared_issuers import _BY_HOST, is_shared, too_wide, wild

GITHUB = "https://token.actions.githubusercontent.com"
REPOSITORY = "{f5b7a6d1-0c1f-4f2e-9a55-1f2f3a4b5c6d}"
BITBUCKET = "https://api.bitbucket.org/2.0/workspaces/joelhooks/pipelines-config/identity/oidc"
CIRCLECI = "https://oidc.circleci.com/org/0a1b2c3d-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("issuer", "subject", "expected"),
    [
        ("https://gitlab.com", "project_path:*:ref_type:branch:ref:main", "projects of any group"),
        ("https://gitlab.com", "project_path:*/joelclaw:ref_type:branch:ref:main", "projects of any group"),
        ("https://app.terraform.io", "organization:*:project:p:workspace:w:run_phase:apply", "workspaces of any org"),
        ("https://app.eu.terraform.io", "organization:?oel:project:p:workspace:*", "workspaces of any organization"),
        ("https://agent.buildkite.com", "organization:*:pipeline:deploy:*", "pipelines of any organization"),
        ("https://agent.buildkite.com", "deploy", "pipelines of any organization"),
        ("https://oidc.codefresh.io", "account:*:pipeline:p:*", "pipelines of any account"),
        ("https://scalr.io", "account:*:environment:prod:*", "workspaces of any account"),
        ("https://oidc.vercel.com", "owner:*:project:site:environment:production", "projects of any team"),
        ("https://api.pulumi.com/oidc", "pulumi:deploy:*", "stacks of any organization"),
        ("https://proidc.upbound.io", "mcp:*:provider:provider-aws", "control planes of any organization"),
        ("https://tokens.cloud.shisho.dev", "job:joelhooks:*", "write each subject in full"),
        (CIRCLECI, "org/*", "every caller of the issuer"),
        (BITBUCKET, "*", "every caller of the issuer"),
        (BITBUCKET, "{*}:{*}", "every caller of the issuer"),
        ("https://issuer.example.com", "auth0|*", "every caller of the issuer"),
        ("https://issuer.example.com", "team:*", "every caller of the issuer"),
        # Forms of GitHub's issuer that IAM or a reader takes for the same.
        (f"{GITHUB}/", "repo:*/joelclaw:*", "repositories of any owner"),
        (GITHUB.upper().replace("HTTPS", "https"), "repo:*/joelclaw:*", "repositories of any owner"),
        (f"{GITHUB}/enterprise", "repo:*/joelclaw:*", "repositories of any owner"),
        # Every customer of GitHub may shorten the subject to such a claim.
        (GITHUB, "environment:production", "repositories of any owner"),
        (GITHUB, "repository_visibility:private", "repositories of any owner"),
        (GITHUB, "repo:joelhooks@*/joelclaw@*:ref:refs/heads/main", "repositories of any owner"),
    ],
)
def test_a_subject_that_strangers_can_have_is_too_wide(issuer: str, subject: str, expected: str) -> None:
    """Another organization could get a token with such a subject, so the message says what to name."""
    assert expected in too_wide(issuer, subject)


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        ("https://gitlab.example.com", "project_path:joelhooks/*"),
        ("https://agent.buildkite.com", "0a1b2c3d-0000-4000-8000-000000000000"),
        ("https://tokens.cloud.shisho.dev", "job:joelhooks:deploy"),
        ("https://issuer.example.com", "auth0|123456"),
        (CIRCLECI, "org/0a1b2c3d-0000-4000-8000-000000000000/project/*"),
        (BITBUCKET, f"{REPOSITORY}:*"),
        (GITHUB, "repo:joelhooks/joelclaw:ref:refs/heads/main"),
        # GitHub's immutable subjects, with the ids of owner and repository.
        (GITHUB, "repo:joelhooks@123456/joelclaw@456789:ref:refs/heads/main"),
        (GITHUB, "repo:joelhooks@123456/joelclaw@456789:*"),
        (GITHUB, "repository_owner:joelhooks"),
        (GITHUB, "repository_owner_id:123456:*"),
    ],
)
def test_a_subject_that_names_its_callers_is_accepted(issuer: str, subject: str) -> None:
    """A wildcard may stand after the name."""
    assert too_wide(issuer, subject) == ""


@pytest.mark.parametrize("host", _BY_HOST)
def test_the_example_of_a_message_is_accepted(host: str) -> None:
    """What a message advises has a wildcard and is narrow enough."""
    example = _BY_HOST[host].example

    assert is_shared(f"https://{host}")
    assert wild(example)
    assert too_wide(f"https://{host}", example) == ""
