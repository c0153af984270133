"""A fault of this machine is never reported as the server's answer, nor an error of the caller's body."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

import object_store
from object_store import AsyncObjectStore, LocalFault, ObjectRef, ObjectStoreError
from object_store.ranges import in_ranges
from object_store.translation import Place, is_of_a_client, translated
from tests.object_store.conftest import config_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer

PLACE = Place("https://store.example", "probe", "k", ())
BODY = bytes(object_store.MULTIPART_THRESHOLD + 1)


def _caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def _refused(code: str, status: int) -> ClientError:
    """The error of botocore for an answer without `<Message>`."""
    answer: Any = {"Error": {"Code": code, "Message": None}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "ListObjectsV2")


@pytest.mark.parametrize(
    "raw",
    [
        OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/usr/lib/data.json"),
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("can't start new thread"),
        MemoryError(),
        EndpointConnectionError(
            endpoint_url="https://store.example",
            error=_caused(Exception(), OSError(errno.EMFILE, "Too many open files")),
        ),
        HTTPClientError(error=OSError(errno.ENOMEM, "Cannot allocate memory")),
    ],
    ids=["descriptor", "temporary folder", "disk", "thread", "memory", "socket", "wrapped"],
)
def test_fault_of_this_machine(raw: Exception) -> None:
    """Its class says so, and the message holds the system's own reason and no word of an answer."""
    assert is_of_a_client(raw)
    error = translated(raw, PLACE)

    assert type(error) is LocalFault
    assert "this machine" in str(error)
    assert "answer" not in str(error)


@pytest.mark.parametrize(
    "raw",
    [
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        EndpointConnectionError(endpoint_url="https://store.example"),
        _refused("SlowDown", 503),
    ],
    ids=["reset", "refused", "busy"],
)
def test_what_the_server_or_the_network_did_is_none(raw: Exception) -> None:
    """A lost connection comes as an OSError."""
    raw.__context__ = OSError(errno.EMFILE, "from what the caller did before")

    error = translated(raw, PLACE)

    assert isinstance(error, ObjectStoreError)
    assert not isinstance(error, LocalFault)


def test_network_that_is_down() -> None:
    """The message says that no network leads there, and not that nothing listens."""
    raw = EndpointConnectionError(
        endpoint_url="https://store.example",
        error=_caused(Exception(), OSError(errno.EHOSTUNREACH, "No route to host")),
    )
    error = translated(raw, PLACE)

    assert type(error) is object_store.EndpointUnreachable
    assert "no network leads there" in str(error)


