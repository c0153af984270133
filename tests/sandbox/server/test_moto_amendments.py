"""Where moto alone would prove nothing, the amended server behaves like the vendor's."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.serving import Aistor, Aws, Stack, allow, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = timedelta(days=1)


def locked_bucket(stack: Stack, mode: str = "GOVERNANCE", days: int = 1) -> str:
    """A bucket whose objects are locked for some days."""
    bucket = stack.bucket(ObjectLockEnabledForBucket=True)
    set_default(stack, bucket, mode, days)
    return bucket


def set_default(stack: Stack, bucket: str, mode: str, days: int) -> None:
    """Give a bucket a default retention."""
    rule = {"DefaultRetention": {"Mode": mode, "Days": days}}
    stack.admin.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )


def lock_refusal(stack: Stack) -> tuple[int, str]:
    """The vendor's refusal to change a locked version."""
    return (400, "InvalidRequest") if isinstance(stack, Aistor) else (403, "AccessDenied")


def put_rules(stack: Stack, bucket: str, rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put lifecycle rules and read them back."""
    stack.admin.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    found: list[dict[str, Any]] = stack.admin.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return found


def test_default_retention_is_put_on_every_new_object(stack: Stack) -> None:
    """Plain puts, copies and multipart uploads into a locked bucket are locked until the bucket's date."""
    bucket, admin = locked_bucket(stack, days=3), stack.admin
    admin.put_object(Bucket=bucket, Key="put", Body=b"x", ChecksumAlgorithm="SHA256")
    admin.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "put"})
    admin.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), bucket, "multipart")
    for key in ("put", "copy", "multipart"):
        head = admin.head_object(Bucket=bucket, Key=key)

        assert head["ObjectLockMode"] == "GOVERNANCE"
        assert abs(head["ObjectLockRetainUntilDate"] - datetime.now(UTC) - 3 * DAY) < timedelta(minutes=2)
        assert refused(admin.delete_object, Bucket=bucket, Key=key, VersionId=head["VersionId"]) == lock_refusal(stack)


def test_default_retention_reads_back_as_written_and_can_be_changed(stack: Stack) -> None:
    """Days come back without years, also after a change of a bucket with objects."""
    bucket = locked_bucket(stack)
    stack.admin.put_object(Bucket=bucket, Key="key", Body=b"", ChecksumAlgorithm="SHA256")
    set_default(stack, bucket, "COMPLIANCE", 400)
    found = stack.admin.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]

    assert found["Rule"]["DefaultRetention"] == {"Mode": "COMPLIANCE", "Days": 400}


def test_lock_cannot_be_given_to_a_plain_bucket(stack: Stack) -> None:
    """An unversioned bucket without object lock gives 409 InvalidBucketState."""
    bucket = stack.bucket()
    status, code = refused(
        stack.admin.put_object_lock_configuration,
        Bucket=bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
    )

    assert (status, code) == (409, "InvalidBucketState")
    assert refused(stack.admin.get_object_lock_configuration, Bucket=bucket)[0] == 404


def test_locked_bucket_keeps_its_versioning(stack: Stack) -> None:
    """Suspending versioning of a locked bucket gives InvalidBucketState, 400 on AIStor and 409 on AWS."""
    bucket = stack.bucket(ObjectLockEnabledForBucket=True)
    answer = refused(stack.admin.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})

    assert answer == (400 if isinstance(stack, Aistor) else 409, "InvalidBucketState")
    assert stack.admin.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_compliance_is_never_shortened(stack: Stack) -> None:
    """A COMPLIANCE retention can be extended; no caller can shorten, weaken or delete it."""
    bucket, admin = locked_bucket(stack, "COMPLIANCE", 10), stack.admin
    version = admin.put_object(Bucket=bucket, Key="key", Body=b"", ChecksumAlgorithm="SHA256")["VersionId"]
    now = datetime.now(UTC)
    longer = {"Mode": "COMPLIANCE", "RetainUntilDate": now + 20 * DAY}
    for weaker in (
        {"Mode": "COMPLIANCE", "RetainUntilDate": now + 5 * DAY},
        {"Mode": "GOVERNANCE", "RetainUntilDate": now + 30 * DAY},
    ):
        answer = refused(
            admin.put_object_retention, Bucket=bucket, Key="key", Retention=weaker, BypassGovernanceRetention=True
        )
        assert answer == lock_refusal(stack)
    admin.put_object_retention(Bucket=bucket, Key="key", Retention=longer)
    delete = {"Bucket": bucket, "Key": "key", "VersionId": version, "BypassGovernanceRetention": True}

    assert admin.get_object_retention(Bucket=bucket, Key="key")["Retention"]["RetainUntilDate"] > now + 19 * DAY
    assert refused(admin.delete_object, **delete) == lock_refusal(stack)


