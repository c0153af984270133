"""Temporary files: locked while their writer lives; the next writer removes those of a killed one.

The rule: only a file that is certainly abandoned is removed. A file of this machine is abandoned if its lock is free. A
file of another machine, or on a file system without locks, is abandoned after a day. Uploads of folders and comparisons
ignore temporary files. Errors are the system's own, OSError; `files` and `dual_write` translate them.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTIAL_PREFIX: Final = ".object-store-partial-"
"""The beginning of the name of each temporary file."""

ABANDONED_AFTER_SECONDS: Final = 24 * 3600
"""Age from which a temporary file counts as abandoned if its lock proves nothing."""

_NOT_SUPPORTED: Final = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL}

# Locks may hold on one machine only (macOS `locallocks`, Linux `nolock`), so the name says whose file it is.
_PREFIX: Final = f"{PARTIAL_PREFIX}by-"
_OWN_PREFIX: Final = f"{_PREFIX}{hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]}-"


@contextmanager
def locked_partial(folder: Path, *, over: os.stat_result | None = None) -> Iterator[tuple[int, Path]]:
    """Make a locked temporary file; at the end it is removed, unless it was renamed.

    Args:
        folder: where to make it.
        over: the file that it will replace, and whose mode, owner and group it takes; None for a new one.
    """
    descriptor, path = _make_locked(folder, 0o666 if over is None else 0o600)
    try:
        if over is not None:
            _make_like(descriptor, over)
        yield descriptor, path
    finally:
        _discard(descriptor, path)


def sweep(folder: Path) -> None:
    """Remove the abandoned temporary files of a folder."""
    with os.scandir(folder) as found:
        partials = [Path(entry.path) for entry in found if entry.name.startswith(_PREFIX)]
    for partial in partials:
        with suppress(OSError):  # another writer was faster, or has permissions that we lack
            descriptor = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                locked = lock(descriptor)
                old = time.time() - os.fstat(descriptor).st_mtime > ABANDONED_AFTER_SECONDS
                if locked is not False and (old or (locked and partial.name.startswith(_OWN_PREFIX))):
                    partial.unlink()
            finally:
                os.close(descriptor)


def write_all(descriptor: int, block: bytes | memoryview) -> None:
    """Write the whole block."""
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def make_folders(top: Path, folder: Path) -> None:
    """Create the missing folders below `top`, but never `top` itself."""
    for each in reversed([folder, *folder.parents]):
        if each.is_relative_to(top) and each != top and not each.is_dir():
            each.mkdir(exist_ok=True)
            sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Write a folder's names to the disk, if the file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)


def _make_like(descriptor: int, over: os.stat_result) -> None:
    """Give a file the owner, the group and the permissions of another; set-user-ID and its like do not go along."""
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (over.st_uid, over.st_gid):
        try:
            os.fchown(descriptor, over.st_uid, over.st_gid)
        except OSError as fault:
            raise OSError(
                fault.errno, f"it belongs to user {over.st_uid}, group {over.st_gid}, which a new file cannot keep"
            ) from None
    os.fchmod(descriptor, over.st_mode & 0o777)


def _make_locked(folder: Path, mode: int) -> tuple[int, Path]:
    while True:
        path = folder / f"{_OWN_PREFIX}{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            # Before it is locked, another writer may take it for abandoned and lock or remove it: then make another.
            if lock(descriptor) is not False and path.exists():
                return descriptor, path
        except BaseException:
            _discard(descriptor, path)
            raise
        _discard(descriptor, path)


def _discard(descriptor: int, path: Path) -> None:
    with suppress(OSError):  # the NAS may be gone; then the next write removes the file
        path.unlink(missing_ok=True)
    with suppress(OSError):
        os.close(descriptor)


def lock(descriptor: int) -> bool | None:
    """Lock a file until it is closed. Return whether that succeeded, or None if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as fault:
        if fault.errno in _NOT_SUPPORTED:
            return None
        raise
    return True
