"""Names that the store tells apart and a file system may not: `Report.pdf` and `report.pdf`, or two spellings of `é`.

The rule: nothing is written under a name by which the file system would reach another file. S3 compares the bytes of
keys. macOS, Windows, SMB shares and ext4's casefold folders ignore case. macOS also ignores the Unicode form, and HFS+
changes it: then a file is listed in the decomposed form. Windows drops dots and spaces at the end. What a folder does
is found by trying it: nothing else says it for a network mount.

Source: https://developer.apple.com/support/downloads/Apple-File-System-Reference.pdf (case and normalization),
https://www.kernel.org/doc/html/latest/admin-guide/ext4.html#case-insensitive-file-name-lookups
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

from object_store.errors import UnsafePath
from object_store.partials import PARTIAL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_twins(base: Path, folder: Path, paths: Mapping[str, Path], bucket: str) -> None:
    """Raise UnsafePath if two keys would share a file or folder, or a key would reach what has another name.

    Args:
        base: the folder itself, or its nearest parent that exists.
        folder: the folder of all files.
        paths: the file of each key, below the folder.
        bucket: the bucket of the keys.

    Raises:
        UnsafePath: see above.
        OSError: the folder cannot be examined, or does not take the files with which two names are tried.
    """
    first: dict[tuple[str, ...], tuple[str, ...]] = {}
    alike: dict[tuple[str, str], str] = {}
    for key, path in paths.items():
        parts = path.relative_to(folder).parts
        alikes = tuple(_alike(part) for part in parts)
        for depth in range(1, len(parts) + 1):
            node = parts[:depth]
            other = first.setdefault(alikes[:depth], node)
            if other[-1] != node[-1]:
                alike.setdefault((other[-1], node[-1]), key)
    if alike:
        _try(base, alike, bucket)
    for node in first.values() if folder == base else ():
        there = listed_name(folder.joinpath(*node))
        if there is not None and normalize("NFC", there) != normalize("NFC", node[-1]):
            key = next(key for key, path in paths.items() if path.relative_to(folder).parts[: len(node)] == node)
            raise UnsafePath(
                f"{folder.joinpath(*node)} reaches {there!r}, which is there and is another name to the store",
                bucket=bucket,
                key=key,
            )


def listed_name(path: Path) -> str | None:
    """Return the name under which its folder lists what the path reaches, if that is not the path's own name."""
    forms = {path.name.swapcase(), path.name.rstrip(" ."), *(normalize(form, path.name) for form in ("NFC", "NFD"))}
    if not any(same_file(path, path.with_name(form)) for form in forms - {path.name, ""}):
        return None  # the usual case, without reading a large folder
    names = os.listdir(path.parent)  # noqa: PTH208  # names, not paths
    if path.name in names:
        return None
    return next((name for name in names if _alike(name) == _alike(path.name)), None)


def other_spelling(folder: Path, key: str) -> str | None:
    """Return the key in the other Unicode form, if that reaches the same file."""
    spellings = [other for form in ("NFC", "NFD") if (other := normalize(form, key)) != key]
    return next((other for other in spellings if same_file(folder / key, folder / other)), None)


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths reach one file."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def _alike(name: str) -> str:
    """What all names that some file system takes for one have in common."""
    return normalize("NFC", normalize("NFC", name).casefold()).rstrip(" .")


def _try(base: Path, alike: Mapping[tuple[str, str], str], bucket: str) -> None:
    """Raise UnsafePath if a new folder beside the files takes two of the names for one."""
    with tempfile.TemporaryDirectory(prefix=PARTIAL_PREFIX, dir=base) as trial:
        for (one, other), key in alike.items():
            Path(trial, one).touch()
            if same_file(Path(trial, one), Path(trial, other)):
                raise UnsafePath(f"{base} takes {one!r} and {other!r} for one name", bucket=bucket, key=key)
