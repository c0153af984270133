"""`ObjectStore`: the operations on objects, the same on AIStor and on AWS.

Every call names its bucket, checks its arguments before anything is sent, and either does the whole operation or raises
one error of `errors`. Bodies are bytes in memory here; buckets, lifecycle, locks and policies are the deployment's, not
the adapter's.
"""

from __future__ import annotations

import re
import tempfile
import weakref
from contextlib import ExitStack
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar

import obstore

from object_store.clients import listing_client, object_client
from object_store.config import StoreConfig
from object_store.content_type import check_content_type, guess_content_type
from object_store.errors import (
    BucketNotFound,
    InvalidArgument,
    InvalidBody,
    InvalidExpiry,
    NotFound,
    UnexpectedAnswer,
)
from object_store.keys import check_bucket, check_key
from object_store.reference import Download, ObjectRef
from object_store.translation import BOTOCORE_ERRORS, OBSTORE_ERRORS, Place, answer_of, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from botocore.paginate import PageIterator
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef
    from obstore import GetResult
    from obstore.store import S3Store

T = TypeVar("T")

MULTIPART_THRESHOLD: Final = 8 * 1024 * 1024
"""Bytes up to which a body goes up in one request."""

PART_SIZE: Final = 8 * 1024 * 1024
"""Bytes in each part of a larger one (S3 wants at least 5 MiB in all but the last)."""

MAX_EXPIRY: Final = timedelta(days=7)
"""Longest life of a presigned URL; Signature Version 4 allows no more."""

_MIN_EXPIRY = timedelta(seconds=1)  # the URL counts whole seconds
_PARTS_AT_ONCE = 4


