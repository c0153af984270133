"""What a MinIO server does with an object beyond S3, and what therefore loses data there.

The rule: each was tried on a real server (source of February 2026). A put that names a version id replaces that version
in place unless COMPLIANCE or a legal hold protects it; a tar with `X-Amz-Meta-Snowball-Auto-Extract` does so past both
(PutObjectExtractHandler in cmd/object-handlers.go looks only at the request's own version id). So does a form, whose
object gets no default retention (PostPolicyBucketHandler). A put takes a storage class and tags from the query, too. A
header of replication makes every listing with the object fail, with status 206. A key that ends with a
slash has one version, `null`. A listing leaves out every key below a key that has a version, as `a/b` below `a`, even
if the newest is a delete marker. `x-minio-source-mtime` dates a put, and the newest date is the current version.
`x-minio-force-delete` removes a key and all keys below it, with all versions.
"""

from __future__ import annotations

import io
import re
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape, unescape

from flask import request
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

from sandbox.server import moto_store
from sandbox.server.answers import Answer, ApiError, s3_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server.web import Request

SOURCE_MTIME, FORCE_DELETE = "x-minio-source-mtime", "x-minio-force-delete"
EXTRACT = "x-amz-meta-snowball-auto-extract"
#: A put with one of these is stored as encrypted, which MinIO then cannot decrypt (`replicationToInternalHeaders`).
SEALING = "x-minio-replication-server-side-encryption-"
_VERSION, _OF_TAR, _SEALED = "minio_version", "sandbox.version_of_tar", "minio_sealed"
OF_FORM = "sandbox.of_form"
_FROM_QUERY = ("x-amz-storage-class", "x-amz-tagging")
Answered = Any
_LISTING = re.compile(rb"<List(Bucket|Versions)Result\b")
_ENTRY = re.compile(
    rb"<(Contents|Version|DeleteMarker|CommonPrefixes)>(?:(?!</\1>).)*?<(?:Key|Prefix)>(.*?)</(?:Key|Prefix)>.*?</\1>",
    re.DOTALL,
)
_COUNT = re.compile(rb"<KeyCount>\d+</KeyCount>")


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
        if isinstance(replaced, FakeKey) and not _unlocked() and replaced.is_locked(True):  # noqa: FBT003 - moto's own signature
            raise ApiError("InvalidRequest", "Object is WORM protected and cannot be overwritten", 400)
        made = put_object(self, bucket_name, key_name, *arguments, **named)
        if OF_FORM in request.environ:
            made.lock_mode, made.lock_until = None, None
        dated = request.headers.get(SOURCE_MTIME)
        if dated:
            made.last_modified = datetime.fromisoformat(dated).astimezone(UTC).replace(tzinfo=None)
        if any(name.lower().startswith(SEALING) for name, _ in request.headers):
            setattr(bucket, _SEALED, {*getattr(bucket, _SEALED, ()), key_name})
        if wanted:
            made._version_id = wanted  # noqa: SLF001 - moto has no other way to name it
        if bucket.is_versioned:
            versions = [*(one for one in held if one is not replaced), made]
            bucket.keys.setlist(key_name, sorted(versions, key=lambda one: one.last_modified))
        return made

    S3Backend.put_object = put  # type: ignore[method-assign]


def _unlocked() -> bool:
    """Whether MinIO looks at no lock in this request."""
    return _OF_TAR in request.environ or OF_FORM in request.environ


def read_query(asked: Request) -> None:
    """Turn the parameters that MinIO reads like headers into headers (`extractMetadata` in cmd/handler-utils.go)."""
    for parameter, value in asked.query:
        if parameter.lower() in _FROM_QUERY:
            asked.environ[f"HTTP_{parameter.upper().replace('-', '_')}"] = value
    asked.forget_headers()


def listing(asked: Request, answer: Answer) -> Answer:
    """The answer of MinIO to a listing: an error with status 206 if it holds an object that cannot be decrypted."""
    if asked.method != "GET" or answer.status != 200 or not _LISTING.search(answer.body):  # noqa: PLR2004 - a listing
        return answer
    bucket = moto_store.bucket(asked.bucket)
    if bucket is None:
        return answer
    _leave_out_hidden(answer, frozenset(bucket.keys))
    sealed = getattr(bucket, _SEALED, ())
    if not any(
        f"<Key>{spelled}</Key>".encode() in answer.body for key in sealed for spelled in (escape(key), quote(key))
    ):
        return answer
    said = "The requested object was modified and may be compromised"
    return s3_error(ApiError("XMinioObjectTampered", said, 206), asked.path)


def _leave_out_hidden(answer: Answer, keys: frozenset[str]) -> None:
    """Take the entries below another key out of a listing."""
    shown = 0

    def kept(entry: re.Match[bytes]) -> bytes:
        nonlocal shown
        name = unquote_plus(unescape(entry[2].decode()))
        # MinIO stores the object `a/` beside `a`, and not below it.
        parts = (name if entry[1] == b"CommonPrefixes" else name.removesuffix("/")).split("/")
        is_hidden = any("/".join(parts[:count]) in keys for count in range(1, len(parts)))
        shown += not is_hidden
        return b"" if is_hidden else entry[0]

    answer.body = _ENTRY.sub(kept, answer.body)
    answer.body = _COUNT.sub(f"<KeyCount>{shown}</KeyCount>".encode(), answer.body)
    answer.headers = [
        (name, str(len(answer.body)) if name.lower() == "content-length" else value) for name, value in answer.headers
    ]


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
