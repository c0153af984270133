"""Files of this machine, or of a NAS, that are written whole or not at all.

The rule: what is written goes to a temporary name in the same folder, and becomes the file by one rename. The name
begins with `PARTIAL_PREFIX`, which nothing here takes for a file of its own. What a killed process has left may go at
any time.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from object_store.errors import LocalFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PARTIAL_PREFIX: Final = ".object-store-partial-"


class Partial:
    """A file that is not whole yet: written one block after the other, or each where it belongs, but not both."""

    def __init__(self, file: BinaryIO, fault: Callable[[OSError], LocalFileError]) -> None:
        """Take the file, and what makes our error of the system's."""
        self._file = file
        self._fault = fault

    def write(self, block: bytes) -> None:
        """Add a block."""
        try:
            self._file.write(block)
        except OSError as raw:
            raise self._fault(raw) from None

    def write_at(self, offset: int, block: bytes) -> None:
        """Put a block where it belongs; threads may do so at a time."""
        rest = memoryview(block)
        try:
            while rest:
                written = os.pwrite(self._file.fileno(), rest, offset)
                offset += written
                rest = rest[written:]
        except OSError as raw:
            raise self._fault(raw) from None


@contextmanager
def replacing(path: Path, *, bucket: str | None = None, key: str | None = None) -> Iterator[Partial]:
    """Yield what blocks are written to; at the end of the context, and only then, the file holds them.

    Raises:
        LocalFileError: no such folder, no room, no right, or a folder has the name.
    """

    def fault(raw: OSError) -> LocalFileError:
        return LocalFileError(f"{path} cannot be written: {raw.strerror}", bucket=bucket, key=key)

    try:
        partial, file = _create_partial(path.parent)
    except OSError as raw:
        raise fault(raw) from None
    try:
        yield Partial(file, fault)
        try:
            file.flush()
            partial.replace(path)
        except OSError as raw:
            raise fault(raw) from None
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    finally:
        with suppress(OSError):  # a full disk was told of already
            file.close()


def _create_partial(folder: Path) -> tuple[Path, BinaryIO]:
    """Make a temporary file in a folder.

    Raises:
        OSError: no such folder, no room, no right.
    """
    path = folder / f"{PARTIAL_PREFIX}{secrets.token_hex(8)}"
    return path, path.open("xb")
