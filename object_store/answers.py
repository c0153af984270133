"""What the adapter reads from an answer of obstore: reference, metadata, and whether it is what was requested."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from object_store.errors import (
    AccessDenied,
    AlreadyExists,
    BucketNotFound,
    IncompleteTransfer,
    NotFound,
    ObjectStoreError,
    RequestRefused,
    StaleReference,
    UnexpectedAnswer,
)
from object_store.reference import ETAG_PATTERN, Download, ObjectInfo, ObjectRef

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef
    from obstore import GetResult

    from object_store.translation import Place

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html (system-defined)
_SYSTEM = {"Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Cache-Control"}
_SYSTEM |= {"Storage-Class"}
_CONDITION_FAILED = 412


def info_of(bucket: str, key: str, result: GetResult, etag: str | None = None) -> ObjectInfo:
    """Read the reference, metadata and time from an answer.

    Raises:
        StaleReference: its etag is not the requested one; a server that does not know If-Match sends such an answer.
        UnexpectedAnswer: it has no etag.
    """
    ref = ObjectRef(
        bucket=bucket,
        key=key,
        etag=bare_etag(result.meta["e_tag"], bucket, key),
        size=result.meta["size"],
        content_type=result.attributes.get("Content-Type") or None,
    )
    if etag is not None and ref.etag != etag:
        raise stale(bucket, key, etag, ref.etag)
    metadata = {str(name).lower(): value for name, value in result.attributes.items() if name not in _SYSTEM}
    return ObjectInfo(ref=ref, metadata=metadata, modified=result.meta["last_modified"])


def listed(bucket: str, entry: ObjectTypeDef) -> ObjectRef:
    """Read a reference from an entry of a listing. Raise UnexpectedAnswer if it has no key, etag or size."""
    key, size = entry.get("Key"), entry.get("Size")
    if not key or size is None or size < 0:
        raise UnexpectedAnswer("an entry of the listing has no key, or no size", bucket=bucket, key=key)
    return ObjectRef(bucket=bucket, key=key, etag=bare_etag(entry.get("ETag"), bucket, key), size=size)


def bare_etag(etag: str | None, bucket: str, key: str) -> str:
    """Return an etag without its quotes. Raise UnexpectedAnswer if it is missing."""
    bare = (etag or "").removeprefix("W/").strip('"')
    if not re.fullmatch(ETAG_PATTERN, bare):
        raise UnexpectedAnswer("the answer has no usable ETag", bucket=bucket, key=key)
    return bare


def quoted(etag: str) -> str:
    """Return an etag in the form that `If-Match` requires."""
    return f'"{etag}"'


def stale(bucket: str, key: str, wanted: str, found: str | None = None) -> StaleReference:
    """Make the error for an object that does not have the wanted etag."""
    there = f"; its etag is {found!r}" if found else ""
    return StaleReference(
        f"the object does not have etag {wanted!r}{there}", bucket=bucket, key=key, status=_CONDITION_FAILED
    )


def condition_of_get(failure: ObjectStoreError, place: Place, etag: str | None) -> ObjectStoreError:
    """Turn a refused If-Match into StaleReference, and say what AWS does not; return any other error unchanged."""
    bucket, key = str(place.bucket), str(place.key)
    if etag is not None and isinstance(failure, RequestRefused) and failure.status == _CONDITION_FAILED:
        return stale(bucket, key, etag)
    if type(failure) is AccessDenied and place.is_aws:
        reason = f"{failure.reason.rstrip('.')}; or no such object: AWS tells only those who may list the bucket"
        return AccessDenied(reason, bucket=bucket, key=key, code=failure.code, status=failure.status)
    return failure


def condition_of_put(failure: ObjectStoreError, bucket: str, key: str, *, if_absent: bool) -> ObjectStoreError:
    """Turn a refused If-None-Match into AlreadyExists; return any other error unchanged."""
    if if_absent and isinstance(failure, RequestRefused) and failure.status == _CONDITION_FAILED:
        return AlreadyExists("an object with this key already exists", bucket=bucket, key=key, status=failure.status)
    return failure


def whole_body(info: ObjectInfo, body: bytes) -> Download:
    """Return a body that has the announced length. Raise IncompleteTransfer for any other length."""
    if len(body) != info.ref.size:
        raise IncompleteTransfer(
            f"received {len(body)} bytes instead of {info.ref.size}", bucket=info.ref.bucket, key=info.ref.key
        )
    return Download(ref=info.ref, body=body, metadata=info.metadata)


def is_no_object(failure: NotFound) -> bool:
    """Whether the object is missing, and not something else for which a server answers 404."""
    return not isinstance(failure, BucketNotFound) and failure.code in {None, "NoSuchKey", "NoSuchVersion"}
