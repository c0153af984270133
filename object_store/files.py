"""Files of this machine that are written completely or not at all.

The rule: data goes to a temporary file in the same folder (`partials`), which becomes the file by one rename.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from object_store.errors import LocalFileError
from object_store.partials import locked_partial, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Partial:
    """A file that is not complete yet: write it block after block, or each block at its offset, but not both."""

    def __init__(self, descriptor: int, fault: Callable[[OSError], LocalFileError]) -> None:
        """Take the open file, and the function that turns a system error into ours."""
        self._descriptor = descriptor
        self._fault = fault

    def write(self, block: bytes) -> None:
        """Add a block."""
        try:
            write_all(self._descriptor, block)
        except OSError as raw:
            raise self._fault(raw) from None

    def write_at(self, offset: int, block: bytes) -> None:
        """Write a block at its offset; several threads may do so at the same time."""
        rest = memoryview(block)
        try:
            while rest:
                written = os.pwrite(self._descriptor, rest, offset)
                offset += written
                rest = rest[written:]
        except OSError as raw:
            raise self._fault(raw) from None


@contextmanager
def replacing(path: Path, *, bucket: str | None = None, key: str | None = None) -> Iterator[Partial]:
    """Yield a partial file for the blocks; at the end of the context, and only then, it becomes the file.

    Raises:
        LocalFileError: the folder does not exist, no space, no permission, or a folder has the name.
    """

    def fault(raw: OSError) -> LocalFileError:
        return LocalFileError(f"{path} cannot be written: {raw.strerror}", bucket=bucket, key=key)

    with ExitStack() as stack:
        try:
            descriptor, partial = stack.enter_context(locked_partial(path.parent))
        except OSError as raw:
            raise fault(raw) from None
        yield Partial(descriptor, fault)
        try:
            partial.replace(path)
        except OSError as raw:
            raise fault(raw) from None
