"""An object's body as it arrives: blocks of about 1 MiB, one of which is held at a time.

The rule: the iteration succeeds only if the body was exactly as long as its reference says, and is not certainly
another one (`proof`). If a connection breaks in the middle, the rest is requested again, on the condition that the
object is still the same.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from urllib3.exceptions import HTTPError

from object_store.errors import IncompleteTransfer
from object_store.proof import Proof
from object_store.translation import translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from concurrent.futures import Executor

    from object_store.exchange import Answer
    from object_store.reference import ObjectInfo, ObjectRef
    from object_store.translation import Place

BLOCK_SIZE: Final = 1024 * 1024
"""Bytes in a block, at most."""

_VIEW_SIZE: Final = 256 * 1024  # it stays in the processor's cache from the network to the digest and the file

B = TypeVar("B", bytes, memoryview)


class ObjectStream:
    """Iterate it once to read the body.

    Attributes:
        ref: the reference from the same answer.
        metadata: the writer's metadata, by lower-case name.
        proof: the digest beside the transfer.
        verified: after the last block, whether a digest of the server's proved the body; False if it named none.
    """

    def __init__(
        self,
        answer: Answer,
        info: ObjectInfo,
        place: Place,
        span: tuple[int, int],
        reopen: Callable[[int], Answer],
        ended: Callable[[], bool],
        proof: Proof | None = None,
        *,
        retries: int,
    ) -> None:
        """Take an answer whose body has not been read.

        Args:
            answer: the answer.
            info: what it says of the object.
            place: the subject of errors.
            span: the first byte of the body that it sends, and the one after the last.
            reopen: requests the body from a byte on.
            ended: judges the whole body after the last block, and says whether it is proven.
            proof: gets each block.
            retries: how often the rest is requested again before the next block.
        """
        self.ref: ObjectRef = info.ref
        self.metadata: Mapping[str, str] = info.metadata
        self.verified = False
        self._answer = answer
        self._place = place
        self._start, self._end = span
        self._at = self._start
        self._reopen = reopen
        self._ended = ended
        self.proof = proof or Proof(None)
        self._retries = retries

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body. Raise the errors of any operation, IncompleteTransfer and CorruptBody."""
        return self._blocks(lambda most: self._answer.read(min(BLOCK_SIZE, most)))

    def views(self) -> Iterator[memoryview]:
        """Yield the body as `__iter__`, but each block in the same memory: it is gone when the next one comes."""
        buffer = memoryview(bytearray(min(_VIEW_SIZE, self._end - self._at)))
        return self._blocks(lambda most: buffer[: self._answer.fill(buffer[:most])])

    def _blocks(self, take: Callable[[int], B]) -> Iterator[B]:
        try:
            while self._at < self._end:
                block = self._next(take)
                self.proof.update(block)
                yield block
        finally:
            self._answer.close()
        self.verified = self._ended()

    def _next(self, take: Callable[[int], B]) -> B:
        """The next block; after a loss, from a further answer."""
        for left in range(self._retries, -1, -1):
            try:
                block = take(self._end - self._at)
            except (HTTPError, OSError) as raw:
                failure = translated(raw, self._place)
            else:
                if block:
                    self._at += len(block)
                    return block
                failure = self._incomplete()
            self._answer.close()
            if not left:
                break
            self._answer = self._reopen(self._at)
        raise failure

    def _incomplete(self) -> IncompleteTransfer:
        return IncompleteTransfer(
            f"received {self._at - self._start} bytes instead of {self._end - self._start}",
            bucket=self.ref.bucket,
            key=self.ref.key,
        )


class AsyncObjectStream:
    """Iterate it once, with `async for`, to read the body: `ObjectStream`, read by a thread."""

    def __init__(self, stream: ObjectStream, threads: Executor) -> None:
        """Take a stream that has not been iterated."""
        self.ref = stream.ref
        self.metadata = stream.metadata
        self._stream = stream
        self._threads = threads

    @property
    def verified(self) -> bool:
        """`ObjectStream.verified`."""
        return self._stream.verified

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body. Raise the errors of any operation, IncompleteTransfer and CorruptBody."""
        loop, blocks = asyncio.get_running_loop(), iter(self._stream)
        while (block := await loop.run_in_executor(self._threads, next, blocks, None)) is not None:
            yield block
