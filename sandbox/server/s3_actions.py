"""The permissions that an S3 request needs: from method, path and query to actions and resources.

The rule: a request may need several permissions (a copy reads its source, a lock header sets a retention). The vendors
differ in one point: MinIO accepts the plain action also for a version. Only this module holds that difference. A
multi-object delete needs no permission here, because the server decides it key by key during the deletion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.server.answers import ApiError

if TYPE_CHECKING:
    from sandbox.server.web import Request


@unique
class Cloud(StrEnum):
    """The vendor whose server this one imitates."""

    AISTOR = "aistor"
    AWS = "aws"


@dataclass(frozen=True, slots=True)
class Need:
    """One permission on one bucket or object, or on a resource with its own ARN."""

    action: str
    bucket: str = ""
    key: str = ""
    #: The ARN of a resource that is not a bucket or an object; empty for S3.
    arn: str = ""

    @property
    def resource(self) -> str:
        """The resource as policies name it."""
        if self.arn:
            return self.arn
        if not self.bucket:
            return "arn:aws:s3:::*"
        return f"arn:aws:s3:::{self.bucket}" + (f"/{self.key}" if self.key else "")


#: Query parameter -> permission by method, for requests on a bucket.
_BUCKET = {
    "accelerate": {"GET": "GetAccelerateConfiguration", "PUT": "PutAccelerateConfiguration"},
    "acl": {"GET": "GetBucketAcl", "PUT": "PutBucketAcl"},
    "analytics": {
        "GET": "GetAnalyticsConfiguration",
        "PUT": "PutAnalyticsConfiguration",
        "DELETE": "PutAnalyticsConfiguration",
    },
    "cors": {"GET": "GetBucketCORS", "PUT": "PutBucketCORS", "DELETE": "PutBucketCORS"},
    "encryption": {
        "GET": "GetEncryptionConfiguration",
        "PUT": "PutEncryptionConfiguration",
        "DELETE": "PutEncryptionConfiguration",
    },
    "intelligent-tiering": {
        "GET": "GetIntelligentTieringConfiguration",
        "PUT": "PutIntelligentTieringConfiguration",
        "DELETE": "PutIntelligentTieringConfiguration",
    },
    "inventory": {
        "GET": "GetInventoryConfiguration",
        "PUT": "PutInventoryConfiguration",
        "DELETE": "PutInventoryConfiguration",
    },
    "lifecycle": {
        "GET": "GetLifecycleConfiguration",
        "PUT": "PutLifecycleConfiguration",
        "DELETE": "PutLifecycleConfiguration",
    },
    "location": {"GET": "GetBucketLocation"},
    "logging": {"GET": "GetBucketLogging", "PUT": "PutBucketLogging"},
    "metrics": {
        "GET": "GetMetricsConfiguration",
        "PUT": "PutMetricsConfiguration",
        "DELETE": "PutMetricsConfiguration",
    },
    "notification": {"GET": "GetBucketNotification", "PUT": "PutBucketNotification"},
    "object-lock": {"GET": "GetBucketObjectLockConfiguration", "PUT": "PutBucketObjectLockConfiguration"},
    "ownershipControls": {
        "GET": "GetBucketOwnershipControls",
        "PUT": "PutBucketOwnershipControls",
        "DELETE": "PutBucketOwnershipControls",
    },
    "policy": {"GET": "GetBucketPolicy", "PUT": "PutBucketPolicy", "DELETE": "DeleteBucketPolicy"},
    "policyStatus": {"GET": "GetBucketPolicyStatus"},
    "publicAccessBlock": {
        "GET": "GetBucketPublicAccessBlock",
        "PUT": "PutBucketPublicAccessBlock",
        "DELETE": "PutBucketPublicAccessBlock",
    },
    "requestPayment": {"GET": "GetBucketRequestPayment", "PUT": "PutBucketRequestPayment"},
    "replication": {
        "GET": "GetReplicationConfiguration",
        "PUT": "PutReplicationConfiguration",
        "DELETE": "PutReplicationConfiguration",
    },
    "tagging": {"GET": "GetBucketTagging", "PUT": "PutBucketTagging", "DELETE": "PutBucketTagging"},
    "uploads": {"GET": "ListBucketMultipartUploads"},
    "versioning": {"GET": "GetBucketVersioning", "PUT": "PutBucketVersioning"},
    "versions": {"GET": "ListBucketVersions"},
    "website": {"GET": "GetBucketWebsite", "PUT": "PutBucketWebsite", "DELETE": "DeleteBucketWebsite"},
}
#: The permissions for creating a bucket with object lock, in addition to CreateBucket (MinIO: cmd/bucket-handlers.go,
#: PutBucketHandler; AWS: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html, Permissions).
_LOCKING = ("PutBucketObjectLockConfiguration", "PutBucketVersioning")
#: Parts of S3 that neither moto nor this server supports; without this list moto would answer with a listing.
_UNKNOWN = ("metadataTable", "session")
_PLAIN_BUCKET = {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
#: Query parameter -> permission by method, for requests on an object. The first present parameter decides.
_OBJECT = {
    "uploadId": {
        "GET": "ListMultipartUploadParts",
        "PUT": "PutObject",
        "POST": "PutObject",
        "DELETE": "AbortMultipartUpload",
    },
    "uploads": {"POST": "PutObject"},
    "acl": {"GET": "GetObjectAcl", "PUT": "PutObjectAcl"},
    "attributes": {"GET": "GetObjectAttributes"},
    "legal-hold": {"GET": "GetObjectLegalHold", "PUT": "PutObjectLegalHold"},
    "restore": {"POST": "RestoreObject"},
    "retention": {"GET": "GetObjectRetention", "PUT": "PutObjectRetention"},
    "select": {"POST": "GetObject"},
    "tagging": {"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"},
}
_PLAIN_OBJECT = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
#: Actions with another name on AWS for a request that names a version.
_VERSIONED = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAcl": "GetObjectVersionAcl",
}


def creates_object(request: Request) -> bool:
    """Whether a request that needs `s3:PutObject` creates the object; the start and the parts of an upload do not.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    return (request.method == "POST") == ("uploadId" in request.parameters)


