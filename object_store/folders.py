"""Whole folders, up and down: several files at the same time, and only those that differ.

The rule: a skipped file was proven the same by checksum (`checksums`), never by time or size alone. A file is complete
or unchanged. A failure stops the rest, and a second run completes it. Nothing is deleted on either side. What is left
out is named in the result: symbolic links, pipes, sockets and devices of the folder, and objects with a body whose key
ends in a slash. The adapter's own temporary files are left out, too. An empty folder has no object. Nothing to copy is
an error, unless it is allowed: a prefix may be misspelt.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Final

from object_store import ranges
from object_store.body import MULTIPART_THRESHOLD
from object_store.checksums import same_content
from object_store.errors import InvalidArgument, InvalidKey, LocalFileError, NotFound, UnsafePath
from object_store.files import is_folder, replacing
from object_store.keys import check_key, check_key_of_put, parents_of
from object_store.partials import sweep
from object_store.paths import paths_of_keys
from object_store.sides import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from object_store.reference import ObjectRef
    from object_store.store import ObjectStore

JOBS: Final = 8
"""Files at the same time, by default."""

LARGE_AT_ONCE: Final = 2
"""How many of them may go up in parts at the same time; each takes four parts of 8 MiB of memory."""

NOTHING_THERE: Final = "no object has this prefix; if that is right: allow_empty=True (--allow-empty)"
"""Why a prefix is refused that may be misspelt."""

_NAMED: Final = 5
"""How many of the things that were left out an error names."""

WHOLE_BYTES: Final = 1024 * 1024
"""Length up to which an object is read as one block."""


@dataclass(frozen=True)
class LeftOut:
    """Something that was not transferred.

    Attributes:
        name: its path below the folder, or its key.
        reason: what it is.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Transfer:
    """The result of copying a folder.

    Attributes:
        copied: files that were transferred.
        skipped: files that were already the same.
        transferred_bytes: length of what was transferred.
        left_out: what is there and was not transferred.
        unverified: keys of the bodies that were read and that no digest of the server's proves.
    """

    copied: int = 0
    skipped: int = 0
    transferred_bytes: int = 0
    left_out: tuple[LeftOut, ...] = ()
    unverified: tuple[str, ...] = ()


