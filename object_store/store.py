"""`ObjectStore`: the operations on objects, the same on AIStor and on AWS.

Every call names its bucket, and checks its arguments before anything is sent. It does the whole operation or raises one
error of `errors`. Bodies stream in both directions (`body`, `stream`); only `download` and `fetch` return a whole body.
The deployment, not the adapter, manages buckets, lifecycle, locks and policies.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from base64 import b64encode
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar
from urllib.parse import quote

from botocore.exceptions import BotoCoreError

from object_store import ranges
from object_store.answers import (
    acknowledged,
    condition_of_get,
    condition_of_put,
    first_key,
    info_of,
    is_no_object,
    listed,
)
from object_store.arguments import (
    BoundUpload,
    Put,
    bound_headers,
    checked_delete,
    checked_get,
    checked_put,
    lifetime_of,
)
from object_store.body import MULTIPART_THRESHOLD, PART_SIZE, Blocks, Body, as_bytes, opened
from object_store.clients import listing_client
from object_store.config import StoreConfig
from object_store.connections import ca_file_of
from object_store.errors import (
    AccessDenied,
    AlreadyExists,
    ConfigurationError,
    CorruptBody,
    EndpointUnreachable,
    InvalidArgument,
    NotFound,
    ObjectLocked,
    ObjectStoreError,
    RequestRefused,
    UnexpectedAnswer,
    UnverifiedBody,
)
from object_store.files import Partial, replacing
from object_store.folders import JOBS, Transfer, download_dir, upload_dir
from object_store.keys import check_bucket, check_key, check_key_of_put, check_prefix
from object_store.partials import sweep
from object_store.parts import upload_in_parts
from object_store.proof import Proof, expected
from object_store.reference import Download
from object_store.signing import presigned
from object_store.stream import ObjectStream
from object_store.translation import (
    BOTOCORE_ERRORS,
    KEPT,
    Place,
    is_of_a_client,
    translated,
    without_secrets,
)
from object_store.wire import Ask, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType

    from botocore.paginate import PageIterator
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

    from object_store.exchange import Answer
    from object_store.reference import ObjectInfo, ObjectRef

T = TypeVar("T")
_REMOVED: Final = 204
_EMPTY_PAGES_AT_MOST: Final = 100


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
        self._wire: Wire | None = None
        self._ca: str | None = ""  # not read yet
        self._listing_client: S3Client | None = None
        self._resources = ExitStack()
        weakref.finalize(self, self._resources.close)
        _STORES.add(self)

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
            else:
                etag = self._put_parts(wanted, blocks, if_absent=if_absent)
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
        stream = self.stream(bucket, key, etag=etag)
        body = b"".join(stream)
        return Download(ref=stream.ref, body=body, metadata=stream.metadata, verified=stream.verified)

    def stream(self, bucket: str, key: str, *, etag: str | None = None) -> ObjectStream:
        """Return an object's body as an iterator of blocks of about 1 MiB, with its reference in `ref`.

        The iteration also raises errors: IncompleteTransfer if the body does not have the length in the reference.

        Raises:
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).
            StaleReference: its etag is not the given one.
        """
        answer, info = self._get(bucket, key, etag)
        return self._streamed(answer, info, self._proof_of(answer, info.ref))

    def read_range(self, bucket: str, key: str, start: int, end: int, *, etag: str) -> ObjectStream:
        """Return a part of an object's body as an iterator of blocks of about 1 MiB.

        The iteration yields exactly the bytes that were asked for, or raises an error. No digest proves a part, so
        compare it with one of your own.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            start: the first byte, from 0.
            end: the byte after the last one; at most the body's length.
            etag: the etag that the object must have, as in a reference.

        Raises:
            InvalidArgument: `start` is negative, or `end` is not above it.
            NotFound: the object does not exist (on AWS AccessDenied, for an identity that may not list the bucket).
            StaleReference: its etag is not the given one.
            RequestRefused: `start` is not below the body's length.
            UnexpectedAnswer: the answer has other bytes than these, for example because the body ends before `end`.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        if isinstance(start, bool) or isinstance(end, bool) or not 0 <= start < end:
            raise InvalidArgument(
                f"cannot read bytes {start!r} to {end!r}; legal: a first byte from 0, and a larger end",
                bucket=bucket,
                key=key,
            )
        answer, info = self._get(bucket, key, etag, (start, end))
        return self._streamed(answer, info, None, (start, end))

    def download_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        etag: str | None = None,
        replace: bool = True,
        streams: int = ranges.STREAMS,
        progress: Callable[[int], None] | None = None,
        unverified: Callable[[ObjectRef], None] | None = None,
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
            replace: whether a file that is there, or comes meanwhile, may be replaced.
            streams: connections at the same time, for an object of 64 MiB or more.
            progress: called with the number of bytes written since the last call, from several threads.
            unverified: called with the reference of a body that no digest of the server's proves.

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
        answer, info = self._get(bucket, key, etag)
        proof = self._proof_of(answer, info.ref)
        tell = progress or (lambda _: None)
        with suppress(
            OSError, RuntimeError
        ):  # a folder that cannot be read may still be writable; pathlib: links in a cycle
            sweep(path.resolve().parent)
        with closing(answer), replacing(path, bucket=bucket, key=key, replace=replace) as partial:
            if streams == 1 or partial.sequential or info.ref.size < ranges.RANGES_THRESHOLD:
                stream = self._streamed(answer, info, proof)
                for block in stream.views():
                    partial.write(block)
                    tell(len(block))
                verified = stream.verified
            else:
                self._download_ranges(self._streamed(answer, info, None), partial, proof, tell, streams)
                ref = info.ref
                verified = self._proven(
                    ref, lambda: proof.of_file(partial.read_at, ref.size, ref.bucket, ref.key), proof
                )
        if not verified and unverified is not None:
            unverified(info.ref)
        return info.ref

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
        return self._stat(bucket, key)

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
        theirs = self.config.client_endpoint
        config = replace(self.config, endpoint=theirs) if theirs else self.config
        return presigned(config, method, bucket, key, int(lifetime.total_seconds()))

    def presign_upload(
        self,
        bucket: str,
        key: str,
        expiry: timedelta | float,
        *,
        size: int,
        sha256: str,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> BoundUpload:
        """Return a URL with which its holder can store one given body under a free key, and nothing else.

        Length, SHA-256, content type, metadata and the condition that the key has no object are signed. So the holder
        must send exactly the headers that are returned. A server that does not check a checksum takes other bytes of
        the same length: compare what was stored.

        Args:
            bucket: the bucket's name.
            key: the whole key.
            expiry: as of `presign`.
            size: bytes of the body.
            sha256: of the body, hexadecimal.
            content_type: as of `upload`.
            metadata: as of `upload`.

        Raises:
            InvalidExpiry: shorter than 1 second or longer than 7 days.
            InvalidBody: no body has that size or digest, or one request cannot hold it (5 GB).
            InvalidContentType: it is not a content type.
            InvalidMetadata: the metadata would not come back unchanged.
        """
        wanted = checked_put(bucket, key, content_type, metadata, probes=self._probes)
        lifetime = lifetime_of(bucket, key, expiry)
        headers = {**wanted.headers, **bound_headers(bucket, key, size, sha256), "if-none-match": "*"}
        theirs = self.config.client_endpoint
        config = replace(self.config, endpoint=theirs) if theirs else self.config
        url = presigned(config, "PUT", bucket, key, int(lifetime.total_seconds()), headers)
        return BoundUpload(url, headers)

    def delete_object(self, bucket: str, key: str) -> None:
        """Remove an object; a missing object is not an error.

        A key that ends in a slash is the marker that other programs put where they show a folder: the marker goes, what
        is below it stays. In a bucket with versions, including object lock, this hides the object behind a delete
        marker; the versions stay.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
        """
        checked_delete(bucket, key)
        try:
            answer = self._do(bucket, key, lambda: self._listings().delete_object(Bucket=bucket, Key=key))
        except NotFound as failure:
            # AWS and MinIO answer 204, some other servers 404.
            if not is_no_object(failure):
                raise
            return
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        if status != _REMOVED and self._is_there(bucket, key):
            raise UnexpectedAnswer(
                f"the answer is {status}, not 204 as for a removal, and the object is still there",
                bucket=bucket,
                key=key,
                status=status,
            )

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
            self._wire = None
            self._listing_client = None
            self._ca = ""
            self._resources.close()

    def _begin_anew(self) -> None:
        """In a forked process, leave the connections to the parent: two users of one get each other's answers."""
        self._lock = Lock()  # a thread that is not here may hold the other one
        self._wire, self._listing_client, self._ca = None, None, ""
        self._resources = ExitStack()
        weakref.finalize(self, self._resources.close)

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
        except BaseException as raw:
            if not is_of_a_client(raw):
                raise
            failure = translated(raw, self.place(bucket, key))
        if isinstance(failure, ObjectLocked):
            failure = self.with_end_of_lock(failure)
        # Raised outside of the except clause, so that the raw error, whose text may hold anything, is not its context.
        raise failure

    def _put(self, wanted: Put, body: bytes, *, if_absent: bool) -> str:
        bucket, key = wanted.bucket, wanted.key
        sha256 = hashlib.sha256(body)
        headers = {**wanted.headers, "x-amz-checksum-sha256": b64encode(sha256.digest()).decode()}
        if if_absent:
            headers["if-none-match"] = "*"
        ask = Ask("PUT", bucket, key, headers=headers, body=body, sha256=sha256.hexdigest())
        try:
            return acknowledged(self._do(bucket, key, lambda: self._wires().send(ask, self.place(bucket, key))), ask)
        except ObjectStoreError as failure:
            raise condition_of_put(failure, bucket, key, if_absent=if_absent) from None

    def _put_parts(self, wanted: Put, blocks: Blocks, *, if_absent: bool) -> str:
        bucket, key = wanted.bucket, wanted.key
        place = self.place(bucket, key)
        # Ceph's RGW 16 joins parts over an object in spite of the condition; other servers need not get them first.
        if if_absent and self._is_seen(bucket, key):
            raise AlreadyExists("an object with this key already exists", bucket=bucket, key=key)
        try:
            etag = self._do(
                bucket,
                key,
                lambda: upload_in_parts(self._listings(), self._wires(), wanted, blocks, place, if_absent=if_absent),
            )
        except BaseException as failure:
            if blocks.fault is not None:
                raise blocks.fault from None
            if not isinstance(failure, ObjectStoreError):
                raise
            # If the answer that joins the parts is lost, botocore asks again for an upload that is gone.
            if failure.code == "NoSuchUpload":
                raise _lost_end(bucket, key) from None
            raise condition_of_put(failure, bucket, key, if_absent=if_absent) from None
        return etag or self.head(bucket, key).etag  # Ceph's RGW sends an empty one

    def _get(
        self, bucket: str, key: str, etag: str | None, span: tuple[int, int] | None = None
    ) -> tuple[Answer, ObjectInfo]:
        headers = checked_get(bucket, key, etag)
        if span is None:
            headers["x-amz-checksum-mode"] = "ENABLED"
        else:
            headers["range"] = f"bytes={span[0]}-{span[1] - 1}"
        ask, place = Ask("GET", bucket, key, headers=headers), self.place(bucket, key)
        try:
            answer = self._do(bucket, key, lambda: self._wires().send(ask, place))
        except ObjectStoreError as failure:
            raise condition_of_get(failure, place, etag) from None
        try:
            return answer, info_of(bucket, key, answer, etag, span)
        except BaseException:
            answer.close()
            raise

    def _ranged(self, ref: ObjectRef, start: int, end: int) -> ObjectStream:
        """Part of an object, on the condition that it is still the same."""
        answer, info = self._get(ref.bucket, ref.key, ref.etag, (start, end))
        if info.ref.size != ref.size:
            answer.close()
            raise UnexpectedAnswer(
                f"the object has {info.ref.size} bytes in one answer and {ref.size} in another",
                bucket=ref.bucket,
                key=ref.key,
            )
        return self._streamed(answer, info, None, (start, end))

    def _streamed(
        self, answer: Answer, info: ObjectInfo, proof: Proof | None, span: tuple[int, int] | None = None
    ) -> ObjectStream:
        ref = info.ref
        start, end = span or (0, ref.size)

        def reopen(at: int) -> Answer:
            return self._get(ref.bucket, ref.key, ref.etag, (at, end))[0]

        def ended() -> bool:
            return proof is not None and self._proven(ref, lambda: proof.end(ref.bucket, ref.key), proof)

        place = self.place(ref.bucket, ref.key)
        return ObjectStream(answer, info, place, (start, end), reopen, ended, proof, retries=self.config.max_retries)

    def _proof_of(self, answer: Answer, ref: ObjectRef) -> Proof:
        return Proof(expected(answer.headers, ref.etag, ref.size))

    def _download_ranges(
        self, stream: ObjectStream, partial: Partial, proof: Proof, tell: Callable[[int], None], streams: int
    ) -> None:
        """Write a large body by several connections."""
        ref = stream.ref

        def ranged(start: int, end: int) -> Iterator[memoryview]:
            return self._ranged(ref, start, end).views()

        def write_at(offset: int, block: memoryview) -> None:
            partial.write_at(offset, block)
            proof.update_at(offset, block)
            tell(len(block))

        ranges.in_ranges(stream, ranged, write_at, streams=streams, range_size=ranges.RANGE_SIZE)

    def _proven(self, ref: ObjectRef, judge: Callable[[], None], proof: Proof) -> bool:
        """Judge a whole body. Raise CorruptBody, or UnverifiedBody if the settings demand a proof."""
        try:
            judge()
        except CorruptBody:
            if not proof.is_of_parts or self._first_part(ref) in {None, PART_SIZE}:
                raise
        if not proof.proven and self.config.only_verified:
            raise UnverifiedBody("no digest of the server's proves the body", bucket=ref.bucket, key=ref.key)
        return proof.proven

    def _first_part(self, ref: ObjectRef) -> int | None:
        """Bytes of an object's first part: another program may have cut it into other parts than this adapter."""
        ask = Ask("HEAD", ref.bucket, ref.key, {"partNumber": "1"})
        with suppress(ObjectStoreError):
            answer = self._do(ref.bucket, ref.key, lambda: self._wires().send(ask, self.place(ref.bucket, ref.key)))
            answer.close()
            length = answer.headers.get("content-length", "")
            if answer.headers.get("x-amz-mp-parts-count") and length.isdecimal():
                return int(length)
        return None

    def _stat(self, bucket: str, key: str) -> ObjectInfo:
        def head() -> Answer:
            place = self.place(bucket, key)
            with suppress(AccessDenied, NotFound, RequestRefused, UnexpectedAnswer):
                return self._wires().send(Ask("HEAD", bucket, key), place)
            # The answer to HEAD has no body, so it has no error code: 403 may be a wrong key or a missing grant,
            # and 404 a missing bucket. The same request as GET, under the same permission, says which.
            return self._wires().send(Ask("GET", bucket, key), place)

        try:
            answer = self._do(bucket, key, head)
            answer.close()
            return info_of(bucket, key, answer)
        except AccessDenied as failure:
            raise condition_of_get(failure, self.place(bucket, key), None) from None

    def _is_there(self, bucket: str, key: str) -> bool:
        try:
            self._stat(bucket, key)
        except NotFound:
            return False
        return True

    def _is_seen(self, bucket: str, key: str) -> bool:
        """Whether the object is there and may be read. AWS denies what is missing if the bucket may not be listed."""
        with suppress(AccessDenied):
            return self._is_there(bucket, key)
        return False

    def _listed(self, bucket: str, prefix: str, after: str | None) -> Iterator[ObjectRef]:
        place = prefix or None
        last, empty = None if after is None else after.encode(), 0
        pages = self._do(bucket, place, lambda: iter(self._pages_of(bucket, prefix, after)))

        def next_page() -> ListObjectsV2OutputTypeDef | None:
            try:
                return next(pages, None)
            except ValueError:  # of botocore, which turns texts into numbers
                raise UnexpectedAnswer("the answer is not a listing", bucket=bucket, key=place) from None

        while page := self._do(bucket, place, next_page):
            if "IsTruncated" not in page:  # botocore accepts any XML as an empty listing
                raise UnexpectedAnswer("the answer is not a listing", bucket=bucket, key=place)
            if page["IsTruncated"] and not page.get("NextContinuationToken"):  # botocore ends there without a word
                raise UnexpectedAnswer("the listing is cut short, and says not where", bucket=bucket, key=place)
            entries = page.get("Contents", ())
            if last is not None and self.config.endpoint is not None:
                self._check_next(bucket, prefix, last.decode("utf-8", "surrogatepass"), page)
            empty = 0 if entries else empty + 1
            if empty > _EMPTY_PAGES_AT_MOST:
                raise UnexpectedAnswer("the listing does not end", bucket=bucket, key=place)
            for entry in entries:
                ref = listed(bucket, entry)
                at = ref.key.encode("utf-8", "surrogatepass")
                if not ref.key.startswith(prefix) or (last is not None and at <= last):
                    raise UnexpectedAnswer(
                        "the listing repeats a key, or has one out of order or outside of what was asked for",
                        bucket=bucket,
                        key=ref.key,
                    )
                last = at
                yield ref

    def _check_next(self, bucket: str, prefix: str, last: str, page: ListObjectsV2OutputTypeDef) -> None:
        """Check that a page leaves nothing out behind a key whose percent-encoded form is another one.

        LocalStack 4.9 compares the two forms where a listing continues, and answers fewer keys without a sign. The
        same question without `encoding-type` says what comes next.

        Raises:
            UnexpectedAnswer: the page leaves a key out.
        """
        if quote(last, safe="/-._~") == last:
            return
        first = page["Contents"][0]["Key"] if page.get("Contents") else None
        ask = Ask("GET", bucket, "", {"list-type": "2", "max-keys": "1", "prefix": prefix, "start-after": last})
        found = self._do(bucket, last, lambda: first_key(self._wires().send(ask, self.place(bucket, last))))
        if found is None or (first is not None and found >= first.encode("utf-8", "surrogatepass")):
            return
        raise UnexpectedAnswer("the listing leaves out what comes after this key", bucket=bucket, key=last)

    def _pages_of(self, bucket: str, prefix: str, after: str | None) -> PageIterator[ListObjectsV2OutputTypeDef]:
        pages = self._listings().get_paginator("list_objects_v2")
        if after is None:
            return pages.paginate(Bucket=bucket, Prefix=prefix)
        return pages.paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)

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

    def _wires(self) -> Wire:
        with self._lock:
            if self._wire is None:
                with _configuring(self.config):
                    self._wire = Wire(self.config, self._ca_file())
                self._resources.callback(self._wire.close)
            return self._wire

    def _listings(self) -> S3Client:
        with self._lock:
            if self._listing_client is None:
                with _configuring(self.config):
                    self._listing_client = listing_client(self.config, self._ca_file())
                self._resources.callback(self._listing_client.close)
            return self._listing_client

    def _ca_file(self) -> str | None:
        """Path of a copy of the CA; it is removed with the store."""
        if self._ca == "":
            self._ca = self._resources.enter_context(ca_file_of(self.config))
        return self._ca


_STORES: Final[weakref.WeakSet[ObjectStore]] = weakref.WeakSet()


def _begin_anew() -> None:
    for store in tuple(_STORES):
        store._begin_anew()  # noqa: SLF001 - for this module alone


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_begin_anew)


@contextmanager
def _configuring(config: StoreConfig) -> Iterator[None]:
    """A client that cannot be made is a matter of its settings: nothing was sent."""
    try:
        yield
    except (BotoCoreError, ValueError) as raw:
        first_line = without_secrets(str(raw).partition("\n")[0], config.secrets())
        failure = ConfigurationError(f"no client can be made from these settings: {first_line}")
    else:
        return
    raise failure


def _lost_end(bucket: str, key: str) -> EndpointUnreachable:
    return EndpointUnreachable(
        "the connection was lost at the end of the upload: the object may be stored or not", bucket=bucket, key=key
    )
