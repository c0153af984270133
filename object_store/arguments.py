"""Checks the arguments of the operations before anything is sent; both stores do this first."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from object_store.answers import bare_etag, quoted
from object_store.content_type import check_content_type, guess_content_type
from object_store.errors import InvalidBody, InvalidExpiry
from object_store.keys import check_bucket, check_key, check_key_of_put
from object_store.metadata import check_metadata
from object_store.reference import ObjectRef, check_etag

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EXPIRY: Final = timedelta(days=7)
"""Longest lifetime of a presigned URL; Signature Version 4 allows no more."""

_ONE_REQUEST_BYTES: Final = 5 * 1024**3  # S3 takes no more in one put
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MIN_EXPIRY = timedelta(seconds=1)  # the URL counts whole seconds


@dataclass(frozen=True)
class Put:
    """An upload with valid arguments."""

    bucket: str
    key: str
    content_type: str
    metadata: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """Content type and metadata as headers."""
        return {"content-type": self.content_type, **{f"x-amz-meta-{n}": value for n, value in self.metadata.items()}}

    def stored(self, etag: str | None, size: int) -> ObjectRef:
        """Return the reference to the stored object. Raise UnexpectedAnswer if the server sent no etag."""
        return ObjectRef(
            bucket=self.bucket,
            key=self.key,
            etag=bare_etag(etag, self.bucket, self.key),
            size=size,
            content_type=self.content_type,
        )


def checked_put(
    bucket: str, key: str, content_type: str | None, metadata: Mapping[str, str] | None, *, probes: bool = False
) -> Put:
    """Check the arguments of an upload, except its body."""
    check_bucket(bucket)
    check_key_of_put(bucket, key, probes=probes)
    media_type = guess_content_type(key) if content_type is None else check_content_type(bucket, key, content_type)
    return Put(bucket, key, media_type, check_metadata(bucket, key, metadata))


def checked_get(bucket: str, key: str, etag: str | None) -> dict[str, str]:
    """Check the arguments of a download, and return its condition as headers."""
    check_bucket(bucket)
    check_key(bucket, key)
    if etag is None:
        return {}
    check_etag(bucket, key, etag)
    return {"if-match": quoted(etag)}


def checked_delete(bucket: str, key: str) -> None:
    """Check the arguments of a removal; the key may be a marker, which ends in a slash."""
    check_bucket(bucket)
    check_key(bucket, key[:-1] if isinstance(key, str) and key.endswith("/") else key)


@dataclass(frozen=True)
class BoundUpload:
    """A URL for one given body.

    Attributes:
        url: a secret until it expires; not in the repr.
        headers: what its holder must send with it, and no other of their names.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str]


def bound_headers(bucket: str, key: str, size: int, sha256: str) -> dict[str, str]:
    """Length and checksum of a body as headers. Raise InvalidBody."""
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= _ONE_REQUEST_BYTES:
        raise InvalidBody(
            f"a body of {size!r} bytes; legal: 0 to {_ONE_REQUEST_BYTES}, in one request", bucket=bucket, key=key
        )
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise InvalidBody(f"{sha256!r} is not a SHA-256; legal: 64 digits of 0-9 and a-f", bucket=bucket, key=key)
    return {"content-length": str(size), "x-amz-checksum-sha256": b64encode(bytes.fromhex(sha256)).decode()}


def lifetime_of(bucket: str, key: str, expiry: timedelta | float) -> timedelta:
    """Return the lifetime of a presigned URL. Raise InvalidExpiry if it is outside of the limits."""
    try:
        lifetime = expiry if isinstance(expiry, timedelta) else timedelta(seconds=expiry)
    except (TypeError, ValueError, OverflowError):
        lifetime = None
    if lifetime is None or isinstance(expiry, bool) or not _MIN_EXPIRY <= lifetime <= MAX_EXPIRY:
        raise InvalidExpiry(
            f"a presigned URL cannot be valid for {expiry!r}; legal: a timedelta or seconds, from 1 second to "
            f"{MAX_EXPIRY.days} days ({int(MAX_EXPIRY.total_seconds())})",
            bucket=bucket,
            key=key,
        )
    return lifetime
