"""The adapter's contract: each fact here holds on every S3 server that the adapter is used with.

The rule: only the adapter acts. An independent client makes what the adapter does not make and inspects what it leaves.
No test asks which server it is. What servers may do differently is in `observations`.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from object_store import (
    MULTIPART_THRESHOLD,
    PART_SIZE,
    AlreadyExists,
    AsyncObjectStore,
    BadCredentials,
    BucketNotFound,
    InvalidKey,
    NotFound,
    ObjectStore,
    RequestRefused,
    StaleReference,
    UnexpectedAnswer,
)
from object_store.keys import check_key
from tests.sizes import IS_LONG, sized
from trials.servers import GIVEN, Server, keys_of, made_bucket, remove_bucket, uploads_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from object_store.body import Body

LARGE = MULTIPART_THRESHOLD + 1
SIZES = [0, 1, MULTIPART_THRESHOLD - 1, MULTIPART_THRESHOLD, LARGE, 2 * PART_SIZE + 12_345]
# The adapter reads a path as it reads a file, and bytes as blocks; each form has a body of each kind.
FORMS = {
    "bytes": SIZES if IS_LONG else [0, 1, MULTIPART_THRESHOLD, LARGE],
    "file": SIZES,
    "iterator": SIZES if IS_LONG else [0, 1, MULTIPART_THRESHOLD - 1, LARGE],
    "path": SIZES if IS_LONG else [0, 1, LARGE],
}
COUNTS = [0, 1, 999, 1000, 1001, sized(2001, 10_000)]
AT_ONCE = 8  # writers that fill a listing
# Servers may sort, escape or unescape these differently; in UTF-16 the last two swap places.
STEMS = ["A", "Z", "a", "a b", "a!", "a-", "a.", "100%", "%2F", "c+d", "&amp;", "<x>", '"q"', "~", "é", "ﬁ", "😀"]
KEYS = [
    "plain",
    "in/a/folder.txt",
    "with space",
    "plus+plus",
    "100%",
    "%41%2F",
    "é日本語/😀",
    "a&b<c>'d\"",
    "?#=;,:@$",
    "~t",
]


def content(size: int) -> bytes:
    """Bytes without two equal parts."""
    whole, rest = divmod(size, 8)
    return b"".join(number.to_bytes(8, "big") for number in range(whole)) + b"\xff" * rest


def blocks_of(body: bytes, length: int = 1_000_003) -> Iterator[bytes]:
    """The body in blocks that never end near a part's end."""
    yield from (body[start : start + length] for start in range(0, len(body), length))


async def async_blocks_of(body: bytes) -> AsyncIterator[bytes]:
    """Likewise, asynchronously."""
    for block in blocks_of(body):
        yield block


