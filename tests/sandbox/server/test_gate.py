"""A caller's policies decide what it may do, as on each vendor's server."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.sandbox.serving import Aistor, Aws, Stack, allow, deny, fetch, refused

TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}


def with_object(stack: Stack, key: str = "folder/key", **options: Any) -> str:  # noqa: ANN401 - options of create_bucket
    """A bucket that holds one object."""
    bucket = stack.bucket(**options)
    stack.admin.put_object(Bucket=bucket, Key=key, Body=b"content")
    return bucket


def set_policy(stack: Stack, bucket: str, *statements: dict[str, Any]) -> None:
    """Put a policy on a bucket."""
    stack.admin.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    )


def test_user_may_do_what_is_granted_and_nothing_else(stack: Stack) -> None:
    """A grant by prefix holds within the prefix only."""
    bucket = with_object(stack)
    user = stack.user(
        allow("GetObject", "PutObject", on=f"{bucket}/folder/*"),
        allow("ListBucket", on=bucket, Condition={"StringLike": {"s3:prefix": ["folder/*"]}}),
    )

    assert user.get_object(Bucket=bucket, Key="folder/key")["Body"].read() == b"content"
    user.put_object(Bucket=bucket, Key="folder/other", Body=b"")
    assert user.list_objects_v2(Bucket=bucket, Prefix="folder/")["KeyCount"] == 2
    assert refused(user.list_objects_v2, Bucket=bucket) == (403, "AccessDenied")
    assert refused(user.list_objects_v2, Bucket=bucket, Prefix="other/") == (403, "AccessDenied")
    assert refused(user.put_object, Bucket=bucket, Key="other/key", Body=b"") == (403, "AccessDenied")
    assert refused(user.delete_object, Bucket=bucket, Key="folder/key") == (403, "AccessDenied")
    assert refused(user.get_bucket_lifecycle_configuration, Bucket=bucket) == (403, "AccessDenied")
    assert refused(user.create_bucket, Bucket=f"new-{uuid.uuid4().hex}") == (403, "AccessDenied")
    assert refused(user.delete_bucket, Bucket=bucket) == (403, "AccessDenied")


def test_deny_outweighs_allow(stack: Stack) -> None:
    """A Deny on one prefix holds within a grant of everything."""
    bucket = with_object(stack)
    user = stack.user(allow("*", on=[bucket, f"{bucket}/*"]), deny("GetObject", on=f"{bucket}/folder/*"))

    assert refused(user.get_object, Bucket=bucket, Key="folder/key") == (403, "AccessDenied")
    user.put_object(Bucket=bucket, Key="folder/key", Body=b"")


def test_tls_only_deny_does_not_bite_over_tls(stack: Stack) -> None:
    """A Deny for requests without TLS does not affect requests over TLS, in a user's policy and on a bucket."""
    bucket = with_object(stack)
    user = stack.user(allow("GetObject", on=f"{bucket}/*"), deny("*", on=[bucket, f"{bucket}/*"], Condition=TLS_ONLY))
    set_policy(stack, bucket, deny("*", on=[bucket, f"{bucket}/*"], Condition=TLS_ONLY, Principal="*"))

    assert user.get_object(Bucket=bucket, Key="folder/key")["ContentLength"] == 7


def test_copy_needs_to_read_the_source(stack: Stack) -> None:
    """A caller that may write but not read the source cannot copy it."""
    bucket = with_object(stack)
    source = {"Bucket": bucket, "Key": "folder/key"}
    writer = stack.user(allow("PutObject", on=f"{bucket}/*"))
    both = stack.user(allow("PutObject", "GetObject", on=f"{bucket}/*"))

    assert refused(writer.copy_object, Bucket=bucket, Key="copy", CopySource=source) == (403, "AccessDenied")
    both.copy_object(Bucket=bucket, Key="copy", CopySource=source)