def test_governance_is_shortened_by_bypass_only(stack: Stack) -> None:
    """A GOVERNANCE retention can be shortened only with the header; past dates are refused."""
    bucket, admin = locked_bucket(stack, days=10), stack.admin
    admin.put_object(Bucket=bucket, Key="key", Body=b"", ChecksumAlgorithm="SHA256")
    sooner = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + DAY}
    past = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) - DAY}
    target = {"Bucket": bucket, "Key": "key"}

    assert refused(admin.put_object_retention, **target, Retention=sooner) == lock_refusal(stack)
    assert refused(admin.put_object_retention, **target, Retention=past)[0] == 400
    admin.put_object_retention(**target, Retention=sooner, BypassGovernanceRetention=True)
    assert admin.get_object_retention(**target)["Retention"]["RetainUntilDate"] < datetime.now(UTC) + 2 * DAY


def test_marker_hides_a_locked_object_and_its_version_stays(stack: Stack) -> None:
    """A plain delete of a locked object writes a marker; the version can still be read."""
    bucket, admin = locked_bucket(stack), stack.admin
    version = admin.put_object(Bucket=bucket, Key="key", Body=b"kept", ChecksumAlgorithm="SHA256")["VersionId"]
    marker = admin.delete_object(Bucket=bucket, Key="key")

    assert marker["DeleteMarker"] is True
    assert refused(admin.get_object, Bucket=bucket, Key="key") == (404, "NoSuchKey")
    assert admin.get_object(Bucket=bucket, Key="key", VersionId=version)["Body"].read() == b"kept"
    admin.delete_object(Bucket=bucket, Key="key", VersionId=marker["VersionId"])
    assert admin.head_object(Bucket=bucket, Key="key")["VersionId"] == version


def test_retention_of_an_unlocked_object_is_an_error(stack: Stack) -> None:
    """Without a retention or an object lock the answer is an error code, and never the object itself."""
    locked, plain, admin = stack.bucket(ObjectLockEnabledForBucket=True), stack.bucket(), stack.admin
    for bucket in (locked, plain):
        admin.put_object(Bucket=bucket, Key="key", Body=b"")

    assert refused(admin.get_object_retention, Bucket=locked, Key="key") == (
        400 if isinstance(stack, Aistor) else 404,
        "NoSuchObjectLockConfiguration",
    )
    assert refused(admin.get_object_retention, Bucket=plain, Key="key") == (400, "InvalidRequest")
    assert refused(admin.get_object_retention, Bucket=locked, Key="missing") == (404, "NoSuchKey")


def test_lock_named_at_the_start_of_an_upload_holds_at_its_end(stack: Stack) -> None:
    """A multipart upload has the lock of its start, not the bucket's."""
    bucket, admin = locked_bucket(stack), stack.admin
    until = datetime.now(UTC).replace(microsecond=0) + 9 * DAY
    upload = admin.create_multipart_upload(
        Bucket=bucket, Key="key", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )["UploadId"]
    part = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    etag = admin.upload_part(**part, PartNumber=1, Body=b"x")["ETag"]
    admin.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    head = admin.head_object(Bucket=bucket, Key="key")

    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", until)
    assert refused(admin.upload_part, **part, PartNumber=1, Body=b"x") == (404, "NoSuchUpload")


def test_head_tells_the_checksum_of_an_upload_in_parts(stack: Stack) -> None:
    """The checksum of a multipart upload is marked as a checksum of parts, with their number."""
    bucket = stack.bucket()
    stack.admin.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), bucket, "key")
    head = stack.admin.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")

    assert head["ChecksumType"] == "COMPOSITE"
    assert head["ChecksumCRC32"].endswith("-2")


def test_locked_bucket_wants_a_checksum_on_aws_only(stack: Stack) -> None:
    """A put without a checksum into a bucket with default retention gives 400 on AWS and works on AIStor."""
    bucket = locked_bucket(stack)
    bare = stack.client(request_checksum_calculation="when_required")
    if isinstance(stack, Aistor):
        bare.put_object(Bucket=bucket, Key="key", Body=b"")
    else:
        assert refused(bare.put_object, Bucket=bucket, Key="key", Body=b"") == (400, "InvalidRequest")
    bare.put_object(Bucket=bucket, Key="key", Body=b"", ChecksumAlgorithm="CRC32")


