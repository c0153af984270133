"""Writes a file as a whole or not at all: the one writer of every report, saved state and delivered file.

The rule: readers see the old file or the new one, and a write that fails leaves the old one. The text goes to a new
file in the same folder, with its mode before the first byte, and takes the old one's place by a rename. A link stays,
and the file that it leads to is replaced. A device or a pipe (`/dev/stdout`) gets the text directly.
"""

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file in UTF-8.

    Args:
        path: The file; its folder must exist.
        text: The whole content.
        mode: The mode of a file with a secret, which is never written through a link or into a pipe: what has its name
            is replaced. None for the mode of the file that is replaced, or of any new file.

    Raises:
        OSError: It cannot be written, for example because the disk is full; the old file is unchanged.
    """
    try:
        _replace(path, text, mode)
    except OSError as error:
        # Named by the file that was asked for, not by the new one beside it; a full disk names none.
        raise OSError(error.errno, error.strerror, str(path)) from None


def _replace(path: Path, text: str, mode: int | None) -> None:
    target = path if mode is not None else Path(os.path.realpath(path))
    try:
        old: os.stat_result | None = target.stat()
    except FileNotFoundError:
        old = None
    if mode is None and old is not None:
        if not stat.S_ISREG(old.st_mode):
            path.write_text(text, encoding="utf-8")
            return
        if not os.access(target, os.W_OK):
            code = errno.EROFS if os.statvfs(target).f_flag & os.ST_RDONLY else errno.EACCES
            raise OSError(code, os.strerror(code), str(path))
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            # A file with a secret belongs to its writer, whoever made the old one.
            if old is not None and mode is None:
                with suppress(PermissionError):  # only root may give a file away
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(file.fileno(), _kept_mode(old) if mode is None else mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    except BaseException:
        with suppress(OSError):  # the disk may be gone
            new.unlink()
        raise
    # The new file is in its place. Network file systems may know no sync of a folder, and a folder may be unreadable.
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _kept_mode(old: os.stat_result | None) -> int:
    """The mode of the old file, or what the process gives a new one; the system tells the mask only by setting it."""
    if old is not None:
        return stat.S_IMODE(old.st_mode)
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
