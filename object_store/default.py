"""The operations as plain functions, on one store made from the environment when the first of them is called.

They are what a worker imports. A program that talks to more than one server, or with more than one credential, makes
its `ObjectStore`s itself. The documentation of each is at the method of the same name.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from object_store.store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from object_store.reference import Download, ObjectRef


@cache
def default_store() -> ObjectStore:
    """Return the store of the process's environment, read once; `default_store.cache_clear()` has it read again.

    Raises:
        ConfigurationError: a variable is missing or cannot work.
    """
    return ObjectStore.from_environment()


def upload(bucket: str, key: str, body: bytes, content_type: str | None = None) -> ObjectRef:
    """Store a body under a key: `ObjectStore.upload`."""
    return default_store().upload(bucket, key, body, content_type)


def download(bucket: str, key: str) -> bytes:
    """Return an object's whole body: `ObjectStore.download`."""
    return default_store().download(bucket, key)


def fetch(bucket: str, key: str) -> Download:
    """Return an object's whole body with its reference: `ObjectStore.fetch`."""
    return default_store().fetch(bucket, key)


def head(bucket: str, key: str) -> ObjectRef:
    """Return the reference to an object without moving its body: `ObjectStore.head`."""
    return default_store().head(bucket, key)


def list(bucket: str, prefix: str = "") -> Iterator[ObjectRef]:  # noqa: A001  # the name is part of the contract
    """Yield a reference for each object whose key begins with the prefix: `ObjectStore.list`."""
    return default_store().list(bucket, prefix)


def presign(bucket: str, key: str, expiry: timedelta | float, method: Literal["GET", "PUT"] = "GET") -> str:
    """Return a URL that reads or stores one object until it expires: `ObjectStore.presign`."""
    return default_store().presign(bucket, key, expiry, method)


def delete_object(bucket: str, key: str) -> None:
    """Remove an object; a key with none is no error: `ObjectStore.delete_object`."""
    default_store().delete_object(bucket, key)
