"""verify.probe.reading: answers of the server as facts, including "not configured"."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from model.lifecycle import api_rule
from model.plan import StorageClassChange
from verify.facts import Answer, LiveRetention
from verify.probe import reading
from verify.probe.answers import answer
from verify.probe.reading import read_location, read_retention, read_rules, read_versioning


@pytest.fixture(name="client")
def _client() -> Any:  # noqa: ANN401 - a boto3 client
    return boto3.session.Session().client(
        "s3", region_name="us-west-2", aws_access_key_id="k", aws_secret_access_key="s"
    )


def test_values_are_read(client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Region, versioning, rules and retention are read as the server has them."""
    with Stubber(client) as stub:
        stub.add_response("get_bucket_location", {})
        stub.add_response("get_bucket_versioning", {})
        stub.add_response("get_bucket_lifecycle_configuration", {"Rules": [{"ID": "r", "Status": "Disabled"}]})
        lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 2}}}
        stub.add_response("get_object_lock_configuration", {"ObjectLockConfiguration": lock})

        assert read_location(client, "bucket") == "us-east-1"
        assert read_versioning(client, "bucket") == "Off"
        (rule,) = read_rules(client, "bucket")
        assert (rule.rule.id, rule.enabled) == ("r", False)
        assert read_retention(client, "bucket") == LiveRetention(enabled=True, mode="COMPLIANCE", days=730)


def test_policy_that_is_not_json_is_read_as_it_is(client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """A policy that cannot be parsed is a fact, which differs from the plan; the gathering goes on."""
    odd = ("{", '{"a": 1, "a": 2}', "[" * 3000)
    with Stubber(client) as stub:
        for policy in odd:
            stub.add_response("get_bucket_policy", {"Policy": policy})

        assert [reading.read_policy(client, "bucket") for _ in odd] == list(odd)


def test_none_is_a_value(client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """An S3 error that means "not configured" is a value here, not an error."""
    with Stubber(client) as stub:
        stub.add_client_error("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration")
        stub.add_client_error("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError")

        assert read_rules(client, "bucket") == ()
        assert read_retention(client, "bucket") == LiveRetention(enabled=False)


def test_access_settings_are_read(client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Encryption, public access, ownership and policy are read in the plan's terms."""
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}
    blocked = {"BlockPublicPolicy": True, "BlockPublicAcls": True, "IgnorePublicAcls": False}
    with Stubber(client) as stub:
        stub.add_response("get_bucket_encryption", {"ServerSideEncryptionConfiguration": encryption})
        stub.add_response("get_public_access_block", {"PublicAccessBlockConfiguration": blocked})
        owner = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        stub.add_response("get_bucket_ownership_controls", {"OwnershipControls": owner})
        stub.add_response("get_bucket_policy", {"Policy": '{"b": 1, "a": 2}'})

        assert reading.read_encryption(client, "bucket") == "SSE-KMS"
        assert reading.read_public_access(client, "bucket") == ("BlockPublicAcls", "BlockPublicPolicy")
        assert reading.read_ownership(client, "bucket") == "BucketOwnerEnforced"
        assert reading.read_policy(client, "bucket") == '{"a": 2, "b": 1}'


def test_absent_access_settings_are_values(client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Missing encryption, public access block, ownership controls and policy are values, not errors."""
    with Stubber(client) as stub:
        stub.add_client_error("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
        stub.add_client_error("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
        stub.add_client_error("get_bucket_ownership_controls", "OwnershipControlsNotFoundError")
        stub.add_client_error("get_bucket_policy", "NoSuchBucketPolicy")

        assert reading.read_encryption(client, "bucket") == "none"
        assert reading.read_public_access(client, "bucket") == ()
        assert reading.read_ownership(client, "bucket") == "none"
        assert reading.read_policy(client, "bucket") == ""


def test_other_errors_are_the_answer(client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """A refusal keeps its code."""
    with Stubber(client) as stub:
        stub.add_client_error("get_bucket_lifecycle_configuration", "AccessDenied", "no")
        stub.add_client_error("get_object_lock_configuration", "AccessDenied", "no")

        assert answer(lambda: read_rules(client, "bucket")) == Answer(code="AccessDenied", said="no")
        with pytest.raises(ClientError, match="AccessDenied"):
            read_retention(client, "bucket")


def test_no_way_to_the_server_is_an_answer() -> None:
    """A failed connection becomes a fact, not a crash."""

    def fail() -> None:
        raise EndpointConnectionError(endpoint_url="https://nowhere")

    assert answer(fail).code == "EndpointConnectionError"
    assert str(Answer(code="HTTP 403")) == "HTTP 403"


def test_rule_with_everything() -> None:
    """The fields that the plan knows are read; the rest is kept as text."""
    found = api_rule(
        {
            "ID": "r",
            "Status": "Enabled",
            "Filter": {"Prefix": "a/", "Tag": {"Key": "k", "Value": "v"}},
            "Expiration": {"Days": 3, "ExpiredObjectDeleteMarker": False},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 4, "NewerNoncurrentVersions": 2},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 5},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
            "NoncurrentVersionTransitions": [],
        }
    )

    assert (found.rule.prefix, found.rule.expire_after_days, found.rule.expire_noncurrent_after_days) == ("a/", 3, 4)
    assert found.rule.abort_multipart_after_days == 5
    assert found.rule.transition == StorageClassChange(storage_class="STANDARD_IA", after_days=30)
    assert "Filter.Tag" in found.beyond
    assert "NewerNoncurrentVersions=2" in found.beyond
    assert "NoncurrentVersionTransitions" in found.beyond
    assert "ExpiredObjectDeleteMarker" not in found.beyond


def test_storage_class_that_the_plan_has_no_words_for() -> None:
    """A rule by date is kept as text, so that facts can be read back from a file."""
    found = api_rule({"ID": "r", "Status": "Enabled", "Transitions": [{"Days": 1, "StorageClass": "NEW_CLASS"}]})

    assert found.rule.transition is None
    assert "NEW_CLASS" in found.beyond


def test_transitions_that_the_plan_has_no_words_for() -> None:
    """Several transitions, or one by date, are kept as text."""
    two = [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}]
    found = api_rule({"ID": "r", "Status": "Enabled", "Prefix": "old/", "Transitions": two})

    assert (found.rule.transition, found.rule.prefix) == (None, "old/")
    assert "Transitions=" in found.beyond