class ObjectStore:
    """The objects of one S3 server, seen with one credential.

    A store may be shared by threads; it keeps one client for each bucket. Use it as a context manager, or call `close`,
    where it should let go of its connections before it is garbage. Making one sends nothing.

    Every operation may raise, besides what it names itself: AccessDenied, BadCredentials, BucketNotFound, ClockSkew,
    EndpointUnreachable, CertificateNotTrusted, Unavailable, WrongRegion, RequestRefused, UnexpectedAnswer; and, before
    anything is sent, InvalidBucketName and InvalidKey.
    """

    def __init__(self, config: StoreConfig) -> None:
        """Make a store from an explicit configuration."""
        self.config = config
        self._lock = Lock()
        self._object_clients: dict[str, S3Store] = {}
        self._listing_client: S3Client | None = None
        self._resources = ExitStack()
        weakref.finalize(self, self._resources.close)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Make a store from the variables that `config` names.

        Raises:
            ConfigurationError: a variable is missing or cannot work.
        """
        return cls(StoreConfig.from_environment(environ))

    def upload(self, bucket: str, key: str, body: bytes, content_type: str | None = None) -> ObjectRef:
        """Store a body under a key, over what was there before.

        Readers see the old object or the whole new one. Above 8 MiB the body goes up in parts; if that breaks
        off, parts without an object may stay on the server until its rule for unfinished uploads removes them.
        A SHA-256 checksum goes with every request, which buckets with object lock on AWS demand.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            body: bytes, or anything that `memoryview` takes.
            content_type: a media type; guessed from the key's suffix when None.

        Returns:
            The reference to what was stored, as the server acknowledged it.

        Raises:
            InvalidBody: the body is not bytes.
            InvalidContentType: the content type is none.
            QuotaExceeded: there is no room for it.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
        """
        check_bucket(bucket)
        check_key(bucket, key)
        data = _as_bytes(bucket, key, body)
        media_type = guess_content_type(key) if content_type is None else check_content_type(bucket, key, content_type)
        stored = self._do(
            bucket,
            key,
            lambda: obstore.put(
                self._objects_of(bucket),
                key,
                data,
                attributes={"Content-Type": media_type},
                use_multipart=len(data) > MULTIPART_THRESHOLD,
                chunk_size=PART_SIZE,
                max_concurrency=_PARTS_AT_ONCE,
            ),
        )
        return ObjectRef(
            bucket=bucket,
            key=key,
            etag=_bare_etag(stored["e_tag"], bucket, key),
            size=len(data),
            content_type=media_type,
        )

    def download(self, bucket: str, key: str) -> bytes:
        """Return an object's whole body.

        Raises:
            NotFound: there is no such object (on AWS AccessDenied, for an identity that may not list the bucket).

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        return self.fetch(bucket, key).body

    def fetch(self, bucket: str, key: str) -> Download:
        """Return an object's whole body with its reference, both from one answer.

        Raises:
            NotFound: there is no such object (on AWS AccessDenied, for an identity that may not list the bucket).
        """
        check_bucket(bucket)
        check_key(bucket, key)

        def get() -> tuple[GetResult, bytes]:
            result = obstore.get(self._objects_of(bucket), key)
            return result, bytes(result.bytes())

        result, body = self._do(bucket, key, get)
        return Download(ref=_reference(bucket, key, result), body=body)

    def head(self, bucket: str, key: str) -> ObjectRef:
        """Return the reference to an object without moving its body.

        Raises:
            NotFound: there is no such object (on AWS AccessDenied, for an identity that may not list the bucket).

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        check_bucket(bucket)
        check_key(bucket, key)

        def head() -> GetResult:
            client = self._objects_of(bucket)
            try:
                return obstore.get(client, key, options={"head": True})
            except OBSTORE_ERRORS as raw:
                answer = answer_of(raw)
                if answer is None or answer.status >= 500:  # noqa: PLR2004  # HTTP: server's fault
                    raise
            # The answer to HEAD has no body, so no error code: 403 may be a wrong key or a missing grant, and 404 a
            # missing bucket. The same request as GET, under the same permission, says which.
            return obstore.get(client, key)

        return _reference(bucket, key, self._do(bucket, key, head))

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectRef]:
        """Yield a reference for each object whose key begins with the prefix, in the server's order.

        Pages of 1000 are asked for as the iterator gets there, so errors come from the iteration, too. A listing does
        not tell content types: `content_type` is None. Keys of other writers come as they are, even
        such as `upload` would refuse (`folder/`).

        Args:
            bucket: the bucket's name.
            prefix: any beginning of a key, not only a whole segment; empty for all.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        check_bucket(bucket)
        if not isinstance(prefix, str):
            raise InvalidArgument(f"the prefix is {type(prefix).__name__}; legal: str", bucket=bucket)
        return self._listed(bucket, prefix)

    def presign(
        self,
        bucket: str,
        key: str,
        expiry: timedelta | float,
        method: Literal["GET", "PUT"] = "GET",
    ) -> str:
        """Return a URL that lets its holder read (GET) or store (PUT) this one object until it expires.

        Nothing is sent: the URL is made here, for this store's endpoint, and may what the credential may when it is
        used. Whoever has it needs no other credential, so it is a secret while it lives.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            expiry: from now, a timedelta or seconds; 1 second to 7 days, parts of a second dropped.
            method: the one HTTP method that it is good for.

        Raises:
            InvalidExpiry: shorter than 1 second or longer than 7 days.
            InvalidArgument: another method.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
        """
        check_bucket(bucket)
        check_key(bucket, key)
        lifetime = _as_lifetime(bucket, key, expiry)
        if method not in {"GET", "PUT"}:
            raise InvalidArgument(f"method {method!r} is not presigned; legal: GET, PUT", bucket=bucket, key=key)
        return self._do(bucket, key, lambda: obstore.sign(self._objects_of(bucket), method, key, lifetime))

    def delete_object(self, bucket: str, key: str) -> None:
        """Remove an object; a key with none is no error.

        In a bucket with versions, object lock included, this hides the object behind a delete marker; the versions
        stay.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
        """
        check_bucket(bucket)
        check_key(bucket, key)
        try:
            self._do(bucket, key, lambda: obstore.delete(self._objects_of(bucket), key))
        except BucketNotFound:
            raise
        except NotFound:  # AWS and MinIO answer 204, some other servers 404
            return

    def close(self) -> None:
        """Let go of connections and of the copy of the CA; the store makes new ones if it is used again."""
        with self._lock:
            self._object_clients.clear()
            self._listing_client = None
            self._resources.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    def __repr__(self) -> str:
        """Say where the store is, and nothing of its credential but the name."""
        return f"ObjectStore({self._endpoint}, {self.config.region}, {self.config.access_key_id})"

    @property
    def _endpoint(self) -> str:
        return self.config.endpoint or f"AWS S3 in {self.config.region}"

    def _place(self, bucket: str, key: str | None) -> Place:
        return Place(self._endpoint, bucket, key, self.config.secrets())

    def _do(self, bucket: str, key: str | None, action: Callable[[], T]) -> T:
        try:
            return action()
        except (*OBSTORE_ERRORS, *BOTOCORE_ERRORS) as raw:
            failure = translated(raw, self._place(bucket, key))
        # Raised out here, so that the raw error, whose text may hold anything, is not even its context.
        raise failure

    def _listed(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        place = prefix or None
        pages = self._do(bucket, place, lambda: iter(self._pages_of(bucket, prefix)))
        while page := self._do(bucket, place, lambda: next(pages, None)):
            if "IsTruncated" not in page:  # botocore takes any XML for an empty listing
                raise UnexpectedAnswer("the answer is not a listing", bucket=bucket, key=place)
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                etag = _bare_etag(entry.get("ETag"), bucket, key)
                yield ObjectRef(bucket=bucket, key=key, etag=etag, size=entry["Size"])

    def _pages_of(self, bucket: str, prefix: str) -> PageIterator[ListObjectsV2OutputTypeDef]:
        return self._listings().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)

    def _objects_of(self, bucket: str) -> S3Store:
        with self._lock:
            client = self._object_clients.get(bucket)
            if client is None:
                client = self._object_clients[bucket] = object_client(self.config, bucket)
            return client

    def _listings(self) -> S3Client:
        with self._lock:
            if self._listing_client is None:
                self._listing_client = listing_client(self.config, self._ca_file())
                self._resources.callback(self._listing_client.close)
            return self._listing_client

    def _ca_file(self) -> str | None:
        """Path of a copy of the CA, since botocore takes no text; it goes with the store."""
        pem = self.config.read_ca()
        if pem is None:
            return None
        copy = self._resources.enter_context(
            tempfile.NamedTemporaryFile(  # noqa: SIM115  # closed, and with that removed, by the store's stack
                "w", encoding="utf-8", prefix="object-store-ca-", suffix=".pem"
            )
        )
        copy.write(pem)
        copy.flush()
        return copy.name


