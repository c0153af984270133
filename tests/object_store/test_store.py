"""The operations on a server: a body comes back unchanged, and nothing else is touched."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from moto.s3.models import s3_backends

import object_store
from object_store import MULTIPART_THRESHOLD, PART_SIZE, Download, ObjectRef, ObjectStore
from object_store.keys import check_key
from tests.sizes import sized

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.object_store.conftest import Answer, MakeStore, Request, ScriptedServer

_characters = st.characters(exclude_categories=["Cs"])
_keys = st.one_of(
    st.text(_characters, min_size=1, max_size=60),
    st.text(st.sampled_from("ab/ +%&=?#.~!*'()\\\"<>:;,@$[]{}^`|\u00e9\u4e2d\U0001f600"), min_size=1, max_size=60),
    st.text(st.sampled_from("x\u00e9"), min_size=900, max_size=1100),
)


def _is_legal(key: str) -> bool:
    try:
        check_key("probe", key)
    except object_store.InvalidKey:
        return False
    return True


def _get(url: str) -> tuple[int, bytes, str | None]:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # the URL is the test's own
        return answer.status, answer.read(), answer.headers["Content-Type"]


class TestRoundTrip:
    """upload, download, fetch, head, list and delete_object, together."""

    @example_settings(max_examples=sized(40, 1000))
    @given(key=_keys, body=st.binary(max_size=300))
    def test_any_key_comes_back_as_given_or_is_refused(
        self, store: ObjectStore, admin: S3Client, bucket: str, key: str, body: bytes
    ) -> None:
        """A key is either refused with nothing stored, or is the one key that the server then lists."""
        if not _is_legal(key):
            with pytest.raises(object_store.InvalidKey):
                store.upload(bucket, key, body)

            assert list(store.list(bucket)) == []
            return
        ref = store.upload(bucket, key, body)
        try:
            assert [key] == [entry["Key"] for entry in admin.list_objects_v2(Bucket=bucket)["Contents"]]
            assert ObjectRef(bucket=bucket, key=key, etag=ref.etag, size=len(body)) == next(store.list(bucket, key))
            assert Download(ref=ref, body=body) == store.fetch(bucket, key)
            assert ref == store.head(bucket, key)
            assert body == _get(store.presign(bucket, key, 60))[1]
        finally:
            store.delete_object(bucket, key)

        assert list(store.list(bucket)) == []

    @given(content_type=st.from_regex(r"[a-z]{1,10}/[a-z0-9.+-]{1,20}(; [a-z]{1,8}=[a-z0-9-]{1,8})?", fullmatch=True))
    @example_settings(max_examples=sized(15, 1000))
    def test_content_type_comes_back_as_given(self, store: ObjectStore, bucket: str, content_type: str) -> None:
        """A content type with parameters is stored whole."""
        store.upload(bucket, "typed", b"", content_type=content_type)

        assert content_type == store.head(bucket, "typed").content_type
        store.delete_object(bucket, "typed")


class TestUpload:
    """upload."""

    def test_reference_says_what_the_server_holds(self, store: ObjectStore, admin: S3Client, bucket: str) -> None:
        """Etag, size and content type are those that another client reads."""
        ref = store.upload(bucket, "a/note.txt", b"hello", content_type="text/plain; charset=utf-8")

        found = admin.head_object(Bucket=bucket, Key="a/note.txt")
        assert f'"{ref.etag}"' == found["ETag"]
        assert (ref.size, ref.content_type) == (found["ContentLength"], found["ContentType"])
        assert (ref.size, ref.content_type) == (5, "text/plain; charset=utf-8")

    def test_body_above_the_threshold_goes_up_in_parts(self, store: ObjectStore, admin: S3Client, bucket: str) -> None:
        """Two parts and a rest make the same object as one request would, with its content type."""
        body = hashlib.sha256(b"seed").digest() * (2 * PART_SIZE // 32) + b"rest"

        ref = store.upload(bucket, "large.bin", body, content_type="video/mp4")

        assert ref.etag.endswith("-3")
        assert ref == store.head(bucket, "large.bin")
        assert admin.head_object(Bucket=bucket, Key="large.bin")["ContentType"] == "video/mp4"
        assert body == store.download(bucket, "large.bin")

    def test_body_at_the_threshold_goes_up_whole(self, store: ObjectStore, bucket: str) -> None:
        """Exactly the threshold is one request; its etag counts no parts."""
        ref = store.upload(bucket, "edge.bin", bytes(MULTIPART_THRESHOLD))

        assert "-" not in ref.etag

    def test_sends_a_sha256_of_a_single_upload(self, scripted: ScriptedServer, store_at: MakeStore) -> None:
        """Buckets with object lock on AWS refuse an upload without a checksum; this upload has one."""
        store_at(scripted.endpoint).upload("probe", "k", b"hello")

        assert [request.method for request in scripted.seen] == ["PUT"]
        assert scripted.seen[0].headers["x-amz-checksum-sha256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="

    def test_sends_a_sha256_of_each_part(
        self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]
    ) -> None:
        """The start declares the algorithm, and the final list repeats each part's checksum, as AWS requires."""

        def multipart(request: Request) -> Answer:
            if request.path.endswith("?uploads"):
                return answer(
                    body=b"<InitiateMultipartUploadResult><Bucket>probe</Bucket><Key>k</Key><UploadId>U</UploadId>"
                    b"</InitiateMultipartUploadResult>"
                )
            if request.method == "PUT":
                checksum = request.headers["x-amz-checksum-sha256"]
                return answer(headers={"ETag": '"part"', "x-amz-checksum-sha256": checksum})
            return answer(
                body=b"<CompleteMultipartUploadResult><Location>l</Location><Bucket>probe</Bucket><Key>k</Key>"
                b'<ETag>"whole-2"</ETag></CompleteMultipartUploadResult>'
            )

        scripted.answer = multipart
        ref = store_at(scripted.endpoint).upload("probe", "k", bytes(PART_SIZE) + b"x")

        start, *parts, end = scripted.seen
        assert start.headers["x-amz-checksum-algorithm"] == "SHA256"
        assert len({part.headers["x-amz-checksum-sha256"] for part in parts}) == 2
        assert all(f"<ChecksumSHA256>{p.headers['x-amz-checksum-sha256']}<".encode() in end.body for p in parts)
        assert ref.etag == "whole-2"

    def test_content_type_is_guessed_from_the_key(self, store: ObjectStore, bucket: str) -> None:
        """Without a content type, the key's suffix decides."""
        assert store.upload(bucket, "a/b.pdf", b"%PDF").content_type == "application/pdf"
        assert store.upload(bucket, "day.jsonl.gz", gzip.compress(b"{}")).content_type == "application/gzip"
        assert store.head(bucket, store.upload(bucket, "plain", b"").key).content_type == "application/octet-stream"

    @pytest.mark.parametrize("make", [bytearray, memoryview], ids=["bytearray", "memoryview"])
    def test_takes_any_buffer(self, store: ObjectStore, bucket: str, make: type[Any]) -> None:
        """A bytearray or a memoryview is stored as its bytes."""
        store.upload(bucket, "buffer", make(b"abc"))

        assert store.download(bucket, "buffer") == b"abc"

    @pytest.mark.parametrize("body", ["text", None, 5, ["a"]], ids=repr)
    def test_refuses_a_body_that_is_not_bytes(self, store: ObjectStore, bucket: str, body: object) -> None:
        """The caller must encode text: the error is a TypeError of ours that names the place."""
        with pytest.raises(object_store.InvalidBody, match="legal: bytes") as refused:
            store.upload(bucket, "k", body)  # type: ignore[arg-type]  # what must fail

        assert isinstance(refused.value, TypeError)
        assert (bucket, "k") == (refused.value.bucket, refused.value.key)

    @pytest.mark.parametrize("content_type", ["", "text", "a/b\r\nX-Evil: 1", "text/plain;\x00", 5], ids=repr)
    def test_refuses_a_content_type_that_no_header_can_hold(
        self, store: ObjectStore, bucket: str, content_type: object
    ) -> None:
        """Nothing but a media type gets into the request."""
        with pytest.raises(object_store.InvalidContentType):
            store.upload(bucket, "k", b"", content_type=content_type)  # type: ignore[arg-type]  # what must fail


