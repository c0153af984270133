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
    names = {key: tuple(key.removeprefix(start).split("/")) for key in paths}
    base = next(each for each in (folder, *folder.parents) if os.path.lexists(each) or each == each.parent)
    _check_lengths(base, names, bucket)
    try:
        _check_links(folder, paths, names, bucket)
    except RuntimeError:  # pathlib raises it for links in a cycle (Python 3.11, 3.12)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder)) from None
    check_twins(base, folder, names, bucket)
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


def _check_links(folder: Path, paths: dict[str, Path], names: dict[str, tuple[str, ...]], bucket: str) -> None:
    home = folder.resolve()
    parents = {parts[:-1] for parts in names.values()}
    outside = {parts for parts in parents if not folder.joinpath(*parts).resolve().is_relative_to(home)}
    for key, path in paths.items():
        if names[key][:-1] in outside or (path.is_symlink() and not path.resolve().is_relative_to(home)):
            raise UnsafePath("a symbolic link leads out of the folder", bucket=bucket, key=key)


def _check_lengths(base: Path, names: dict[str, tuple[str, ...]], bucket: str) -> None:
    try:
        longest = os.pathconf(base, "PC_NAME_MAX")
    except OSError:  # some network file systems do not say
        return
    long = {part for part in {part for parts in names.values() for part in parts} if len(os.fsencode(part)) > longest}
    for key, parts in names.items() if long else ():
        for part in long.intersection(parts):
            raise UnsafePath(
                f"{part[:20]!r}… has {len(os.fsencode(part))} bytes, and a name in {base} has at most {longest}",
                bucket=bucket,
                key=key,
            )