def _as_bytes(bucket: str, key: str, body: bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    try:
        return bytes(memoryview(body))  # a copy: the caller may go on changing its buffer
    except TypeError:
        raise InvalidBody(
            f"the body is {type(body).__name__}; legal: bytes (encode text first)", bucket=bucket, key=key
        ) from None


def _as_lifetime(bucket: str, key: str, expiry: timedelta | float) -> timedelta:
    try:
        lifetime = expiry if isinstance(expiry, timedelta) else timedelta(seconds=expiry)
    except (TypeError, ValueError, OverflowError):
        lifetime = None
    if lifetime is None or isinstance(expiry, bool) or not _MIN_EXPIRY <= lifetime <= MAX_EXPIRY:
        raise InvalidExpiry(
            f"a presigned URL cannot live for {expiry!r}; legal: a timedelta or seconds, from 1 second to "
            f"{MAX_EXPIRY.days} days ({int(MAX_EXPIRY.total_seconds())})",
            bucket=bucket,
            key=key,
        )
    return lifetime


def _reference(bucket: str, key: str, result: GetResult) -> ObjectRef:
    return ObjectRef(
        bucket=bucket,
        key=key,
        etag=_bare_etag(result.meta["e_tag"], bucket, key),
        size=result.meta["size"],
        content_type=result.attributes.get("Content-Type") or None,
    )


def _bare_etag(etag: str | None, bucket: str, key: str) -> str:
    bare = (etag or "").removeprefix("W/").strip('"')
    if not re.fullmatch(r'[^"\s]+', bare):
        raise UnexpectedAnswer("the answer has no usable ETag", bucket=bucket, key=key)
    return bare
