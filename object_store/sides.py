"""The NAS and the store as two sides: where a key is on the NAS, and what each side holds for it.

The rule: a side holds a body if its bytes were read and their SHA-256 is equal; names and times prove nothing. A
missing folder is never created in place of a mount: it would be on the local disk.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from object_store.errors import NotFound, ObjectStoreError, UnsafePath
from object_store.partials import PARTIAL_PREFIX
from object_store.paths import paths_of_keys
from object_store.targets import NotReplaceable, replaceable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from object_store.store import ObjectStore

_BLOCK: Final = 1024 * 1024


class Held(Enum):
    """What a side holds of a write; `state` is the value in `DualWriteFailed`, `words` the text in a message."""

    IT = ("holds it", "holds the body")
    OTHER = ("does not", "holds something else under this key")
    NOTHING = ("does not", "holds nothing under this key")
    UNTOUCHED = ("unknown", "holds what it held before")
    UNKNOWN = ("unknown", "cannot be checked")

    @property
    def state(self) -> str:
        """`"holds it"`, `"does not"` or `"unknown"`."""
        return self.value[0]

    @property
    def words(self) -> str:
        """The same as part of a sentence."""
        return self.value[1]


@dataclass(frozen=True)
class Digest:
    """What distinguishes one body from another.

    Attributes:
        size: in bytes.
        sha256: in hexadecimal.
    """

    size: int
    sha256: str


def digest_of(blocks: Iterable[bytes]) -> Digest:
    """Read blocks to their end, one at a time."""
    size, digest = 0, hashlib.sha256()
    for block in blocks:
        size += len(block)
        digest.update(block)
    return Digest(size, digest.hexdigest())


def digest_of_file(path: Path) -> Digest:
    """Read a file. Raise OSError if it cannot be read."""
    return digest_of(_blocks_of(path))


def _blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            yield block


def nas_file(nas_dir: Path, bucket: str, key: str) -> Path:
    """Return the file of a key.

    Raises:
        UnsafePath: it would not be below the folder, is not replaced (a folder, a link, a device, a read-only file),
            has a file in place of a folder, reaches a file of another name, or has the name of a temporary file, which
            would be swept.
    """
    try:
        path = paths_of_keys(nas_dir, (key,), "", bucket)[key]
    except OSError:
        raise UnsafePath(f"its folder below {nas_dir} does not resolve", bucket=bucket, key=key) from None
    for parent in path.relative_to(nas_dir).parents:
        folder = nas_dir / parent
        if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
            raise UnsafePath(f"{folder} is a file, and cannot also be a folder", bucket=bucket, key=key)
    try:
        replaceable(path)
    except NotReplaceable as fault:
        raise UnsafePath(f"{path} cannot be written: {fault.strerror}", bucket=bucket, key=key) from None
    return path


def mount_of(folder: Path) -> Path:
    """Return the mount point of a folder; if it changes, the NAS has disappeared."""
    place = folder.resolve()
    return next(each for each in (place, *place.parents) if each == each.parent or os.path.ismount(each))


def held_by_nas(nas_dir: Path, path: Path, wanted: Digest | None) -> Held:
    """Return what the NAS holds; without a digest, only whether it holds anything."""
    try:
        if not nas_dir.is_dir():
            return Held.UNKNOWN
        found = path.lstat()
        if wanted is None:
            return Held.UNTOUCHED
        return Held.IT if found.st_size == wanted.size and digest_of_file(path) == wanted else Held.OTHER
    except (FileNotFoundError, NotADirectoryError):
        return Held.NOTHING
    except OSError:
        return Held.UNKNOWN


def held_by_store(store: ObjectStore, bucket: str, key: str, wanted: Digest | None) -> Held:
    """Return what the store holds; without a digest, only whether it holds anything."""
    try:
        ref = store.head(bucket, key)
        if wanted is None:
            return Held.UNTOUCHED
        if ref.size != wanted.size:
            return Held.OTHER
        return Held.IT if digest_of(store.stream(bucket, key, etag=ref.etag)) == wanted else Held.OTHER
    except NotFound:
        return Held.NOTHING
    except ObjectStoreError:
        return Held.UNKNOWN


@dataclass(frozen=True)
class Entry:
    """One result of a walk.

    Attributes:
        name: its path below the walked folder, with slashes between the segments; a folder's name ends in a slash.
        path: where it is.
        fault: why it cannot be compared; None for a regular file.
    """

    name: bytes
    path: Path
    fault: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder; a folder is yielded only if it cannot be read."""
        return self.name.endswith(b"/") or not self.name

    @property
    def key(self) -> str | None:
        """The name as a key; None if it cannot be one: the name of a folder, or bytes that are not UTF-8."""
        try:
            return None if self.is_folder else self.name.decode()
        except UnicodeDecodeError:
            return None


def walk(folder: Path, after: bytes = b"", under: bytes = b"") -> Iterator[Entry]:
    """Yield the files below a folder in the order of S3, that of their keys' UTF-8 bytes; one folder's names are held.

    Links and devices come with a fault. A folder that cannot be read comes with a fault in place of its files.

    Args:
        folder: where to begin.
        after: only names after this one; folders that end before it are not read.
        under: the name of the folder itself.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(_sortable(each) for each in found if not each.name.startswith(PARTIAL_PREFIX))
    except OSError as fault:
        yield Entry(under, folder, f"the folder cannot be read: {fault.strerror}")
        return
    for segment, shown, why in entries:
        name = under + segment
        if segment.endswith(b"/"):
            if name > after or after.startswith(name):
                yield from walk(folder / shown, after, name)
        elif name > after:
            entry = Entry(name, folder / shown, why or None)
            yield (
                entry if entry.key is not None else Entry(name, entry.path, "its name is not UTF-8, so it is not a key")
            )


def _sortable(found: os.DirEntry[str]) -> tuple[bytes, str, str]:
    """Return its sort key, its name, and why it cannot be compared, if so."""
    segment = os.fsencode(found.name)
    if found.is_dir(follow_symlinks=False):
        return segment + b"/", found.name, ""
    if found.is_symlink():
        return segment, found.name, "a symbolic link, which is not followed"
    if found.is_file(follow_symlinks=False):
        return segment, found.name, ""
    mode = found.stat(follow_symlinks=False).st_mode
    kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    return segment, found.name, f"not a regular file but {kind}"
