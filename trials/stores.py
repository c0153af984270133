"""A small store on the embedded server of either cloud, with real identities, for all tests of the suite.

The rule: it is made as `infra.aistor` and `infra.aws` declare it, from the same plan and the same policy documents. So
each identity has its own key pair and may do exactly what its policy says. A test repairs its damage with the same
methods. It leaves out provisioning: no Pulumi, no plugin.
"""

import base64
import hashlib
import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from pydantic import SecretStr

from model.deployment import Deployment, KeyPair, build_deployment
from model.loaded_cas import load_cas_once
from model.plan import PROBE_PREFIX, BucketPlan, IdentityPlan, LifecycleRule, StorePlan, build_plan
from model.policies import (
    Cloud,
    PolicyDocument,
    as_json,
    bucket_policy,
    identity_policies,
    identity_policy,
    refuses_overwrites,
    service_account_policy,
)
from model.resources import numbered, with_numbers
from model.taxonomy_file import load, parse
from sandbox.server.minio_iam_client import MinioIamClient
from sandbox.server.temporary import RunningServer, running_server
from verify.target import Target

Statements = Sequence[Mapping[str, Any]]
DOMAINS: dict[str, dict[str, str]] = {
    "scratch": {"band": "hot"},
    "replay": {"band": "warm"},
    "archive": {"band": "cold"},
    "ledger": {"band": "cold", "retention_mode": "COMPLIANCE"},
    "orphan": {"band": "hot"},
}
IDENTITIES: dict[str, dict[str, Any]] = {
    "worker": {"grants": {"scratch": "write", "replay": "append", "archive": "append", "ledger": "append"}},
    "reader": {"grants": {"*": "read"}},
    "verifier": {"verifies": True},
}
AUDITED_IDENTITIES = {**IDENTITIES, "auditor": {"audits": True}}


class Identities(ABC):
    """The users of a running server: one for each identity, with its policies and one key."""

    cloud: ClassVar[Cloud]

    def __init__(self, plan: StorePlan) -> None:
        """Take the plan; it creates no users yet."""
        self.plan = plan

    def _planned(self, identity: IdentityPlan) -> list[tuple[str, PolicyDocument]]:
        """Name and document of each of the identity's planned policies."""
        documents = with_numbers(identity_policies(self.plan, identity, self.cloud))
        return [(numbered(identity.user_name, number), document) for number, document in documents]

    @abstractmethod
    def make(self, identity: IdentityPlan) -> KeyPair:
        """Create the user with its planned policies, and return its key pair."""

    @abstractmethod
    def set_policy(self, identity: IdentityPlan, document: PolicyDocument | None) -> None:
        """Replace the identity's policy; None restores the planned one."""


class AistorIdentities(Identities):
    """A user, its canned policies, and a service account whose key the identity gets."""

    cloud = "aistor"

    def __init__(self, plan: StorePlan, server: RunningServer) -> None:
        """Connect as the administrator."""
        super().__init__(plan)
        self.iam = MinioIamClient(server.endpoint, server.admin.user, server.admin.password, server.ca_bundle)
        self._accounts: dict[str, str] = {}

    def make(self, identity: IdentityPlan) -> KeyPair:
        """Create the user; its own secret is never published, as the plugin generates one at random."""
        name = identity.user_name
        self.iam.add_user(name, f"of-{name}")
        for policy, document in self._planned(identity):
            self.iam.add_canned_policy(policy, as_json(document))
            self.iam.attach_policy(name, [policy])
        inline = as_json(service_account_policy(self.plan, identity))
        pair = self.iam.add_service_account(name, policy=inline)["credentials"]
        self._accounts[name] = pair["accessKey"]
        return KeyPair(access_key_id=pair["accessKey"], secret_access_key=SecretStr(pair["secretKey"]))

    def set_policy(self, identity: IdentityPlan, document: PolicyDocument | None) -> None:
        """Replace the service account's inline policy too: a key may do only what both policies allow."""
        user = document or identity_policy(self.plan, identity, "aistor")
        inline = document or service_account_policy(self.plan, identity)
        self.iam.add_canned_policy(identity.user_name, as_json(user))
        self.iam.update_service_account(self._accounts[identity.user_name], new_policy=as_json(inline))