class TestRoundTrip:
    """A stored body comes back."""

    @pytest.mark.parametrize(("form", "size"), [(form, size) for form, sizes in FORMS.items() for size in sizes])
    def test_body_of_any_form_and_size(
        self, store: ObjectStore, bucket: str, prefix: str, tmp_path: Path, size: int, form: str
    ) -> None:
        """Every byte comes back by each way of reading, with the size that was counted on the way in and out."""
        body, key = content(size), f"{prefix}body"
        counted: list[int] = []
        file = tmp_path / "body"
        file.write_bytes(body)
        forms: dict[str, Body] = {"bytes": body, "file": io.BytesIO(body), "iterator": blocks_of(body), "path": file}

        ref = store.upload(bucket, key, forms[form], progress=counted.append)

        fetched = store.fetch(bucket, key, etag=ref.etag)
        assert fetched.body == body
        assert fetched.ref == ref == store.head(bucket, key)
        assert ref.size == sum(counted) == size
        assert b"".join(store.stream(bucket, key)) == body
        assert store.download_file(bucket, key, tmp_path / "back", etag=ref.etag) == ref
        assert (tmp_path / "back").read_bytes() == body

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_content_type_given_and_guessed(self, store: ObjectStore, bucket: str, prefix: str, size: int) -> None:
        """A given content type comes back; without one the key's suffix decides, for whole bodies and for parts."""
        body = content(size)
        store.upload(bucket, f"{prefix}a.md", body)
        store.upload(bucket, f"{prefix}b.md", body, "Text/X-own; charset=utf-8")

        assert store.head(bucket, f"{prefix}a.md").content_type == "text/markdown"
        assert store.fetch(bucket, f"{prefix}b.md").ref.content_type == "Text/X-own; charset=utf-8"

    @pytest.mark.parametrize("if_absent", [False, True])
    @pytest.mark.parametrize("size", [10, LARGE])
    def test_metadata(self, store: ObjectStore, bucket: str, prefix: str, size: int, *, if_absent: bool) -> None:
        """Metadata comes back as given, with and without the body, for whole bodies and for parts."""
        metadata = {"source": 'a worker; v=1, "q" %41 +', "x-2": "~"}
        store.upload(bucket, f"{prefix}k", content(size), metadata=metadata, if_absent=if_absent)

        assert store.fetch(bucket, f"{prefix}k").metadata == metadata
        assert store.stat(bucket, f"{prefix}k").metadata == metadata

    @pytest.mark.parametrize("key", KEYS)
    def test_key_with_what_urls_and_xml_escape(
        self, store: ObjectStore, client: S3Client, bucket: str, prefix: str, key: str
    ) -> None:
        """A key is the same for another client, in a listing, and when read back."""
        ref = store.upload(bucket, prefix + key, key.encode())

        assert client.get_object(Bucket=bucket, Key=prefix + key)["Body"].read() == key.encode()
        assert [(one.key, one.size, one.etag) for one in store.list(bucket, prefix)] == [(ref.key, ref.size, ref.etag)]
        assert store.download(bucket, prefix + key) == key.encode()
        store.delete_object(bucket, prefix + key)
        assert keys_of(client, bucket, prefix) == []

    def test_key_of_1024_bytes(self, store: ObjectStore, bucket: str, prefix: str) -> None:
        """The longest key that S3 allows is accepted, in segments of at most 255 bytes."""
        key = prefix + "/".join("k" * 245 for _ in range(3)) + "/"
        key += "é" * 100 + "x" * (1024 - 200 - len(key))
        store.upload(bucket, key, b"long")

        assert store.download(bucket, key) == b"long"
        with pytest.raises(InvalidKey):
            store.upload(bucket, key + "x", b"long")

    @pytest.mark.parametrize(("first", "second"), [(10, 20), (LARGE, 10), (10, LARGE)])
    def test_upload_replaces(self, store: ObjectStore, bucket: str, prefix: str, first: int, second: int) -> None:
        """A second upload leaves nothing of the first: body, content type, metadata and etag are the new ones."""
        old = store.upload(bucket, f"{prefix}k", content(first), "text/plain", metadata={"old": "1"})
        new = store.upload(bucket, f"{prefix}k", b"n" + content(second), "text/html", metadata={"new": "1"})
        fetched = store.fetch(bucket, f"{prefix}k")

        assert old.etag != new.etag
        assert fetched.ref == new
        assert (fetched.body, fetched.metadata) == (b"n" + content(second), {"new": "1"})

    def test_folder_there_and_back(self, store: ObjectStore, bucket: str, prefix: str, tmp_path: Path) -> None:
        """A folder comes back unchanged, and a second run copies nothing in either direction."""
        files = {"a.txt": b"", "é ü/b+c.bin": content(1000), "é ü/deep/large": content(LARGE)}
        for name, body in files.items():
            (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "from" / name).write_bytes(body)

        up = [store.upload_dir(tmp_path / "from", bucket, prefix) for _ in range(2)]
        down = [store.download_dir(bucket, prefix, tmp_path / "to") for _ in range(2)]

        back = {p.relative_to(tmp_path / "to").as_posix(): p for p in (tmp_path / "to").rglob("*") if p.is_file()}
        assert {name: path.read_bytes() for name, path in back.items()} == files
        assert [(one.copied, one.skipped) for one in (*up, *down)] == [(3, 0), (0, 3)] * 2


