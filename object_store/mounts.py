"""Where this machine mounts the folders that the NAS exports, and the local path for a `nasPath` or a `filePath`.

The rule: a path in an event is not trusted. It leads below a mount, or a folder that the consumer names, or nowhere.
`..`, links out of that folder and temporary files of the adapter are refused.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from object_store.partials import PARTIAL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DEFAULT_MOUNTS: Final[Mapping[str, Path]] = MappingProxyType(
    {
        "/volume1/joelclaw": Path("/Volumes/three-body"),
        "/volume2/data": Path("/Volumes/nas-nvme"),
        "/volume1/badass-media": Path("/Volumes/badass-media"),
    }
)
"""Folders that the NAS exports, by the NAS's own names, and where they are mounted."""

_NOT_EXPORTED: Final = "/volume1/home"


def mounted(nas_path: str, mounts: Mapping[str, Path]) -> tuple[Path, str | None]:
    """Return the local path for a path of the NAS, and what is wrong with it; a mounted path is taken as it is."""
    given = PurePosixPath(nas_path)
    fault = _fault_of(given)
    if fault is not None:
        return Path(), fault
    for exported, mount in mounts.items():
        root = next((each for each in (exported, mount) if given.is_relative_to(each)), None)
        if root is not None:
            path = mount / given.relative_to(root)
            return path, _out_of_reach(path, mount)
    if given.is_relative_to(_NOT_EXPORTED):
        where = ", ".join(mounts)
        return Path(), f"is not exported: only the NAS itself sees {_NOT_EXPORTED}; send an objectRef, or use {where}"
    legal = ", ".join(f"{exported}/… ({mount})" for exported, mount in mounts.items())
    return Path(), f"is not in a folder that the NAS exports; legal: {legal}"


def local(
    file_path: str, folders: Iterable[Path], line: str = "resolve(…, folders=[Path({folder!r})])"
) -> tuple[Path, str | None]:
    """Return a path of this machine, and what is wrong with it; it must be below one of the folders.

    Args:
        file_path: the path.
        folders: the folders.
        line: what the consumer writes to allow another folder, for the message.
    """
    path = Path(file_path)
    fault = _fault_of(PurePosixPath(file_path))
    if fault is not None:
        return path, fault
    legal = tuple(folders)
    for folder in legal:
        if path.is_relative_to(folder):
            return path, _out_of_reach(path, folder)
    below = ", ".join(str(folder) for folder in legal) or "none"
    return path, (
        f"is not below a folder that this consumer reads from; legal: {below}; "
        f"if its senders may name this folder: {line.format(folder=str(path.parent))}"
    )


def unreadable(path: Path) -> str | None:
    """Return why a path gives no bytes; None if it does."""
    try:
        if path.is_dir():
            return "is a folder"
        if not path.is_file():
            return "is not a regular file" if path.exists() else "does not exist"
        with path.open("rb"):
            return None
    except OSError as fault:
        return f"cannot be read: {fault.strerror}"


def _fault_of(given: PurePosixPath) -> str | None:
    if not given.is_absolute() or ".." in given.parts or "\0" in str(given):
        return "is not absolute, or has '..' in it"
    if any(part.startswith(PARTIAL_PREFIX) for part in given.parts):
        return "is a temporary file, which its writer has not finished"
    return None


def _out_of_reach(path: Path, mount: Path) -> str | None:
    try:
        if not mount.is_dir():
            return f"is on {mount}, which does not exist; is the NAS mounted?"
        if not path.resolve().is_relative_to(mount.resolve()):
            return f"leads out of {mount} by a symbolic link"
    except (OSError, RuntimeError) as fault:  # pathlib raises RuntimeError for links in a cycle
        return f"cannot be accessed: {fault}"
    return None
