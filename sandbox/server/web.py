"""One HTTP request for the gate, read once and completely from WSGI.

The rule: the body is always read to its end, because a connection with unread bytes cannot stay alive. A body in S3's
chunked form (`aws-chunked`) is decoded, and its trailing checksum becomes the equivalent header. Left out: verification
of chunk signatures, because no client here sends them.
"""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sandbox.server.answers import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAMING = "STREAMING-"
_CHECKSUMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")


class Request:
    """Method, path, query, headers and body; moto receives `environ`."""

    def __init__(self, environ: dict[str, Any]) -> None:
        """Read the body."""
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        target: str = environ.get("REQUEST_URI") or environ["PATH_INFO"]
        path, _, query = target.partition("?")
        if not path.startswith("/"):  # an absolute request target, as from a proxy
            path = "/" + path.partition("://")[2].partition("/")[2]
        self.path = unquote(path)
        self.query = parse_qsl(query, keep_blank_values=True)
        self.secure = environ.get("wsgi.url_scheme") == "https"
        #: The body as received, for the hash that the client signed.
        self.sent_body = _read_body(environ)
        self.body = self.sent_body

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Header values by name in lower case."""
        named = {
            name[5:].lower().replace("_", "-"): value
            for name, value in self.environ.items()
            if name.startswith("HTTP_")
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if self.environ.get(name):
                named[name.lower().replace("_", "-")] = self.environ[name]
        return named

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """Query parameters; the first value of each name."""
        first: dict[str, str] = {}
        for name, value in self.query:
            first.setdefault(name, value)
        return first

    @property
    def quoted_path(self) -> str:
        """The path in the spelling that signatures use."""
        return quote(self.path, safe="/-_.~")

    @property
    def bucket(self) -> str:
        """The first part of the path, empty for the service itself."""
        return self.path.lstrip("/").partition("/")[0]

    @property
    def key(self) -> str:
        """The path after the bucket, empty for the bucket itself."""
        return self.path.lstrip("/").partition("/")[2]

    def unwrap(self) -> None:
        """Replace a body in S3's chunked form by its content."""
        if self.headers.get("x-amz-content-sha256", "").startswith(STREAMING):
            self.body, trailers = _unchunked(self.sent_body)
            for name, value in trailers.items():
                if name.startswith("x-amz-checksum-"):
                    self.environ["HTTP_" + name.upper().replace("-", "_")] = value
            self.environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
            encodings = [one.strip() for one in self.headers.get("content-encoding", "").split(",")]
            kept = ",".join(one for one in encodings if one and one != "aws-chunked")
            self.environ.pop("HTTP_CONTENT_ENCODING", None)
            if kept:
                self.environ["HTTP_CONTENT_ENCODING"] = kept
            self.forget_headers()

    def forget_headers(self) -> None:
        """Read the headers again from `environ` after a change there."""
        self.__dict__.pop("headers", None)

    def checksum(self) -> tuple[str, str] | None:
        """The client's checksum of the body: algorithm and value in base64."""
        for algorithm in _CHECKSUMS:
            value = self.headers.get(f"x-amz-checksum-{algorithm}")
            if value:
                return algorithm, value
        return None

    def environ_for_moto(self) -> dict[str, Any]:
        """WSGI's environment with the body and the path in the form that moto reads correctly."""
        environ = dict(self.environ)
        target = self.quoted_path + (f"?{urlencode(self.query)}" if self.query else "")
        environ.update(
            {
                "CONTENT_LENGTH": str(len(self.body)),
                "PATH_INFO": self.path.encode().decode("latin-1"),
                "QUERY_STRING": target.partition("?")[2],
                "RAW_URI": target,
                "REQUEST_URI": target,
                "wsgi.input": io.BytesIO(self.body),
                "wsgi.input_terminated": True,
            }
        )
        for name in ("HTTP_TRANSFER_ENCODING", "HTTP_EXPECT"):
            environ.pop(name, None)
        return environ


def _read_body(environ: dict[str, Any]) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body: bytes = stream.read()
        return body
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = stream.read(length) if length else b""
    if len(body) != length:
        raise ApiError("IncompleteBody", "The request body terminated unexpectedly", 400)
    return body


def _unchunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The content of an aws-chunked body, and its trailing headers."""
    stream, content = io.BytesIO(body), io.BytesIO()
    try:
        while size := int(stream.readline().split(b";", 1)[0].strip() or b"0", 16):
            chunk = stream.read(size)
            if len(chunk) != size:
                raise ValueError("short chunk")  # noqa: TRY301 - both causes are the same client error
            content.write(chunk)
            stream.readline()
    except ValueError:
        raise ApiError("IncompleteBody", "The request body terminated unexpectedly", 400) from None
    trailers = {}
    for line in stream.read().decode("latin-1").splitlines():
        name, separator, value = line.partition(":")
        if separator:
            trailers[name.strip().lower()] = value.strip()
    return content.getvalue(), trailers
