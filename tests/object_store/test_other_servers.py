"""Answers of servers that are neither AIStor nor AWS: Ceph's RGW 16, Adobe's S3Mock 5, LocalStack 4.9, MinIO."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

import object_store
from object_store import PART_SIZE, ObjectRef, ObjectStore
from object_store.parity import parity
from tests.object_store.conftest import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.object_store.conftest import MakeStore, Request, ScriptedServer

CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "list": lambda store: list(store.list("probe")),
    "download": lambda store: store.download("probe", "k"),
    "upload": lambda store: store.upload("probe", "k", b"1"),
    "upload in parts": lambda store: store.upload("probe", "k", bytes(PART_SIZE + 1)),
    "delete": lambda store: store.delete_object("probe", "k"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(404, "NoSuchBucket", object_store.BucketNotFound), (403, "InvalidAccessKeyId", object_store.BadCredentials)],
)
def test_error_without_a_message(
    scripted: ScriptedServer, store_at: MakeStore, call: str, status: int, code: str, error: type[Exception]
) -> None:
    """RGW sends the code alone: it decides."""
    scripted.always(Answer(status, f"<Error><Code>{code}</Code></Error>".encode()))

    with pytest.raises(error, match=code):
        CALLS[call](store_at(scripted.endpoint))


def _in_parts(joined: bytes) -> Callable[[Request], Answer]:
    """A server that acknowledges parts without their checksum, as S3Mock does."""
    there: list[str] = []

    def reply(request: Request) -> Answer:
        if request.method == "PUT":
            return Answer(headers={"ETag": '"part"'})
        if request.method == "HEAD" and there:
            return Answer(headers={"ETag": '"whole"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"})
        if request.method in {"HEAD", "GET"}:
            return Answer.refusal(404, "NoSuchKey")
        if "uploadId" in request.path:
            there.append(request.path)
            return Answer(body=joined)
        return Answer(body=b"<R><UploadId>U</UploadId></R>")

    return reply


@pytest.mark.parametrize("if_absent", [False, True])
def test_join_without_an_etag_and_parts_without_checksums(
    scripted: ScriptedServer, store_at: MakeStore, *, if_absent: bool
) -> None:
    """The etag is asked for; the parts' checksums, which the adapter knows, are named at the join."""
    scripted.answer = _in_parts(b"<R><Bucket>probe</Bucket><Key>k</Key><ETag></ETag></R>")

    ref = store_at(scripted.endpoint).upload("probe", "k", bytes(PART_SIZE + 1), if_absent=if_absent)

    assert ref.etag == "whole"
    join = next(one for one in scripted.seen if one.method == "POST" and "uploadId" in one.path)
    assert join.body.count(b"<ChecksumSHA256>") == 2
    assert join.headers.get("if-none-match") == ("*" if if_absent else None)


def test_condition_that_the_server_ignores_at_the_join(scripted: ScriptedServer, store_at: MakeStore) -> None:
    """RGW joins parts over an object: what is there is seen before, and nothing is sent."""
    scripted.answer = _in_parts(b"<R><Bucket>probe</Bucket><Key>k</Key><ETag></ETag></R>")
    store = store_at(scripted.endpoint)
    store.upload("probe", "k", bytes(PART_SIZE + 1), if_absent=True)
    scripted.seen.clear()

    with pytest.raises(object_store.AlreadyExists):
        store.upload("probe", "k", bytes(PART_SIZE + 1), if_absent=True)

    assert [one.method for one in scripted.seen] == ["HEAD"]


@pytest.mark.parametrize("key", ["k", "folder/"])
def test_removal_that_is_answered_with_200(scripted: ScriptedServer, store_at: MakeStore, key: str) -> None:
    """It is believed where the object is gone: the answer to HEAD has no body, and no error code."""
    scripted.answer = lambda asked: Answer(200) if asked.method == "DELETE" else Answer.refusal(404, "NoSuchKey")

    store_at(scripted.endpoint).delete_object("probe", key)

    assert [one.method for one in scripted.seen] == ["DELETE", "HEAD", "GET"]


def test_bare_400_is_no_answer_of_s3(scripted: ScriptedServer, store_at: MakeStore) -> None:
    """Tomcat's page for a key that it refuses: the server speaks plain HTTP, since it answered."""
    scripted.always(Answer(400, b"<!doctype html><html><h1>HTTP Status 400</h1></html>", {"Content-Type": "text/html"}))

    for call in CALLS.values():
        with pytest.raises(object_store.UnexpectedAnswer) as caught:
            call(store_at(scripted.endpoint))
        assert "plain HTTP" not in str(caught.value)


