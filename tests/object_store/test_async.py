"""The asynchronous store does the same as the other store, with many operations at the same time."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

import object_store
from object_store import MULTIPART_THRESHOLD, PART_SIZE, AsyncObjectStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from object_store.config import StoreConfig

LARGE = os.urandom(1000) * (2 * PART_SIZE // 1000 + 1)


@pytest.fixture(name="config")
def _config(store: object_store.ObjectStore) -> StoreConfig:
    return store.config


def _run(config: StoreConfig, action: Callable[[AsyncObjectStore], Awaitable[Any]]) -> Any:  # noqa: ANN401  # its own
    async def run() -> Any:  # noqa: ANN401  # the result of the action
        async with AsyncObjectStore(config) as store:
            return await action(store)

    return asyncio.run(run())


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_round_trip(config: StoreConfig, bucket: str, tmp_path: Path, body: bytes) -> None:
    """Every operation in turn, for bodies in one request and in parts."""

    async def action(store: AsyncObjectStore) -> None:
        told: list[int] = []
        ref = await store.upload(bucket, "a/b.txt", body, metadata={"n": "1"}, progress=told.append)
        assert sum(told) == len(body) == ref.size
        assert await store.download(bucket, "a/b.txt", etag=ref.etag) == body
        found = await store.fetch(bucket, "a/b.txt")
        assert (found.ref, found.metadata, found.body) == (ref, {"n": "1"}, body)
        stream = await store.stream(bucket, "a/b.txt")
        assert (stream.ref, b"".join([block async for block in stream])) == (ref, body)
        assert await store.head(bucket, "a/b.txt") == ref
        assert await store.download_file(bucket, "a/b.txt", tmp_path / "f") == ref
        assert (tmp_path / "f").read_bytes() == body
        assert [each.key async for each in store.list(bucket, "a/")] == ["a/b.txt"]
        url = await store.presign(bucket, "a/b.txt", 60)
        with await asyncio.to_thread(urlopen, url) as answer:
            assert answer.read() == body
        await store.delete_object(bucket, "a/b.txt")
        await store.delete_object(bucket, "a/b.txt")
        with pytest.raises(object_store.NotFound):
            await store.download(bucket, "a/b.txt")

    _run(config, action)


@pytest.mark.parametrize("blocks", [1, 3])
def test_asynchronous_body(config: StoreConfig, bucket: str, blocks: int) -> None:
    """An asynchronous generator is read on the loop and stored, in one request or in parts."""

    async def body() -> AsyncIterator[bytes]:
        for number in range(blocks):
            await asyncio.sleep(0)
            yield bytes([number]) * PART_SIZE

    async def action(store: AsyncObjectStore) -> bytes:
        await store.upload(bucket, "drawn", body())
        return await store.download(bucket, "drawn")

    assert _run(config, action) == b"".join(bytes([number]) * PART_SIZE for number in range(blocks))


def test_asynchronous_body_that_fails_stores_nothing(config: StoreConfig, admin: S3Client, bucket: str) -> None:
    """The caller's own error is raised, and there is neither an object nor an upload."""

    class OwnError(Exception):
        """The caller's."""

    async def body() -> AsyncIterator[bytes]:
        yield bytes(3 * PART_SIZE)
        raise OwnError

    async def action(store: AsyncObjectStore) -> None:
        with pytest.raises(OwnError):
            await store.upload(bucket, "failed", body())
        with pytest.raises(object_store.NotFound):
            await store.head(bucket, "failed")

    _run(config, action)
    assert "Uploads" not in admin.list_multipart_uploads(Bucket=bucket)


def test_fifty_at_a_time(config: StoreConfig, bucket: str) -> None:
    """Each download returns its own body."""

    async def action(store: AsyncObjectStore) -> None:
        refs = await asyncio.gather(*(store.upload(bucket, f"many/{n}", b"%d" % n) for n in range(50)))
        bodies = await asyncio.gather(*(store.download(ref.bucket, ref.key) for ref in refs))
        assert bodies == [b"%d" % n for n in range(50)]

    _run(config, action)


def test_streams_into_uploads(config: StoreConfig, bucket: str) -> None:
    """As many copies as there are threads: each upload waits for a stream, and none for another upload."""

    async def action(store: AsyncObjectStore) -> None:
        await store.upload(bucket, "from", b"body")

        async def copy(number: int) -> None:
            await store.upload(bucket, f"to/{number}", await store.stream(bucket, "from"))

        async with asyncio.timeout(60):
            await asyncio.gather(*(copy(number) for number in range(40)))
        assert await store.download(bucket, "to/39") == b"body"

    _run(config, action)


@pytest.mark.parametrize("size", [3, MULTIPART_THRESHOLD + 1])
def test_if_absent(config: StoreConfig, bucket: str, size: int) -> None:
    """The second writer gets AlreadyExists."""

    async def action(store: AsyncObjectStore) -> None:
        await store.delete_object(bucket, "once")
        await store.upload(bucket, "once", bytes(size), if_absent=True)
        with pytest.raises(object_store.AlreadyExists):
            await store.upload(bucket, "once", bytes(size), if_absent=True)

    _run(config, action)


def test_errors_are_those_of_the_other_store(config: StoreConfig, bucket: str) -> None:
    """Stale, missing, no bucket, bad arguments: the same classes, with bucket and key."""

    async def action(store: AsyncObjectStore) -> None:
        ref = await store.upload(bucket, "s", b"1")
        await store.upload(bucket, "s", b"2")
        for error, attempt in (
            (object_store.StaleReference, store.download(bucket, "s", etag=ref.etag)),
            (object_store.StaleReference, store.stream(bucket, "s", etag=ref.etag)),
            (object_store.NotFound, store.fetch(bucket, "none")),
            (object_store.BucketNotFound, store.delete_object("no-such-bucket", "k")),
            (object_store.InvalidKey, store.upload(bucket, "../k", b"")),
            (object_store.InvalidBody, store.upload(bucket, "k", "text")),  # type: ignore[arg-type]  # the point
            (object_store.InvalidMetadata, store.upload(bucket, "k", b"", metadata={"A": "b"})),
            (object_store.InvalidExpiry, store.presign(bucket, "k", 0)),
        ):
            with pytest.raises(error):
                await attempt

    _run(config, action)


def test_folders(config: StoreConfig, bucket: str, tmp_path: Path) -> None:
    """A folder goes up and down."""
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "f").write_bytes(b"f")

    async def action(store: AsyncObjectStore) -> None:
        assert (await store.upload_dir(tmp_path / "up", bucket, "folder")).copied == 1
        assert (await store.download_dir(bucket, "folder", tmp_path / "down")).copied == 1

    _run(config, action)
    assert (tmp_path / "down" / "f").read_bytes() == b"f"


def test_repr_shows_no_secret(config: StoreConfig) -> None:
    """The repr shows where the store is, like that of the other store."""
    store = AsyncObjectStore(config)

    assert config.secret_access_key not in repr(store)
    assert repr(store).startswith("AsyncObjectStore(http://127.0.0.1:")
    asyncio.run(store.close())


def test_made_from_the_environment(config: StoreConfig) -> None:
    """It reads the same variables as the other store."""
    environ = {
        "S3_ENDPOINT": config.endpoint or "",
        "AWS_REGION": config.region,
        "AWS_ACCESS_KEY_ID": config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": config.secret_access_key,
    }
    store = AsyncObjectStore.from_environment(environ)

    assert store.sync.config == config
    asyncio.run(store.close())
