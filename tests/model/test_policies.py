"""model.policies: documents allow exactly what a grant says."""

import json

import pytest

from model.plan import IdentityPlan, StorePlan, build_plan
from model.policies import (
    MANAGED_POLICY_CHARACTERS,
    SERVICE_ACCOUNT_POLICY_CHARACTERS,
    Cloud,
    PolicyDocument,
    as_json,
    bucket_policy,
    identity_policy,
    managed_policies,
    service_account_policy,
)
from model.taxonomy_file import extended, load

# The actions of this project that MinIO's policy parser accepts (minio/pkg policy/action.go). One unknown action makes
# it refuse the whole document with XMinioMalformedIAMPolicy.
MINIO_ACTIONS = {
    "s3:*",
    "s3:AbortMultipartUpload",
    "s3:BypassGovernanceRetention",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketPolicy",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetObject",
    "s3:GetObjectRetention",
    "s3:GetObjectVersion",
    "s3:ListAllMyBuckets",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectRetention",
}


def plan(domains: int = 0, *, tls_only: bool = True) -> StorePlan:
    """The shipped plan with additional domains."""
    more: dict[str, object] = {f"domain-{number}": {"band": "hot"} for number in range(domains)}
    taxonomy = extended(load(), domains=more, identities={}, where="x:")
    return build_plan(taxonomy, env="local", region_code="usw2", tls_only=tls_only, where="x:")


def identity(found: StorePlan, name: str) -> IdentityPlan:
    """One identity of a plan."""
    return next(candidate for candidate in found.identities if candidate.name == name)


def allowed(document: PolicyDocument, resource: str) -> set[str]:
    """The actions allowed on exactly this resource."""
    return {
        action
        for statement in document["Statement"]
        if statement["Effect"] == "Allow" and resource in statement["Resource"]
        for action in statement["Action"]
    }


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
class TestGrants:
    """The three accesses."""

    def test_append_reads_and_puts_and_never_deletes(self, cloud: Cloud) -> None:
        """An append grant contains no delete action."""
        document = identity_policy(plan(), identity(plan(), "worker"), cloud)

        actions = allowed(document, "arn:aws:s3:::joelclaw-local-usw2-media-raw/*")
        assert {"s3:GetObject", "s3:PutObject"} <= actions
        assert not {action for action in actions if "Delete" in action or "Bypass" in action}

    def test_write_deletes_objects_but_no_versions(self, cloud: Cloud) -> None:
        """A write grant deletes objects but denies deleting versions, even where DeleteObject implies it (MinIO)."""
        document = identity_policy(plan(), identity(plan(), "worker"), cloud)

        assert "s3:DeleteObject" in allowed(document, "arn:aws:s3:::joelclaw-local-usw2-media-derived/*")
        denied = {
            a for s in document["Statement"] if s["Effect"] == "Deny" and "Condition" not in s for a in s["Action"]
        }
        assert denied == {"s3:BypassGovernanceRetention", "s3:DeleteObjectVersion", "s3:PutObjectRetention"}

    def test_read_puts_nothing(self, cloud: Cloud) -> None:
        """A read grant contains only read and list actions."""
        document = identity_policy(plan(), identity(plan(), "reader"), cloud)

        assert allowed(document, "arn:aws:s3:::joelclaw-local-usw2-media-raw/*") == {
            "s3:GetObject",
            "s3:GetObjectVersion",
        }

    def test_nothing_is_allowed_outside_the_grants(self, cloud: Cloud) -> None:
        """Every allowed resource belongs to a bucket of the identity's grants."""
        document = identity_policy(plan(), identity(plan(), "otel-exporter"), cloud)

        resources = {r for s in document["Statement"] if s["Effect"] == "Allow" for r in s["Resource"]}
        assert resources == {
            "arn:aws:s3:::joelclaw-local-usw2-otel-archive",
            "arn:aws:s3:::joelclaw-local-usw2-otel-archive/*",
        }

    def test_verifier_touches_objects_only_under_its_prefix(self, cloud: Cloud) -> None:
        """Every object action of the verifier is on `.verify/*`, and it lists only that prefix."""
        document = identity_policy(plan(), identity(plan(), "verifier"), cloud)

        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                for resource in statement["Resource"]:
                    assert "/" not in resource or resource.endswith("/.verify/*")
                if "s3:ListBucket" in statement["Action"]:
                    assert statement["Condition"] == {"StringLike": {"s3:prefix": [".verify/*"]}}


def test_plain_http_is_denied_in_each_user_policy_on_aistor_only() -> None:
    """MinIO ignores bucket policies for signed requests, so each user's policy has the TLS rule there."""
    worker = identity(plan(), "worker")

    assert "TlsOnly" in {s["Sid"] for s in identity_policy(plan(), worker, "aistor")["Statement"]}
    assert "TlsOnly" not in {s["Sid"] for s in identity_policy(plan(), worker, "aws")["Statement"]}
    assert "TlsOnly" not in {s["Sid"] for s in identity_policy(plan(tls_only=False), worker, "aistor")["Statement"]}


def test_bucket_policy_denies_plain_http_to_everybody() -> None:
    """On AWS the bucket's own policy denies plain http."""
    (statement,) = bucket_policy("b")["Statement"]

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_only_actions_that_minio_knows_are_emitted() -> None:
    """No document for AIStor contains an action outside MinIO's list."""
    found = plan()
    for each in found.identities:
        for statement in identity_policy(found, each, "aistor")["Statement"]:
            assert set(statement["Action"]) <= MINIO_ACTIONS


class TestSizes:
    """The servers' limits."""

    def test_split_policies_are_within_the_limit_and_lose_nothing(self) -> None:
        """300 domains give several documents whose statements together equal the whole."""
        found = plan(300)
        document = identity_policy(found, identity(found, "reader"), "aws")
        pieces = managed_policies(document)

        assert len(pieces) > 1
        assert all(len(as_json(piece)) <= MANAGED_POLICY_CHARACTERS for piece in pieces)
        whole = {(s["Sid"], r) for s in document["Statement"] for r in s["Resource"]}
        assert {(s["Sid"], r) for piece in pieces for s in piece["Statement"] for r in s["Resource"]} == whole

    def test_small_document_stays_one(self) -> None:
        """A small document is not split."""
        document = identity_policy(plan(), identity(plan(), "worker"), "aws")

        assert managed_policies(document) == [document]

    def test_resource_over_the_limit_is_refused(self) -> None:
        """A single resource that cannot fit is an error, not an endless loop."""
        with pytest.raises(ValueError, match="a single resource"):
            managed_policies(bucket_policy("b" * 200), limit=200)

    def test_service_account_policy_is_exact_while_it_fits(self) -> None:
        """The inline policy equals the user's document."""
        found = plan()
        worker = identity(found, "worker")

        assert service_account_policy(found, worker) == identity_policy(found, worker, "aistor")

    def test_service_account_policy_is_the_environment_when_it_does_not(self) -> None:
        """Over MinIO's limit the policy covers all buckets of the environment; the user's policy still restricts."""
        found = plan(300)
        document = service_account_policy(found, identity(found, "reader"))

        assert len(as_json(document)) <= SERVICE_ACCOUNT_POLICY_CHARACTERS
        (statement,) = document["Statement"]
        assert statement["Resource"][0] == "arn:aws:s3:::joelclaw-local-usw2-*"


def test_json_is_compact_and_stable() -> None:
    """The same document gives the same text."""
    document = bucket_policy("b")

    assert json.loads(as_json(document)) == document
    assert as_json(document) == as_json(bucket_policy("b"))