def _listing(*keys: str) -> Answer:
    entries = "".join(f"<Contents><Key>{key}</Key><ETag>e</ETag><Size>1</Size></Contents>" for key in keys)
    return Answer(
        body=f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode(),
        headers={"Content-Type": "application/xml"},
    )


@pytest.mark.parametrize(
    ("keys", "after"),
    [
        (("\U0001f600", "\uff21"), None),  # in the order of UTF-16, as S3Mock lists
        (("a", "b"), "a"),  # not after the key that was named, as LocalStack lists
        (("b", "a"), None),
        (("a", "a"), None),
    ],
)
def test_listing_out_of_order(
    scripted: ScriptedServer, store_at: MakeStore, keys: tuple[str, ...], after: str | None
) -> None:
    """A listing that is not in the order of UTF-8, or not after `after`, loses keys between pages: an error."""
    scripted.always(_listing(*keys))

    with pytest.raises(object_store.UnexpectedAnswer, match="repeats a key, or has one out of order"):
        list(store_at(scripted.endpoint).list("probe", after=after))


def _localstack(keys: list[str], page: int) -> Callable[[Request], Answer]:
    """LocalStack: with `encoding-type` it compares the percent-encoded keys with the key after which it continues."""

    def reply(request: Request) -> Answer:
        query = dict(parse_qsl(urlsplit(request.path).query))
        encoded = (lambda key: quote(key, safe="/")) if "encoding-type" in query else str
        after = query.get("continuation-token", query.get("start-after", ""))
        left = [key for key in keys if encoded(key).encode() > after.encode()]
        shown = left[: min(page, int(query.get("max-keys", page)))]
        entries = "".join(
            f"<Contents><Key>{encoded(key)}</Key><ETag>e</ETag><Size>1</Size></Contents>" for key in shown
        )
        more = f"<NextContinuationToken>{shown[-1]}</NextContinuationToken>" if len(left) > len(shown) else ""
        kind = "<EncodingType>url</EncodingType>" if "encoding-type" in query else ""
        listing = f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{kind}{entries}"
        return Answer(
            body=f"<ListBucketResult>{listing}</ListBucketResult>".encode(), headers={"Content-Type": "application/xml"}
        )

    return reply


@pytest.mark.parametrize("after", [None, "m/\uff21 1"])
def test_listing_that_leaves_keys_out(scripted: ScriptedServer, store_at: MakeStore, after: str | None) -> None:
    """Where a page says that more follows, or a key is named, and nothing follows: the server is asked otherwise."""
    scripted.answer = _localstack([f"m/\uff21 {number}" for number in range(6)], 3)

    with pytest.raises(object_store.UnexpectedAnswer, match="leaves out what comes after this key"):
        list(store_at(scripted.endpoint).list("probe", "m/", after=after))


def test_listing_that_continues_behind_such_a_key(scripted: ScriptedServer, store_at: MakeStore) -> None:
    """A server that leaves nothing out is believed, also at the end."""
    keys = ["m/a b", "m/a c", "m/\uff21 3"]
    answer = _localstack(keys, 2)
    scripted.answer = lambda request: answer(replace(request, path=request.path.replace("encoding-type=url", "")))

    assert [ref.key for ref in store_at(scripted.endpoint).list("probe", "m/")] == keys
    assert [ref.key for ref in store_at(scripted.endpoint).list("probe", "m/", after="m/\uff21 3")] == []


class _Hiding:
    """A store whose server does not list what is below an object, as MinIO."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def list(self, bucket: str, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectRef]:
        above: list[str] = []
        for ref in self._store.list(bucket, prefix, after=after):
            if not any(ref.key.startswith(f"{key}/") for key in above):
                above.append(ref.key)
                yield ref


def test_hidden_object_is_found(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """An object that the server holds and hides is not called missing: the report says what is there."""
    for key in ("h/x", "h/x/child", "h/y"):
        store.upload(bucket, key, key.encode())
    for name in ("x/child", "x/gone", "y"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(f"h/{name}".encode())

    report = parity(tmp_path, cast("ObjectStore", _Hiding(store)), bucket, "h")

    assert (report.same, report.extra, report.missing) == (1, ("h/x",), ("h/x/gone",))
    assert [(each.key, each.reason) for each in report.undecided] == [
        ("h/x/child", "the store holds it, but does not list it beside the object 'h/x'")
    ]
