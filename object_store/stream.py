"""An object's body as it arrives: blocks of about 1 MiB, of which one at a time is held.

The rule: the iteration ends well only if the body was exactly as long as its reference says. obstore asks for the rest
again by itself where a connection breaks off in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from object_store.errors import IncompleteTransfer
from object_store.translation import OBSTORE_ERRORS, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from obstore import GetResult

    from object_store.reference import ObjectRef
    from object_store.translation import Place

BLOCK_SIZE: Final = 1024 * 1024
"""Bytes in a block, at least; the last one may be shorter."""


class _Stream:
    """What is known before the first block."""

    def __init__(
        self, result: GetResult, ref: ObjectRef, metadata: Mapping[str, str], place: Place, length: int
    ) -> None:
        self.ref = ref
        self.metadata = metadata
        self._result = result
        self._place = place
        self._length = length
        self._received = 0

    def _count(self, block: bytes) -> bytes:
        self._received += len(block)
        if self._received > self._length:
            self._check_length()
        return block

    def _check_length(self) -> None:
        if self._received != self._length:
            raise IncompleteTransfer(
                f"{self._received} bytes came, and {self._length} were to come",
                bucket=self.ref.bucket,
                key=self.ref.key,
            )


class ObjectStream(_Stream):
    """Iterate it once for the body.

    Attributes:
        ref: the reference that came with the answer.
        metadata: what the writer gave with it, by lower-case name.
    """

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body: the errors of any operation, and IncompleteTransfer."""
        blocks = iter(self._result.stream(BLOCK_SIZE))
        while True:
            try:
                block = next(blocks, None)
            except OBSTORE_ERRORS as raw:
                failure = translated(raw, self._place)
            else:
                if block is None:
                    break
                yield self._count(bytes(block))
                continue
            raise failure
        self._check_length()


class AsyncObjectStream(_Stream):
    """Iterate it once, by `async for`, for the body.

    Attributes:
        ref: the reference that came with the answer.
        metadata: what the writer gave with it, by lower-case name.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body: the errors of any operation, and IncompleteTransfer."""
        blocks = aiter(self._result.stream(BLOCK_SIZE))
        while True:
            try:
                block = await anext(blocks, None)
            except OBSTORE_ERRORS as raw:
                failure = translated(raw, self._place)
            else:
                if block is None:
                    break
                yield self._count(bytes(block))
                continue
            raise failure
        self._check_length()