def test_deleting_many_is_decided_key_by_key(stack: Stack) -> None:
    """The allowed keys are deleted; each of the others is an entry AccessDenied in a 200."""
    bucket = with_object(stack, "mine/a")
    stack.admin.put_object(Bucket=bucket, Key="theirs/b", Body=b"")
    user = stack.user(allow("DeleteObject", on=f"{bucket}/mine/*"))
    answer = user.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "mine/a"}, {"Key": "theirs/b"}]})

    assert [one["Key"] for one in answer["Deleted"]] == ["mine/a"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("theirs/b", "AccessDenied")]
    assert [one["Key"] for one in stack.admin.list_objects_v2(Bucket=bucket)["Contents"]] == ["theirs/b"]


def test_retention_headers_need_their_own_permission(stack: Stack) -> None:
    """HEAD returns the lock only to a caller that may read it."""
    bucket = locked_bucket(stack)
    stack.admin.put_object(Bucket=bucket, Key="key", Body=b"", ChecksumAlgorithm="SHA256")
    reader = stack.user(allow("GetObject", on=f"{bucket}/*"))
    knower = stack.user(allow("GetObject", "GetObjectRetention", on=f"{bucket}/*"))

    assert "ObjectLockMode" not in reader.head_object(Bucket=bucket, Key="key")
    assert knower.head_object(Bucket=bucket, Key="key")["ObjectLockMode"] == "GOVERNANCE"
    assert refused(reader.get_object_retention, Bucket=bucket, Key="key") == (403, "AccessDenied")
    assert knower.get_object_retention(Bucket=bucket, Key="key")["Retention"]["Mode"] == "GOVERNANCE"


def locked_bucket(stack: Stack, mode: str = "GOVERNANCE") -> str:
    """A bucket whose objects are locked for a day."""
    bucket = stack.bucket(ObjectLockEnabledForBucket=True)
    stack.admin.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": mode, "Days": 1}},
        },
    )
    return bucket


def test_governance_is_bypassed_only_by_who_may(stack: Stack) -> None:
    """A bypass needs both the header and the permission."""
    bucket = locked_bucket(stack)
    version = stack.admin.put_object(Bucket=bucket, Key="key", Body=b"", ChecksumAlgorithm="SHA256")["VersionId"]
    target = {"Bucket": bucket, "Key": "key", "VersionId": version}
    actions = ("DeleteObject", "DeleteObjectVersion")
    deleter = stack.user(allow(*actions, on=f"{bucket}/*"))
    bypasser = stack.user(allow(*actions, "BypassGovernanceRetention", on=f"{bucket}/*"))
    locked = (400, "InvalidRequest") if isinstance(stack, Aistor) else (403, "AccessDenied")

    assert refused(deleter.delete_object, **target) == locked
    assert refused(bypasser.delete_object, **target) == locked
    assert refused(deleter.delete_object, **target, BypassGovernanceRetention=True) == (403, "AccessDenied")
    assert stack.admin.head_object(**target)["ObjectLockMode"] == "GOVERNANCE"
    bypasser.delete_object(**target, BypassGovernanceRetention=True)
    assert "Versions" not in stack.admin.list_object_versions(Bucket=bucket)


def test_aistor_bucket_policy_binds_the_anonymous_alone(aistor: Aistor) -> None:
    """On AIStor a bucket policy can open a bucket to all, and a Deny in it does not affect a signed caller."""
    bucket = with_object(aistor)
    user = aistor.user(allow("GetObject", on=f"{bucket}/*"))
    set_policy(
        aistor,
        bucket,
        allow("GetObject", on=f"{bucket}/folder/*", Principal={"AWS": ["*"]}),
        deny("GetObject", on=f"{bucket}/folder/secret", Principal={"AWS": ["*"]}),
    )
    aistor.admin.put_object(Bucket=bucket, Key="folder/secret", Body=b"secret")
    url = f"{aistor.server.endpoint}/{bucket}/folder"

    assert fetch(aistor, "GET", f"{url}/key") == (200, b"content")
    assert fetch(aistor, "GET", f"{url}/secret")[0] == 403
    assert fetch(aistor, "PUT", f"{url}/new", body=b"")[0] == 403
    assert user.get_object(Bucket=bucket, Key="folder/secret")["Body"].read() == b"secret"


