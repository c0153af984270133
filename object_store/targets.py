"""What is in the place of a file that is to be written, and what may be done to it.

The rule: only a regular file is replaced, and only one that its user may write and that has no other name. A pipe, a
character device or an open descriptor of this process is written through. Anything else is refused. The errors are
OSError; their text completes the sentence "PATH cannot be written: …".
"""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MAX_LINKS: Final = 40  # as many as Linux follows: path_resolution(7)


class NotReplaceable(OSError):  # noqa: N818  # it names a state, as the adapter's errors do
    """Something is there that a new file must not replace."""

    def __init__(self, why: str) -> None:
        """Take the reason."""
        super().__init__(errno.EPERM, why)


def own_descriptor(path: Path) -> int | None:
    """Return the number of the descriptor of this process that the path names: 1 for `/dev/stdout`."""
    place = os.path.abspath(path)  # noqa: PTH100  # a text: pathlib would resolve the link to "pipe:[7]"
    for _ in range(_MAX_LINKS):
        named = re.fullmatch(rf"/(?:dev|proc/self|proc/{os.getpid()})/fd/([0-9]{{1,9}})", place)
        if named is not None:
            return int(named[1])
        try:
            place = os.path.normpath(os.path.join(os.path.dirname(place), os.readlink(place)))  # noqa: PTH115, PTH118, PTH120  # likewise
        except OSError:
            return None
    return None


def opened_through(path: Path) -> int | None:
    """Open what can only be written through; None for a regular file, and where nothing is.

    Raises:
        OSError: it cannot be opened.
    """
    own = own_descriptor(path)
    if own is not None:
        # Opening it by its name would write at the start of a file, over what others wrote there (`>> log`).
        return os.dup(own)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return None
    return os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


def replaceable(path: Path) -> os.stat_result | None:
    """Return the file that a rename to `path` would replace; None if nothing is there.

    Raises:
        NotReplaceable: it is not a regular file, is read-only, or has another name.
        OSError: it cannot be examined.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise NotReplaceable("it is a folder")
    if stat.S_ISLNK(found.st_mode):
        raise NotReplaceable("it is a symbolic link")
    if not stat.S_ISREG(found.st_mode):
        raise NotReplaceable("it is neither a regular file nor a pipe nor a character device")
    if found.st_nlink > 1:
        raise NotReplaceable("it is a hard link, and its other names would keep the old content: remove it first")
    if not os.access(path, os.W_OK):
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        raise NotReplaceable("it is read-only: run chmod u+w on it first")
    return found
