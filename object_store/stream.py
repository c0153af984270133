"""An object's body as it arrives: blocks of about 1 MiB, one of which is held at a time.

The rule: the iteration succeeds only if the body was exactly as long as its reference says. If a connection breaks in
the middle, obstore itself requests the rest again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from object_store.errors import IncompleteTransfer
from object_store.translation import is_of_a_client, translated

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
                f"received {self._received} bytes instead of {self._length}",
                bucket=self.ref.bucket,
                key=self.ref.key,
            )


class ObjectStream(_Stream):
    """Iterate it once to read the body.

    Attributes:
        ref: the reference from the same answer.
        metadata: the writer's metadata, by lower-case name.
    """

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body. Raise the errors of any operation, and IncompleteTransfer."""
        blocks = iter(self._result.stream(BLOCK_SIZE))
        while True:
            try:
                block = next(blocks, None)
            except BaseException as raw:  # a panic of obstore is no Exception
                if not is_of_a_client(raw):
                    raise
                failure = translated(raw, self._place)
            else:
                if block is None:
                    break
                yield self._count(bytes(block))
                continue
            raise failure
        self._check_length()


class AsyncObjectStream(_Stream):
    """Iterate it once, with `async for`, to read the body.

    Attributes:
        ref: the reference from the same answer.
        metadata: the writer's metadata, by lower-case name.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body. Raise the errors of any operation, and IncompleteTransfer."""
        blocks = aiter(self._result.stream(BLOCK_SIZE))
        while True:
            try:
                block = await anext(blocks, None)
            except BaseException as raw:  # a panic of obstore is no Exception
                if not is_of_a_client(raw):
                    raise
                failure = translated(raw, self._place)
            else:
                if block is None:
                    break
                yield self._count(bytes(block))
                continue
            raise failure
        self._check_length()