class TestRanges:
    """A part of a body."""

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_bytes_in_the_middle(self, store: ObjectStore, bucket: str, prefix: str, size: int) -> None:
        """Exactly the bytes that were asked for come back: the first, the last, some, all; also asynchronously."""
        body, key = content(size), f"{prefix}body"
        ref = store.upload(bucket, key, body)
        spans = [(0, 1), (size - 1, size), (3, size - 2), (0, size)]

        async def read() -> list[bytes]:
            async with AsyncObjectStore(store.config) as asynchronous:
                streams = [await asynchronous.read_range(bucket, key, *span, etag=ref.etag) for span in spans]
                return [b"".join([block async for block in stream]) for stream in streams]

        wanted = [body[start:end] for start, end in spans]

        assert [b"".join(store.read_range(bucket, key, *span, etag=ref.etag)) for span in spans] == wanted
        assert asyncio.run(read()) == wanted

    def test_another_object(self, store: ObjectStore, bucket: str, prefix: str) -> None:
        """Of an object that was replaced no byte comes back; of a missing one neither."""
        key = f"{prefix}k"
        old = store.upload(bucket, key, content(10))
        store.upload(bucket, key, content(10)[::-1])

        with pytest.raises(StaleReference):
            store.read_range(bucket, key, 0, 5, etag=old.etag)
        with pytest.raises(NotFound):
            store.read_range(bucket, f"{prefix}missing", 0, 5, etag=old.etag)

    @pytest.mark.parametrize(("start", "end"), [(5, 11), (10, 11), (1000, 2000)])
    def test_beyond_the_end(self, store: ObjectStore, bucket: str, prefix: str, start: int, end: int) -> None:
        """A range that the body does not wholly have is an error, never fewer bytes."""
        ref = store.upload(bucket, f"{prefix}k", content(10))

        with pytest.raises((RequestRefused, UnexpectedAnswer)):
            b"".join(store.read_range(bucket, f"{prefix}k", start, end, etag=ref.etag))


class TestAbsence:
    """Missing objects and buckets."""

    @pytest.mark.parametrize("call", ["download", "fetch", "stream", "head", "stat"])
    def test_missing_object(self, store: ObjectStore, bucket: str, prefix: str, call: str) -> None:
        """Reading a missing object is NotFound, and not BucketNotFound."""
        with pytest.raises(NotFound) as caught:
            getattr(store, call)(bucket, f"{prefix}missing")

        assert type(caught.value) is NotFound
        assert caught.value.key == f"{prefix}missing"

    def test_missing_object_makes_no_file(self, store: ObjectStore, bucket: str, prefix: str, tmp_path: Path) -> None:
        """A download to a file leaves no file, not even a temporary one."""
        with pytest.raises(NotFound):
            store.download_file(bucket, f"{prefix}missing", tmp_path / "file")

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "call",
        [
            lambda store, bucket: store.upload(bucket, "k", b"x"),
            lambda store, bucket: store.upload(bucket, "k", content(LARGE)),
            lambda store, bucket: store.upload(bucket, "k", content(LARGE), if_absent=True),
            lambda store, bucket: store.download(bucket, "k"),
            lambda store, bucket: store.head(bucket, "k"),
            lambda store, bucket: list(store.list(bucket)),
            lambda store, bucket: store.delete_object(bucket, "k"),
        ],
        ids=["upload", "upload_parts", "upload_parts_if_absent", "download", "head", "list", "delete"],
    )
    def test_missing_bucket(
        self, store: ObjectStore, client: S3Client, call: Callable[[ObjectStore, str], object]
    ) -> None:
        """Any operation in a bucket that does not exist is BucketNotFound."""
        missing = f"contract-none-{uuid.uuid4().hex[:12]}"
        try:
            with pytest.raises(BucketNotFound):
                call(store, missing)
        finally:
            remove_bucket(client, missing)  # some servers make it at a PUT

    def test_delete(self, store: ObjectStore, bucket: str, prefix: str) -> None:
        """A deleted object is gone, and deleting it again is not an error."""
        store.upload(bucket, f"{prefix}k", b"x")
        for _ in range(2):
            store.delete_object(bucket, f"{prefix}k")

            with pytest.raises(NotFound):
                store.head(bucket, f"{prefix}k")


