"""The data path: objects of awkward sizes, keys of awkward forms, metadata, conditions, ranges, long listings.

The rule: the bytes that were put must come back, by hash. It uses boto3, so that it tests the server and not the
adapter. Without `--deep`, objects over 1 byte are tried in one bucket of each band only: they prove the server and the
band, not the bucket.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from model.plan import BucketPlan, IdentityPlan
from object_store import InvalidKey, ObjectStore
from verify.facts import DONE, Answer, Carried, Described, ObjectFacts, Tried
from verify.probe.answers import done
from verify.probe.mark import unmarked
from verify.probe.seeds import condition, short_lock
from verify.probe.session import StoreSession, body_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
PART_BYTES = 5 * MIB  # the smallest part that S3 accepts, except for the last one
SMALL_SIZES = {"0 bytes": 0, "1 byte": 1}
LARGE_SIZES = {"5 MiB - 1": PART_BYTES - 1, "5 MiB": PART_BYTES, "5 MiB + 1": PART_BYTES + 1}
MULTIPART_BYTES = 12 * MIB
PAGE_KEYS = 1000  # as many as S3 answers at most
LISTED_KEYS = PAGE_KEYS + 1
MAX_KEY_BYTES = 1024
_SEGMENT = 200  # MinIO stores a segment as a file name of at most 255 bytes
CONTENT_TYPE = "application/x-joelclaw-probe; charset=utf-8"
METADATA = {"origin": "verify", "note": "a b+c%20d"}
RANGE = (3, 9)
_TEXT = b"0123456789abcdef"
# Servers change such keys, so the adapter refuses them before it sends a request.
ODD_KEYS = {"leading /": "/lead", "//": "a//b", "..": "a/../b"}


def odd_names(prefix: str) -> dict[str, str]:
    """Keys that must come back unchanged, by what is unusual about them."""
    rest = MAX_KEY_BYTES - len(prefix.encode())
    long = "/".join(["k" * _SEGMENT] * (rest // (_SEGMENT + 1) + 1))[:rest]
    return {
        "spaces": f"{prefix}two words  and three",
        "unicode": f"{prefix}Größe-日本語-🦞",
        "+": f"{prefix}a+b",
        "%": f"{prefix}100%25 & 50%",
        "?#=": f"{prefix}q?a=b#c",
        "1024 bytes": prefix + (long[:-1] + "k" if long.endswith("/") else long),
    }


def try_objects(
    session: StoreSession,
    store: ObjectStore,
    bucket: BucketPlan,
    identity: IdentityPlan,
    prefix: str,
    *,
    large: bool,
    listing: bool,
) -> ObjectFacts:
    """Put objects and read them back.

    Args:
        session: Of the run.
        store: The adapter with the identity's key, for the keys that the adapter refuses.
        bucket: The bucket.
        identity: Who puts and reads; it may put in the bucket.
        prefix: The run's prefix.
        large: Whether objects over 1 byte are tried.
        listing: Whether a listing of more than one page is tried.
    """
    client = session.client(identity.name)
    lock: dict[str, Any] = short_lock(bucket, session.now()) if identity.verifies else {}
    path = _Path(session, client, bucket.name, {"ChecksumAlgorithm": "SHA256", **lock}, condition(identity, bucket))
    sizes = {**SMALL_SIZES, **(LARGE_SIZES if large else {})}
    return ObjectFacts(
        identity=identity.name,
        sizes={words: path.carried(f"{prefix}size-{size}", size) for words, size in sizes.items()},
        multipart=path.carried_in_parts(f"{prefix}multipart") if large else None,
        keys={words: path.carried(key, len(_TEXT)) for words, key in odd_names(prefix).items()},
        metadata=path.metadata(f"{prefix}metadata"),
        conditional=path.put_again(f"{prefix}size-1"),
        conditional_join=path.joined_again(f"{prefix}size-1"),
        ranged=path.ranged(f"{prefix}metadata"),
        listed=path.listed(f"{prefix}many/") if listing else None,
        odd_keys={words: _adapter_refuses(store, bucket.name, prefix, key) for words, key in ODD_KEYS.items()},
        large=large,
    )


#: The code of an overwrite that was answered as a refusal.
OVERWRITTEN = "Overwritten"


class _Path:
    """The calls of one client into one bucket."""

    def __init__(
        self,
        session: StoreSession,
        client: "S3Client",
        bucket: str,
        arguments: dict[str, Any],
        once: dict[str, Any],
    ) -> None:
        self._conversation = session
        self._client = client
        self._bucket = bucket
        self._arguments = arguments
        self._once = once

    def carried(self, key: str, size: int) -> Carried:
        body = secrets.token_bytes(size)
        return self._there_and_back(key, body, lambda: self._put(key, body))

    def carried_in_parts(self, key: str) -> Carried:
        body = secrets.token_bytes(MULTIPART_BYTES)
        return self._there_and_back(key, body, lambda: self._put_parts(key, body))

    def _there_and_back(self, key: str, body: bytes, put: Callable[[], object]) -> Carried:
        sent = Described(size=len(body), sha256=_sha256(body))

        def trip() -> Described:
            put()
            came = body_of(self._client, self._bucket, key)
            return Described(size=len(came), sha256=_sha256(came))

        return Carried(sent, self._conversation.ask(trip))

    def _put(self, key: str, body: bytes) -> object:
        return self._client.put_object(Bucket=self._bucket, Key=key, Body=body, **self._arguments, **self._once)

    def _put_parts(self, key: str, body: bytes) -> None:
        blocks = [body[start : start + PART_BYTES] for start in range(0, len(body), PART_BYTES)]
        self._joined(self._begun(key), blocks, self._once)

    def _begun(self, key: str) -> tuple[str, str, str]:
        begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **self._arguments)
        upload = (self._bucket, key, begun["UploadId"])
        self._conversation.uploads.add(upload)
        return upload

    def _joined(self, upload: tuple[str, str, str], blocks: Sequence[bytes], condition: dict[str, Any]) -> None:
        client, (bucket, key, upload_id) = self._client, upload
        parts = []
        for number, block in enumerate(blocks, 1):
            part = client.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=block,
                ChecksumAlgorithm="SHA256",
            )
            checksum = {"ChecksumSHA256": part["ChecksumSHA256"]} if "ChecksumSHA256" in part else {}
            parts.append({"PartNumber": number, "ETag": part["ETag"], **checksum})
        client.complete_multipart_upload(
            Bucket=bucket,
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]  # a dict, as boto3 takes it
            **condition,
        )
        self._conversation.uploads.discard(upload)

    def metadata(self, key: str) -> Answer[str]:
        def trip() -> str:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=_TEXT,
                ContentType=CONTENT_TYPE,
                Metadata=METADATA,
                **self._arguments,
                **self._once,
            )
            head = self._client.head_object(Bucket=self._bucket, Key=key)
            return metadata_text(head["ContentType"], unmarked(head["Metadata"]))

        return self._conversation.ask(trip)

    def put_again(self, key: str) -> Tried:
        """A put over an object with the condition; a refusal counts only if the object is unchanged."""
        again = b"again"
        tried = self._conversation.ask(
            done(
                lambda: self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=again, IfNoneMatch="*", **self._arguments
                )
            )
        )
        return self._unless_overwritten(tried, key, again)

    def joined_again(self, key: str) -> Tried:
        """An upload in parts over an object, with the condition at the join; the run aborts it at its end.

        Ceph's RGW 16 heeds the condition at a put in buckets without versions, and nowhere else.
        """
        again = b"again in parts"
        condition = {"IfNoneMatch": "*"}
        tried = self._conversation.ask(done(lambda: self._joined(self._begun(key), [again], condition)))
        return self._unless_overwritten(tried, key, again)

    def _unless_overwritten(self, tried: Tried, key: str, again: bytes) -> Tried:
        if tried.ok or self._conversation.ask(lambda: body_of(self._client, self._bucket, key)).value != again:
            return tried
        return Answer(code=OVERWRITTEN, said=f"the answer was {tried.code}, and the object is the new one")

    def ranged(self, key: str) -> Answer[str]:
        wanted = f"bytes={RANGE[0]}-{RANGE[1]}"
        return self._conversation.ask(
            lambda: body_of(self._client, self._bucket, key, Range=wanted).decode("ascii", "replace")
        )

    def listed(self, prefix: str) -> Answer[int]:
        def trip() -> int:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda number: self._put(f"{prefix}{number:05}", b""), range(LISTED_KEYS)))
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, PaginationConfig={"PageSize": PAGE_KEYS}
            )
            return len({entry["Key"] for page in pages for entry in page.get("Contents", [])})

        return self._conversation.ask(trip)


def metadata_text(content_type: str, metadata: dict[str, str]) -> str:
    """Content type and user metadata in one line, sorted."""
    return "; ".join([content_type, *(f"{name.lower()}={value}" for name, value in sorted(metadata.items()))])


def range_text() -> str:
    """What the range read must return."""
    return _TEXT[RANGE[0] : RANGE[1] + 1].decode()


def _adapter_refuses(store: ObjectStore, bucket: str, prefix: str, key: str) -> Tried:
    """Ask the adapter for a key that it must not send; a HEAD, so that a request that is sent does no harm."""
    whole = f"/{prefix}lead" if key.startswith("/") else f"{prefix}{key}"
    try:
        store.head(bucket, whole)
    except InvalidKey as error:
        return Answer(code=type(error).__name__, said="refused before it was sent")
    except Exception as error:  # noqa: BLE001 - any other error means that it was sent
        return Answer(code=type(error).__name__, said="it was sent")
    return Answer(DONE)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