class TestRead:
    """download, fetch, head."""

    def test_missing_object_is_not_found(self, store: ObjectStore, bucket: str) -> None:
        """The error names bucket, key and S3's code, also for HEAD, whose answer has no code."""
        for read in (store.download, store.fetch, store.head):
            with pytest.raises(object_store.NotFound) as missing:
                read(bucket, "no/such")

            error = missing.value
            assert (object_store.NotFound, bucket, "no/such", "NoSuchKey", 404) == (
                type(error),
                error.bucket,
                error.key,
                error.code,
                error.status,
            )
            assert "no/such" in str(error)
            assert bucket in str(error)

    def test_missing_bucket_is_told_from_a_missing_object(self, store: ObjectStore) -> None:
        """Every operation raises BucketNotFound; deleting in a missing bucket does not succeed."""
        calls: list[Any] = [
            lambda: store.upload("no-such-bucket", "k", b""),
            lambda: store.upload("no-such-bucket", "k", bytes(MULTIPART_THRESHOLD + 1)),
            lambda: store.download("no-such-bucket", "k"),
            lambda: store.head("no-such-bucket", "k"),
            lambda: next(store.list("no-such-bucket")),
            lambda: store.delete_object("no-such-bucket", "k"),
        ]
        for call in calls:
            with pytest.raises(object_store.BucketNotFound) as missing:
                call()

            assert missing.value.code == "NoSuchBucket"

    def test_head_moves_no_body(self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]) -> None:
        """It sends one HEAD request and makes the reference from the headers."""
        scripted.always(answer(body=b"12345", headers={"ETag": '"e"', "Content-Type": "a/b", **_MODIFIED}))

        ref = store_at(scripted.endpoint).head("probe", "k")

        assert [request.method for request in scripted.seen] == ["HEAD"]
        assert ObjectRef(bucket="probe", key="k", etag="e", size=5, content_type="a/b") == ref

    def test_object_without_content_type_has_none(
        self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]
    ) -> None:
        """The adapter does not invent what the server does not say."""
        scripted.always(answer(body=b"1", headers={"ETag": 'W/"weak"', **_MODIFIED}))

        ref = store_at(scripted.endpoint).fetch("probe", "k").ref

        assert (ref.content_type, ref.etag) == (None, "weak")

    def test_answer_without_etag_is_no_s3_answer(
        self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]
    ) -> None:
        """A reference needs an etag, so the call fails instead of guessing."""
        scripted.always(answer(body=b"<html>", headers=_MODIFIED))

        for call in ("download", "head"):
            with pytest.raises(object_store.UnexpectedAnswer):
                getattr(store_at(scripted.endpoint), call)("probe", "k")

        with pytest.raises(object_store.UnexpectedAnswer):
            store_at(scripted.endpoint).upload("probe", "k", b"")


