"""`AsyncObjectStore`: the operations of `ObjectStore` as coroutines, for a program that runs an event loop.

obstore's own asynchronous calls send small bodies and receive all bodies; the store's own threads do the rest.
`ObjectStore` documents what each operation does and raises. If a coroutine is cancelled, an upload that has begun still
runs to its end, so the object may be stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar

import obstore

from object_store.answers import condition_of_get, condition_of_put, info_of, is_no_object, whole_body
from object_store.arguments import checked_delete, checked_get, checked_put
from object_store.body import MULTIPART_THRESHOLD, AsyncBody, as_bytes
from object_store.errors import LocalFault, NotFound, ObjectLocked, ObjectStoreError
from object_store.folders import JOBS
from object_store.ranges import STREAMS
from object_store.store import ObjectStore
from object_store.stream import AsyncObjectStream
from object_store.translation import is_of_a_client, translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType

    from obstore import GetResult

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
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="object-store-async")

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
        if isinstance(body, AsyncIterable):
            given = _drawn(asyncio.get_running_loop(), aiter(body))
        else:
            whole = as_bytes(bucket, key, body)
            if_absent = if_absent or bucket in self.sync.config.write_once
            if whole is not None and len(whole) <= MULTIPART_THRESHOLD:
                return await self._upload_whole(
                    bucket, key, whole, content_type, metadata, progress, if_absent=if_absent
                )
            given = body if whole is None else whole  # type: ignore[assignment]  # of the two kinds of iterator
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
        result, info = await self._get(bucket, key, etag)
        body = bytes(await self._do(bucket, key, result.bytes_async()))
        return whole_body(info, body)

    async def stream(self, bucket: str, key: str, *, etag: str | None = None) -> AsyncObjectStream:
        """Return an object's body for `async for`, with its reference in `ref`: `ObjectStore.stream`."""
        result, info = await self._get(bucket, key, etag)
        return AsyncObjectStream(result, info.ref, info.metadata, self.sync.place(bucket, key), info.ref.size)

    async def download_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        *,
        etag: str | None = None,
        streams: int = STREAMS,
        progress: Callable[[int], None] | None = None,
    ) -> ObjectRef:
        """Write an object's body to a file, completely or not at all: `ObjectStore.download_file`."""
        return await self._in_thread(
            self.sync.download_file, bucket, key, path, etag=etag, streams=streams, progress=progress
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
        if checked_delete(bucket, key):
            return await self._in_thread(self.sync.delete_object, bucket, key)
        client = self.sync.objects_of(bucket, key)
        try:
            await self._do(bucket, key, obstore.delete_async(client, key))
        except NotFound as failure:
            if not is_no_object(failure):
                raise

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
        self._threads.shutdown(wait=False)
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

    async def _upload_whole(
        self,
        bucket: str,
        key: str,
        body: bytes,
        content_type: str | None,
        metadata: Mapping[str, str] | None,
        progress: Callable[[int], None] | None,
        *,
        if_absent: bool,
    ) -> ObjectRef:
        wanted = checked_put(bucket, key, content_type, metadata)
        put = obstore.put_async(
            self.sync.objects_of(bucket, key),
            key,
            body,
            attributes=wanted.attributes,
            mode="create" if if_absent else None,
            use_multipart=False,
        )
        try:
            stored = await self._do(bucket, key, put)
        except ObjectStoreError as failure:
            raise condition_of_put(failure, bucket, key, if_absent=if_absent) from None
        if progress is not None:
            progress(len(body))
        return wanted.stored(stored["e_tag"], len(body))

    async def _get(self, bucket: str, key: str, etag: str | None) -> tuple[GetResult, ObjectInfo]:
        options = checked_get(bucket, key, etag)
        client = self.sync.objects_of(bucket, key)
        try:
            result = await self._do(bucket, key, obstore.get_async(client, key, options=options))
        except ObjectStoreError as failure:
            raise condition_of_get(failure, self.sync.place(bucket, key), etag) from None
        return result, info_of(bucket, key, result, etag)

    async def _do(self, bucket: str, key: str, action: Awaitable[T]) -> T:
        try:
            return await action
        except BaseException as raw:  # a panic of obstore is no Exception
            if not is_of_a_client(raw):
                raise
            failure = translated(raw, self.sync.place(bucket, key))
        if isinstance(failure, ObjectLocked):
            failure = await self._in_thread(self.sync.with_end_of_lock, failure)
        raise failure

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


def _drawn(loop: asyncio.AbstractEventLoop, blocks: AsyncIterator[bytes]) -> Iterator[bytes]:
    """Yield, in a thread, what an asynchronous iterator yields on its loop."""

    async def draw() -> bytes | None:
        return await anext(blocks, None)

    while (block := asyncio.run_coroutine_threadsafe(draw(), loop).result()) is not None:
        yield block
