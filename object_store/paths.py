"""The file of a key: below its folder, under the key's own name, or nowhere.

The rule: all keys are checked before anything is written. No key leads out of the folder, also not through a symbolic
link in it. No two keys share a file (`twins`), and none has the name of a temporary file.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from object_store.errors import UnsafePath
from object_store.partials import PARTIAL_PREFIX
from object_store.twins import check_twins

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def paths_of_keys(folder: Path, keys: Iterable[str], start: str, bucket: str) -> dict[str, Path]:
    """Return the file for each key.

    Raises:
        UnsafePath: one of them is not below the folder, or shares its file with another name.
        OSError: the folder cannot be examined.
    """
    paths = {key: path_of_key(folder, key, start, bucket) for key in keys}
    base = next(each for each in (folder, *folder.parents) if os.path.lexists(each) or each == each.parent)
    _check_lengths(base, folder, paths, bucket)
    try:
        _check_links(folder, paths, bucket)
    except RuntimeError:  # pathlib raises it for links in a cycle (Python 3.11, 3.12)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder)) from None
    check_twins(base, folder, paths, bucket)
    return paths


def path_of_key(folder: Path, key: str, start: str, bucket: str) -> Path:
    """Return the file for a key. Raise UnsafePath if it is not below the folder, symbolic links aside."""
    rest = key.removeprefix(start)
    parts = rest.split("/")
    if "\\" in rest or "\0" in rest or any(part.strip() in {"", ".", ".."} for part in parts):
        raise UnsafePath("the key leads outside of its folder, or to no file", bucket=bucket, key=key)
    if any(part.startswith(PARTIAL_PREFIX) for part in parts):
        raise UnsafePath(f"names that begin with {PARTIAL_PREFIX!r} are temporary files", bucket=bucket, key=key)
    return folder.joinpath(*parts)


def _check_links(folder: Path, paths: dict[str, Path], bucket: str) -> None:
    home = folder.resolve()
    links = {path for path in paths.values() if path.is_symlink()}
    places = {path.parent for path in paths.values()} | links
    outside = {place for place in places if not place.resolve().is_relative_to(home)}
    for key, path in paths.items():
        if path.parent in outside or path in outside:
            raise UnsafePath("a symbolic link leads out of the folder", bucket=bucket, key=key)


def _check_lengths(base: Path, folder: Path, paths: dict[str, Path], bucket: str) -> None:
    try:
        longest = os.pathconf(base, "PC_NAME_MAX")
    except OSError:  # some network file systems do not say
        return
    for key, path in paths.items():
        for part in path.relative_to(folder).parts:
            if len(os.fsencode(part)) > longest:
                raise UnsafePath(
                    f"its segment {part[:20]!r}… has {len(os.fsencode(part))} bytes, and a name in {base} at most "
                    f"{longest}",
                    bucket=bucket,
                    key=key,
                )