def upload_dir(
    store: ObjectStore,
    folder: Path,
    bucket: str,
    prefix: str = "",
    *,
    jobs: int = JOBS,
    skip_same: bool = True,
    allow_empty: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Transfer:
    """Store each file below a folder; the key is the prefix and the file's path.

    Args:
        store: the store to write to.
        folder: the folder to read, at any depth.
        bucket: the bucket's name.
        prefix: the beginning of each key; a slash separates it from the path.
        jobs: files at the same time.
        skip_same: whether to skip files that the store already holds.
        allow_empty: whether a folder without a file is right.
        progress: called with the number of bytes passed on, from several threads.

    Raises:
        LocalFileError: the folder or a file cannot be read, or the folder has no file; nothing was sent, unless a file
            changes at the same time.
        InvalidKey: a file's name is not a valid key, or the store holds an object in the place of a folder, or the
            reverse; nothing was sent.
        ObjectStoreError: as `ObjectStore.upload` and `list`.
    """
    if not is_folder(folder):
        raise LocalFileError(f"{folder} is not a folder", bucket=bucket)
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    files, left_out = _files_of(folder, bucket, start)
    if not files and not allow_empty:
        named = "".join(f"; left out: {each.name!r}, {each.reason}" for each in left_out[:_NAMED])
        raise LocalFileError(f"{folder} has no file{named}; if that is right: allow_empty=True (--allow-empty)")
    there = {ref.key: ref for ref in store.list(bucket, start)} if skip_same and files else {}
    _check_hidden(bucket, files, there)

    large = Semaphore(LARGE_AT_ONCE)

    def one(key: str) -> int | None:
        path, held = files[key], there.get(key)
        try:
            if held is not None and same_content(path, held):
                return None
            in_parts = path.stat().st_size > MULTIPART_THRESHOLD
        except OSError as fault:
            raise LocalFileError(f"{path} cannot be read: {fault.strerror}", bucket=bucket, key=key) from None
        with large if in_parts else nullcontext():
            return store.upload(bucket, key, path, progress=progress).size

    return replace(_each(one, sorted(files), jobs), left_out=left_out)


def download_dir(
    store: ObjectStore,
    bucket: str,
    prefix: str,
    folder: Path,
    *,
    jobs: int = JOBS,
    skip_same: bool = True,
    allow_empty: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Transfer:
    """Write each object under a prefix to a folder, at the rest of its key.

    All keys are checked before anything is written, also against what is there: names that the folder takes for one,
    such as `A` and `a` on macOS, links, devices, names that are too long. Keys that end in a slash are left out: they
    are the folders of some other writers.

    Args:
        store: the store to read from.
        bucket: the bucket's name.
        prefix: whole segments that each key begins with, and that are removed; empty for the whole bucket.
        folder: the folder to write to; it is created if it does not exist.
        jobs: files at the same time.
        skip_same: whether to skip objects that the folder already holds.
        allow_empty: whether a prefix without an object is right.
        progress: called with the number of bytes written, from several threads.

    Raises:
        UnsafePath: a key would lead out of the folder, also through a symbolic link in it, or two keys need one name.
        InvalidKey: a key that the adapter does not read.
        NotFound: no key has the prefix.
        LocalFileError: a file cannot be written, or something else is in its place.
        StaleReference: an object was replaced in the meantime.
        ObjectStoreError: as `ObjectStore.download_file` and `list`.
    """
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    listed = {ref.key: ref for ref in store.list(bucket, start)}
    if not listed and not allow_empty:
        raise NotFound(NOTHING_THERE, bucket=bucket, key=start or None)
    refs = {key: ref for key, ref in listed.items() if not key.endswith("/")}
    left_out = tuple(
        LeftOut(key, f"an object of {ref.size} bytes whose key ends in a slash")
        for key, ref in listed.items()
        if key.endswith("/") and ref.size
    )
    try:
        paths = paths_of_keys(folder, refs, start, bucket)
        _check_names(bucket, start, paths)
        for key in paths:
            check_key(bucket, key)
        _check_places(bucket, folder, paths)
        folder.mkdir(parents=True, exist_ok=True)
        for parent in sorted({path.parent for path in paths.values()}):
            parent.mkdir(parents=True, exist_ok=True)
            sweep(parent)
    except OSError as fault:
        place = fault.filename or folder
        raise LocalFileError(f"{place} cannot be created or read: {fault.strerror}", bucket=bucket) from None

    large = sum(ref.size >= ranges.RANGES_THRESHOLD for ref in refs.values())
    streams = max(1, min(ranges.STREAMS, jobs // max(1, large)))  # few large objects leave connections for their ranges
    unverified: list[str] = []

    def one(key: str) -> int | None:
        path, ref = paths[key], refs[key]
        if skip_same and _is_there(path, ref):
            return None
        if ref.size > WHOLE_BYTES:
            return store.download_file(
                bucket,
                key,
                path,
                etag=ref.etag,
                streams=streams,
                progress=progress,
                unverified=lambda found: unverified.append(found.key),
            ).size
        got = store.fetch(bucket, key, etag=ref.etag)  # one block, without the overhead of many
        with replacing(path, bucket=bucket, key=key) as partial:
            partial.write(got.body)
        if not got.verified:
            unverified.append(key)
        if progress is not None:
            progress(len(got.body))
        return len(got.body)

    return replace(_each(one, list(refs), jobs), left_out=left_out, unverified=tuple(sorted(unverified)))


def length_of(path: Path) -> int:
    """Return the length of a file, or of the files that `upload_dir` would read, as far as they can be examined."""
    total = 0
    for each in (entry.path for entry in walk(path) if entry.fault is None) if is_folder(path) else (path,):
        with suppress(OSError):
            total += each.stat().st_size
    return total


def _check_places(bucket: str, folder: Path, paths: dict[str, Path]) -> None:
    """Raise LocalFileError if something else is in the place of a file or a folder."""
    for parent in sorted({path.parent for path in paths.values()} - {folder}):
        if os.path.lexists(parent) and not parent.is_dir():
            raise LocalFileError(f"{parent} cannot be created: it is there and is not a folder", bucket=bucket)
    for key, path in paths.items():
        if path.exists() and not path.is_file():
            raise LocalFileError(
                f"{path} cannot be written: it is there and is not a regular file", bucket=bucket, key=key
            )


def _check_names(bucket: str, start: str, paths: dict[str, Path]) -> None:
    """Raise UnsafePath if one name is both a file and a folder, which keys can be."""
    for key in paths:
        for parent in parents_of(key):
            if len(parent) >= len(start) and parent in paths:
                raise UnsafePath(
                    f"{parent!r} is also an object, and cannot be a file and a folder", bucket=bucket, key=key
                )


def _check_hidden(bucket: str, files: Mapping[str, Path], there: Mapping[str, ObjectRef]) -> None:
    """Raise InvalidKey if `a` and `a/b` would be two objects: a MinIO server then does not list `a/b`."""
    for new, old in ((files, there), (there, files)):
        for key in new:
            found = next((parent for parent in parents_of(key) if parent in old and parent not in new), None)
            if found is not None and key not in old:
                raise InvalidKey(
                    f"beside an object {found!r} not every server lists it, and no folder can hold both: "
                    "remove or rename one of them",
                    bucket=bucket,
                    key=key,
                )


def _is_there(path: Path, ref: ObjectRef) -> bool:
    try:
        return path.is_file() and same_content(path, ref)
    except OSError:
        return False  # write a file that cannot be read again: that reports the error


def _files_of(folder: Path, bucket: str, start: str) -> tuple[dict[str, Path], tuple[LeftOut, ...]]:
    """Return the file of each key, and what is not a file. Raise LocalFileError or InvalidKey."""
    files: dict[str, Path] = {}
    left_out: list[LeftOut] = []
    for entry in walk(folder):
        key = start + os.fsdecode(entry.name)
        if entry.is_folder:
            raise LocalFileError(f"{entry.path}: {entry.fault}", bucket=bucket)
        if entry.fault is not None and entry.key is not None:
            left_out.append(LeftOut(entry.key, entry.fault))
            continue
        check_key_of_put(bucket, key)
        if not os.access(entry.path, os.R_OK):
            raise LocalFileError(f"{entry.path} cannot be read: {os.strerror(errno.EACCES)}", bucket=bucket, key=key)
        files[key] = entry.path
    return files, tuple(left_out)


def _each(one: Callable[[str], int | None], keys: Iterable[str], jobs: int) -> Transfer:
    """Do all, `jobs` at a time; after the first failure start no more, and raise it."""
    if jobs < 1:
        raise InvalidArgument(f"jobs is {jobs}; legal: 1 or more")
    left, stopped = deque(keys), Event()

    def work() -> list[int | None]:
        sizes = []
        while not stopped.is_set():
            try:
                key = left.popleft()
            except IndexError:
                break
            try:
                sizes.append(one(key))
            except BaseException:
                stopped.set()
                raise
        return sizes

    with ThreadPoolExecutor(jobs, thread_name_prefix="object-store-file") as pool:
        try:
            # Each thread takes its next key by itself: a future for each would cost as much as signing a request.
            working = [pool.submit(work) for _ in range(min(jobs, len(left)))]
            sizes = [size for each in working for size in each.result()]
        except BaseException:
            stopped.set()
            raise
    moved = [size for size in sizes if size is not None]
    return Transfer(copied=len(moved), skipped=len(sizes) - len(moved), transferred_bytes=sum(moved))