def test_suspended_versioning_keeps_the_versions_there_are(stack: Stack) -> None:
    """Writes and deletions with suspended versioning do not change earlier versions."""
    bucket, admin = stack.bucket(), stack.admin
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = admin.put_object(Bucket=bucket, Key="key", Body=b"first")["VersionId"]
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    admin.put_object(Bucket=bucket, Key="key", Body=b"second")
    admin.put_object(Bucket=bucket, Key="key", Body=b"third")

    assert admin.get_object(Bucket=bucket, Key="key", VersionId=first)["Body"].read() == b"first"
    assert len(admin.list_object_versions(Bucket=bucket)["Versions"]) == 2
    admin.delete_object(Bucket=bucket, Key="key")
    assert admin.get_object(Bucket=bucket, Key="key", VersionId=first)["Body"].read() == b"first"


def test_lifecycle_reads_back_whole(stack: Stack) -> None:
    """Rules come back unchanged, with NewerNoncurrentVersions and size filters, and with ids."""
    rule = {
        "ID": "noncurrent",
        "Status": "Enabled",
        "Filter": {"Prefix": "a/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 2},
    }
    nameless = {
        "Status": "Disabled",
        "Filter": {"And": {"Prefix": "b/", "ObjectSizeGreaterThan": 5, "Tags": [{"Key": "k", "Value": "v"}]}},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    }
    first, second = put_rules(stack, stack.bucket(), [rule, nameless])

    assert first == rule
    assert second.pop("ID")
    assert second == nameless


def test_lifecycle_quirks_of_aistor(aistor: Aistor) -> None:
    """Abort alone gives 400, beside an expiration it vanishes; days with the marker flag give 400, two rules work."""
    bucket = aistor.bucket()
    base = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}
    put = aistor.admin.put_bucket_lifecycle_configuration

    def put_one(**fields: Any) -> tuple[int, str]:  # noqa: ANN401 - fields of a rule
        return refused(put, Bucket=bucket, LifecycleConfiguration={"Rules": [{"ID": "one", **base, **fields}]})

    assert put_one(**abort) == (400, "InvalidArgument")
    assert put_one(Expiration={"Days": 3, "ExpiredObjectDeleteMarker": True}) == (400, "InvalidArgument")
    kept = put_rules(aistor, bucket, [{"ID": "one", **base, **abort, "Expiration": {"Days": 3}}])
    assert kept == [{"ID": "one", **base, "Expiration": {"Days": 3}}]
    marker = {"ID": "two", **base, "Expiration": {"ExpiredObjectDeleteMarker": True}}
    assert len(put_rules(aistor, bucket, [*kept, marker])) == 2


def test_aws_keeps_abort_rules(aws: Aws) -> None:
    """AWS accepts a rule with only an abort action."""
    rule = {
        "ID": "abort",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
    }

    assert put_rules(aws, aws.bucket(), [rule]) == [rule]


def test_expiry_is_announced(stack: Stack) -> None:
    """PUT, HEAD, GET and a completed upload name the rule and the midnight, but not for an object without a rule."""
    bucket, admin = stack.bucket(), stack.admin
    put_rules(
        stack, bucket, [{"ID": "ttl", "Status": "Enabled", "Filter": {"Prefix": "t/"}, "Expiration": {"Days": 7}}]
    )
    put = admin.put_object(Bucket=bucket, Key="t/key", Body=b"x")
    midnight = (datetime.now(UTC) + 8 * DAY).replace(hour=0, minute=0, second=0)
    expected = midnight.strftime('expiry-date="%a, %d %b %Y %H:%M:%S GMT", rule-id="ttl"')
    admin.upload_fileobj(io.BytesIO(b"x" * (9 << 20)), bucket, "t/large")

    assert put["Expiration"] == expected
    assert admin.head_object(Bucket=bucket, Key="t/key")["Expiration"] == expected
    assert admin.get_object(Bucket=bucket, Key="t/key")["Expiration"] == expected
    assert admin.head_object(Bucket=bucket, Key="t/large")["Expiration"] == expected
    assert "Expiration" not in admin.put_object(Bucket=bucket, Key="other", Body=b"x")


