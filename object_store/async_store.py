"""`AsyncObjectStore`: the operations of `ObjectStore` as coroutines, for a program that runs an event loop.

The store's own threads do the work, one for each operation at a time. Streams have their own, so an upload can draw its
body from a stream of the same store. `ObjectStore` documents what each operation does and raises. If a coroutine is
cancelled, an upload that has begun still runs to its end, so the object may be stored.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncIterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar

from object_store.errors import LocalFault
from object_store.folders import JOBS
from object_store.ranges import STREAMS
from object_store.store import ObjectStore
from object_store.stream import AsyncObjectStream
from object_store.translation import is_of_a_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType

    from object_store.body import AsyncBody
    from object_store.config import StoreConfig
    from object_store.folders import Transfer
    from object_store.reference import Download, ObjectInfo, ObjectRef

T = TypeVar("T")
_PAGE: Final = 1000
_THREADS: Final = 32


class AsyncObjectStore:
    """The objects of one S3 server, accessed with one credential; `sync` is the store behind it.

    Use it as an asynchronous context manager, or call `close`. Only one event loop may use it at a time.
    """

    def __init__(self, config: StoreConfig) -> None:
        """Make a store from an explicit configuration; nothing is sent."""
        self.sync = ObjectStore(config)
        self._begin_anew()
        _OPEN.add(self)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Make a store from the variables that `config` lists. Raise ConfigurationError if they cannot work."""
        return cls(ObjectStore.from_environment(environ).config)

    async def upload(
        self,
        bucket: str,
        key: str,
        body: AsyncBody,
        content_type: str | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ObjectRef:
        """Store a body under a key: `ObjectStore.upload`; the body may also be an asynchronous iterable of bytes."""
        given = _drawn(asyncio.get_running_loop(), aiter(body)) if isinstance(body, AsyncIterable) else body
        return await self._in_thread(
            self.sync.upload,
            bucket,
            key,
            given,
            content_type,
            metadata=metadata,
            if_absent=if_absent,
            progress=progress,
        )

    async def download(self, bucket: str, key: str, *, etag: str | None = None) -> bytes:
        """Return an object's whole body: `ObjectStore.download`."""
        return (await self.fetch(bucket, key, etag=etag)).body

    async def fetch(self, bucket: str, key: str, *, etag: str | None = None) -> Download:
        """Return an object's whole body with its reference: `ObjectStore.fetch`."""
        return await self._in_thread(self.sync.fetch, bucket, key, etag=etag)

    async def stream(self, bucket: str, key: str, *, etag: str | None = None) -> AsyncObjectStream:
        """Return an object's body for `async for`, with its reference in `ref`: `ObjectStore.stream`."""
        return AsyncObjectStream(await self._in_thread(self.sync.stream, bucket, key, etag=etag), self._readers)

    async def read_range(self, bucket: str, key: str, start: int, end: int, *, etag: str) -> AsyncObjectStream:
        """Return a part of an object's body for `async for`: `ObjectStore.read_range`."""
        return AsyncObjectStream(
            await self._in_thread(self.sync.read_range, bucket, key, start, end, etag=etag), self._readers
        )

    async def download_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        etag: str | None = None,
        replace: bool = True,
        streams: int = STREAMS,
        progress: Callable[[int], None] | None = None,
        unverified: Callable[[ObjectRef], None] | None = None,
    ) -> ObjectRef:
        """Write an object's body to a file, completely or not at all: `ObjectStore.download_file`."""
        return await self._in_thread(
            self.sync.download_file,
            bucket,
            key,
            path,
            etag=etag,
            replace=replace,
            streams=streams,
            progress=progress,
            unverified=unverified,
        )

    async def head(self, bucket: str, key: str) -> ObjectRef:
        """Return the reference to an object without transferring its body: `ObjectStore.head`."""
        return (await self.stat(bucket, key)).ref

    async def stat(self, bucket: str, key: str) -> ObjectInfo:
        """Return an object's reference, metadata and time: `ObjectStore.stat`."""
        return await self._in_thread(self.sync.stat, bucket, key)

    async def list(self, bucket: str, prefix: str = "", *, after: str | None = None) -> AsyncIterator[ObjectRef]:
        """Yield a reference for each object whose key begins with the prefix: `ObjectStore.list`."""
        refs = self.sync.list(bucket, prefix, after=after)
        while page := await self._in_thread(lambda: tuple(islice(refs, _PAGE))):
            for ref in page:
                yield ref

    async def presign(
        self, bucket: str, key: str, expiry: timedelta | float, method: Literal["GET", "PUT"] = "GET"
    ) -> str:
        """Return a URL that reads or stores one object until it expires: `ObjectStore.presign`."""
        return self.sync.presign(bucket, key, expiry, method)

    async def delete_object(self, bucket: str, key: str) -> None:
        """Remove an object; a missing object is not an error: `ObjectStore.delete_object`."""
        await self._in_thread(self.sync.delete_object, bucket, key)

    async def upload_dir(
        self,
        folder: Path,
        bucket: str,
        prefix: str = "",
        *,
        jobs: int = JOBS,
        skip_same: bool = True,
        allow_empty: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Transfer:
        """Store each file below a folder: `folders.upload_dir`."""
        return await self._in_thread(
            self.sync.upload_dir,
            folder,
            bucket,
            prefix,
            jobs=jobs,
            skip_same=skip_same,
            allow_empty=allow_empty,
            progress=progress,
        )

    async def download_dir(
        self,
        bucket: str,
        prefix: str,
        folder: Path,
        *,
        jobs: int = JOBS,
        skip_same: bool = True,
        allow_empty: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Transfer:
        """Write each object under a prefix to a folder: `folders.download_dir`."""
        return await self._in_thread(
            self.sync.download_dir,
            bucket,
            prefix,
            folder,
            jobs=jobs,
            skip_same=skip_same,
            allow_empty=allow_empty,
            progress=progress,
        )

    async def close(self) -> None:
        """Release connections and threads; the store cannot be used again."""
        _OPEN.discard(self)
        self._threads.shutdown(wait=False)
        self._readers.shutdown(wait=False)
        self.sync.close()

    async def __aenter__(self) -> Self:
        """Return the store."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the store."""
        await self.close()

    def __repr__(self) -> str:
        """Show where the store is and the credential's name, but no secret."""
        return f"Async{self.sync!r}"

    def _begin_anew(self) -> None:
        """Have threads of one's own: in a forked process those of the parent are gone, and work would wait for them."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="object-store-async")
        self._readers = ThreadPoolExecutor(_THREADS, thread_name_prefix="object-store-stream")

    async def _in_thread(self, action: Callable[..., T], *arguments: object, **named: object) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, partial(action, *arguments, **named))
        except RuntimeError as raw:
            if not is_of_a_client(raw):
                raise
            failure = LocalFault(f"this machine has too little left: {raw}")
        else:
            return await running
        raise failure


_OPEN: Final[weakref.WeakSet[AsyncObjectStore]] = weakref.WeakSet()


def _begin_anew() -> None:
    for store in tuple(_OPEN):
        store._begin_anew()  # noqa: SLF001 - for this module alone


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_begin_anew)


def _drawn(loop: asyncio.AbstractEventLoop, blocks: AsyncIterator[bytes]) -> Iterator[bytes]:
    """Yield, in a thread, what an asynchronous iterator yields on its loop."""

    async def draw() -> bytes | None:
        return await anext(blocks, None)

    while (block := asyncio.run_coroutine_threadsafe(draw(), loop).result()) is not None:
        yield block
