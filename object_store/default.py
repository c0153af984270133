"""The operations as plain functions, on one store that the first call makes from the environment.

A worker imports these functions. A program that uses more than one server or credential makes its own `ObjectStore`s.
The method of the same name documents each function.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from object_store.ranges import STREAMS
from object_store.store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path

    from object_store.body import Body
    from object_store.reference import Download, ObjectRef
    from object_store.stream import ObjectStream


@cache
def default_store() -> ObjectStore:
    """Return the store of the process's environment, read once; `default_store.cache_clear()` discards it.

    Raises:
        ConfigurationError: a variable is missing or cannot work.
    """
    return ObjectStore.from_environment()


def upload(
    bucket: str,
    key: str,
    body: Body,
    content_type: str | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
    if_absent: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ObjectRef:
    """Store a body under a key: `ObjectStore.upload`."""
    return default_store().upload(
        bucket, key, body, content_type, metadata=metadata, if_absent=if_absent, progress=progress
    )


def download(bucket: str, key: str, *, etag: str | None = None) -> bytes:
    """Return an object's whole body: `ObjectStore.download`."""
    return default_store().download(bucket, key, etag=etag)


def fetch(bucket: str, key: str, *, etag: str | None = None) -> Download:
    """Return an object's whole body with its reference: `ObjectStore.fetch`."""
    return default_store().fetch(bucket, key, etag=etag)


def stream(bucket: str, key: str, *, etag: str | None = None) -> ObjectStream:
    """Return an object's body as an iterator of blocks, with its reference: `ObjectStore.stream`."""
    return default_store().stream(bucket, key, etag=etag)


def download_file(
    bucket: str,
    key: str,
    path: Path,
    *,
    etag: str | None = None,
    replace: bool = True,
    streams: int = STREAMS,
    progress: Callable[[int], None] | None = None,
    unverified: Callable[[ObjectRef], None] | None = None,
) -> ObjectRef:
    """Write an object's body to a file, completely or not at all: `ObjectStore.download_file`."""
    return default_store().download_file(
        bucket, key, path, etag=etag, replace=replace, streams=streams, progress=progress, unverified=unverified
    )


def head(bucket: str, key: str) -> ObjectRef:
    """Return the reference to an object without transferring its body: `ObjectStore.head`."""
    return default_store().head(bucket, key)


def list(bucket: str, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectRef]:  # noqa: A001  # the name is part of the contract
    """Yield a reference for each object whose key begins with the prefix: `ObjectStore.list`."""
    return default_store().list(bucket, prefix, after=after)


def presign(bucket: str, key: str, expiry: timedelta | float, method: Literal["GET", "PUT"] = "GET") -> str:
    """Return a URL that reads or stores one object until it expires: `ObjectStore.presign`."""
    return default_store().presign(bucket, key, expiry, method)


def delete_object(bucket: str, key: str) -> None:
    """Remove an object; a missing object is not an error: `ObjectStore.delete_object`."""
    default_store().delete_object(bucket, key)