def test_aws_bucket_policy_binds_the_signed_too(aws: Aws) -> None:
    """On AWS a bucket's Deny applies to users and root, and its Allow is enough for a named user."""
    bucket = with_object(aws)
    user = aws.user(allow("GetObject", on=f"{bucket}/*"))
    set_policy(aws, bucket, deny("GetObject", on=f"{bucket}/folder/*", Principal="*"))

    assert refused(user.get_object, Bucket=bucket, Key="folder/key") == (403, "AccessDenied")
    assert refused(aws.admin.get_object, Bucket=bucket, Key="folder/key") == (403, "AccessDenied")

    stranger = aws.user(allow("ListAllMyBuckets", on="*"))
    arn = aws.client(service="iam").list_users()["Users"][-1]["Arn"]
    set_policy(aws, bucket, allow("GetObject", on=f"{bucket}/*", Principal={"AWS": arn}))

    assert stranger.get_object(Bucket=bucket, Key="folder/key")["ContentLength"] == 7


def test_aws_public_access_block_keeps_the_public_out(aws: Aws) -> None:
    """A new bucket refuses a public policy; without the block it applies, and with half of the block it does not."""
    bucket = with_object(aws)
    public = allow("GetObject", on=f"{bucket}/*", Principal="*")
    document = json.dumps({"Version": "2012-10-17", "Statement": [public]})
    url = f"{aws.server.endpoint}/{bucket}/folder/key"

    assert refused(aws.admin.put_bucket_policy, Bucket=bucket, Policy=document) == (403, "AccessDenied")
    aws.admin.delete_public_access_block(Bucket=bucket)
    aws.admin.put_bucket_policy(Bucket=bucket, Policy=document)
    assert fetch(aws, "GET", url) == (200, b"content")
    aws.admin.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True, "BlockPublicPolicy": False}
    )
    assert fetch(aws, "GET", url)[0] == 403


def test_deleting_a_version_needs_its_own_permission_on_aws_only(stack: Stack) -> None:
    """On AIStor s3:DeleteObject deletes versions unless that is denied by name; AWS has an action for it."""
    bucket = stack.bucket()
    stack.admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [stack.admin.put_object(Bucket=bucket, Key="key", Body=b"")["VersionId"] for _ in range(3)]
    plain = stack.user(allow("DeleteObject", on=f"{bucket}/*"))
    named = stack.user(allow("DeleteObject", on=f"{bucket}/*"), deny("DeleteObjectVersion", on=f"{bucket}/*"))
    objects = {"Objects": [{"Key": "key", "VersionId": versions[1]}]}

    assert refused(named.delete_object, Bucket=bucket, Key="key", VersionId=versions[0]) == (403, "AccessDenied")
    assert named.delete_objects(Bucket=bucket, Delete=objects)["Errors"][0]["Code"] == "AccessDenied"
    if isinstance(stack, Aistor):
        plain.delete_object(Bucket=bucket, Key="key", VersionId=versions[0])
        assert "Errors" not in plain.delete_objects(Bucket=bucket, Delete=objects)
    else:
        assert refused(plain.delete_object, Bucket=bucket, Key="key", VersionId=versions[0]) == (403, "AccessDenied")
        assert plain.delete_objects(Bucket=bucket, Delete=objects)["Errors"][0]["Code"] == "AccessDenied"
    named.delete_object(Bucket=bucket, Key="key")  # creates a marker, so it deletes no version


def test_listing_versions_takes_the_plain_permission_on_aistor_only(stack: Stack) -> None:
    """s3:ListBucket lists versions on AIStor; on AWS that is s3:ListBucketVersions."""
    bucket = with_object(stack)
    user = stack.user(allow("ListBucket", on=bucket))
    if isinstance(stack, Aistor):
        assert len(user.list_object_versions(Bucket=bucket)["Versions"]) == 1
    else:
        assert refused(user.list_object_versions, Bucket=bucket) == (403, "AccessDenied")