class AwsIdentities(Identities):
    """A user, its managed policies, and an access key."""

    cloud = "aws"

    def __init__(self, plan: StorePlan, server: RunningServer) -> None:
        """Connect as the administrator."""
        super().__init__(plan)
        self.iam: Any = _client(server, "iam")

    def make(self, identity: IdentityPlan) -> KeyPair:
        """Create the user; as on AWS, the key belongs to the user."""
        self.iam.create_user(UserName=identity.user_name)
        self._attach(identity, self._planned(identity))
        pair = self.iam.create_access_key(UserName=identity.user_name)["AccessKey"]
        return KeyPair(access_key_id=pair["AccessKeyId"], secret_access_key=SecretStr(pair["SecretAccessKey"]))

    def set_policy(self, identity: IdentityPlan, document: PolicyDocument | None) -> None:
        """Replace the policies; for a moment between the old and the new ones the identity may do nothing."""
        user = identity.user_name
        for attached in self.iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            self.iam.detach_user_policy(UserName=user, PolicyArn=arn)
            for version in self.iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if not version["IsDefaultVersion"]:
                    self.iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
            self.iam.delete_policy(PolicyArn=arn)
        self._attach(identity, [(user, document)] if document else self._planned(identity))

    def _attach(self, identity: IdentityPlan, policies: Iterable[tuple[str, PolicyDocument]]) -> None:
        for name, document in policies:
            made = self.iam.create_policy(PolicyName=name, PolicyDocument=as_json(document))["Policy"]
            self.iam.attach_user_policy(UserName=identity.user_name, PolicyArn=made["Arn"])


