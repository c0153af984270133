"""`ObjectStore`: the operations on objects, the same on AIStor and on AWS.

Every call names its bucket, and checks its arguments before anything is sent. It does the whole operation or raises one
error of `errors`. Bodies stream in both directions (`body`, `stream`); only `download` and `fetch` return a whole body.
The deployment, not the adapter, manages buckets, lifecycle, locks and policies.
"""

from __future__ import annotations

import tempfile
import weakref
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import obstore
from obstore.exceptions import BaseError

from object_store import ranges
from object_store.answers import condition_of_get, condition_of_put, info_of, is_no_object, listed, whole_body
from object_store.arguments import Put, checked_delete, checked_get, checked_put, lifetime_of
from object_store.body import MULTIPART_THRESHOLD, PART_SIZE, Blocks, Body, as_bytes, opened
from object_store.clients import listing_client, object_client
from object_store.config import StoreConfig
from object_store.errors import (
    AccessDenied,
    ConfigurationError,
    EndpointUnreachable,
    InvalidArgument,
    NotFound,
    ObjectLocked,
    ObjectStoreError,
    UnexpectedAnswer,
)
from object_store.files import replacing
from object_store.folders import JOBS, Transfer, download_dir, upload_dir
from object_store.keys import check_bucket, check_key, check_key_of_put, check_prefix
from object_store.partials import sweep
from object_store.parts import PARTS_AT_ONCE, is_misread_by_obstore, upload_in_parts
from object_store.stream import ObjectStream
from object_store.translation import (
    BOTOCORE_ERRORS,
    KEPT,
    OBSTORE_ERRORS,
    Place,
    answer_of,
    is_of_a_client,
    translated,
    without_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType

    from botocore.paginate import PageIterator
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef
    from obstore import GetResult, PutMode
    from obstore.store import S3Store

    from object_store.reference import Download, ObjectInfo, ObjectRef

T = TypeVar("T")


class ObjectStore:
    """The objects of one S3 server, accessed with one credential.

    Threads may share a store; it keeps one client for each bucket. Use it as a context manager, or call `close`, to
    release its connections before it is garbage-collected. Making a store sends nothing.

    Besides its own errors, every operation may raise AccessDenied, BadCredentials, BucketNotFound, ClockSkew,
    EndpointUnreachable, CertificateNotTrusted, Unavailable, WrongRegion, RequestRefused and UnexpectedAnswer; and,
    before anything is sent, InvalidBucketName and InvalidKey.
    """

    def __init__(self, config: StoreConfig, *, probes: bool = False) -> None:
        """Make a store from an explicit configuration.

        Args:
            config: the server, the credential and the limits.
            probes: it may put objects under `.verify/`, where only `object-store verify` does.
        """
        self.config = config
        self._probes = probes
        self._lock = Lock()
        self._object_clients: dict[tuple[str | None, str], S3Store] = {}
        self._listing_client: S3Client | None = None
        self._resources = ExitStack()
        weakref.finalize(self, self._resources.close)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Make a store from the variables that `config` lists.

        Raises:
            ConfigurationError: a variable is missing or cannot work.
        """
        return cls(StoreConfig.from_environment(environ))

    def upload(
        self,
        bucket: str,
        key: str,
        body: Body,
        content_type: str | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ObjectRef:
        """Store a body under a key, and replace an object that is there.

        Readers see the old object or the whole new one. A body above 8 MiB goes up in parts of 8 MiB, four at a time,
        and no more of it is in memory. If the upload fails, it is aborted. If the abort cannot reach the server (after
        a crash, or when the server is gone), parts without an object stay there until its rule for unfinished uploads
        removes them. If the last answer is lost, it is unknown whether the object is stored; storing it again settles
        that. Every request carries a SHA-256 checksum, which AWS requires for buckets with object lock.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            body: bytes, a `pathlib.Path`, a file opened in binary mode, or an iterable of bytes; at most 78 GiB.
            content_type: a media type; guessed from the key's suffix when None.
            metadata: names of a-z, 0-9 and '-', with values of printable ASCII, together at most 2 KB.
            if_absent: store it only if the key has no object; always so in a bucket of `StoreConfig.write_once`. The
                server decides, so one of several writers wins. After
                a lost answer the retry finds the object of the first try, and also raises AlreadyExists.
            progress: called with the number of bytes passed on since the last call.

        Returns:
            The reference to the stored object, as the server acknowledged it.

        Raises:
            AlreadyExists: `if_absent` was given, or holds in this bucket, and the object exists.
            InvalidBody: bytes cannot be read from the body.
            InvalidContentType: it is not a content type.
            InvalidMetadata: the metadata would not come back unchanged.
            LocalFileError: the file cannot be read, or it changes while it is read; nothing is stored.
            QuotaExceeded: there is no space for it.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
        """
        wanted = checked_put(bucket, key, content_type, metadata, probes=self._probes)
        if_absent = if_absent or bucket in self.config.write_once
        whole = as_bytes(bucket, key, body)
        if whole is not None and len(whole) <= MULTIPART_THRESHOLD:
            etag = self._put(wanted, whole, if_absent=if_absent)
            if progress is not None:
                progress(len(whole))
            return wanted.stored(etag, len(whole))
        with opened(bucket, key, body if whole is None else whole, progress) as blocks:
            start, more = blocks.head()
            if not more:
                etag = self._put(wanted, start, if_absent=if_absent)
                blocks.count(len(start))
            elif if_absent or is_misread_by_obstore(self._endpoint, bucket, key):
                etag = self._put_parts_by_botocore(wanted, blocks, if_absent=if_absent)
            else:
                etag = self._put_parts(wanted, blocks)
        return wanted.stored(etag, blocks.sent)

    def download(self, bucket: str, key: str, *, etag: str | None = None) -> bytes:
        """Return an object's whole body.

        Raises:
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).
            StaleReference: its etag is not the given one.
            IncompleteTransfer: the body does not have the announced length.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        return self.fetch(bucket, key, etag=etag).body

    def fetch(self, bucket: str, key: str, *, etag: str | None = None) -> Download:
        """Return an object's whole body with its reference, both from one answer.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            etag: the etag that the object must have, as in a reference; None for any.

        Raises:
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).
            StaleReference: its etag is not the given one.
            IncompleteTransfer: the body does not have the announced length.
        """
        result, info = self._get(bucket, key, etag)
        return whole_body(info, self._do(bucket, key, lambda: bytes(result.bytes())))

    def stream(self, bucket: str, key: str, *, etag: str | None = None) -> ObjectStream:
        """Return an object's body as an iterator of blocks of about 1 MiB, with its reference in `ref`.

        The iteration also raises errors: IncompleteTransfer if the body does not have the length in the reference.

        Raises:
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).
            StaleReference: its etag is not the given one.
        """
        result, info = self._get(bucket, key, etag)
        return ObjectStream(result, info.ref, info.metadata, self.place(bucket, key), info.ref.size)

    def download_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        etag: str | None = None,
        streams: int = ranges.STREAMS,
        progress: Callable[[int], None] | None = None,
    ) -> ObjectRef:
        """Write an object's body to a file, which then holds the whole body or is unchanged.

        The body is written to a temporary file in the same folder, which is renamed at the end. A file that is replaced
        leaves its mode, owner and group to the new one. A symbolic link stays, and the file that it leads to is
        written. A pipe, a character device and an open descriptor (`/dev/stdout`) get the body as it comes.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            path: the file; its folder must exist.
            etag: the etag that the object must have, as in a reference; None for any.
            streams: connections at the same time, for an object of 64 MiB or more.
            progress: called with the number of bytes written since the last call, from several threads.

        Raises:
            InvalidArgument: `streams` is less than 1.
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).
            StaleReference: its etag is not the given one.
            IncompleteTransfer: the body does not have the announced length.
            LocalFileError: the file cannot be written: the folder does not exist, no space, no permission, or something
                is there that is not replaced (a folder, a block device, a socket, a read-only file, a hard link, a file
                of another user).
        """
        if streams < 1:
            raise InvalidArgument(f"streams is {streams}; legal: 1 or more", bucket=bucket, key=key)
        stream = self.stream(bucket, key, etag=etag)
        tell = progress or (lambda _: None)
        with suppress(
            OSError, RuntimeError
        ):  # a folder that cannot be read may still be writable; pathlib: links in a cycle
            sweep(path.resolve().parent)
        with replacing(path, bucket=bucket, key=key) as partial:
            if streams == 1 or partial.sequential or stream.ref.size < ranges.RANGES_THRESHOLD:
                for block in stream:
                    partial.write(block)
                    tell(len(block))
                return stream.ref

            def ranged(start: int, end: int) -> Iterator[bytes]:
                return iter(self._ranged(stream.ref, start, end))

            def write_at(offset: int, block: bytes) -> None:
                partial.write_at(offset, block)
                tell(len(block))

            ranges.in_ranges(stream, ranged, write_at, streams=streams, range_size=ranges.RANGE_SIZE)
        return stream.ref

    def head(self, bucket: str, key: str) -> ObjectRef:
        """Return the reference to an object without transferring its body.

        Raises:
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        return self.stat(bucket, key).ref

    def stat(self, bucket: str, key: str) -> ObjectInfo:
        """Return an object's reference, its metadata, and the time at which it was stored.

        Raises:
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).
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
            # The answer to HEAD has no body, so it has no error code: 403 may be a wrong key or a missing grant,
            # and 404 a missing bucket. The same request as GET, under the same permission, says which.
            return obstore.get(client, key)

        try:
            return info_of(bucket, key, self._do(bucket, key, head))
        except AccessDenied as failure:
            raise condition_of_get(failure, self.place(bucket, key), None) from None

    def list(self, bucket: str, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectRef]:
        """Yield a reference for each object whose key begins with the prefix, in the server's order.

        A page of 1000 keys is requested when the iterator reaches it, so the iteration also raises errors. A listing
        has no content types: `content_type` is None. Keys of other writers come as they are, even those that `upload`
        would refuse (`folder/`).

        Args:
            bucket: the bucket's name.
            prefix: any beginning of a key, not only a whole segment; empty for all.
            after: only keys after this one, in the order of their UTF-8 bytes.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        check_bucket(bucket)
        check_prefix(bucket, prefix)
        if after is not None:
            check_prefix(bucket, after, "key to list after")
        return self._listed(bucket, prefix, after)

    def presign(
        self,
        bucket: str,
        key: str,
        expiry: timedelta | float,
        method: Literal["GET", "PUT"] = "GET",
    ) -> str:
        """Return a URL with which its holder can read (GET) or store (PUT) this one object until it expires.

        Nothing is sent. The URL is made for the configuration's `client_endpoint` if it has one, otherwise for its
        endpoint, because a signature is valid for one host. The URL allows what the credential allows at the time of
        use. Its holder needs no other credential, so it is a secret until it expires. In a bucket of
        `StoreConfig.write_once` the holder of a PUT must send `If-None-Match: *`, which needs no signature.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            expiry: from now, a timedelta or seconds; 1 second to 7 days, fractions of a second are dropped.
            method: the one HTTP method that the URL allows.

        Raises:
            InvalidExpiry: shorter than 1 second or longer than 7 days.
            InvalidArgument: another method.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
        """
        check_bucket(bucket)
        if method not in {"GET", "PUT"}:
            raise InvalidArgument(f"cannot presign method {method!r}; legal: GET, PUT", bucket=bucket, key=key)
        if method == "PUT":
            check_key_of_put(bucket, key, probes=self._probes)
        else:
            check_key(bucket, key)
        lifetime = lifetime_of(bucket, key, expiry)
        return self._do(bucket, key, lambda: obstore.sign(self._signer_of(bucket), method, key, lifetime))

    def delete_object(self, bucket: str, key: str) -> None:
        """Remove an object; a missing object is not an error.

        A key that ends in a slash is the marker that other programs put where they show a folder: the marker goes, what
        is below it stays. In a bucket with versions, including object lock, this hides the object behind a delete
        marker; the versions stay.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
        """
        marker = checked_delete(bucket, key)
        try:
            if marker:  # obstore would strip the slash, and remove another object
                self._do(bucket, key, lambda: self._listings().delete_object(Bucket=bucket, Key=key))
            else:
                self._do(bucket, key, lambda: obstore.delete(self._objects_of(bucket), key))
        except NotFound as failure:
            # AWS and MinIO answer 204, some other servers 404.
            if not is_no_object(failure):
                raise

    def upload_dir(
        self,
        folder: Path,
        bucket: str,
        prefix: str = "",
        *,
        jobs: int = JOBS,
        skip_same: bool = True,
        allow_empty: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Transfer:
        """Store each file below a folder: `folders.upload_dir`."""
        return upload_dir(
            self, folder, bucket, prefix, jobs=jobs, skip_same=skip_same, allow_empty=allow_empty, progress=progress
        )

    def download_dir(
        self,
        bucket: str,
        prefix: str,
        folder: Path,
        *,
        jobs: int = JOBS,
        skip_same: bool = True,
        allow_empty: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Transfer:
        """Write each object under a prefix to a folder: `folders.download_dir`."""
        return download_dir(
            self, bucket, prefix, folder, jobs=jobs, skip_same=skip_same, allow_empty=allow_empty, progress=progress
        )

    def close(self) -> None:
        """Release the connections and the copy of the CA; the store makes new ones if it is used again."""
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
        """Show where the store is and the credential's name, but no secret."""
        return f"ObjectStore({self._endpoint}, {self.config.region}, {self.config.access_key_id})"

    @property
    def _endpoint(self) -> str:
        return self.config.endpoint or f"AWS S3 in {self.config.region}"

    def _do(self, bucket: str, key: str | None, action: Callable[[], T]) -> T:
        try:
            return action()
        except BaseException as raw:  # a panic of obstore is no Exception
            if not is_of_a_client(raw):
                raise
            failure = translated(raw, self.place(bucket, key))
        if isinstance(failure, ObjectLocked):
            failure = self.with_end_of_lock(failure)
        # Raised outside of the except clause, so that the raw error, whose text may hold anything, is not its context.
        raise failure

    def _put(self, wanted: Put, body: bytes, *, if_absent: bool) -> str | None:
        bucket, key = wanted.bucket, wanted.key
        mode: PutMode | None = "create" if if_absent else None
        client = self.objects_of(bucket, key)
        try:
            return self._do(
                bucket,
                key,
                lambda: obstore.put(client, key, body, attributes=wanted.attributes, mode=mode, use_multipart=False),
            )["e_tag"]
        except ObjectStoreError as failure:
            raise condition_of_put(failure, bucket, key, if_absent=if_absent) from None

    def _put_parts(self, wanted: Put, blocks: Blocks) -> str | None:
        bucket, key = wanted.bucket, wanted.key
        client = self.objects_of(bucket, key)
        try:
            return self._do(
                bucket,
                key,
                lambda: obstore.put(
                    client,
                    key,
                    iter(blocks),
                    attributes=wanted.attributes,
                    use_multipart=True,
                    chunk_size=PART_SIZE,
                    max_concurrency=PARTS_AT_ONCE,
                ),
            )["e_tag"]
        except ObjectStoreError as failure:
            # If the answer that joins the parts is lost, obstore aborts an upload that is gone, and reports that.
            lost = failure.code == "NoSuchUpload"
            fault = blocks.fault or (_lost_end(bucket, key) if lost else failure)
        raise fault

    def _put_parts_by_botocore(self, wanted: Put, blocks: Blocks, *, if_absent: bool) -> str | None:
        bucket, key = wanted.bucket, wanted.key
        try:
            return self._do(bucket, key, lambda: upload_in_parts(self._listings(), wanted, blocks, if_absent=if_absent))
        except BaseException as failure:
            if blocks.fault is not None:
                raise blocks.fault from None
            if not isinstance(failure, ObjectStoreError):
                raise
            if failure.code == "NoSuchUpload":  # likewise, after a retry of botocore
                raise _lost_end(bucket, key) from None
            raise condition_of_put(failure, bucket, key, if_absent=if_absent) from None

    def _get(
        self, bucket: str, key: str, etag: str | None, span: tuple[int, int] | None = None
    ) -> tuple[GetResult, ObjectInfo]:
        options = checked_get(bucket, key, etag)
        if span is not None:
            options["range"] = span
        client = self.objects_of(bucket, key)
        try:
            result = self._do(bucket, key, lambda: obstore.get(client, key, options=options))
        except ObjectStoreError as failure:
            raise condition_of_get(failure, self.place(bucket, key), etag) from None
        return result, info_of(bucket, key, result, etag)

    def _ranged(self, ref: ObjectRef, start: int, end: int) -> ObjectStream:
        """Part of an object, on the condition that it is still the same."""
        result, info = self._get(ref.bucket, ref.key, ref.etag, (start, end))
        return ObjectStream(result, info.ref, info.metadata, self.place(ref.bucket, ref.key), end - start)

    def _listed(self, bucket: str, prefix: str, after: str | None) -> Iterator[ObjectRef]:
        place = prefix or None
        pages = self._do(bucket, place, lambda: iter(self._pages_of(bucket, prefix, after)))
        while page := self._do(bucket, place, lambda: next(pages, None)):
            if "IsTruncated" not in page:  # botocore accepts any XML as an empty listing
                raise UnexpectedAnswer("the answer is not a listing", bucket=bucket, key=place)
            for entry in page.get("Contents", ()):
                yield listed(bucket, entry)

    def _pages_of(self, bucket: str, prefix: str, after: str | None) -> PageIterator[ListObjectsV2OutputTypeDef]:
        pages = self._listings().get_paginator("list_objects_v2")
        if after is None:
            return pages.paginate(Bucket=bucket, Prefix=prefix)
        return pages.paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)

    def objects_of(self, bucket: str, key: str) -> S3Store:
        """Return obstore's client for a bucket, made on its first use. Raise the errors of any operation."""
        return self._do(bucket, key, lambda: self._objects_of(bucket))

    def with_end_of_lock(self, failure: ObjectLocked) -> ObjectLocked:
        """Return the error with the time until which the object is kept, if the credential may read it."""
        bucket, key = str(failure.bucket), str(failure.key)
        try:
            told = self._listings().head_object(Bucket=bucket, Key=key)
        except BOTOCORE_ERRORS:
            return failure
        until, held = told.get("ObjectLockRetainUntilDate"), told.get("ObjectLockLegalHoldStatus") == "ON"
        ends = ["its legal hold is lifted"] * held + [f"{until} ({told.get('ObjectLockMode')})"] * bool(until)
        if not ends:
            return failure
        reason = failure.reason.replace(KEPT, f"the object is kept until {' and '.join(ends)}")
        return ObjectLocked(reason, bucket=bucket, key=key, code=failure.code, status=failure.status)

    def place(self, bucket: str, key: str | None) -> Place:
        """Return what an error about an object says, and the secrets that it must not show."""
        proxy = self.config.proxy
        return Place(self._endpoint, bucket, key, self.config.secrets(), proxy.shown if proxy else None)

    def _objects_of(self, bucket: str) -> S3Store:
        return self._client_of(bucket, self.config)

    def _signer_of(self, bucket: str) -> S3Store:
        """The client whose URLs work for their users."""
        theirs = self.config.client_endpoint
        return self._client_of(bucket, replace(self.config, endpoint=theirs) if theirs else self.config)

    def _client_of(self, bucket: str, config: StoreConfig) -> S3Store:
        with self._lock:
            client = self._object_clients.get((config.endpoint, bucket))
            if client is None:
                with _configuring(config):
                    client = self._object_clients[config.endpoint, bucket] = object_client(config, bucket)
            return client

    def _listings(self) -> S3Client:
        with self._lock:
            if self._listing_client is None:
                with _configuring(self.config):
                    self._listing_client = listing_client(self.config, self._ca_file())
                self._resources.callback(self._listing_client.close)
            return self._listing_client

    def _ca_file(self) -> str | None:
        """Path of a copy of the CA, because botocore does not take text; it is removed with the store."""
        pem = self.config.read_ca()
        if pem is None:
            return None
        copy = self._resources.enter_context(
            tempfile.NamedTemporaryFile(  # noqa: SIM115  # the store's stack closes and so removes it
                "w", encoding="utf-8", prefix="object-store-ca-", suffix=".pem"
            )
        )
        copy.write(pem)
        copy.flush()
        return copy.name


@contextmanager
def _configuring(config: StoreConfig) -> Iterator[None]:
    """A client that cannot be made is a matter of its settings: nothing was sent."""
    try:
        yield
    except (BaseError, ValueError) as raw:
        first_line = without_secrets(str(raw).partition("\n")[0], config.secrets())
        failure = ConfigurationError(f"no client can be made from these settings: {first_line}")
    else:
        return
    raise failure


def _lost_end(bucket: str, key: str) -> EndpointUnreachable:
    return EndpointUnreachable(
        "the connection was lost at the end of the upload: the object may be stored or not", bucket=bucket, key=key
    )
