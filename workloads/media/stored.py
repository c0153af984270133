"""Stores one file of media, and finds it again: by content, with its original name beside it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from object_store import ObjectRef, ObjectStore
from workloads.archive.steady import UnfitError, is_same, opened_file, put_file
from workloads.media.download import BYTES_MAXIMUM
from workloads.media.keys import NAME_METADATA, name_encoded


@dataclass(frozen=True)
class StoredFile:
    """A file in the store.

    Attributes:
        path: Where it is on this machine.
        status: What it was when it was read.
        ref: The object.
        sha256: Of its content.
    """

    path: Path
    status: os.stat_result
    ref: ObjectRef
    sha256: str


def store_file(
    store: ObjectStore,
    bucket: str,
    path: Path,
    name: str,
    key_of: Callable[[str], str],
    content_type: str,
    *,
    follow: bool = False,
) -> StoredFile:
    """Store a file under the key of its SHA-256, or find it stored, and read it back.

    Raises:
        UnfitError: It is not a file, is empty or too large, or changes while it is read.
        DamagedError: What comes back is not what was stored.
        ObjectStoreError: The store does not take it, or is away.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    if size > BYTES_MAXIMUM:
        raise UnfitError(f"it has {size:,} bytes, and {BYTES_MAXIMUM:,} are the most")
    with opened_file(os.fspath(path), follow=follow) as file:
        first = key_of(file.sha256)
        ref = put_file(
            store,
            bucket,
            lambda number: _numbered(first, number),
            file,
            content_type,
            metadata={NAME_METADATA: name_encoded(name)},
        )
        return StoredFile(path, file.status, ref, file.sha256)


def remove_same(stored: StoredFile) -> str:
    """Remove a stored file of this machine if it is still what was read; else say why it stays."""
    try:
        now = stored.path.stat()
        if not is_same(stored.status, now):
            return f"{stored.path.name} stays: it is another file now"
        stored.path.unlink()
    except OSError as fault:
        return f"{stored.path.name} stays: {fault.strerror}"
    return ""


def _numbered(key: str, number: int) -> str:
    """The key; a higher number is for a key that other bytes have taken."""
    folder, _, name = key.rpartition("/")
    return key if number == 1 else f"{folder}.{number}/{name}"
