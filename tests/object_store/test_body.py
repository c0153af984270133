"""Which bodies an upload accepts, and that it holds only a few parts at a time."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

import object_store
from object_store import MULTIPART_THRESHOLD, PART_SIZE, ObjectStore, body
from object_store.body import opened
from object_store.parts import PARTS_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

SIZES = [0, 1, MULTIPART_THRESHOLD - 1, MULTIPART_THRESHOLD, MULTIPART_THRESHOLD + 1, 2 * PART_SIZE + 5]


def _content(size: int) -> bytes:
    return (os.urandom(997) * (size // 997 + 1))[:size]


def _uploads(admin: S3Client, bucket: str) -> list[Any]:
    return list(admin.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "path", "file", "blocks", "generator"])
def test_every_kind_of_body_comes_out_as_it_went_in(
    store: ObjectStore, bucket: str, tmp_path: Path, kind: str, size: int
) -> None:
    """Bytes, buffers, files and iterables of any size; the reference has the length, and progress adds up to it."""
    content = _content(size)
    path = tmp_path / "body"
    path.write_bytes(content)
    told: list[int] = []
    halves = [content[: size // 3], content[size // 3 :]]
    bodies: dict[str, Any] = {
        "bytes": content,
        "bytearray": bytearray(content),
        "memoryview": memoryview(content),
        "path": path,
        "file": io.BytesIO(content),
        "blocks": halves,
        "generator": (half for half in halves),
    }

    ref = store.upload(bucket, "k", bodies[kind], progress=told.append)

    assert ref.size == size == sum(told)
    assert store.download(bucket, "k") == content
    assert store.head(bucket, "k").etag == ref.etag
    assert ("-" in ref.etag) == (size > MULTIPART_THRESHOLD)


@given(cuts=st.lists(st.integers(0, 3 * PART_SIZE), max_size=5))
@example_settings(max_examples=30)
def test_blocks_of_any_length_make_parts_of_one(cuts: list[int]) -> None:
    """However the caller cuts a body, nothing is lost, and no block passed on is longer than a part."""
    body = [bytes([number % 251]) * size for number, size in enumerate(cuts)]
    whole = b"".join(body)

    with opened("probe", "k", iter(body)) as blocks:
        start, more = blocks.head()
        rest = list(blocks)
    with opened("probe", "k", iter(body)) as blocks:
        parts = list(blocks.parts())

    assert more == (len(whole) > MULTIPART_THRESHOLD)
    assert start + b"".join(rest) == whole
    assert all(0 < len(block) <= PART_SIZE for block in rest)
    assert b"".join(parts) == whole
    assert all(len(part) == PART_SIZE for part in parts[:-1])


def test_not_more_than_some_parts_are_drawn_ahead(store: ObjectStore, bucket: str) -> None:
    """A body of 20 parts is read as it is sent: it is never held whole."""
    drawn: list[int] = []
    told: list[int] = []
    ahead: list[int] = []

    def blocks() -> Iterator[bytes]:
        for number in range(20):
            drawn.append(number)
            ahead.append(len(drawn) * PART_SIZE - sum(told))
            yield bytes(PART_SIZE)

    store.upload(bucket, "long", blocks(), progress=told.append)

    assert len(drawn) == 20
    assert max(ahead) <= (PARTS_AT_ONCE + 2) * PART_SIZE  # those on their way, what `head` has read, the current one
    store.delete_object(bucket, "long")


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_body_that_fails_stores_nothing(
    store: ObjectStore, admin: S3Client, bucket: str, after: int, *, if_absent: bool
) -> None:
    """The caller's own error is raised; no object and no upload is left; a second run completes."""

    class OwnError(Exception):
        """The caller's."""

    def blocks(*, whole: bool) -> Iterator[bytes]:
        for _ in range(after):
            yield bytes(PART_SIZE)
        if not whole:
            raise OwnError
        yield b"end"

    with pytest.raises(OwnError):
        store.upload(bucket, "broken", blocks(whole=False), if_absent=if_absent)

    assert list(store.list(bucket, "broken")) == []
    assert _uploads(admin, bucket) == []
    assert store.upload(bucket, "broken", blocks(whole=True), if_absent=if_absent).size == after * PART_SIZE + 3
    store.delete_object(bucket, "broken")


