"""`minio:index/s3BucketVersioning:S3BucketVersioning`.

The one rule: deletion suspends versioning, which a bucket with object lock refuses, so do not declare it there.
Left out: excluded prefixes and folders, MinIO's own extension, which the sandbox's server does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from sandbox.standin.minio.connection import MinioConnection, fatal
from sandbox.standin.minio.names import one_of
from sandbox.standin.properties import Property, block, boolean, string
from sandbox.standin.resource import ProviderError, ResourceType

if TYPE_CHECKING:
    from sandbox.standin.properties import Table
    from sandbox.standin.values import Bag

_CREATE_FAILED = "error putting bucket versioning configuration: %v"  # the real one has the verb unfilled
_SUSPEND_FAILED = "error suspending bucket versioning: %s"  # likewise


class S3BucketVersioning(ResourceType[MinioConnection]):
    """The versioning of a bucket."""

    token: ClassVar[str] = "minio:index/s3BucketVersioning:S3BucketVersioning"  # noqa: S105 - a type token
    table: ClassVar[Table] = {
        "bucket": string(required=True, force_new=True),
        "versioningConfiguration": block(
            {
                "excludeFolders": boolean(optional=True),
                "excludedPrefixes": Property("list", optional=True),
                "status": string(required=True, valid=one_of("Enabled", "Suspended")),
            },
            required=True,
        ),
    }

    def create_live(self, connection: MinioConnection, planned: Bag) -> tuple[str, Bag] | None:
        """Put the configuration; the real plugin does not read it back."""
        return (planned["bucket"], {}) if _put(connection, planned, resource_id="") else None

    def read_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Read the configuration; raise on every error."""
        with fatal("failed to load bucket versioning", resource_id):
            status = connection.s3.get_bucket_versioning(Bucket=resource_id).get("Status", "")
        found: Bag = {"status": status, "excludeFolders": False, "excludedPrefixes": []}
        return {"bucket": resource_id, "versioningConfiguration": found}

    def update_live(self, connection: MinioConnection, resource_id: str, state: Bag, planned: Bag) -> Bag | None:  # noqa: ARG002 - a hook
        """Put the configuration."""
        return {} if _put(connection, planned, resource_id=resource_id) else None

    def delete_live(self, connection: MinioConnection, resource_id: str, state: Bag) -> None:
        """Suspend versioning, unless it is suspended."""
        if (state.get("versioningConfiguration") or {}).get("status") == "Suspended":
            return
        with fatal(_SUSPEND_FAILED, resource_id):
            _put_status(connection, resource_id, "Suspended")


def _put(connection: MinioConnection, planned: Bag, *, resource_id: str) -> bool:
    wanted = planned["versioningConfiguration"]
    with fatal(_CREATE_FAILED, resource_id):
        if wanted.get("excludedPrefixes") or wanted.get("excludeFolders"):
            raise ProviderError("the sandbox's server has no excluded prefixes or folders; leave them out")
        with connection.writes.write(planned["bucket"]) as kept:
            if kept:
                _put_status(connection, planned["bucket"], wanted["status"])
    return kept


def _put_status(connection: MinioConnection, bucket: str, status: str) -> None:
    """Suspend or enable; for a locked bucket, refuse what MinIO refuses."""
    if status == "Suspended" and _is_locked(connection, bucket):
        raise ProviderError("An Object Lock configuration is present on this bucket, versioning cannot be suspended.")
    connection.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})  # type: ignore[typeddict-item] # a literal, checked


def _is_locked(connection: MinioConnection, bucket: str) -> bool:
    try:
        connection.s3.get_object_lock_configuration(Bucket=bucket)
    except ClientError:
        return False
    return True
