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
from typing import TYPE_CHECKING, Final, Literal
from unicodedata import normalize

from object_store.errors import UnsafePath
from object_store.partials import PARTIAL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMS: Final[tuple[Literal["NFC"], Literal["NFD"]]] = ("NFC", "NFD")


def check_twins(base: Path, folder: Path, names: Mapping[str, tuple[str, ...]], bucket: str) -> None:
    """Raise UnsafePath if two keys would share a file or folder, or a key would reach what has another name.

    Args:
        base: the folder itself, or its nearest parent that exists.
        folder: the folder of all files.
        names: each key's segments below the folder.
        bucket: the bucket of the keys.

    Raises:
        UnsafePath: see above.
        OSError: the folder cannot be examined, or does not take the files with which two names are tried.
    """
    common = {part: _alike(part) for part in {part for parts in names.values() for part in parts}}
    first: dict[tuple[str, ...], tuple[str, ...]] = {}
    alike: dict[tuple[str, str], str] = {}
    for key, parts in names.items():
        alikes = tuple(common[part] for part in parts)
        for depth in range(len(parts), 0, -1):
            node = parts[:depth]
            other = first.setdefault(alikes[:depth], node)
            if other[-1] != node[-1]:
                alike.setdefault((other[-1], node[-1]), key)
            elif other is not node and other == node:
                break  # so its parents are known, too
    if alike:
        _try(base, alike, bucket)
    for node in first.values() if folder == base else ():
        there = listed_name(str(folder.joinpath(*node[:-1])), node[-1])
        if there is not None and normalize("NFC", there) != normalize("NFC", node[-1]):
            raise UnsafePath(
                f"{folder.joinpath(*node)} reaches {there!r}, which is there and is another name to the store",
                bucket=bucket,
                key=next(key for key, parts in names.items() if parts[: len(node)] == node),
            )


def listed_name(folder: str, name: str) -> str | None:
    """Return the name under which a folder lists what it opens by a name, if that is another one."""
    forms = {name.swapcase(), name.rstrip(" ."), *(() if name.isascii() else (normalize(f, name) for f in _FORMS))}
    if not any(same_file(f"{folder}/{name}", f"{folder}/{form}") for form in forms - {name, ""}):
        return None  # the usual case, without reading a large folder
    names = os.listdir(folder)  # noqa: PTH208  # names, not paths
    if name in names:
        return None
    return next((each for each in names if _alike(each) == _alike(name)), None)


def other_spelling(folder: Path, key: str) -> str | None:
    """Return the key in the other Unicode form, if that reaches the same file."""
    spellings = [other for form in _FORMS if (other := normalize(form, key)) != key]
    return next((other for other in spellings if same_file(folder / key, folder / other)), None)


def same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths reach one file."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def _alike(name: str) -> str:
    """What all names that some file system takes for one have in common."""
    folded = name.lower() if name.isascii() else normalize("NFC", normalize("NFC", name).casefold())
    return folded.rstrip(" .")


def _try(base: Path, alike: Mapping[tuple[str, str], str], bucket: str) -> None:
    """Raise UnsafePath if a new folder beside the files takes two of the names for one."""
    with tempfile.TemporaryDirectory(prefix=PARTIAL_PREFIX, dir=base) as trial:
        for (one, other), key in alike.items():
            Path(trial, one).touch()
            if same_file(f"{trial}/{one}", f"{trial}/{other}"):
                raise UnsafePath(f"{base} takes {one!r} and {other!r} for one name", bucket=bucket, key=key)