@pytest.mark.parametrize(
    "body", ["text", None, 5, 1.5, {"a": 1}, object(), io.StringIO("text"), ["text"], [1, 2], iter([b"x", "y"])]
)
def test_what_is_no_body_is_refused(store: ObjectStore, bucket: str, body: Any) -> None:  # noqa: ANN401  # any
    """Text, numbers, and files and iterables of them are InvalidBody, and nothing is stored."""
    with pytest.raises(object_store.InvalidBody, match=r"legal: bytes"):
        store.upload(bucket, "none", body)

    assert list(store.list(bucket, "none")) == []


@pytest.mark.parametrize("size", [5, MULTIPART_THRESHOLD + 1, 6 * PART_SIZE])
def test_if_absent_stores_once(store: ObjectStore, admin: S3Client, bucket: str, size: int) -> None:
    """The first writer wins, also with a body in parts; the second one gets an error and changes nothing."""
    store.delete_object(bucket, "once")
    told: list[int] = []
    first = store.upload(
        bucket, "once", bytes(size), if_absent=True, metadata={"a": "b"}, content_type="text/x", progress=told.append
    )

    with pytest.raises(object_store.AlreadyExists) as caught:
        store.upload(bucket, "once", b"other" * (size // 5 + 1), if_absent=True)

    assert "bucket 'probe-test-body', key 'once': an object with this key already exists" in str(caught.value)
    assert sum(told) == size == first.size
    found = store.fetch(bucket, "once")
    assert (found.ref, found.metadata, found.body) == (first, {"a": "b"}, bytes(size))
    assert _uploads(admin, bucket) == []


def test_file_that_cannot_be_read_is_told(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A missing file, and a folder in its place, are LocalFileError with the path."""
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(object_store.LocalFileError, match=path.name):
            store.upload(bucket, "k", path)


@pytest.mark.parametrize("size", [9, MULTIPART_THRESHOLD + 9])
@pytest.mark.parametrize("change", [1, -1, 0])
def test_file_that_changes_while_it_is_read_stores_nothing(
    store: ObjectStore,
    admin: S3Client,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    change: int,
) -> None:
    """It grows, shrinks or keeps its length: a mixture is LocalFileError, and no part of it stays."""
    path, real = tmp_path / "log", body._read
    path.write_bytes(bytes(size))
    os.utime(path, (0, 0))

    def meanwhile(*given: Any) -> Iterator[object]:  # noqa: ANN401  # as the real one
        for block in real(*given):
            yield block
            path.write_bytes(bytes(size + change))

    monkeypatch.setattr(body, "_read", meanwhile)

    with pytest.raises(object_store.LocalFileError, match="log changed while it was read; nothing was stored"):
        store.upload(bucket, "changed", path)

    assert list(store.list(bucket, "changed")) == []
    assert "Uploads" not in admin.list_multipart_uploads(Bucket=bucket)


def test_given_file_stays_open(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A file that the caller opened is read from its current position, and the caller closes it."""
    (tmp_path / "f").write_bytes(b"0123456789")
    with (tmp_path / "f").open("rb") as file:
        file.seek(4)
        store.upload(bucket, "k", file)

        assert not file.closed
    assert store.download(bucket, "k") == b"456789"


def test_body_too_long_for_its_parts_is_refused(
    store: ObjectStore, admin: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server would not join more than 10 000 parts: it is InvalidBody, and nothing is left there."""
    monkeypatch.setattr("object_store.body.MAX_BODY_BYTES", 2 * PART_SIZE)

    with pytest.raises(object_store.InvalidBody, match="longer than"):
        store.upload(bucket, "endless", (bytes(PART_SIZE) for _ in range(3)))

    assert list(store.list(bucket, "endless")) == []
    assert _uploads(admin, bucket) == []


@pytest.mark.parametrize("key", ["a/SlowDown.log", "InternalError/report.txt"])
def test_key_that_looks_like_an_error(store: ObjectStore, admin: S3Client, bucket: str, key: str) -> None:
    """A body in parts is stored under these keys too, and nothing is left."""
    ref = store.upload(bucket, key, bytes(MULTIPART_THRESHOLD + 1))

    assert store.head(bucket, key).etag == ref.etag
    assert _uploads(admin, bucket) == []
    store.delete_object(bucket, key)
