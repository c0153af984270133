"""`minio:index/s3Bucket:S3Bucket`.

The one rule: after creation the plugin sends only `acl` and `quota` to the server. A later change of `objectLocking` is
an update without effect. A bucket that cannot be read, for any reason, leaves the state. Left out: quotas, which need
the admin API's own metadata, and the endless retry of `forceDestroy` on a locked object (here an error).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.standin.minio.connection import MinioConnection, fatal, reason_of
from sandbox.standin.minio.names import length_between, unique_id
from sandbox.standin.policy_equivalence import equivalent
from sandbox.standin.properties import Property, boolean, string
from sandbox.standin.resource import PartialFailureError, ProviderError, ResourceType

if TYPE_CHECKING:
    from sandbox.standin.properties import Table
    from sandbox.standin.values import Bag

_ARN = "arn:aws:s3:::"
_ACLS = ("private", "public-write", "public-read", "public-read-write", "public")
_LIST = ["s3:ListBucket"]
_WRITE = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
_MOST_NAME_CHARACTERS = 63
_UNIQUE_ID_CHARACTERS = 26


class S3Bucket(ResourceType[MinioConnection]):
    """A bucket."""

    token: ClassVar[str] = "minio:index/s3Bucket:S3Bucket"  # noqa: S105 - a type token
    table: ClassVar[Table] = {
        "acl": string(optional=True, default="private"),
        "arn": string(computed=True),
        "bucket": string(
            optional=True,
            computed=True,
            force_new=True,
            conflicts_with="bucketPrefix",
            valid=length_between(0, _MOST_NAME_CHARACTERS),
        ),
        "bucketDomainName": string(computed=True),
        "bucketPrefix": string(
            optional=True,
            force_new=True,
            conflicts_with="bucket",
            valid=length_between(0, _MOST_NAME_CHARACTERS - _UNIQUE_ID_CHARACTERS),
        ),
        "forceDestroy": boolean(optional=True, default=False),
        "objectLocking": boolean(optional=True, default=False),
        "quota": Property("number", optional=True),
    }

    def create_live(self, connection: MinioConnection, planned: Bag) -> tuple[str, Bag] | None:
        """Refuse an existing bucket; otherwise create the bucket, then set its policy."""
        bucket = planned["bucket"] or unique_id(planned["bucketPrefix"] or "terraform-")
        with fatal("unable to create bucket", bucket):
            _check_name(bucket)
        with fatal("unable to check bucket", bucket):
            exists = connection.bucket_exists(bucket)
        if exists:
            raise ProviderError(f"[FATAL] bucket already exists! ({bucket}): <nil>")
        with fatal("unable to create bucket", bucket):
            _make(connection, bucket, locked=bool(planned["objectLocking"]))
        try:
            _set_acl(connection, bucket, planned["acl"], "create")
        except ProviderError as error:
            inner, *outer = error.args
            raise PartialFailureError(inner, bucket, {"bucket": bucket}, *outer) from error
        _set_quota(bucket, planned["quota"])
        values = self.read_live(connection, bucket, {})
        return None if values is None else (bucket, {"bucket": bucket, **values})

    def read_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> Bag | None:
        """Read the bucket's location; an error of any kind means that the bucket is gone."""
        try:
            if not connection.bucket_exists(resource_id):
                return None
        except (ClientError, BotoCoreError):
            return None
        return {
            "bucket": state.get("bucket") or resource_id,
            "arn": _ARN + resource_id,
            "bucketDomainName": f"{connection.url}/minio/{resource_id}",
        }

    def update_live(self, connection: MinioConnection, resource_id: str, state: Bag, planned: Bag) -> Bag | None:
        """Set the policy and the quota if they changed; send nothing else."""
        if planned["acl"] != state.get("acl"):
            _set_acl(connection, resource_id, planned["acl"], "update")
        if planned["quota"] != state.get("quota"):
            _set_quota(resource_id, planned["quota"])
        return self.read_live(connection, resource_id, planned)

    def delete_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> None:
        """Remove the bucket; first remove its objects if the program says so."""
        with fatal("unable to remove bucket", resource_id):
            try:
                connection.s3.delete_bucket(Bucket=resource_id)
            except ClientError as error:
                if "empty" not in reason_of(error) or not state.get("forceDestroy"):
                    raise
                _empty(connection, resource_id)
                connection.s3.delete_bucket(Bucket=resource_id)

    def import_live(self, connection: MinioConnection, resource_id: str) -> tuple[str, Bag] | None:
        """Read what an import needs beyond a read: lock and policy."""
        values = self.read_live(connection, resource_id, {})
        if values is None:
            return None
        policy = _policy(connection, resource_id)
        acl = next((name for name in _ACLS[1:] if equivalent(_acl_policy(name, resource_id), policy)), "private")
        return resource_id, {**values, "objectLocking": _is_locked(connection, resource_id), "acl": acl}