class TestList:
    """list."""

    def test_yields_every_key_across_pages(self, store: ObjectStore, admin: S3Client) -> None:
        """2 001 keys come in order, each once, with etag and size, over three pages."""
        admin.create_bucket(Bucket="probe-pages", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        backend = s3_backends["123456789012"]["aws"]
        for number in range(2001):
            backend.put_object("probe-pages", f"p/{number:05}", b"x" * (number % 7))

        refs = list(store.list("probe-pages", "p/"))

        assert [f"p/{number:05}" for number in range(2001)] == [ref.key for ref in refs]
        assert [number % 7 for number in range(2001)] == [ref.size for ref in refs]
        assert hashlib.md5(b"x", usedforsecurity=False).hexdigest() == refs[1].etag
        assert {None} == {ref.content_type for ref in refs}

    def test_asks_for_a_page_only_when_it_is_reached(
        self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]
    ) -> None:
        """No request is sent before the first `next`, and one page serves its keys without another request."""
        page = (
            b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
            b'<Contents><Key>a</Key><ETag>"1"</ETag><Size>1</Size></Contents>'
            b'<Contents><Key>b</Key><ETag>"2"</ETag><Size>2</Size></Contents></ListBucketResult>'
        )
        scripted.always(answer(body=page))

        refs = store_at(scripted.endpoint).list("probe")

        assert scripted.seen == []
        assert [ref.key for ref in islice(refs, 2)] == ["a", "b"]
        assert len(scripted.seen) == 1

    def test_page_that_is_cut_and_says_not_where(
        self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]
    ) -> None:
        """A page that says there are more keys, and not how to get them, is an error and not the end."""
        scripted.always(answer(body=b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"))

        with pytest.raises(object_store.UnexpectedAnswer, match="cut short"):
            list(store_at(scripted.endpoint).list("probe"))

    def test_prefix_is_any_beginning_of_a_key(self, store: ObjectStore, admin: S3Client, bucket: str) -> None:
        """A prefix may end within a segment; keys of other writers come unchanged, including folder marks."""
        keys = ["x/2026-11/a b+c%.txt", "x/2026-12/", "x/2026-12//double", "x/2027"]
        for key in keys:
            admin.put_object(Bucket=bucket, Key=key, Body=b"")

        assert keys[:3] == [ref.key for ref in store.list(bucket, "x/2026-1")]
        assert list(store.list(bucket, "2026")) == []
        for key in keys:
            admin.delete_object(Bucket=bucket, Key=key)

    def test_refuses_a_prefix_that_is_not_text(self, store: ObjectStore, bucket: str) -> None:
        """The argument is checked at the call, not at the first `next`."""
        prefix: Any = b"bytes"
        with pytest.raises(object_store.InvalidArgument, match="the prefix is bytes, not str"):
            store.list(bucket, prefix)


class TestPresign:
    """presign."""

    def test_get_url_gives_the_object_to_anyone(self, store: ObjectStore, bucket: str) -> None:
        """A client without credentials reads body and content type with it."""
        store.upload(bucket, "shared é+.txt", b"shared", content_type="text/plain")

        assert _get(store.presign(bucket, "shared é+.txt", timedelta(minutes=1))) == (200, b"shared", "text/plain")

    def test_put_url_stores_an_object(self, store: ObjectStore, bucket: str) -> None:
        """A client without credentials stores a body with it."""
        url = store.presign(bucket, "given", timedelta(minutes=1), method="PUT")
        # urllib would call the body a form, which moto then takes apart.
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(url, b"given", headers, method="PUT")  # noqa: S310  # the URL is the test's own
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310  # likewise
            pass

        assert store.download(bucket, "given") == b"given"

    @pytest.mark.parametrize(
        ("expiry", "seconds"),
        [(1, 1), (timedelta(seconds=90), 90), (59.9, 59), (timedelta(days=7), 604800), (604800, 604800)],
        ids=str,
    )
    def test_url_is_signed_for_endpoint_region_and_lifetime(
        self, store_at: MakeStore, expiry: float | timedelta, seconds: int
    ) -> None:
        """Made without sending anything: nothing listens at this endpoint."""
        url = store_at("https://localhost:31000").presign("probe", "k", expiry)

        assert url.startswith("https://localhost:31000/probe/k?")
        assert f"X-Amz-Expires={seconds}&" in url
        assert "%2Fus-west-2%2Fs3%2Faws4_request" in url

    @pytest.mark.parametrize(
        "expiry",
        [0, -1, 0.5, 604801, timedelta(0), timedelta(days=7, microseconds=1), float("nan"), float("inf"), True, "60"],
        ids=repr,
    )
    def test_refuses_a_lifetime_out_of_limits(self, store_at: MakeStore, expiry: object) -> None:
        """0 and less, less than a second, more than 7 days and non-numbers are InvalidExpiry with the limits."""
        with pytest.raises(object_store.InvalidExpiry, match=r"1 second to 7 days \(604800\)") as refused:
            store_at("http://127.0.0.1:9").presign("probe", "k", expiry)  # type: ignore[arg-type]  # what must fail

        assert isinstance(refused.value, ValueError)

    def test_refuses_another_method(self, store_at: MakeStore) -> None:
        """A URL cannot allow DELETE."""
        with pytest.raises(object_store.InvalidArgument, match="legal: GET, PUT"):
            store_at("http://127.0.0.1:9").presign("probe", "k", 60, method="DELETE")  # type: ignore[arg-type]  # what must fail

    def test_aws_url_is_on_the_regional_host(self, store_at: MakeStore) -> None:
        """The bucket is part of the host, except for names with dots, which AWS's certificate does not cover."""
        store = store_at(None)

        assert store.presign("probe", "k", 60).startswith("https://probe.s3.us-west-2.amazonaws.com/k?")
        assert store.presign("pro.be", "k", 60).startswith("https://s3.us-west-2.amazonaws.com/pro.be/k?")

    def test_aws_url_in_china_has_its_own_domain(self, store_at: MakeStore) -> None:
        """The China regions are another partition, with another domain."""
        url = store_at(None, region="cn-north-1").presign("probe", "k", 60)

        assert url.startswith("https://probe.s3.cn-north-1.amazonaws.com.cn/k?")

    def test_temporary_credential_sends_its_token(self, store_at: MakeStore) -> None:
        """Without the token a temporary key is useless."""
        url = store_at("http://127.0.0.1:9", session_token="TOKEN").presign("probe", "k", 60)  # made up

        assert "X-Amz-Security-Token=TOKEN" in url


class TestDelete:
    """delete_object."""

    def test_removes_the_object_and_no_other(self, store: ObjectStore, bucket: str) -> None:
        """A key that begins with the deleted one stays."""
        store.upload(bucket, "gone", b"1")
        store.upload(bucket, "gone/not", b"2")

        store.delete_object(bucket, "gone")

        assert [ref.key for ref in store.list(bucket, "gone")] == ["gone/not"]

    def test_missing_key_is_no_error(self, store: ObjectStore, bucket: str) -> None:
        """Deleting twice has the same effect as once."""
        store.delete_object(bucket, "never-there")
        store.delete_object(bucket, "never-there")

    def test_server_that_answers_404_is_understood(
        self, scripted: ScriptedServer, store_at: MakeStore, answer: type[Answer]
    ) -> None:
        """Some servers answer NoSuchKey where S3 answers 204; that is not an error either."""
        scripted.always(answer.refusal(404, "NoSuchKey"))

        store_at(scripted.endpoint).delete_object("probe", "k")

        assert [request.method for request in scripted.seen] == ["DELETE"]


class TestArguments:
    """What every operation refuses before anything is sent."""

    @pytest.mark.parametrize("bucket", ["", "ab", "a" * 64, "Probe", "a_b", "a/b", "-ab", "..", 5, None], ids=repr)
    def test_refuses_what_no_bucket_is_called(
        self, scripted: ScriptedServer, store_at: MakeStore, bucket: object
    ) -> None:
        """The error is InvalidBucketName with the legal values; no request is sent."""
        store: Any = store_at(scripted.endpoint)  # untyped, since some of these are no str
        calls: list[Any] = [
            lambda: store.upload(bucket, "k", b""),
            lambda: store.fetch(bucket, "k"),
            lambda: store.head(bucket, "k"),
            lambda: store.list(bucket),
            lambda: store.presign(bucket, "k", 60),
            lambda: store.delete_object(bucket, "k"),
        ]
        for call in calls:
            with pytest.raises(object_store.InvalidBucketName, match="3 to 63"):
                call()

        assert scripted.seen == []

    @pytest.mark.parametrize("key", ["", "/x", "é" * 513, "a//b"], ids=["empty", "slash", "1026 bytes", "double"])
    def test_refuses_what_is_no_key(self, scripted: ScriptedServer, store_at: MakeStore, key: str) -> None:
        """Every operation that takes a key raises InvalidKey; no request is sent."""
        store = store_at(scripted.endpoint)
        calls: list[Any] = [
            lambda: store.upload("probe", key, b""),
            lambda: store.fetch("probe", key),
            lambda: store.head("probe", key),
            lambda: store.presign("probe", key, 60),
            lambda: store.delete_object("probe", key),
        ]
        for call in calls:
            with pytest.raises(object_store.InvalidKey):
                call()

        assert scripted.seen == []


class TestSharing:
    """One store, many threads."""

    def test_threads_share_a_store(self, store_at: MakeStore, moto_endpoint: str, bucket: str) -> None:
        """Sixteen uploads, downloads and listings, begun together on a new store, all succeed."""
        store = store_at(moto_endpoint)
        together = threading.Barrier(8)

        def work(number: int) -> bool:
            together.wait(timeout=10)
            key, body = f"shared/{number}", str(number).encode() * 1000
            ref = store.upload(bucket, key, body)
            listed = next(store.list(bucket, key))
            return (store.download(bucket, key), listed.etag) == (body, ref.etag)

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(16)))

        assert results == [True] * 16

    def test_connections_are_kept(self, store_at: MakeStore) -> None:
        """The second call uses the first call's connections."""
        store = store_at("http://127.0.0.1:9")

        assert store._wires() is store._wires()

    def test_closed_store_can_be_used_again(self, store_at: MakeStore, moto_endpoint: str, bucket: str) -> None:
        """Close releases the clients, and the next call makes new ones."""
        store = store_at(moto_endpoint)
        list(store.list(bucket))
        store.close()
        store.close()

        assert store.upload(bucket, "again", b"") == store.head(bucket, "again")
        assert next(store.list(bucket, "again")).key == "again"


