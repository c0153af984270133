"""model.policies: documents allow exactly what a grant says."""

import json
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plan import IdentityPlan, StorePlan, build_plan
from model.policies import (
    POLICY_SIZE,
    SERVICE_ACCOUNT_POLICY_CHARACTERS,
    Cloud,
    PolicyDocument,
    as_json,
    bucket_policy,
    identity_policies,
    identity_policy,
    refuses_overwrites,
    service_account_policy,
    with_domains,
)
from model.taxonomy import Access
from model.taxonomy_file import extended, load
from sandbox.server import minio_policy

# The actions of this project that MinIO's policy parser accepts (minio/pkg policy/action.go). One unknown action makes
# it refuse the whole document with XMinioMalformedIAMPolicy.
MINIO_ACTIONS = {
    "s3:*",
    "s3:AbortMultipartUpload",
    "s3:BypassGovernanceRetention",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersion",
    "s3:DeleteObjectVersionTagging",
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
    "s3:PutObjectFanOut",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
}


def plan(
    domains: int = 0,
    *,
    tls_only: bool = True,
    more: Mapping[str, object] | None = None,
    identities: Mapping[str, object] | None = None,
    cloud: Cloud = "aistor",
) -> StorePlan:
    """The shipped plan with additional domains and identities."""
    domains_of_it = {f"domain-{number}": {"band": "hot"} for number in range(domains)}
    taxonomy = extended(load(), domains={**domains_of_it, **(more or {})}, identities=identities or {}, where="x:")
    return build_plan(
        taxonomy,
        env="local",
        region_code="usw2",
        tls_only=tls_only,
        where="x:",
        refuses_overwrites=refuses_overwrites(cloud),
    )


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


