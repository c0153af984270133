"""What the adapter reads from an answer: reference, metadata, and whether it is what was requested."""

from __future__ import annotations

import hashlib
import html
import re
from contextlib import closing
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from object_store.errors import (
    AccessDenied,
    AlreadyExists,
    BucketNotFound,
    CorruptBody,
    NotFound,
    ObjectStoreError,
    RequestRefused,
    StaleReference,
    UnexpectedAnswer,
)
from object_store.proof import may_be_md5
from object_store.reference import ETAG_PATTERN, ObjectInfo, ObjectRef

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_s3.type_defs import ObjectTypeDef

    from object_store.exchange import Answer
    from object_store.translation import Place
    from object_store.wire import Ask

_METADATA: Final = "x-amz-meta-"
_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")
_LENGTH = re.compile(r"[0-9]{1,19}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_WHOLE, _PART = 200, 206
_CONDITION_FAILED = 412
_FIRST_BYTES: Final = 64 * 1024


def info_of(
    bucket: str, key: str, answer: Answer, etag: str | None = None, span: tuple[int, int] | None = None
) -> ObjectInfo:
    """Read the reference, metadata and time from the answer to a GET or HEAD.

    Args:
        bucket: the bucket that was asked for.
        key: the key that was asked for.
        answer: the answer.
        etag: the etag that was asked for.
        span: the first byte that was asked for and the one after the last; None for the whole body.

    Raises:
        StaleReference: its etag is not the requested one; a server that does not know If-Match sends such an answer.
        UnexpectedAnswer: it has no etag, length or time, or it is another part of the body than was asked for.
    """
    ref = ObjectRef(
        bucket=bucket,
        key=key,
        etag=bare_etag(answer.headers.get("etag"), bucket, key),
        size=_size(answer, span, bucket, key),
        content_type=answer.headers.get("content-type") or None,
    )
    if etag is not None and ref.etag != etag:
        raise stale(bucket, key, etag, ref.etag)
    metadata = {
        name.removeprefix(_METADATA): value for name, value in answer.headers.items() if name.startswith(_METADATA)
    }
    try:
        modified = _time_of(answer.headers.get("last-modified", ""))
    except ValueError:
        raise UnexpectedAnswer("the answer has no usable Last-Modified", bucket=bucket, key=key) from None
    return ObjectInfo(ref=ref, metadata=metadata, modified=modified)


@lru_cache(maxsize=1024)  # the objects of a folder have few different times
def _time_of(header: str) -> datetime:
    return parsedate_to_datetime(header)


def _size(answer: Answer, span: tuple[int, int] | None, bucket: str, key: str) -> int:
    """The length of the whole body."""
    length = answer.headers.get("content-length", "")
    if not _LENGTH.fullmatch(length):
        raise UnexpectedAnswer("the answer has no usable Content-Length", bucket=bucket, key=key)
    if span is None:
        if answer.status != _WHOLE:
            raise UnexpectedAnswer(
                f"the answer is {answer.status}, not 200 as for a whole body", bucket=bucket, key=key
            )
        return int(length)
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    asked = (span[0], span[1] - 1, span[1] - span[0])
    if answer.status != _PART or found is None or (int(found[1]), int(found[2]), int(length)) != asked:
        raise UnexpectedAnswer(
            f"the answer is not bytes {span[0]} to {span[1] - 1} of the body, which were asked for",
            bucket=bucket,
            key=key,
        )
    return int(found[3])


def acknowledged(answer: Answer, ask: Ask, name: str = "the answer") -> str:
    """Return the etag of a stored body or part, without its quotes; the connection is let go.

    Raises:
        UnexpectedAnswer: it is not the answer to a put, or has no etag.
        CorruptBody: the server names another checksum than that of the body that was sent.
    """
    answer.close()
    bucket, key = ask.bucket, ask.key
    if answer.status != _WHOLE:
        raise UnexpectedAnswer(f"{name} is {answer.status}, not 200 as for a put", bucket=bucket, key=key)
    etag = bare_etag(answer.headers.get("etag"), bucket, key)
    sent = ask.headers.get("x-amz-checksum-sha256")
    if answer.headers.get("x-amz-checksum-sha256", sent) != sent:
        raise CorruptBody(f"{name} names another SHA-256 than that of the body", bucket=bucket, key=key)
    named = "x-amz-checksum-sha256" in answer.headers or not may_be_md5(answer.headers)
    if not named and _MD5.fullmatch(etag) and etag != hashlib.md5(ask.body, usedforsecurity=False).hexdigest():
        raise CorruptBody(f"{name} names another MD5 than that of the body", bucket=bucket, key=key)
    return etag


def listed(bucket: str, entry: ObjectTypeDef) -> ObjectRef:
    """Read a reference from an entry of a listing. Raise UnexpectedAnswer if it has no key, etag or size."""
    key, size = entry.get("Key"), entry.get("Size")
    if not key or size is None or size < 0:
        raise UnexpectedAnswer("an entry of the listing has no key, or no size", bucket=bucket, key=key)
    return ObjectRef(bucket=bucket, key=key, etag=bare_etag(entry.get("ETag"), bucket, key), size=size)


def first_key(answer: Answer) -> bytes | None:
    """Return the first key of a listing whose keys are not percent-encoded; the connection is let go."""
    with closing(answer):
        found = re.search(rb"<Key>([^<]+)</Key>", answer.read(_FIRST_BYTES))
    return html.unescape(found[1].decode("utf-8", "replace")).encode("utf-8", "surrogatepass") if found else None


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


def is_no_object(failure: NotFound) -> bool:
    """Whether the object is missing, and not something else for which a server answers 404."""
    return not isinstance(failure, BucketNotFound) and failure.code in {None, "NoSuchKey", "NoSuchVersion"}