class TestConditions:
    """`if_absent` and `etag`."""

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_if_absent_meets_an_object(
        self, store: ObjectStore, client: S3Client, bucket: str, prefix: str, size: int
    ) -> None:
        """The object is unchanged, and no upload is left behind."""
        first = store.upload(bucket, f"{prefix}k", b"first", "text/x-first")

        with pytest.raises(AlreadyExists):
            store.upload(bucket, f"{prefix}k", content(size), if_absent=True)

        assert store.fetch(bucket, f"{prefix}k").ref == first
        assert uploads_of(client, bucket, prefix) == []

    @pytest.mark.parametrize("size", [0, 10, LARGE])
    def test_if_absent_meets_none(self, store: ObjectStore, bucket: str, prefix: str, size: int) -> None:
        """The object is stored as without the condition, and again after it was deleted."""
        for _ in range(2):
            ref = store.upload(bucket, f"{prefix}k.md", blocks_of(content(size)), if_absent=True)

            assert store.fetch(bucket, f"{prefix}k.md").ref == ref
            assert ref.content_type == "text/markdown"
            assert store.download(bucket, f"{prefix}k.md") == content(size)
            store.delete_object(bucket, f"{prefix}k.md")

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_if_absent_of_many_at_once(self, store: ObjectStore, bucket: str, prefix: str, size: int) -> None:
        """Of four writers at once exactly one wins, and what it wrote is what is there."""

        def write(number: int) -> bytes | None:
            body = bytes([number]) + content(size)
            try:
                store.upload(bucket, f"{prefix}k", body, if_absent=True)
            except AlreadyExists:
                return None
            return body

        with ThreadPoolExecutor(4) as pool:
            written = [body for body in pool.map(write, range(4)) if body is not None]

        assert written == [store.download(bucket, f"{prefix}k")]

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_reference_to_what_was_replaced(
        self, store: ObjectStore, bucket: str, prefix: str, tmp_path: Path, size: int
    ) -> None:
        """The etag of an old reference reads nothing of the new object, by no way; the new one's reads it."""
        old = store.upload(bucket, f"{prefix}k", content(size))
        new = store.upload(bucket, f"{prefix}k", b"n" + content(size))

        for call in (store.download, store.fetch, store.stream):
            with pytest.raises(StaleReference):
                call(old.bucket, old.key, etag=old.etag)
        with pytest.raises(StaleReference):
            store.download_file(old.bucket, old.key, tmp_path / "file", etag=old.etag)
        assert list(tmp_path.iterdir()) == []
        assert store.download(new.bucket, new.key, etag=new.etag) == b"n" + content(size)

    @pytest.mark.parametrize("if_absent", [False, True])
    @pytest.mark.parametrize("good_bytes", [0, 10, PART_SIZE, 2 * PART_SIZE + 10])
    def test_body_that_breaks_off(
        self, store: ObjectStore, client: S3Client, bucket: str, prefix: str, good_bytes: int, *, if_absent: bool
    ) -> None:
        """The iterator's own error is raised, and neither an object nor an unfinished upload is left."""

        class BrokenSourceError(Exception):
            pass

        def body() -> Iterator[bytes]:
            yield from blocks_of(content(good_bytes))
            raise BrokenSourceError

        with pytest.raises(BrokenSourceError):
            store.upload(bucket, f"{prefix}k", body(), if_absent=if_absent)

        assert keys_of(client, bucket, prefix) == []
        assert uploads_of(client, bucket, prefix) == []

    def test_bucket_with_object_lock(self, server: Server, store: ObjectStore, client: S3Client) -> None:
        """A bucket with object lock takes whole bodies and parts, also replacements; a deleted object is NotFound."""
        try:
            manager = made_bucket(server, client, locked=True)
            with manager as locked:
                for size in (10, LARGE):
                    store.upload(locked, "k", b"old")
                    ref = store.upload(locked, "k", content(size))
                    assert store.download(locked, "k", etag=ref.etag) == content(size)
                    store.delete_object(locked, "k")
                    with pytest.raises(NotFound):
                        store.head(locked, "k")
        except ClientError as refusal:
            if server.name != GIVEN:
                raise
            pytest.skip(f"this server makes no bucket with object lock: {refusal.response['Error'].get('Code')}")