@dataclass(frozen=True)
class Store:
    """A running store.

    Attributes:
        target: Its deployment, and the key pair of each identity.
        client: The administrator's S3 client.
        server: The server's process.
        identities: Its users.
    """

    target: Target
    client: Any
    server: RunningServer
    identities: Identities

    @property
    def deployment(self) -> Deployment:
        """The deployment that it was made from."""
        return self.target.deployment

    @property
    def plan(self) -> StorePlan:
        """The plan that it was made from, without a cloud."""
        return self.deployment.plan

    @property
    def sdk_environment(self) -> dict[str, str]:
        """The variables by which an SDK without an endpoint (a deployment on AWS) finds the server."""
        return {"AWS_ENDPOINT_URL": self.server.endpoint, "AWS_CA_BUNDLE": self.server.ca_bundle}

    def planned_policy(self, identity: str) -> PolicyDocument:
        """The planned policy of an identity, for a test to widen or narrow."""
        return identity_policy(self.plan, self._identity(identity), self.deployment.cloud)

    def set_user_policy(self, identity: str, policy: Statements | PolicyDocument) -> None:
        """Allow an identity exactly what these statements, or this document, say."""
        # A TypedDict is a Mapping, never a Sequence; a test's statements need no Sid.
        document = {"Version": "2012-10-17", "Statement": list(policy)} if isinstance(policy, Sequence) else policy
        self.identities.set_policy(self._identity(identity), cast("PolicyDocument", document))

    def restore_user_policy(self, identity: str) -> None:
        """Restore an identity's planned policy."""
        self.identities.set_policy(self._identity(identity), None)

    def make_bucket(self, bucket: BucketPlan) -> None:
        """Create a bucket with all its settings."""
        self.client.create_bucket(
            Bucket=bucket.name,
            ObjectLockEnabledForBucket=bucket.locked,
            CreateBucketConfiguration={"LocationConstraint": self.deployment.region},
        )
        self.put_settings(bucket)

    def put_settings(self, bucket: BucketPlan) -> None:
        """Set everything that is planned for a bucket; a setting that is not planned stays unchanged."""
        if self.deployment.cloud == "aws":
            self._put_protection(bucket)
        if bucket.retention:
            rule = {"DefaultRetention": {"Mode": bucket.retention.mode.value, "Days": bucket.retention.days}}
            self.client.put_object_lock_configuration(
                Bucket=bucket.name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
            )
        elif bucket.versioned:
            self.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
        self.put_rules(bucket)
        if self.deployment.cloud == "aws":
            self.client.put_bucket_policy(Bucket=bucket.name, Policy=as_json(bucket_policy(bucket.name)))

    def put_rules(self, bucket: BucketPlan, *, without: str = "") -> None:
        """Set a bucket's lifecycle rules as planned, without the rule named by `without`."""
        rules = [self.live_rule(rule) for rule in bucket.rules if rule.id != without]
        self.client.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": rules})

    def put_raw(self, bucket: str, query: str, body: str) -> None:
        """Put a setting as XML that no SDK can write, as the administrator."""
        url = f"{self.server.endpoint}/{bucket}?{query}"
        digest = base64.b64encode(hashlib.md5(body.encode(), usedforsecurity=False).digest()).decode()
        request = AWSRequest("PUT", url, headers={"Content-MD5": digest}, data=body.encode())
        admin = self.server.admin
        S3SigV4Auth(Credentials(admin.user, admin.password), "s3", self.server.region).add_auth(request)
        with closing(URLLib3Session(verify=self.server.ca_bundle)) as http:  # type: ignore[arg-type]  # a path is taken too
            answer = http.send(request.prepare())
        if answer.status_code not in (200, 204):
            raise AssertionError(f"{query}: {answer.status_code} {answer.text[:200]}")

    def remove_probes(self) -> None:
        """Remove every version and upload that a run left, as the administrator: a damaged store may refuse others."""
        for bucket in self.plan.buckets:
            for upload in self.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []):
                self.client.abort_multipart_upload(Bucket=bucket.name, Key=upload["Key"], UploadId=upload["UploadId"])
            page = self.client.list_object_versions(Bucket=bucket.name, Prefix=PROBE_PREFIX)
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                self.client.delete_object(
                    Bucket=bucket.name, Key=entry["Key"], VersionId=entry["VersionId"], BypassGovernanceRetention=True
                )

    def live_rule(self, rule: LifecycleRule) -> dict[str, Any]:
        """A planned rule in S3's form, without the parts that the backend does not support."""
        live: dict[str, Any] = {"ID": rule.id, "Status": "Enabled", "Filter": {"Prefix": rule.prefix}}
        if rule.expire_after_days:
            live["Expiration"] = {"Days": rule.expire_after_days}
        if rule.expire_noncurrent_after_days:
            live["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule.expire_noncurrent_after_days}
        if rule.abort_multipart_after_days and not self.deployment.cannot("abort_multipart"):
            live["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule.abort_multipart_after_days}
        if rule.transition and not self.deployment.cannot("transition"):
            live["Transitions"] = [{"Days": rule.transition.after_days, "StorageClass": rule.transition.storage_class}]
        return live

    def _put_protection(self, bucket: BucketPlan) -> None:
        self.client.put_public_access_block(
            Bucket=bucket.name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        )
        self.client.put_bucket_ownership_controls(
            Bucket=bucket.name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        )
        by_default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        self.client.put_bucket_encryption(Bucket=bucket.name, ServerSideEncryptionConfiguration={"Rules": [by_default]})

    def _identity(self, name: str) -> IdentityPlan:
        return next(identity for identity in self.plan.identities if identity.name == name)


def small_plan(
    cloud: Cloud = "aistor",
    domains: Mapping[str, object] = DOMAINS,
    identities: Mapping[str, object] = IDENTITIES,
) -> StorePlan:
    """By default a bucket of each kind, one of them without a writer, and an identity of each kind."""
    content = {"bands": load().bands.model_dump(), "domains": domains, "identities": identities}
    return build_plan(
        parse(content, "x"),
        env="test",
        region_code="usw2",
        tls_only=True,
        where="x:",
        refuses_overwrites=refuses_overwrites(cloud),
    )


@contextmanager
def running_store(cloud: Cloud, plan: StorePlan | None = None) -> Iterator[Store]:
    """Start a server, create everything that is planned on it, and stop it at the end."""
    plan = plan or small_plan(cloud)
    with tempfile.TemporaryDirectory() as folder, running_server(cloud, Path(folder)) as server:
        client = _client(server, "s3")
        deployment = build_deployment(
            plan,
            stack="test",
            cloud=cloud,
            region=server.region,
            endpoint=server.endpoint if cloud == "aistor" else None,
            provisioning_endpoint=server.endpoint if cloud == "aistor" else None,
            # A deployment on AWS has none; here the target needs it to trust the server.
            ca_pem=Path(server.ca_bundle).read_text(encoding="ascii"),
            tags={},
        )
        identities = AistorIdentities(plan, server) if cloud == "aistor" else AwsIdentities(plan, server)
        pairs = {identity.name: identities.make(identity) for identity in plan.identities}
        store = Store(Target(deployment, pairs, server.endpoint), client, server, identities)
        for bucket in plan.buckets:
            store.make_bucket(bucket)
        try:
            yield store
        finally:
            client.close()
            if isinstance(identities, AwsIdentities):
                identities.iam.close()


def credentials_json(store: Store) -> str:
    """The key pairs as `pulumi stack output credentials --json --show-secrets` prints them."""
    return json.dumps(
        {
            name: {"access_key_id": p.access_key_id, "secret_access_key": p.secret_access_key.get_secret_value()}
            for name, p in store.target.credentials.items()
        }
    )


def _client(server: RunningServer, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return load_cas_once(boto3.session.Session()).client(
        service,  # type: ignore[call-overload]  # a name known only at run time
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.admin.user,
        aws_secret_access_key=server.admin.password,
        verify=server.ca_bundle,
    )