def effects(documents: list[PolicyDocument], effect: str) -> set[tuple[str, str, str]]:
    """Each action on each resource with its condition, of all statements with this effect."""
    return {
        (action, resource, json.dumps(statement.get("Condition")))
        for document in documents
        for statement in document["Statement"]
        if statement["Effect"] == effect
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def resources_of(documents: list[PolicyDocument]) -> list[str]:
    """The resources of all statements."""
    return [resource for one in documents for statement in one["Statement"] for resource in statement["Resource"]]


def any_plan(data: st.DataObject, cloud: Cloud) -> tuple[StorePlan, str]:
    """A plan with any grants on many domains with names of any legal length, and one of its identities."""
    lengths = data.draw(st.lists(st.integers(1, 35), min_size=20, max_size=300))
    names = [f"d{number:03}{'x' * length}" for number, length in enumerate(lengths)]
    accesses = data.draw(st.lists(st.sampled_from([*Access, None]), min_size=len(names), max_size=len(names)))
    grants = {name: access.value for name, access in zip(names, accesses, strict=True) if access}
    identities = {"holder": {"grants": grants or {names[0]: "read"}}}
    name = data.draw(st.sampled_from(["holder", "reader", "verifier"]))
    return plan(more={one: {"band": "hot"} for one in names}, identities=identities, cloud=cloud), name


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
        denied = {a for s in document["Statement"] if s["Sid"] == "KeepVersions" for a in s["Action"]}
        assert {"s3:BypassGovernanceRetention", "s3:DeleteObjectVersion", "s3:PutObjectRetention"} <= denied

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


class TestRefusals:
    """The kinds of put that no workload may make."""

    def test_every_condition_key_is_known_to_minio(self) -> None:
        """A MinIO server refuses a whole policy for one condition key that it does not know."""
        found = plan()
        for each in found.identities:
            minio_policy.canned(as_json(identity_policy(found, each, "aistor")))

    def test_append_on_aws_is_denied_without_a_condition(self) -> None:
        """The Deny names the buckets of the append grants and leaves out the parts of an upload."""
        found = plan(cloud="aws")
        (statement,) = [
            one
            for one in identity_policy(found, identity(found, "worker"), "aws")["Statement"]
            if one["Sid"] == "NoOverwrite"
        ]

        assert statement["Effect"] == "Deny"
        assert statement["Resource"] == [
            f"arn:aws:s3:::joelclaw-local-usw2-{domain}/*" for domain in ("media-raw", "docs-raw", "discovery-raw")
        ]
        assert statement["Condition"] == {
            "Null": {"s3:if-none-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
        }

    def test_split_documents_deny_no_overwrite_elsewhere(self) -> None:
        """A Deny holds for the union of the documents, so none may name a bucket that another lets be overwritten."""
        grants = {f"domain-{number}": "write" if number % 2 else "append" for number in range(200)}
        found = plan(200, identities={"mixed": {"grants": grants}}, cloud="aws")
        documents = identity_policies(found, identity(found, "mixed"), "aws")
        denied = {
            resource
            for one in documents
            for statement in one["Statement"]
            if statement["Sid"] == "NoOverwrite"
            for resource in statement["Resource"]
        }

        assert len(documents) > 1
        assert denied == {f"arn:aws:s3:::joelclaw-local-usw2-domain-{number}/*" for number in range(0, 200, 2)}

    def test_identity_that_overwrites_needs_no_condition(self) -> None:
        """With `overwrites` the put is allowed on AWS; the other kinds stay denied."""
        found = plan(identities={"clock": {"grants": {"discovery-raw": "append"}, "overwrites": True}}, cloud="aws")
        sids = {one["Sid"] for one in identity_policy(found, identity(found, "clock"), "aws")["Statement"]}

        assert "NoOverwrite" not in sids
        assert {"NoOwnKey", "NoKmsKey", "NoClass"} <= sids

    @pytest.mark.parametrize("cloud", ["aistor", "aws"])
    def test_reader_has_no_denied_puts(self, cloud: Cloud) -> None:
        """An identity that may not put at all needs no kind of put denied."""
        found = plan(cloud=cloud)
        document = identity_policy(found, identity(found, "reader"), cloud)

        assert not [one for one in document["Statement"] if one["Action"] == ["s3:PutObject"]]


class TestSizes:
    """The servers' limits."""

    @pytest.mark.no_cover
    @pytest.mark.parametrize("cloud", ["aistor", "aws"])
    @given(data=st.data())
    def test_split_policies_fit_and_mean_the_whole(self, data: st.DataObject, cloud: Cloud) -> None:
        """Any grants on up to 300 domains: each document is within the limit, and together they allow the whole."""
        found, name = any_plan(data, cloud)
        documents = identity_policies(found, identity(found, name), cloud)
        whole = identity_policy(found, identity(found, name), cloud)

        assert all(len(as_json(one).encode()) <= POLICY_SIZE[cloud] for one in documents)
        assert effects(documents, "Allow") == effects([whole], "Allow")
        assert effects(documents, "Deny") == effects([whole], "Deny")
        everywhere = {one for one in effects([whole], "Deny") if "*/" in one[1]}
        for one in documents:
            assert everywhere <= effects([one], "Deny")

    @pytest.mark.no_cover
    @pytest.mark.parametrize("cloud", ["aistor", "aws"])
    @given(data=st.data())
    def test_domain_at_the_end_moves_no_other(self, data: st.DataObject, cloud: Cloud) -> None:
        """A workload does not lose a bucket for a moment because another domain is added."""
        found, name = any_plan(data, cloud)
        own = identity(found, name)
        before = identity_policies(*with_domains(found, own, slice(-1)), cloud)
        after = identity_policies(found, own, cloud)

        assert len(before) <= len(after) <= len(before) + 1
        for old, new in zip(before, after, strict=False):
            assert effects([old], "Allow") <= effects([new], "Allow")

    @pytest.mark.parametrize("name", ["worker", "reader", "verifier"])
    @pytest.mark.parametrize("cloud", ["aistor", "aws"])
    def test_small_document_stays_one(self, cloud: Cloud, name: str) -> None:
        """A document that fits is the only one, unchanged, so that a standing stack sees no change."""
        document = identity_policy(plan(), identity(plan(), name), cloud)

        assert identity_policies(plan(), identity(plan(), name), cloud) == [document]

    @pytest.mark.parametrize("name", ["writer", "reader"])
    def test_split_policies_name_each_bucket_twice(self, name: str) -> None:
        """A second document is needed later: the statements of a split policy are as few as their meaning allows."""
        found = plan(300, identities={"writer": {"grants": {"*": "write"}}})
        documents = identity_policies(found, identity(found, name), "aws")

        named = Counter(resource.split("/")[0] for resource in resources_of(documents) if "-*" not in resource)
        assert named == dict.fromkeys((f"arn:aws:s3:::{bucket.name}" for bucket in found.buckets), 2)

    def test_service_account_policy_is_exact_while_it_fits(self) -> None:
        """The inline policy equals the user's document."""
        found = plan()
        worker = identity(found, "worker")

        assert service_account_policy(found, worker) == identity_policy(found, worker, "aistor")

    def test_service_account_policy_is_the_environment_when_it_does_not(self) -> None:
        """Beyond MinIO's limit the policy covers all buckets of the environment; the user's policy still restricts."""
        found = plan(300)
        document = service_account_policy(found, identity(found, "reader"))

        assert len(as_json(document)) <= SERVICE_ACCOUNT_POLICY_CHARACTERS
        (statement,) = document["Statement"]
        assert statement["Resource"][0] == "arn:aws:s3:::joelclaw-local-usw2-*"

    @pytest.mark.no_cover
    @given(length=st.integers(1, 30), domains=st.integers(8, 40))
    def test_service_account_policy_is_accepted_by_the_server(self, length: int, domains: int) -> None:
        """MinIO measures the document as it writes it itself, which may be longer than what was sent."""
        names = {f"{'d' * length}-{number:02}": {"band": "hot"} for number in range(domains)}
        found = plan(more=names)

        for each in found.identities:
            kept = minio_policy.of_service_account(as_json(service_account_policy(found, each)))
            assert kept["Statement"]


def test_json_is_compact_and_stable() -> None:
    """The same document gives the same text."""
    document = bucket_policy("b")

    assert json.loads(as_json(document)) == document
    assert as_json(document) == as_json(bucket_policy("b"))
