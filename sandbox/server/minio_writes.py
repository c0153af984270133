"""What a MinIO server does with an object beyond S3, and what therefore loses data there.

The rule: each was tried on a real server (source of February 2026). A put that names a version id replaces that version
in place unless COMPLIANCE or a legal hold protects it; a tar with `X-Amz-Meta-Snowball-Auto-Extract` does so past both
(PutObjectExtractHandler in cmd/object-handlers.go looks only at the request's own version id). A key that ends with a
slash has one version, `null`. `x-minio-source-mtime` dates a put, and the newest date is the current version.
`x-minio-force-delete` removes a key and all keys below it, with all versions.
"""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import request
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

from sandbox.server.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE_MTIME, FORCE_DELETE = "x-minio-source-mtime", "x-minio-force-delete"
EXTRACT = "x-amz-meta-snowball-auto-extract"
_VERSION, _OF_TAR = "minio_version", "sandbox.version_of_tar"
Answered = Any


def amend() -> None:
    """Give moto these behaviours, over the other amendments."""
    _amend_puts()
    _amend_uploads()
    _amend_deletion()
    _amend_extraction()


def _amend_puts() -> None:
    put_object: Callable[..., FakeKey] = S3Backend.put_object

    def put(self: S3Backend, bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> FakeKey:  # noqa: ANN401 - moto's own signature
        bucket = self.get_bucket(bucket_name)
        held = list(bucket.keys.getlist(key_name, []))
        wanted = _wanted_version(key_name, named) if bucket.is_versioned else None
        replaced = next((one for one in held if str(one.version_id) == wanted), None)
        if isinstance(replaced, FakeKey) and _OF_TAR not in request.environ and replaced.is_locked(True):  # noqa: FBT003 - moto's own signature
            raise ApiError("InvalidRequest", "Object is WORM protected and cannot be overwritten", 400)
        made = put_object(self, bucket_name, key_name, *arguments, **named)
        dated = request.headers.get(SOURCE_MTIME)
        if dated:
            made.last_modified = datetime.fromisoformat(dated).astimezone(UTC).replace(tzinfo=None)
        if wanted:
            made._version_id = wanted  # noqa: SLF001 - moto has no other way to name it
        if bucket.is_versioned:
            versions = [*(one for one in held if one is not replaced), made]
            bucket.keys.setlist(key_name, sorted(versions, key=lambda one: one.last_modified))
        return made

    S3Backend.put_object = put  # type: ignore[method-assign]


def _wanted_version(key: str, named: dict[str, Any]) -> str | None:
    """The version that a put replaces; None for a new one."""
    if key.endswith("/"):
        return "null"
    if (of_tar := request.environ.get(_OF_TAR)) is not None:
        return of_tar or None
    upload = named.get("multipart")
    if named.get("etag") and upload is not None:
        return getattr(upload, _VERSION, None)
    return request.args.get("versionId") or None


def _amend_uploads() -> None:
    create: Callable[..., Any] = S3Backend.create_multipart_upload

    def created(self: S3Backend, *arguments: Any, **named: Any) -> Answered:  # noqa: ANN401 - moto's own signature
        upload = create(self, *arguments, **named)
        setattr(upload, _VERSION, request.args.get("versionId") or None)
        return upload

    S3Backend.create_multipart_upload = created  # type: ignore[method-assign]


def _amend_deletion() -> None:
    delete: Callable[..., tuple[bool, dict[str, Any]]] = S3Backend.delete_object

    def deleted(
        self: S3Backend,
        bucket_name: str,
        key_name: str,
        version_id: str | None = None,
        bypass: object = None,
    ) -> tuple[bool, dict[str, Any]]:
        if request.headers.get(FORCE_DELETE, "").lower() != "true":
            return delete(self, bucket_name, key_name, version_id=version_id, bypass=bypass)
        bucket = self.get_bucket(bucket_name)
        if bucket.object_lock_enabled:
            raise ApiError(
                "XMinioAdminInvalidArgument", "force-delete is forbidden on Object Locking enabled buckets", 400
            )
        below = f"{key_name.rstrip('/')}/"
        for key in [one for one in dict.keys(bucket.keys) if one == key_name or one.startswith(below)]:
            bucket.keys.pop(key)
        return True, {}

    S3Backend.delete_object = deleted  # type: ignore[method-assign]


def _amend_extraction() -> None:
    put_key: Callable[..., Answered] = S3Response._key_response_put  # noqa: SLF001 - moto has no public way

    def put(self: S3Response, query: dict[str, Any], key_name: str) -> Answered:
        if query or request.headers.get(EXTRACT) != "true":
            return put_key(self, query, key_name)
        with tarfile.open(fileobj=io.BytesIO(self.body)) as packed:
            for member in packed:
                content = packed.extractfile(member)
                if content is None:
                    continue
                request.environ[_OF_TAR] = member.pax_headers.get("minio.versionId", "")
                self.backend.put_object(self.bucket_name, member.name, content.read())
        return 200, {}, ""

    S3Response._key_response_put = put  # type: ignore[method-assign]  # noqa: SLF001 - likewise
