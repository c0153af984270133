"""Puts an object once, and reads it back: the only way in which the archives write.

The rule: nothing is overwritten. If the key is taken by the same bytes, an earlier try succeeded; by others, the caller
chooses the next key. The read-back compares every byte by SHA-256, not the server's word.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from object_store import (
    AccessDenied,
    AlreadyExists,
    CorruptBody,
    ObjectStore,
    ObjectStoreError,
    RequestRefused,
    StaleReference,
)
from workloads.archive import clock
from workloads.archive.commit import SHA256_METADATA, Stored
from workloads.archive.pack import DamagedError

_TRIES: Final = 100


class ColdError(Exception):
    """An object is in an archive class, from which the store must bring it back first; the message has the line."""


def put_proven(
    store: ObjectStore,
    bucket: str,
    keys: Callable[[int], str],
    body: Path | bytes | Iterable[bytes],
    sha256: str,
    *,
    first: int = 1,
    content_type: str = "application/zstd",
    recipients: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> tuple[Stored, int]:
    """Store a body under the first key that is free or has just this body, and read it back.

    Args:
        store: The store.
        bucket: The bucket's name.
        keys: The key of each number.
        body: The bytes, the file that holds them, or what gives them as often as it is iterated.
        sha256: Of the body, in hex.
        first: The number to begin with.
        content_type: Of the object.
        recipients: To whom the body is encrypted.
        metadata: More than the SHA-256.

    Returns:
        The object, and its number.

    Raises:
        DamagedError: What comes back is not what was stored.
        ObjectStoreError: The store does not take it, or is away.
        OSError: The file cannot be read.
    """
    for number in range(first, first + _TRIES):
        key, stored_at, is_ours = keys(number), clock.now_utc(), True
        try:
            named = {SHA256_METADATA: sha256, **(metadata or {})}
            ref = store.upload(bucket, key, body, content_type, metadata=named, if_absent=True)
        except AlreadyExists:
            held = store.stat(bucket, key)
            if held.metadata.get(SHA256_METADATA) != sha256:
                continue
            ref, stored_at, is_ours = held.ref, min(stored_at, held.modified), False  # its lock began then
        stored = Stored(
            key=key,
            etag=ref.etag,
            size=ref.size,
            sha256=sha256,
            stored_at=stored_at,
            recipients=tuple(recipients),
        )
        try:
            read_back(store, bucket, stored)
        except DamagedError:
            if is_ours:
                raise
            continue  # an earlier try succeeded, and was damaged since
        return stored, number
    raise DamagedError(f"{keys(first)} and {_TRIES - 1} keys after it are taken by other bytes")


def read_back(store: ObjectStore, bucket: str, stored: Stored) -> None:
    """Read a whole object and compare it. Raise DamagedError if it is another one."""
    for _ in read_blocks(store, bucket, stored):
        pass


def read_blocks(store: ObjectStore, bucket: str, stored: Stored) -> Iterator[bytes]:
    """Yield an object's bytes; at the end raise DamagedError if they were not the committed ones. Raise ColdError."""
    digest, size = hashlib.sha256(), 0
    try:
        for block in store.stream(bucket, stored.key, etag=stored.etag):
            digest.update(block)
            size += len(block)
            yield block
    except StaleReference:
        raise DamagedError(f"{stored.key} was replaced: its etag is no longer {stored.etag}") from None
    except CorruptBody as fault:
        raise DamagedError(str(fault)) from None
    except (AccessDenied, RequestRefused) as refusal:
        raise as_cold(refusal, bucket, stored.key) or refusal from None
    found = digest.hexdigest()
    if found != stored.sha256:
        raise DamagedError(
            f"{stored.key} has SHA-256 {found} and {size} bytes; committed were {stored.sha256} and {stored.size}"
        )


def as_cold(refusal: ObjectStoreError, bucket: str, key: str) -> ColdError | None:
    """What a refusal means, if the object is in an archive class: a lack of time, and not of rights."""
    if refusal.code != "InvalidObjectState":
        return None
    return ColdError(
        f"{key} is in an archive class and cannot be read before it was brought back: aws s3api restore-object "
        f"--bucket {bucket} --key {key} --restore-request Days=7"
    )