def test_no_thread_for_a_coroutine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without threads is no fault of the server, nor a RuntimeError."""

    def none_left(*_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    async def head() -> None:
        async with AsyncObjectStore(config_for("http://127.0.0.1:9")) as store:
            monkeypatch.setattr(store._threads, "submit", none_left)
            await store.head("probe", "k")

    with pytest.raises(LocalFault, match="can't start new thread"):
        asyncio.run(head())


def test_no_thread_for_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large download then goes over its first connection alone."""

    def none_left(*_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    body, written = bytes(range(256)) * 8, bytearray(2048)
    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor.submit", none_left)

    class First:
        ref = ObjectRef(bucket="probe", key="k", etag="e", size=len(body))

        def views(self) -> Iterator[memoryview]:
            return iter([memoryview(body)[:1000], memoryview(body)[1000:]])

    def write_at(at: int, block: memoryview) -> None:
        written[at : at + len(block)] = block

    first: Any = First()
    in_ranges(first, lambda *_: (), write_at, streams=3, range_size=500)

    assert bytes(written) == body


def test_error_without_a_message() -> None:
    """Some servers leave `<Message>` out: botocore's None is not taken for text."""
    assert type(translated(_refused("NoSuchBucket", 404), PLACE)) is object_store.BucketNotFound


def test_no_temporary_folder(store_at: MakeStore, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing over TLS needs a file for the CA."""

    def none_usable() -> NoReturn:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none_usable)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", none_usable)

    with pytest.raises(LocalFault, match="No usable temporary directory"):
        next(store_at("https://127.0.0.1:9", ca_bundle=ca_file, max_retries=0).list("probe"))


def test_client_that_cannot_be_made(store_at: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client's complaint about a setting is no answer of the server."""

    def unmakeable(*_: object) -> NoReturn:
        raise ValueError("builder error")

    monkeypatch.setattr("object_store.store.Wire", unmakeable)

    with pytest.raises(object_store.ConfigurationError, match="builder error"):
        store_at("http://127.0.0.1:9").download("probe", "k")


def _multipart(answer: type[Answer]) -> Answer:
    return answer(body=b"<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>")


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("error", [ValueError("of the caller"), OSError(errno.EIO, "of the caller"), SystemExit(3)])
@pytest.mark.parametrize("where", ["body", "progress"])
def test_error_of_the_caller_is_raised_unchanged(
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    if_absent: bool,  # noqa: FBT001  # a parameter of the test
    error: BaseException,
    where: str,
) -> None:
    """The caller's generator or `progress` fails in an upload in parts: it is not the server's answer."""
    absent = answer.refusal(404, "NoSuchKey")
    answers = {"POST": _multipart(answer), "PUT": answer(headers={"ETag": '"e"'}), "DELETE": answer(204)}
    scripted.answer = lambda request: answers.get(request.method, absent)

    def body() -> Iterator[bytes]:
        yield BODY
        raise error

    def progress(_: int) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        store_at(scripted.endpoint, max_retries=0).upload(
            "probe",
            "k",
            body() if where == "body" else BODY,
            if_absent=if_absent,
            progress=progress if where == "progress" else None,
        )

    assert raised.value is error


@pytest.mark.parametrize("lacking", ["upload id", "part's etag", "html"])
def test_odd_answer_to_an_upload_in_parts(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, lacking: str
) -> None:
    """An answer without what S3 promises is UnexpectedAnswer, not a KeyError."""
    etag = {"ETag": '"e"'}
    answers = {
        "POST ?uploads": answer(body=b"<X/>") if lacking == "upload id" else _multipart(answer),
        "PUT": answer(headers={} if lacking == "part's etag" else etag),
        "POST": answer(body=b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>", headers=etag),
        "DELETE": answer(204),
        **dict.fromkeys(("HEAD", "GET"), answer.refusal(404, "NoSuchKey")),
    }
    if lacking == "html":
        answers["POST ?uploads"] = answer(body=b"<html></html>")

    scripted.answer = lambda request: answers[
        "POST ?uploads" if request.path.endswith(("?uploads", "?uploads=")) else request.method
    ]

    with pytest.raises(object_store.UnexpectedAnswer):
        store_at(scripted.endpoint, max_retries=0).upload("probe", "k", BODY, if_absent=True)


@pytest.mark.parametrize(
    "entry",
    [
        b'<ETag>"e"</ETag><Size>1</Size>',
        b'<Key>k</Key><ETag>"e"</ETag>',
        b'<Key>k</Key><ETag>"e"</ETag><Size>-1</Size>',
        b"<Key>k</Key><Size>1</Size>",
        '<Key>k</Key><ETag>"é"</ETag><Size>1</Size>'.encode(),
        b'<Key>k</Key><ETag>"e"</ETag><Size>many</Size>',
    ],
)
def test_odd_entry_of_a_listing(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, entry: bytes
) -> None:
    """An entry without key, etag or size is UnexpectedAnswer, not an error of pydantic."""
    scripted.always(
        answer(
            body=b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents>%b</Contents></ListBucketResult>" % entry
        )
    )

    with pytest.raises(object_store.UnexpectedAnswer):
        list(store_at(scripted.endpoint, max_retries=0).list("probe"))