def test_new_bucket_of_aws_is_private_owned_and_encrypted(aws: Aws) -> None:
    """A new bucket has AWS's defaults since 2023, and its encryption cannot be removed."""
    bucket, admin = aws.bucket(), aws.admin
    admin.delete_bucket_encryption(Bucket=bucket)
    encryption = admin.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    ownership = admin.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]

    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert all(admin.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert admin.put_object(Bucket=bucket, Key="key", Body=b"")["ServerSideEncryption"] == "AES256"


def test_existing_bucket_is_told(stack: Stack) -> None:
    """Creating an existing bucket gives 409 for every caller."""
    bucket = stack.bucket()
    location = {"LocationConstraint": "us-west-2"}

    assert refused(stack.admin.create_bucket, Bucket=bucket, CreateBucketConfiguration=location) == (
        409,
        "BucketAlreadyOwnedByYou",
    )


def test_aistor_needs_no_location(aistor: Aistor) -> None:
    """A bucket created without a location is in the server's region."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    aistor.admin.create_bucket(Bucket=name)

    assert aistor.admin.get_bucket_location(Bucket=name)["LocationConstraint"] == "us-west-2"


@pytest.mark.parametrize("quiet", [True, False])
def test_deleting_many_versions_and_markers(stack: Stack, *, quiet: bool) -> None:
    """A list of versions and markers empties a bucket, so that it can be deleted; quiet lists only failures."""
    bucket, admin = stack.bucket(), stack.admin
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a & b", "<c>"):
        admin.put_object(Bucket=bucket, Key=key, Body=b"")
        admin.delete_object(Bucket=bucket, Key=key)
    listed = admin.list_object_versions(Bucket=bucket)
    targets = [
        {"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed["Versions"] + listed["DeleteMarkers"]
    ]
    answer = admin.delete_objects(Bucket=bucket, Delete={"Objects": targets, "Quiet": quiet})

    assert "Errors" not in answer
    assert len(answer.get("Deleted", [])) == (0 if quiet else 4)
    admin.delete_bucket(Bucket=bucket)


def test_write_if_absent(stack: Stack) -> None:
    """If-None-Match: * writes once, and then gives 412."""
    bucket = stack.bucket()
    target = {"Bucket": bucket, "Key": "key", "Body": b"", "IfNoneMatch": "*"}
    stack.admin.put_object(**target)

    assert refused(stack.admin.put_object, **target) == (412, "PreconditionFailed")


def test_iam_deletes_nothing_that_is_in_use(aws: Aws) -> None:
    """A policy that is attached or has older versions stays, and a user with access keys or in a group stays.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html and API_DeleteUser.html
    """
    iam, name = aws.client(service="iam"), f"test-{uuid.uuid4().hex[:12]}"
    iam.create_user(UserName=name)
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    conflict = (409, "DeleteConflict")

    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    assert refused(iam.delete_policy, PolicyArn=arn) == conflict
    assert refused(iam.delete_user, UserName=name) == conflict
    iam.detach_user_policy(UserName=name, PolicyArn=arn)

    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    assert refused(iam.delete_policy, PolicyArn=arn) == conflict
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)

    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    assert refused(iam.delete_user, UserName=name) == conflict
    iam.delete_access_key(UserName=name, AccessKeyId=key)

    iam.create_group(GroupName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    assert refused(iam.delete_user, UserName=name) == conflict
    iam.remove_user_from_group(GroupName=name, UserName=name)
    iam.delete_user(UserName=name)
    iam.delete_group(GroupName=name)


def test_a_lock_is_looked_at_before_the_permission_on_aistor(stack: Stack) -> None:
    """Who may not set a retention gets 400 for a shorter one and 403 for a longer one; on AWS 403 for each."""
    bucket = locked_bucket(stack, days=3)
    stack.admin.put_object(Bucket=bucket, Key="key", Body=b"x", ChecksumAlgorithm="SHA256")
    reader = stack.user(allow("GetObject", on=f"{bucket}/*"))

    def to(days: int) -> tuple[int, str]:
        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + days * DAY}
        return refused(reader.put_object_retention, Bucket=bucket, Key="key", Retention=retention)

    assert to(1) == lock_refusal(stack)
    assert to(9) == (403, "AccessDenied")


def test_a_lock_that_ends_in_the_past_is_malformed_on_aistor(stack: Stack) -> None:
    """MinIO calls every fault of the body malformed; AWS says what is wrong."""
    bucket = locked_bucket(stack)
    stack.admin.put_object(Bucket=bucket, Key="key", Body=b"x", ChecksumAlgorithm="SHA256")
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) - DAY}
    code = "MalformedXML" if isinstance(stack, Aistor) else "InvalidRequest"

    assert refused(stack.admin.put_object_retention, Bucket=bucket, Key="key", Retention=retention) == (400, code)


def test_a_wrong_digest_is_told_only_to_who_may_put(stack: Stack) -> None:
    """The vendors decide about the caller before they read the body; nothing is stored for either caller."""
    bucket = stack.bucket()
    put: dict[str, Any] = {"Bucket": bucket, "Key": "key", "Body": b"x", "ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    writer, reader = stack.user(allow("PutObject", on=f"{bucket}/*")), stack.user(allow("GetObject", on=f"{bucket}/*"))

    assert refused(writer.put_object, **put) == (400, "BadDigest")
    assert refused(reader.put_object, **put) == (403, "AccessDenied")
    assert "Contents" not in stack.admin.list_objects_v2(Bucket=bucket)