class Filled:
    """A prefix with as many objects as a test needs, kept from one test to the next."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        """Start empty."""
        self._store = store
        self.bucket = bucket
        self.prefix = f"contract/filled-{uuid.uuid4().hex}/"
        self._names: list[str] = []

    def hold(self, count: int) -> list[str]:
        """Store or delete objects until there are `count`; return their keys in the order of their UTF-8 bytes."""
        # An object's key may not be another's folder: a server that keeps files can hold only one of them.
        wanted = [self.prefix + STEMS[n % len(STEMS)] + ("/" if n % 2 else "") + f"{n:05}" for n in range(count)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda key: self._store.upload(self.bucket, key, b"x"), wanted[len(self._names) :]))
            list(pool.map(lambda key: self._store.delete_object(self.bucket, key), self._names[count:]))
        self._names = wanted
        return sorted(wanted, key=str.encode)


class TestListing:
    """Listings are complete and in order."""

    @pytest.fixture(scope="session", name="filled")
    @staticmethod
    def _filled(store: ObjectStore, bucket: str) -> Iterator[Filled]:
        filled = Filled(store, bucket)
        yield filled
        filled.hold(0)

    @pytest.mark.parametrize("count", COUNTS)
    def test_is_complete_and_ordered(self, server: Server, store: ObjectStore, filled: Filled, count: int) -> None:
        """Each key is there once, in the order of the keys' UTF-8 bytes, across pages of 1000."""
        if count > server.most_keys and not IS_LONG:
            pytest.skip(f"{server.title} is too slow to be filled with more than {server.most_keys} keys")
        keys = filled.hold(count)

        assert [ref.key for ref in store.list(filled.bucket, filled.prefix)] == keys
        middle = keys[len(keys) // 2 :]
        if middle:
            rest = [ref.key for ref in store.list(filled.bucket, filled.prefix, after=middle[0])]
            assert rest == middle[1:]

    def test_prefix_is_any_beginning(self, store: ObjectStore, bucket: str, prefix: str) -> None:
        """A prefix may end within a segment, may name a whole key, and may hold what URLs escape."""
        for name in ("2026-11/a", "2026-12/b", "2026-1", "2027/c", "p+ %/d"):
            store.upload(bucket, prefix + name, b"")

        def found(beginning: str) -> list[str]:
            return [ref.key.removeprefix(prefix) for ref in store.list(bucket, prefix + beginning)]

        assert found("2026-1") == ["2026-1", "2026-11/a", "2026-12/b"]
        assert found("2026-11/") == ["2026-11/a"]
        assert found("p+ %") == ["p+ %/d"]
        assert found("026") == []

    def test_reference_of_a_listing(self, store: ObjectStore, bucket: str, prefix: str) -> None:
        """It is that of the upload, except for the content type, which a listing does not have."""
        sizes = {"a": 0, "b": 10, "c": LARGE}
        refs = [store.upload(bucket, prefix + name, content(size)) for name, size in sizes.items()]

        listed = list(store.list(bucket, prefix))

        assert listed == [ref.model_copy(update={"content_type": None}) for ref in refs]

    def test_unfinished_upload_is_not_listed(
        self, store: ObjectStore, client: S3Client, bucket: str, prefix: str
    ) -> None:
        """Parts without an object are not an object."""
        upload = client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}k")["UploadId"]
        client.upload_part(Bucket=bucket, Key=f"{prefix}k", UploadId=upload, PartNumber=1, Body=b"part")

        assert list(store.list(bucket, prefix)) == []
        with pytest.raises(NotFound):
            store.head(bucket, f"{prefix}k")
        client.abort_multipart_upload(Bucket=bucket, Key=f"{prefix}k", UploadId=upload)