_MODIFIED = {"Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"}


class TestMarkers:
    """Keys that end in a slash: other programs' folders."""

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_marker_is_removed_and_nothing_else(
        self,
        store: ObjectStore,
        bucket: str,
        admin: S3Client,
        asynchronous: bool,  # noqa: FBT001
    ) -> None:
        """Obstore alone would strip the slash, and remove the object that is named like the folder."""
        for key in ("mark/", "mark", "mark/below"):
            admin.put_object(Bucket=bucket, Key=key)

        _delete(store, bucket, "mark/", asynchronous=asynchronous)

        assert [ref.key for ref in store.list(bucket, "mark")] == ["mark", "mark/below"]
        for key in ("mark", "mark/below"):
            store.delete_object(bucket, key)

    @pytest.mark.parametrize("asynchronous", [False, True])
    @pytest.mark.parametrize("key", ["/", "/mark", "mark//", "a/../mark"])
    def test_key_that_a_server_would_change_removes_nothing(
        self,
        store: ObjectStore,
        bucket: str,
        key: str,
        asynchronous: bool,  # noqa: FBT001
    ) -> None:
        """The asynchronous store checks it too."""
        with pytest.raises(object_store.InvalidKey):
            _delete(store, bucket, key, asynchronous=asynchronous)


def _delete(store: ObjectStore, bucket: str, key: str, *, asynchronous: bool) -> None:
    async def deleting() -> None:
        async with object_store.AsyncObjectStore(store.config) as other:
            await other.delete_object(bucket, key)

    if asynchronous:
        asyncio.run(deleting())
    else:
        store.delete_object(bucket, key)
