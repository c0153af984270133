"""Whole folders, up and down: several files at a time, and only those that are not the same already.

The rule: what is skipped was proven the same by checksum (`checksums`), never by time or size alone. A file is whole or
as it was; what fails stops the rest, and a second run completes it. Nothing is deleted on either side. Symbolic links,
devices and the adapter's own temporary files are left out. Empty folders have no object.
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
"""Files at a time, unless told otherwise."""

LARGE_AT_ONCE: Final = 2
"""How many of them may be going up in parts, each of which takes four parts of 8 MiB of memory."""


WHOLE_BYTES: Final = 1024 * 1024
"""Length up to which an object is read as one block."""


@dataclass(frozen=True)
class Transfer:
    """What became of a folder.

    Attributes:
        copied: files that were moved.
        skipped: files that were the same already.
        transferred_bytes: length of what was moved.
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
    """Store each file below a folder under the prefix and its path.

    Args:
        store: where to.
        folder: whose files, at any depth.
        bucket: the bucket's name.
        prefix: what each key begins with; a slash is put between it and the path.
        jobs: files at a time.
        skip_same: leave out what the store holds already.
        progress: called with the number of bytes that were handed on, from several threads.

    Raises:
        LocalFileError: the folder or a file cannot be read.
        InvalidKey: a file has a name that is no key; nothing was sent.
        ObjectStoreError: as `ObjectStore.upload` and `list` do.
    """
    if not folder.is_dir():
        raise LocalFileError(f"{folder} is no folder", bucket=bucket)
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

    All keys are looked at before anything is written. Keys that end in a slash, the folders of some other writers, are
    left out.

    Args:
        store: where from.
        bucket: the bucket's name.
        prefix: whole segments that each key begins with, and that are cut off; empty for all of the bucket.
        folder: where to; it is made if it is not there.
        jobs: files at a time.
        skip_same: leave out what the folder holds already.
        progress: called with the number of bytes that were written, from several threads.

    Raises:
        UnsafePath: a key would lead out of the folder, through a symbolic link of it, or two keys want one name.
        LocalFileError: a file cannot be written.
        StaleReference: an object was stored anew meanwhile.
        ObjectStoreError: as `ObjectStore.download_file` and `list` do.
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
        raise LocalFileError(f"{fault.filename} cannot be made or read: {fault.strerror}", bucket=bucket) from None

    def one(key: str) -> int | None:
        path, ref = paths[key], refs[key]
        if skip_same and _is_there(path, ref):
            return None
        if ref.size > WHOLE_BYTES:
            return store.download_file(bucket, key, path, etag=ref.etag, streams=1, progress=progress).size
        body = store.download(bucket, key, etag=ref.etag)  # one block, without the ado of many
        with replacing(path, bucket=bucket, key=key) as partial:
            partial.write(body)
        if progress is not None:
            progress(len(body))
        return len(body)

    return _each(one, list(refs), jobs)


def paths_of_keys(folder: Path, keys: Iterable[str], start: str, bucket: str) -> dict[str, Path]:
    """Return the file that each key is written to, all of them below the folder: UnsafePath."""
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
    """Return the file that a key is written to, below the folder but for its symbolic links: UnsafePath."""
    rest = key.removeprefix(start)
    parts = rest.split("/")
    if "\\" in rest or "\0" in rest or any(part.strip() in {"", ".", ".."} for part in parts):
        raise UnsafePath("it would be written outside of its folder, or nowhere", bucket=bucket, key=key)
    return folder.joinpath(*parts)


def _check_names(bucket: str, start: str, paths: dict[str, Path]) -> None:
    """A file cannot be a folder as well, which keys can: UnsafePath."""
    for key in paths:
        parent = key.rpartition("/")[0]
        while len(parent) >= len(start) and parent:
            if parent in paths:
                raise UnsafePath(f"{parent!r} is an object, too, and cannot be file and folder", bucket=bucket, key=key)
            parent = parent.rpartition("/")[0]


def _is_there(path: Path, ref: ObjectRef) -> bool:
    try:
        return path.is_file() and same_content(path, ref)
    except OSError:
        return False  # it cannot be read, so it is written anew, and that says what is wrong


def _files_of(folder: Path) -> Iterator[Path]:
    def stop(fault: OSError) -> None:
        raise LocalFileError(f"{fault.filename} cannot be read: {fault.strerror}")

    for root, _, names in os.walk(folder, onerror=stop):
        for name in names:
            path = Path(root, name)
            if path.is_file() and not path.is_symlink() and not name.startswith(PARTIAL_PREFIX):
                yield path


def _each(one: Callable[[str], int | None], keys: Iterable[str], jobs: int) -> Transfer:
    """Do all, some at a time; the first failure keeps the rest from beginning, and is raised."""
    if jobs < 1:
        raise InvalidArgument(f"{jobs} files at a time; legal: 1 or more")
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
