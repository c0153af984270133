"""Whole folders, up and down: several files at the same time, and only those that differ.

The rule: a skipped file was proven the same by checksum (`checksums`), never by time or size alone. A file is complete
or unchanged. A failure stops the rest, and a second run completes it. Nothing is deleted on either side. Symbolic
links, devices and the adapter's own temporary files are left out. An empty folder has no object.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Final

from object_store.body import MULTIPART_THRESHOLD
from object_store.checksums import same_content
from object_store.errors import InvalidArgument, LocalFileError, UnsafePath
from object_store.files import replacing
from object_store.keys import check_key
from object_store.partials import PARTIAL_PREFIX, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from object_store.reference import ObjectRef
    from object_store.store import ObjectStore

JOBS: Final = 8
"""Files at the same time, by default."""

LARGE_AT_ONCE: Final = 2
"""How many of them may go up in parts at the same time; each takes four parts of 8 MiB of memory."""


WHOLE_BYTES: Final = 1024 * 1024
"""Length up to which an object is read as one block."""


@dataclass(frozen=True)
class Transfer:
    """The result of copying a folder.

    Attributes:
        copied: files that were transferred.
        skipped: files that were already the same.
        transferred_bytes: length of what was transferred.
    """

    copied: int = 0
    skipped: int = 0
    transferred_bytes: int = 0


def upload_dir(
    store: ObjectStore,
    folder: Path,
    bucket: str,
    prefix: str = "",
    *,
    jobs: int = JOBS,
    skip_same: bool = True,
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
        progress: called with the number of bytes passed on, from several threads.

    Raises:
        LocalFileError: the folder or a file cannot be read.
        InvalidKey: a file's name is not a valid key; nothing was sent.
        ObjectStoreError: as `ObjectStore.upload` and `list`.
    """
    if not folder.is_dir():
        raise LocalFileError(f"{folder} is not a folder", bucket=bucket)
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    files = {f"{start}{path.relative_to(folder).as_posix()}": path for path in _files_of(folder)}
    for key in files:
        check_key(bucket, key)
    there = {ref.key: ref for ref in store.list(bucket, start)} if skip_same and files else {}

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

    return _each(one, sorted(files), jobs)


def download_dir(
    store: ObjectStore,
    bucket: str,
    prefix: str,
    folder: Path,
    *,
    jobs: int = JOBS,
    skip_same: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Transfer:
    """Write each object under a prefix to a folder, at the rest of its key.

    All keys are checked before anything is written. Keys that end in a slash are left out: they are the folders of some
    other writers.

    Args:
        store: the store to read from.
        bucket: the bucket's name.
        prefix: whole segments that each key begins with, and that are removed; empty for the whole bucket.
        folder: the folder to write to; it is created if it does not exist.
        jobs: files at the same time.
        skip_same: whether to skip objects that the folder already holds.
        progress: called with the number of bytes written, from several threads.

    Raises:
        UnsafePath: a key would lead out of the folder, also through a symbolic link in it, or two keys need one name.
        LocalFileError: a file cannot be written.
        StaleReference: an object was replaced in the meantime.
        ObjectStoreError: as `ObjectStore.download_file` and `list`.
    """
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    refs = {ref.key: ref for ref in store.list(bucket, start) if not ref.key.endswith("/")}
    paths = paths_of_keys(folder, refs, start, bucket)
    _check_names(bucket, start, paths)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for parent in sorted({path.parent for path in paths.values()}):
            parent.mkdir(parents=True, exist_ok=True)
            sweep(parent)
    except OSError as fault:
        raise LocalFileError(f"{fault.filename} cannot be created or read: {fault.strerror}", bucket=bucket) from None

    def one(key: str) -> int | None:
        path, ref = paths[key], refs[key]
        if skip_same and _is_there(path, ref):
            return None
        if ref.size > WHOLE_BYTES:
            return store.download_file(bucket, key, path, etag=ref.etag, streams=1, progress=progress).size
        body = store.download(bucket, key, etag=ref.etag)  # one block, without the overhead of many
        with replacing(path, bucket=bucket, key=key) as partial:
            partial.write(body)
        if progress is not None:
            progress(len(body))
        return len(body)

    return _each(one, list(refs), jobs)


def paths_of_keys(folder: Path, keys: Iterable[str], start: str, bucket: str) -> dict[str, Path]:
    """Return the file for each key. Raise UnsafePath if one of them is not below the folder."""
    paths = {key: path_of_key(folder, key, start, bucket) for key in keys}
    home = folder.resolve()
    outside = {
        parent for parent in {path.parent for path in paths.values()} if not parent.resolve().is_relative_to(home)
    }
    for key, path in paths.items():
        if path.parent in outside:
            raise UnsafePath("a symbolic link leads out of the folder", bucket=bucket, key=key)
    return paths


def path_of_key(folder: Path, key: str, start: str, bucket: str) -> Path:
    """Return the file for a key. Raise UnsafePath if it is not below the folder, symbolic links aside."""
    rest = key.removeprefix(start)
    parts = rest.split("/")
    if "\\" in rest or "\0" in rest or any(part.strip() in {"", ".", ".."} for part in parts):
        raise UnsafePath("the key leads outside of its folder, or to no file", bucket=bucket, key=key)
    return folder.joinpath(*parts)


def _check_names(bucket: str, start: str, paths: dict[str, Path]) -> None:
    """Raise UnsafePath if one name is both a file and a folder, which keys can be."""
    for key in paths:
        parent = key.rpartition("/")[0]
        while len(parent) >= len(start) and parent:
            if parent in paths:
                raise UnsafePath(
                    f"{parent!r} is also an object, and cannot be a file and a folder", bucket=bucket, key=key
                )
            parent = parent.rpartition("/")[0]


def _is_there(path: Path, ref: ObjectRef) -> bool:
    try:
        return path.is_file() and same_content(path, ref)
    except OSError:
        return False  # write a file that cannot be read again: that reports the error


def _files_of(folder: Path) -> Iterator[Path]:
    def stop(fault: OSError) -> None:
        raise LocalFileError(f"{fault.filename} cannot be read: {fault.strerror}")

    for root, _, names in os.walk(folder, onerror=stop):
        for name in names:
            path = Path(root, name)
            if path.is_file() and not path.is_symlink() and not name.startswith(PARTIAL_PREFIX):
                yield path


def _each(one: Callable[[str], int | None], keys: Iterable[str], jobs: int) -> Transfer:
    """Do all, `jobs` at a time; after the first failure start no more, and raise it."""
    if jobs < 1:
        raise InvalidArgument(f"jobs is {jobs}; legal: 1 or more")
    stopped = Event()

    def unless_stopped(key: str) -> int | None:
        if stopped.is_set():
            return None
        try:
            return one(key)
        except BaseException:
            stopped.set()
            raise

    sizes: list[int | None] = []
    with ThreadPoolExecutor(jobs, thread_name_prefix="object-store-file") as pool:
        under_way: deque[Future[int | None]] = deque()
        try:
            for key in keys:
                if len(under_way) >= 4 * jobs:
                    sizes.append(under_way.popleft().result())
                under_way.append(pool.submit(unless_stopped, key))
            sizes += [each.result() for each in under_way]
        except BaseException:
            stopped.set()
            raise
    moved = [size for size in sizes if size is not None]
    return Transfer(copied=len(moved), skipped=len(sizes) - len(moved), transferred_bytes=sum(moved))
