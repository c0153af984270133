"""A small store on the embedded server, made by hand as its plan says, for all tests of the suite."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from pydantic import SecretStr

from infra.deployment import Deployment, KeyPair, build_deployment
from infra.plan import BucketPlan, build_plan
from infra.taxonomy import load, parse
from sandbox.server import running_server
from verify.checks import realisable
from verify.facts import Facts
from verify.gather import gather_facts
from verify.target import Target


@dataclass(frozen=True)
class Store:
    """A running store and its administrator."""

    target: Target
    client: Any

    @property
    def deployment(self) -> Deployment:
        """What it was made from."""
        return self.target.deployment

    def put_rules(self, bucket: BucketPlan, *, without: str = "") -> None:
        """Set a bucket's lifecycle rules as planned, leaving one out if it is named."""
        rules = []
        for planned in bucket.rules:
            rule = realisable(planned, self.deployment)
            if rule.id == without:
                continue
            live: dict[str, Any] = {"ID": rule.id, "Status": "Enabled", "Filter": {"Prefix": rule.prefix}}
            if rule.expire_after_days:
                live["Expiration"] = {"Days": rule.expire_after_days}
            if rule.expire_noncurrent_after_days:
                live["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule.expire_noncurrent_after_days}
            rules.append(live)
        self.client.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": rules})


@pytest.fixture(scope="session", name="store")
def _store() -> Iterator[Store]:
    content = {
        "bands": load().bands.model_dump(),
        "domains": {
            "scratch": {"band": "hot"},
            "replay": {"band": "warm"},
            "archive": {"band": "cold"},
            "ledger": {"band": "cold", "retention_mode": "COMPLIANCE"},
            "orphan": {"band": "hot"},
        },
        "identities": {
            "worker": {"grants": {"scratch": "write", "replay": "append", "archive": "append", "ledger": "append"}},
            "verifier": {"verifies": True},
        },
    }
    plan = build_plan(parse(content, "x"), env="test", region_code="usw2", tls_only=True, where="x:")
    with tempfile.TemporaryDirectory() as folder, running_server("aistor", Path(folder)) as server:
        deployment = build_deployment(
            plan,
            stack="test",
            cloud="aistor",
            region=server.region,
            endpoint=server.endpoint,
            provisioning_endpoint=server.endpoint,
            ca_pem=Path(server.ca_bundle).read_text(encoding="ascii"),
        )
        # The administrator's key stands for every identity: grants are not this suite's question yet.
        pair = KeyPair(access_key_id=server.admin.user, secret_access_key=SecretStr(server.admin.password))
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=server.region,
            aws_access_key_id=server.admin.user,
            aws_secret_access_key=server.admin.password,
            verify=server.ca_bundle,
        )
        store = Store(Target(deployment, {"worker": pair, "verifier": pair}, server.endpoint), client)
        for bucket in plan.buckets:
            _make(store, bucket)
        yield store


def _make(store: Store, bucket: BucketPlan) -> None:
    store.client.create_bucket(
        Bucket=bucket.name,
        ObjectLockEnabledForBucket=bucket.locked,
        CreateBucketConfiguration={"LocationConstraint": store.deployment.region},
    )
    if bucket.retention:
        rule = {"DefaultRetention": {"Mode": bucket.retention.mode.value, "Days": bucket.retention.days}}
        store.client.put_object_lock_configuration(
            Bucket=bucket.name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )
    elif bucket.versioned:
        store.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    store.put_rules(bucket)


@pytest.fixture(scope="session", name="facts")
def _facts(store: Store) -> Facts:
    return gather_facts(store.target)
