"""Files of this machine that are written completely or not at all.

The rule: data goes to a temporary file in the same folder (`partials`), which becomes the file by one rename. The file
keeps the mode, owner and group of the one that it replaces; a new one has those of any new file. A symbolic link stays,
and what it leads to is written. A pipe or a device gets the blocks as they come (`targets`), so it may get a part only.
Left out: access control lists and extended attributes of the replaced file.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from object_store.errors import LocalFileError
from object_store.partials import locked_partial, write_all
from object_store.targets import opened_through, replaceable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Partial:
    """A file that is not complete yet: write it block after block, or each block at its offset, but not both.

    Attributes:
        sequential: whether it takes blocks only one after the other, as a pipe does.
    """

    def __init__(
        self, descriptor: int, fault: Callable[[OSError], LocalFileError], *, sequential: bool = False
    ) -> None:
        """Take the open file, and the function that turns a system error into ours."""
        self._descriptor = descriptor
        self._fault = fault
        self.sequential = sequential

    def write(self, block: bytes | memoryview) -> None:
        """Add a block."""
        try:
            write_all(self._descriptor, block)
        except OSError as raw:
            raise self._fault(raw) from None

    def write_at(self, offset: int, block: memoryview) -> None:
        """Write a block at its offset; several threads may do so at the same time."""
        rest = memoryview(block)
        try:
            while rest:
                written = os.pwrite(self._descriptor, rest, offset)
                offset += written
                rest = rest[written:]
        except OSError as raw:
            raise self._fault(raw) from None

    def read_at(self, offset: int, size: int) -> bytes:
        """Read again what was written."""
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as raw:
            raise self._fault(raw) from None


@contextmanager
def replacing(
    path: Path, *, bucket: str | None = None, key: str | None = None, replace: bool = True
) -> Iterator[Partial]:
    """Yield a partial file for the blocks; at the end of the context, and only then, it becomes the file.

    Args:
        path: the file.
        bucket: the bucket that the blocks come from, for messages.
        key: the key, likewise.
        replace: whether what is there may be replaced, also what comes meanwhile.

    Raises:
        LocalFileError: the folder does not exist, no space, no permission, or something is there that is not replaced:
            a folder, a block device, a socket, a read-only file, a hard link, or a file of another user.
    """

    def fault(raw: OSError) -> LocalFileError:
        return LocalFileError(f"{path} cannot be written: {raw.strerror}", bucket=bucket, key=key)

    with ExitStack() as stack:
        try:
            new = not os.path.lexists(path)
            if not new and not replace:
                raise _taken()
            through = None if new else opened_through(path)
            if through is None:
                real = path if new else Path(os.path.realpath(path))
                over = None if new else replaceable(real)
                descriptor, partial = stack.enter_context(locked_partial(real.parent, over=over))
            else:
                stack.callback(os.close, through)
        except OSError as raw:
            raise fault(raw) from None
        if through is not None:
            yield Partial(through, fault, sequential=True)
            return
        yield Partial(descriptor, fault)
        try:
            os.close(os.dup(descriptor))  # NFS reports a full disk only when a file is closed: close(2)
            if replace:
                partial.replace(real)
            else:
                _name(partial, real)
        except OSError as raw:
            if raw.errno == errno.EBUSY:  # as a container mounts single files
                raise fault(OSError(raw.errno, f"it is a mount of its own: use - and redirect it to {path}")) from None
            raise fault(raw) from None


def _name(partial: Path, path: Path) -> None:
    """Give a file its name, unless something has it. The other name goes with the temporary file."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise _taken() from None
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise _taken() from None
        partial.replace(path)  # such as exFAT, which has no way to do both at once


def _taken() -> OSError:
    return OSError(errno.EEXIST, "something is there, and is not replaced")


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; one that cannot be examined is none, and its use then says why."""
    try:
        return path.is_dir()
    except OSError:
        return False
