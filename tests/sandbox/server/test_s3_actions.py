"""Every request needs the permissions that its vendor requires."""

from __future__ import annotations

import io

import pytest

from sandbox.server.answers import ApiError
from sandbox.server.s3_actions import Cloud, needs
from sandbox.server.web import Request


def wanted(line: str, cloud: Cloud = Cloud.AWS, **headers: str) -> list[str]:
    """The actions and resources that a request needs."""
    method, target = line.split(" ", 1)
    environ = {"REQUEST_METHOD": method, "REQUEST_URI": target, "PATH_INFO": target, "wsgi.input": io.BytesIO()}
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return [f"{need.action} {need.resource.removeprefix('arn:aws:s3:::')}" for need in needs(Request(environ), cloud)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /", "s3:ListAllMyBuckets *"),
        ("HEAD /b", "s3:ListBucket b"),
        ("GET /b?list-type=2&prefix=x", "s3:ListBucket b"),
        ("GET /b?versions", "s3:ListBucketVersions b"),
        ("GET /b/?location=", "s3:GetBucketLocation b"),
        ("GET /b?uploads", "s3:ListBucketMultipartUploads b"),
        ("PUT /b", "s3:CreateBucket b"),
        ("GET /b?requestPayment", "s3:GetBucketRequestPayment b"),
        ("DELETE /b", "s3:DeleteBucket b"),
        ("DELETE /b?lifecycle", "s3:PutLifecycleConfiguration b"),
        ("PUT /b?versioning", "s3:PutBucketVersioning b"),
        ("PUT /b?object-lock", "s3:PutBucketObjectLockConfiguration b"),
        ("DELETE /b?policy", "s3:DeleteBucketPolicy b"),
        ("PUT /b?publicAccessBlock", "s3:PutBucketPublicAccessBlock b"),
        ("GET /b?encryption", "s3:GetEncryptionConfiguration b"),
        ("GET /b/k", "s3:GetObject b/k"),
        ("HEAD /b/k?versionId=1", "s3:GetObjectVersion b/k"),
        ("PUT /b/k", "s3:PutObject b/k"),
        ("POST /b/k?uploads", "s3:PutObject b/k"),
        ("PUT /b/k?partNumber=1&uploadId=u", "s3:PutObject b/k"),
        ("GET /b/k?uploadId=u", "s3:ListMultipartUploadParts b/k"),
        ("DELETE /b/k?uploadId=u", "s3:AbortMultipartUpload b/k"),
        ("DELETE /b/k", "s3:DeleteObject b/k"),
        ("DELETE /b/k?versionId=1", "s3:DeleteObjectVersion b/k"),
        ("PUT /b/k?retention", "s3:PutObjectRetention b/k"),
        ("GET /b/k?tagging&versionId=1", "s3:GetObjectVersionTagging b/k"),
    ],
)
def test_one_permission(line: str, expected: str) -> None:
    """Method, path and query name the permission."""
    assert wanted(line) == [expected]


@pytest.mark.parametrize("cloud", Cloud)
def test_bucket_with_object_lock_needs_more(cloud: Cloud) -> None:
    """Creating a bucket with object lock needs the permissions for lock and versioning too, on both vendors."""
    assert wanted("PUT /b", cloud, x_amz_bucket_object_lock_enabled="true") == [
        "s3:CreateBucket b",
        "s3:PutBucketObjectLockConfiguration b",
        "s3:PutBucketVersioning b",
    ]


def test_versions_are_plain_on_aistor() -> None:
    """AIStor requires the plain action for a version too."""
    assert wanted("GET /b/k?versionId=1", Cloud.AISTOR) == ["s3:GetObject b/k"]
    assert wanted("DELETE /b/k?versionId=1", Cloud.AISTOR) == ["s3:DeleteObject b/k"]


def test_headers_add_permissions() -> None:
    """A lock, tags and a source each need their own."""
    lock = wanted("PUT /b/k", x_amz_object_lock_mode="GOVERNANCE", x_amz_object_lock_legal_hold="ON")

    assert lock == ["s3:PutObject b/k", "s3:PutObjectRetention b/k", "s3:PutObjectLegalHold b/k"]
    assert wanted("PUT /b/k", x_amz_tagging="a=b") == ["s3:PutObject b/k", "s3:PutObjectTagging b/k"]
    assert wanted("PUT /b/k", x_amz_copy_source="/s/a%20b?versionId=1") == [
        "s3:PutObject b/k",
        "s3:GetObjectVersion s/a b",
    ]


@pytest.mark.parametrize("line", ["PUT /", "PATCH /b/k", "DELETE /b?location", "GET /b?metadataTable", "POST /b"])
def test_unknown_requests_are_refused(line: str) -> None:
    """A request that S3 or this server does not support is refused, and never treated as another one."""
    with pytest.raises(ApiError) as caught:
        wanted(line)

    assert caught.value.status in (405, 501)
