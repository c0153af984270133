"""What is read out of obstore's answers: references, metadata, and whether they are what was asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from object_store.errors import (
    AlreadyExists,
    BucketNotFound,
    IncompleteTransfer,
    NotFound,
    ObjectStoreError,
    RequestRefused,
    StaleReference,
    UnexpectedAnswer,
)
from object_store.reference import Download, ObjectInfo, ObjectRef

if TYPE_CHECKING:
    from obstore import GetResult

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html (system-defined)
_SYSTEM = {"Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Cache-Control"}
_SYSTEM |= {"Storage-Class"}
_CONDITION_FAILED = 412


def info_of(bucket: str, key: str, result: GetResult, etag: str | None = None) -> ObjectInfo:
    """Read reference, metadata and time of an answer.

    Raises:
        StaleReference: its etag is not the one that was asked for, which a server that knows no If-Match answers with.
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


def bare_etag(etag: str | None, bucket: str, key: str) -> str:
    """Return an etag without its quotes: UnexpectedAnswer where there is none."""
    bare = (etag or "").removeprefix("W/").strip('"')
    if not re.fullmatch(r'[^"\s]+', bare):
        raise UnexpectedAnswer("the answer has no usable ETag", bucket=bucket, key=key)
    return bare


def quoted(etag: str) -> str:
    """Return an etag as `If-Match` has it."""
    return f'"{etag}"'


def stale(bucket: str, key: str, wanted: str, found: str | None = None) -> StaleReference:
    """Make the error for an object whose etag is not the wanted one."""
    there = f"; there is {found!r}" if found else ""
    return StaleReference(
        f"the object is not the one with etag {wanted!r}{there}", bucket=bucket, key=key, status=_CONDITION_FAILED
    )


def condition_of_get(failure: ObjectStoreError, bucket: str, key: str, etag: str | None) -> ObjectStoreError:
    """Sort out a refused If-Match."""
    if etag is not None and isinstance(failure, RequestRefused) and failure.status == _CONDITION_FAILED:
        return stale(bucket, key, etag)
    return failure


def condition_of_put(failure: ObjectStoreError, bucket: str, key: str, *, if_absent: bool) -> ObjectStoreError:
    """Sort out a refused If-None-Match."""
    if if_absent and isinstance(failure, RequestRefused) and failure.status == _CONDITION_FAILED:
        return AlreadyExists("there is an object already", bucket=bucket, key=key, status=failure.status)
    return failure


def whole_body(info: ObjectInfo, body: bytes) -> Download:
    """Return a body that is as long as it was said to be: IncompleteTransfer."""
    if len(body) != info.ref.size:
        raise IncompleteTransfer(
            f"{len(body)} bytes came, and {info.ref.size} were to come", bucket=info.ref.bucket, key=info.ref.key
        )
    return Download(ref=info.ref, body=body, metadata=info.metadata)


def is_no_object(failure: NotFound) -> bool:
    """Whether it is the object that is not there, and nothing else that a server answers 404 for."""
    return not isinstance(failure, BucketNotFound) and failure.code in {None, "NoSuchKey", "NoSuchVersion"}
