"""An identity of the aws stack with a role instead of a key, on the real engine."""

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

import trials.checkout
from tests.sandbox.tokens import token_of
from trials.checkout import ONE_OF_EACH_BAND, copy_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e

ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "repo:joelhooks/joelclaw:ref:refs/heads/main"
ACCOUNT = "123456789012"
TRUST = {
    "object-store:allowedAccountIds": [ACCOUNT],
    "object-store:identities": {
        "reader": {"trust": {"oidc": {"issuer": ISSUER, "subject": SUBJECT}}},
        "auditor": {"audits": True},
    },
}


def _module(*arguments: str) -> list[str]:
    return [trials.checkout.PYTHON, "-m", *arguments]


@pytest.fixture(scope="module", name="trusting")
def _trusting(engine: None, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Checkout]":
    """A sandbox of the aws stack whose `reader` has a role."""
    del engine
    checkout = copy_checkout(tmp_path_factory.mktemp("role"), ONE_OF_EACH_BAND)
    path = checkout.path / "Pulumi.aws.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["config"] |= TRUST
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    try:
        done = checkout.python("cli", "sandbox", "up", "--stack", "aws")
        assert done.status == 0, done.output
        checkout.client("aws", "iam").create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
        done = checkout.up("aws", "--stack", "aws")
        assert done.status == 0, done.output
        yield checkout
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", "aws")


def test_role_in_place_of_a_key_from_up_to_destroy(trusting: "Checkout", tmp_path: "Path") -> None:
    """A role has no user and no key. With a token all is proven; without one checks cannot tell. Nothing is left."""
    iam = trusting.client("aws", "iam")
    assert "joelclaw-prod-usw2-reader" not in {user["UserName"] for user in iam.list_users()["Users"]}
    outputs = trusting.pulumi("aws", "stack", "output", "--json", "--show-secrets", "--stack", "aws")
    published = json.loads(outputs.output)
    arn = f"arn:aws:iam::{ACCOUNT}:role/joelclaw-prod-usw2-reader"
    assert published["deployment"]["roles"]["reader"]["arn"] == arn
    assert "reader" not in published["credentials"]
    assert set(published["credentials"]) == {"worker", "session-archiver", "otel-exporter", "verifier", "auditor"}

    for ask in (["refresh", "--yes", "--skip-preview"], ["preview", "--expect-no-changes"]):
        done = trusting.pulumi("aws", *ask, "--stack", "aws")
        assert done.status == 0, done.output

    token = token_of(iss=ISSUER, sub=SUBJECT)
    path = tmp_path / "token"
    path.write_text(token, encoding="ascii")
    proven = trusting.run(
        _module("verify", "--stack", "aws"), "aws", {"OBJECTSTORE_READER_WEB_IDENTITY_TOKEN_FILE": str(path)}
    )
    assert proven.status == 0, proven.output
    assert re.search(r"^3 buckets: \d+ proven, 0 failed, ", proven.output, re.MULTILINE), proven.output
    assert " 0 cannot tell" in proven.output, proven.output  # its trust is audited, too
    assert token not in proven.output
    assert "ASIA" not in proven.output

    without = trusting.python("verify", "--stack", "aws", "--bucket", "agent-loop-artifacts", stack="aws")
    assert without.status == 0, without.output
    assert " 0 failed" in without.output
    assert "set OBJECTSTORE_READER_WEB_IDENTITY_TOKEN_FILE" in without.output

    other = tmp_path / "other"
    other.write_text(token_of(iss=ISSUER, sub="repo:someone/else:ref:refs/heads/main"), encoding="ascii")
    refused = trusting.run(
        _module("verify", "--stack", "aws", "--only", "list_as_granted"),
        "aws",
        {"AWS_WEB_IDENTITY_TOKEN_FILE": str(other)},
    )
    assert refused.status == 0, refused.output
    assert "could not be assumed: AccessDenied" in refused.output

    done = trusting.pulumi("aws", "destroy", "--yes", "--skip-preview", "--stack", "aws")
    assert done.status == 0, done.output
    assert not iam.list_roles()["Roles"]