def test_missing_key_is_told_to_who_may_list(stack: Stack) -> None:
    """Without s3:ListBucket a missing key is 403 on AWS and 404 on AIStor; with it, 404 on both."""
    bucket = with_object(stack)
    reader = stack.user(allow("GetObject", on=f"{bucket}/*"))
    lister = stack.user(allow("GetObject", on=f"{bucket}/*"), allow("ListBucket", on=bucket))
    told = 404 if isinstance(stack, Aistor) else 403

    assert refused(reader.head_object, Bucket=bucket, Key="missing")[0] == told
    assert refused(reader.get_object, Bucket=bucket, Key="missing")[0] == told
    assert refused(lister.head_object, Bucket=bucket, Key="missing")[0] == 404
    assert refused(lister.get_object, Bucket=bucket, Key="missing") == (404, "NoSuchKey")


def test_listing_buckets(stack: Stack) -> None:
    """AIStor lists what the caller may list; AWS lists all or refuses."""
    bucket, other = stack.bucket(), stack.bucket()
    user = stack.user(allow("ListBucket", on=bucket))
    nobody = stack.user(allow("GetObject", on=f"{bucket}/*"))

    assert refused(nobody.list_buckets) == (403, "AccessDenied")
    if isinstance(stack, Aistor):
        assert [one["Name"] for one in user.list_buckets()["Buckets"]] == [bucket]
    else:
        assert refused(user.list_buckets) == (403, "AccessDenied")
    assert {bucket, other} <= {one["Name"] for one in stack.admin.list_buckets()["Buckets"]}


def test_aistor_service_account_may_do_what_both_policies_allow(aistor: Aistor) -> None:
    """Its own and its user's policy both limit a service account; without its own, only its user's does."""
    bucket = with_object(aistor)
    name, secret = f"user-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    iam = aistor.iam
    iam.add_user(name, secret)
    iam.add_canned_policy(
        name,
        {"Version": "2012-10-17", "Statement": [allow("GetObject", "ListBucket", on=[bucket, f"{bucket}/*"])]},
    )
    iam.attach_policy(name, [name])
    own = {"Version": "2012-10-17", "Statement": [allow("GetObject", "PutObject", on=f"{bucket}/*")]}
    key = iam.add_service_account(name, policy=own)["credentials"]
    account = aistor.client(key["accessKey"], key["secretKey"])

    assert account.get_object(Bucket=bucket, Key="folder/key")["ContentLength"] == 7
    assert refused(account.put_object, Bucket=bucket, Key="x", Body=b"") == (403, "AccessDenied")
    assert refused(account.list_objects_v2, Bucket=bucket) == (403, "AccessDenied")
    iam.update_service_account(key["accessKey"], new_status="on")
    assert account.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    iam.update_service_account(key["accessKey"], new_status="off")
    assert refused(account.list_objects_v2, Bucket=bucket) == (403, "InvalidAccessKeyId")
    iam.remove_user(name)
    assert refused(account.list_objects_v2, Bucket=bucket) == (403, "InvalidAccessKeyId")


def test_aws_managed_policies_and_inactive_keys(aws: Aws) -> None:
    """An attached managed policy and its new default version apply at once; an inactive key is unknown."""
    bucket = with_object(aws)
    iam = aws.client(service="iam")
    name = f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("GetObject", on=f"{bucket}/*")]})
    policy = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    user = aws.client(key["AccessKeyId"], key["SecretAccessKey"])

    assert refused(user.get_object, Bucket=bucket, Key="folder/key") == (403, "AccessDenied")
    iam.attach_user_policy(UserName=name, PolicyArn=policy)
    assert user.get_object(Bucket=bucket, Key="folder/key")["ContentLength"] == 7
    nothing = json.dumps({"Version": "2012-10-17", "Statement": [deny("*", on="*")]})
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=nothing, SetAsDefault=True)
    assert refused(user.get_object, Bucket=bucket, Key="folder/key") == (403, "AccessDenied")
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused(user.get_object, Bucket=bucket, Key="folder/key") == (403, "InvalidAccessKeyId")


