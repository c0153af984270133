"""The file to which an event leads by a path, opened, or why it leads to none.

The rule: who sends an event says which file is read, so a path leads below a mount of the NAS or a folder that the
configuration names, or nowhere. What was checked is what is opened: a link that comes meanwhile is not followed.
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from object_store import PayloadUnresolved
from object_store.mounts import local, mounted
from workloads.events.models import Place, Shim
from workloads.settings import Events

_ALLOWING: Final = "events: {{folders: [{folder}]}}"
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LINKED: Final = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)


@dataclass(frozen=True)
class Opened:
    """A file that an event names.

    Attributes:
        field: The field that names it.
        path: Where it is on this machine.
        descriptor: The open file.
    """

    field: str
    path: Path
    descriptor: int


@contextmanager
def opened_file(given: Mapping[str, Any], place: Place, events: Events) -> Iterator[Opened]:
    """Open the file by the first field that leads to one; a path of this machine goes first, as in docs-ingest.

    Raises:
        PayloadUnresolved: No field does. The message has the reason of each.
    """
    faults = []
    for name, kind in sorted(place.shims.items(), key=lambda one: one[1]):
        if not given.get(name):
            continue
        path, root, fault = _placed(given[name], kind, events)
        if fault is None:
            try:
                descriptor = _opened_below(path, root)
            except OSError as raw:
                fault = _reason(raw)
            else:
                try:
                    yield Opened(name, path, descriptor)
                finally:
                    os.close(descriptor)
                return
        faults.append(f"{name} {str(given[name])[:300]!r} {fault}")
    raise PayloadUnresolved("; ".join(faults))


def _placed(text: str, kind: Shim, events: Events) -> tuple[Path, Path, str | None]:
    """The local path, the folder below which it must be, and what is wrong with it."""
    mounts = events.mounted()
    roots = list(mounts.values())
    if kind == "nasPath":
        path, fault = mounted(text, mounts)
    else:
        roots = [*(Path(folder).expanduser() for folder in events.folders), *roots]
        path, fault = local(text, roots, _ALLOWING)
    root = next((root for root in roots if path.is_relative_to(root)), path)
    return path, root, fault


def _opened_below(path: Path, root: Path) -> int:
    """Open a regular file, no link of whose path leads out of a folder. Raise OSError."""
    top, real = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    if not real.is_relative_to(top):
        raise OSError(errno.EXDEV, "leads out of its folder")
    *folders, name = real.relative_to(top).parts or (".",)
    at = os.open(top, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        descriptor = os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EISDIR, "is a folder" if stat.S_ISDIR(mode) else "is not a regular file")
    return descriptor


def _reason(raw: OSError) -> str:
    if raw.errno in (errno.EISDIR, errno.EXDEV):
        return str(raw.strerror)
    if raw.errno == errno.ENOENT:
        return "does not exist"
    if raw.errno in _LINKED:
        return "leads elsewhere by a link that came meanwhile"
    return f"cannot be read: {raw.strerror}"
