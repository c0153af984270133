"""Requests are decoded correctly in every spelling and encoding."""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

import pytest

from sandbox.server.answers import ApiError
from sandbox.server.web import Request


def request(target: str, body: bytes = b"", **environ: Any) -> Request:  # noqa: ANN401 - WSGI's environment
    """A PUT of this target."""
    return Request(
        {
            "REQUEST_METHOD": "PUT",
            "REQUEST_URI": target,
            "PATH_INFO": target,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "https",
            **environ,
        }
    )


@pytest.mark.parametrize(
    ("target", "bucket", "key"),
    [
        ("/", "", ""),
        ("/bucket", "bucket", ""),
        ("/bucket/", "bucket", ""),
        ("/bucket/a/b%20c%2Fd+e", "bucket", "a/b c/d+e"),
        ("https://host:1/bucket/key?x=1", "bucket", "key"),
    ],
)
def test_bucket_and_key(target: str, bucket: str, key: str) -> None:
    """The path is split after its first part and decoded."""
    found = request(target)

    assert (found.bucket, found.key) == (bucket, key)


def test_path_has_one_spelling() -> None:
    """The path has one form for the signature and for moto, for every client's quoting."""
    spellings = ["/b/a%20~b(1)", "/b/a%20%7eb%281%29"]

    assert {request(one).quoted_path for one in spellings} == {"/b/a%20~b%281%29"}


def test_chunked_body_is_unwrapped() -> None:
    """The chunks are joined, the trailing checksum becomes a header, and the encoding is removed."""
    checksum = base64.b64encode(zlib.crc32(b"hello world").to_bytes(4, "big")).decode()
    body = b"6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc32:" + checksum.encode() + b"\r\n\r\n"
    found = request(
        "/b/k",
        body,
        HTTP_X_AMZ_CONTENT_SHA256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        HTTP_CONTENT_ENCODING="aws-chunked,gzip",
    )
    found.unwrap()

    assert found.body == b"hello world"
    assert found.checksum() == ("crc32", checksum)
    assert found.headers["content-encoding"] == "gzip"
    assert found.environ_for_moto()["CONTENT_LENGTH"] == "11"


@pytest.mark.parametrize("body", [b"6\r\nhel", b"zz\r\nhello\r\n0\r\n\r\n", b"ff\r\nshort\r\n0\r\n\r\n"])
def test_broken_chunks_are_refused(body: bytes) -> None:
    """A body that ends within a chunk, or has no chunks, gives IncompleteBody."""
    found = request("/b/k", body, HTTP_X_AMZ_CONTENT_SHA256="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    with pytest.raises(ApiError, match="IncompleteBody"):
        found.unwrap()


def test_short_body_is_refused() -> None:
    """Fewer bytes than announced give IncompleteBody."""
    with pytest.raises(ApiError, match="IncompleteBody"):
        request("/b/k", b"abc", CONTENT_LENGTH="10")