def test_aws_identity_and_iam_permissions(aws: Aws) -> None:
    """Every caller may ask for its identity; IAM commands need permission; a wrong secret gives IAM's own codes."""
    user = aws.user(allow("ListAllMyBuckets", on="*"))
    keys = user._request_signer._credentials
    as_user = aws.client(keys.access_key, keys.secret_key, service="sts").get_caller_identity()

    assert aws.client(service="sts").get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
    assert as_user["Account"] == "123456789012"
    assert ":user/" in as_user["Arn"]
    iam = aws.client(keys.access_key, keys.secret_key, service="iam")
    assert refused(iam.create_user, UserName="other") == (403, "AccessDenied")
    wrong = aws.client(aws.server.admin.user, "wrong", service="iam")
    assert refused(wrong.list_users) == (403, "SignatureDoesNotMatch")
    assert refused(aws.client("AKIANOBODY0000000000", "x", service="iam").list_users) == (403, "InvalidClientTokenId")


def test_aistor_has_no_public_access_block_nor_ownership(aistor: Aistor) -> None:
    """For a feature that AIStor lacks, GET gives 501, and PUT gives 400 MalformedXML."""
    bucket, admin = aistor.bucket(), aistor.admin
    block = {"BlockPublicAcls": True}
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}

    assert refused(admin.get_public_access_block, Bucket=bucket) == (501, "NotImplemented")
    assert refused(admin.put_public_access_block, Bucket=bucket, PublicAccessBlockConfiguration=block) == (
        400,
        "MalformedXML",
    )
    assert refused(admin.get_bucket_ownership_controls, Bucket=bucket) == (501, "NotImplemented")
    assert refused(admin.put_bucket_ownership_controls, Bucket=bucket, OwnershipControls=rules) == (400, "MalformedXML")


def test_aistor_cannot_encrypt_without_a_kms(aistor: Aistor) -> None:
    """A PUT with SSE-S3 gives 501."""
    answer = refused(aistor.admin.put_object, Bucket=aistor.bucket(), Key="x", Body=b"", ServerSideEncryption="AES256")

    assert answer == (501, "NotImplemented")


def test_bucket_policy_must_be_one(stack: Stack) -> None:
    """A policy without principal, for another bucket, or without JSON is refused as malformed."""
    bucket = stack.bucket()
    for policy in (
        "{",
        json.dumps({"Version": "2012-10-17", "Statement": [allow("GetObject", on=f"{bucket}/*")]}),
        json.dumps({"Version": "2012-10-17", "Statement": [allow("GetObject", on="other/*", Principal="*")]}),
    ):
        assert refused(stack.admin.put_bucket_policy, Bucket=bucket, Policy=policy) == (400, "MalformedPolicy")


@pytest.mark.parametrize("name", ["Bad_Name", "UPPER", "under_score", "a..b", "-ab"])
def test_bucket_names_are_checked(stack: Stack, name: str) -> None:
    """An invalid bucket name gives 400 InvalidBucketName."""
    status, body = fetch(stack, "GET", f"{stack.server.endpoint}/{name}/?location=")

    assert status in (400, 403, 404)
    if isinstance(stack, Aistor):
        assert (status, b"InvalidBucketName" in body) == (400, True)


def test_admin_paths_of_aistor(aistor: Aistor) -> None:
    """An unsigned admin request gives 403 for the spoken version and 426 for another; health is open."""
    endpoint = aistor.server.endpoint
    answers = {
        version: fetch(aistor, "GET", f"{endpoint}/minio/admin/{version}/info") for version in ("v2", "v3", "v4")
    }
    codes = {version: (status, json.loads(body)["Code"]) for version, (status, body) in answers.items()}

    assert codes == {
        "v2": (426, "XMinioAdminVersionMismatch"),
        "v3": (403, "AccessDenied"),
        "v4": (426, "XMinioAdminVersionMismatch"),
    }
    assert "please downgrade" in json.loads(answers["v4"][1])["Message"]
    assert fetch(aistor, "GET", f"{endpoint}/minio/health/live") == (200, b"")
    assert fetch(aistor, "POST", f"{endpoint}/sandbox/minio-iam/list-users", body=b"{}")[0] == 403