class TestAccess:
    """Presigned URLs and credentials."""

    @pytest.mark.parametrize("key", ["plain.txt", "é +%41/😀&=.txt"])
    def test_presigned_get(self, server: Server, store: ObjectStore, bucket: str, prefix: str, key: str) -> None:
        """The holder of the URL can read the object, and nothing else."""
        store.upload(bucket, prefix + key, b"shared")
        url = store.presign(bucket, prefix + key, timedelta(minutes=5))

        assert server.open(url) == (200, b"shared")
        assert server.open(url, "PUT", b"other")[0] == 403
        assert store.download(bucket, prefix + key) == b"shared"

    def test_presigned_put(self, server: Server, store: ObjectStore, bucket: str, prefix: str) -> None:
        """The holder of the URL can store an object under this key."""
        url = store.presign(bucket, f"{prefix}given", 300, "PUT")

        assert server.open(url, "PUT", b"given")[0] == 200
        assert store.download(bucket, f"{prefix}given") == b"given"

    @pytest.mark.parametrize("what", ["signature", "key", "lifetime"])
    def test_presigned_url_that_was_changed(
        self, server: Server, store: ObjectStore, bucket: str, prefix: str, what: str
    ) -> None:
        """A changed URL reads nothing."""
        store.upload(bucket, f"{prefix}shared", b"shared")
        store.upload(bucket, f"{prefix}secret", b"secret")
        parts = urllib.parse.urlsplit(store.presign(bucket, f"{prefix}shared", 300))
        query = dict(urllib.parse.parse_qsl(parts.query))
        path = parts.path
        if what == "signature":
            query["X-Amz-Signature"] = query["X-Amz-Signature"][::-1]
        elif what == "key":
            path = path.replace("shared", "secret")
        else:
            query["X-Amz-Expires"] = "301"
        url = urllib.parse.urlunsplit(parts._replace(path=path, query=urllib.parse.urlencode(query)))

        status, answer = server.open(url)

        assert status == 403
        assert b"secret" not in answer.replace(b"/secret", b"")

    @pytest.mark.parametrize("what", ["secret", "key id"])
    def test_credential_that_the_server_does_not_know(
        self, server: Server, store: ObjectStore, bucket: str, prefix: str, what: str
    ) -> None:
        """Every operation is BadCredentials, and the error holds no secret."""
        store.upload(bucket, f"{prefix}k", b"x")
        secret = "planted/wrong+secret/of-forty-characters"  # noqa: S105 - nobody's
        changes = {"secret_access_key": secret} if what == "secret" else {"access_key_id": "AKIANOBODYSACCESSKEY"}
        with ObjectStore(replace(server.config, **changes)) as wrong:  # type: ignore[arg-type]  # both are text
            calls: list[Callable[[], object]] = [
                lambda: wrong.upload(bucket, f"{prefix}k", b"y"),
                lambda: wrong.upload(bucket, f"{prefix}k", content(LARGE)),
                lambda: wrong.upload(bucket, f"{prefix}k", content(LARGE), if_absent=True),
                lambda: wrong.download(bucket, f"{prefix}k"),
                lambda: wrong.head(bucket, f"{prefix}k"),
                lambda: list(wrong.list(bucket, prefix)),
                lambda: wrong.delete_object(bucket, f"{prefix}k"),
            ]
            for call in calls:
                with pytest.raises(BadCredentials) as caught:
                    call()
                assert secret not in str(caught.value)
        assert store.download(bucket, f"{prefix}k") == b"x"