def _check_name(bucket: str) -> None:
    """Refuse what minio-go refuses before it calls the server."""
    if len(bucket) < 3:  # noqa: PLR2004 - S3's own limit
        raise ProviderError("Bucket name cannot be shorter than 3 characters")
    if len(bucket) > _MOST_NAME_CHARACTERS:
        raise ProviderError("Bucket name cannot be longer than 63 characters")
    if re.fullmatch(r"(\d+\.){3}\d+", bucket):
        raise ProviderError("Bucket name cannot be an ip address")
    if ".." in bucket or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,61}[A-Za-z0-9]", bucket):
        raise ProviderError("Bucket name contains invalid characters")


def _make(connection: MinioConnection, bucket: str, *, locked: bool) -> None:
    if connection.region == "us-east-1":
        connection.s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=locked)
        return
    connection.s3.create_bucket(
        Bucket=bucket,
        ObjectLockEnabledForBucket=locked,
        CreateBucketConfiguration={"LocationConstraint": connection.region},  # type: ignore[typeddict-item] # any region
    )


def _set_acl(connection: MinioConnection, bucket: str, acl: str, verb: str) -> None:
    outer = f"[FATAL] [ACL] Unable to {verb} bucket ({bucket})"
    if acl not in _ACLS:
        raise ProviderError(f"[FATAL] unsupported ACL ({acl}): (valid acl: {', '.join(_ACLS)})", outer)
    if acl == "private":  # going back to private sends nothing: the public policy stays
        return
    try:
        with fatal("unable to set bucket policy", bucket):
            connection.s3.put_bucket_policy(Bucket=bucket, Policy=_acl_policy(acl, bucket))
    except ProviderError as error:
        raise ProviderError(str(error), outer) from error


def _set_quota(bucket: str, quota: float | None) -> None:
    if quota is not None:
        raise ProviderError(
            f"[FATAL] [Quota] Unable to update bucket ({bucket}): the sandbox's server keeps no quotas; leave quota out"
        )


def _acl_policy(acl: str, bucket: str) -> str:
    whole, objects, everything = f"{_ARN}{bucket}", f"{_ARN}{bucket}/*", f"{_ARN}*"
    grants = {
        "public-read": [
            (["s3:ListBucket", "s3:ListAllMyBuckets"], [everything]),
            ([*_LIST, "s3:GetObject"], [whole, objects]),
        ],
        "public-write": [(_LIST, [whole]), (_WRITE, [objects])],
        "public-read-write": [(_LIST, [whole]), (["s3:PutObject"], [objects])],
        "public": [(["s3:GetBucketLocation", *_LIST, "s3:GetObject", *_WRITE], [whole, objects])],
    }[acl]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": actions, "Resource": resources}
        for actions, resources in grants
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _policy(connection: MinioConnection, bucket: str) -> str:
    try:
        return connection.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
            return ""
        raise ProviderError(f"error importing Minio S3 bucket policy: {reason_of(error)}") from error


def _is_locked(connection: MinioConnection, bucket: str) -> bool:
    try:
        found = connection.s3.get_object_lock_configuration(Bucket=bucket)
    except ClientError:
        return False
    return found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"


def _empty(connection: MinioConnection, bucket: str) -> None:
    for page in connection.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            try:
                connection.s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
            except ClientError as error:
                raise ProviderError(
                    f"{reason_of(error)} (object {entry['Key']}; the real plugin tries again for ever here)"
                ) from error