def version_of_source(request: Request) -> str | None:
    """The version id that a copy names as its source."""
    return parse_qs(urlsplit(request.headers.get("x-amz-copy-source", "")).query).get("versionId", [None])[0]


def is_multi_delete(request: Request) -> bool:
    """Whether the request deletes a list of objects."""
    return request.method == "POST" and not request.key and "delete" in request.parameters


def needs(request: Request, cloud: Cloud) -> list[Need]:
    """Every permission that the request needs; refuses a request that S3 does not support."""
    if not request.bucket:
        if request.method != "GET":
            raise _not_allowed()
        return [Need("s3:ListAllMyBuckets")]
    if is_multi_delete(request):
        return []
    if not request.key:
        action = _bucket_action(request)
        if cloud is Cloud.AISTOR:
            action = action.replace("CORS", "Cors")  # its spelling, and its policies distinguish case
        locked = action == "CreateBucket" and request.headers.get("x-amz-bucket-object-lock-enabled", "") == "true"
        return [Need(f"s3:{one}", request.bucket) for one in (action, *(_LOCKING if locked else ()))]
    return _object_needs(request, cloud)


def delete_need(bucket: str, key: str, version_id: str | None, cloud: Cloud) -> Need:
    """The permission to delete one object or one version of it."""
    return Need(_versioned("DeleteObject", version_id, cloud), bucket, key)


def _bucket_action(request: Request) -> str:
    for name, by_method in _BUCKET.items():
        if name in request.parameters:
            if request.method not in by_method:
                raise _not_allowed()
            return by_method[request.method]
    if request.method not in _PLAIN_BUCKET or any(name in request.parameters for name in _UNKNOWN):
        raise ApiError("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
    return _PLAIN_BUCKET[request.method]


def _object_needs(request: Request, cloud: Cloud) -> list[Need]:
    action = next(
        (by_method.get(request.method) for name, by_method in _OBJECT.items() if name in request.parameters),
        _PLAIN_OBJECT.get(request.method),
    )
    if action is None:
        raise _not_allowed()
    version_id, headers = request.parameters.get("versionId"), request.headers
    if action == "PutObject" and version_id and cloud is Cloud.AWS:
        raise ApiError("InvalidArgument", "This operation does not accept a version-id.", 400)
    actions = [_versioned(action, version_id, cloud)]
    if action == "PutObject" and request.method in ("PUT", "POST"):
        if "x-amz-object-lock-mode" in headers or "x-amz-object-lock-retain-until-date" in headers:
            actions.append("s3:PutObjectRetention")
        if "x-amz-object-lock-legal-hold" in headers:
            actions.append("s3:PutObjectLegalHold")
        if "x-amz-tagging" in headers and cloud is Cloud.AWS:
            actions.append("s3:PutObjectTagging")
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, Permissions
        if cloud is Cloud.AWS and any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in headers):
            actions.append("s3:PutObjectAcl")
    wanted = [Need(one, request.bucket, request.key) for one in actions]
    if "x-amz-copy-source" in headers and action == "PutObject":
        wanted.append(_source_need(headers["x-amz-copy-source"], cloud))
    return wanted


def _source_need(source: str, cloud: Cloud) -> Need:
    parts = urlsplit(source)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    version = parse_qs(parts.query).get("versionId", [None])[0]
    return Need(_versioned("GetObject", version, cloud), bucket, key)


def _versioned(action: str, version_id: str | None, cloud: Cloud) -> str:
    if version_id and cloud is Cloud.AWS:
        action = _VERSIONED.get(action, action)
    return f"s3:{action}"


def _not_allowed() -> ApiError:
    return ApiError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