class TestAsynchronous:
    """The same with `AsyncObjectStore`."""

    @pytest.mark.parametrize("size", [0, 10, LARGE])
    def test_round_trip(self, server: Server, bucket: str, prefix: str, tmp_path: Path, size: int) -> None:
        """An asynchronous body comes back whole by each way of reading; then it is listed, deleted and gone."""

        async def run() -> None:
            async with AsyncObjectStore(server.config) as store:
                key, body = f"{prefix}é k.md", content(size)
                ref = await store.upload(bucket, key, async_blocks_of(body), metadata={"a": "b"}, if_absent=True)
                with pytest.raises(AlreadyExists):
                    await store.upload(bucket, key, body, if_absent=True)
                fetched = await store.fetch(bucket, key, etag=ref.etag)
                assert (fetched.body, fetched.ref, fetched.metadata) == (body, ref, {"a": "b"})
                assert await store.head(bucket, key) == ref
                assert b"".join([block async for block in await store.stream(bucket, key)]) == body
                assert await store.download_file(bucket, key, tmp_path / "file") == ref
                assert (tmp_path / "file").read_bytes() == body
                assert [one.etag async for one in store.list(bucket, prefix)] == [ref.etag]
                url = await store.presign(bucket, key, 60)
                assert server.open(url) == (200, body)
                await store.delete_object(bucket, key)
                with pytest.raises(NotFound):
                    await store.download(bucket, key)

        asyncio.run(run())

    def test_fifty_at_once(self, server: Server, bucket: str, prefix: str) -> None:
        """Fifty uploads and then fifty downloads at once, each with its own body, all come back."""
        bodies = {f"{prefix}{number:02}": content(number * 100) for number in range(50)}

        async def run() -> list[bytes]:
            async with AsyncObjectStore(server.config) as store:
                await asyncio.gather(*itertools.starmap(lambda k, b: store.upload(bucket, k, b), bodies.items()))
                return await asyncio.gather(*(store.download(bucket, key) for key in bodies))

        assert asyncio.run(run()) == list(bodies.values())


def _is_key(key: str) -> bool:
    try:
        check_key("bucket", key)
    except InvalidKey:
        return False
    # Some servers refuse a segment over 255 bytes; the prefix takes part of the 1024.
    return len(key.encode()) <= 900 and all(len(segment.encode()) <= 255 for segment in key.split("/"))


keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(_is_key)
# A server in Python takes a second for a large body, so a change draws few of them.
_small = [st.integers(0, 5000)] * sized(9, 1)
sizes = st.one_of(*_small, st.sampled_from([MULTIPART_THRESHOLD, LARGE]))
content_types = st.none() | st.from_regex(
    r"[a-z]{1,10}/[a-z0-9.+-]{1,20}(; [a-z]{1,8}=[a-z0-9-]{1,8})?", fullmatch=True
)
metadatas = st.dictionaries(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
    st.from_regex(r"[\x21-\x7e]([\x20-\x7e]{0,30}[\x21-\x7e])?", fullmatch=True),
    max_size=4,
)


@settings(max_examples=sized(12, 1000))
@given(key=keys, size=sizes, content_type=content_types, metadata=metadatas)
def test_what_goes_in_comes_out(
    store: ObjectStore, bucket: str, key: str, size: int, content_type: str | None, metadata: dict[str, str]
) -> None:
    """Any key, size, content type and metadata come back, and a listing shows that key alone."""
    prefix = f"contract/drawn-{uuid.uuid4().hex}/"
    body = content(size)
    ref = store.upload(bucket, prefix + key, body, content_type, metadata=metadata)
    try:
        fetched = store.fetch(bucket, prefix + key, etag=ref.etag)

        assert fetched.body == body
        assert fetched.ref == ref
        assert fetched.metadata == metadata
        assert (ref.key, ref.size) == (prefix + key, size)
        assert content_type in {None, ref.content_type}
        assert [one.key for one in store.list(bucket, prefix)] == [prefix + key]
    finally:
        store.delete_object(bucket, prefix + key)
    assert list(store.list(bucket, prefix)) == []
