"""ops.recover.buckets: what S3 says of buckets and of each of their settings."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from model.resources import About, By
from ops.recover.buckets import live_buckets
from ops.recover.lost import CannotTellError, Held, causes, held_in
from tests.ops.recover.states import BUCKETS, exported, one_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION: Final = "us-west-2"
RULE = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
RETENTION = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 9}}}
ENCRYPTED = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
POLICY = '{"Version": "2012-10-17", "Statement": []}'


@pytest.fixture(name="client")
def _client(monkeypatch: pytest.MonkeyPatch) -> Iterator["S3Client"]:
    """A server with everything that the tests' states have."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client: Any = boto3.client("s3", region_name=REGION)  # any form of a request
        for name in BUCKETS.values():
            client.create_bucket(
                Bucket=name,
                CreateBucketConfiguration={"LocationConstraint": REGION},
                ObjectLockEnabledForBucket=name == "b-cold",
            )
            client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [RULE]})
            client.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=BLOCK)
            client.put_bucket_ownership_controls(
                Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
            )
            client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [ENCRYPTED]})
            client.put_bucket_policy(Bucket=name, Policy=POLICY)
        client.put_bucket_versioning(Bucket="b-warm", VersioningConfiguration={"Status": "Enabled"})
        client.put_object_lock_configuration(Bucket="b-cold", ObjectLockConfiguration=RETENTION)
        yield client


def gone(client: "S3Client", by: By) -> list[Held]:
    """What S3 says is gone, without what goes with a bucket."""
    held = held_in(exported(by))
    found = live_buckets(client, held, there(client))
    return [cause.root for cause in causes(held, found)]


def there(client: "S3Client") -> set[str]:
    """The buckets that exist."""
    return {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}


@pytest.mark.parametrize("by", ["v3", "aws"])
def test_what_is_there_is_there(client: "S3Client", by: By) -> None:
    """Nothing of a whole store is gone."""
    assert gone(client, by) == []


@pytest.mark.parametrize("by", ["v3", "aws"])
def test_missing_bucket_is_gone_with_its_settings(client: "S3Client", by: By) -> None:
    """A missing bucket is the one loss, and its settings need no question."""
    client.delete_bucket(Bucket="b-warm")

    assert gone(client, by) == [one_of(exported(by), About.BUCKET, "warm-one")]


@pytest.mark.parametrize(
    ("by", "what", "subject", "operation"),
    [
        ("v3", About.LIFECYCLE, "hot-one", "delete_bucket_lifecycle"),
        ("aws", About.LIFECYCLE, "hot-one", "delete_bucket_lifecycle"),
        ("aws", About.PUBLIC_ACCESS, "hot-one", "delete_public_access_block"),
        ("aws", About.OWNERSHIP, "hot-one", "delete_bucket_ownership_controls"),
        ("aws", About.ENCRYPTION, "hot-one", "delete_bucket_encryption"),
        ("aws", About.BUCKET_POLICY, "hot-one", "delete_bucket_policy"),
    ],
)
def test_missing_setting_is_gone(client: "S3Client", by: By, what: About, subject: str, operation: str) -> None:
    """A setting without a configuration is gone, and no other one."""
    getattr(client, operation)(Bucket=BUCKETS[subject])

    assert gone(client, by) == [one_of(exported(by), what, subject)]


@pytest.mark.parametrize("by", ["v3", "v4", "aws"])
def test_versioning_and_retention_that_are_off_are_gone(client: "S3Client", by: By) -> None:
    """Suspended versioning and a cleared default retention are gone, because `up` puts them again."""
    client.put_bucket_versioning(Bucket="b-warm", VersioningConfiguration={"Status": "Suspended"})
    client.put_object_lock_configuration(Bucket="b-cold", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})

    state = exported(by)
    assert set(gone(client, by)) == {
        one_of(state, About.VERSIONING, "warm-one"),
        one_of(state, About.RETENTION, "cold-one"),
    }


def test_bucket_without_its_lock_differs(client: "S3Client") -> None:
    """A bucket that was made again without object lock cannot get a retention: that is left to a refresh."""
    client.delete_bucket(Bucket="b-cold")
    client.create_bucket(Bucket="b-cold", CreateBucketConfiguration={"LocationConstraint": REGION})

    assert gone(client, "v3") == [one_of(exported("v3"), About.LIFECYCLE, "cold-one")]


def test_refused_setting_is_never_gone() -> None:
    """Who may not read a setting does not know whether it exists."""
    client = boto3.client("s3", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    lifecycle = one_of(exported("aws"), About.LIFECYCLE, "hot-one")
    with Stubber(client) as stub:
        stub.add_client_error("get_bucket_lifecycle_configuration", "AccessDenied", http_status_code=403)
        with pytest.raises(CannotTellError, match="the lifecycle of b-hot is there: S3 answered AccessDenied"):
            live_buckets(client, [lifecycle], {"b-hot"})


def test_silence_is_never_gone() -> None:
    """A server that does not answer has not said that anything is gone."""
    client = boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    with pytest.raises(CannotTellError, match=r"127\.0\.0\.1:1"):
        live_buckets(client, [one_of(exported("v3"), About.LIFECYCLE, "hot-one")], {"b-hot"})
