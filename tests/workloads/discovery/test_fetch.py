"""One fetch, without a store: a body counts if its end is proved, and limits hold for what comes."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from tests.workloads.discovery.test_put import PAGE
from tests.workloads.discovery.web import answer, leading
from workloads.discovery.address import Address
from workloads.discovery.fetch import fetch
from workloads.discovery.reach import Deadline, Reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.workloads.discovery.web import Handler, Web
    from workloads.discovery.fetch import Fetched

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CUT = {
    "shorter than its length": HEAD + b"Content-Length: 900\r\n\r\n" + PAGE,
    "without the last chunk": CHUNKED + b"5\r\nhello\r\n",
    "in the middle of a chunk": CHUNKED + b"ff\r\nhello",
    "without length and chunks": HEAD + b"Connection: close\r\n\r\n" + PAGE,
    "of HTTP/1.0 without a length": b"HTTP/1.0 200 OK\r\n\r\n" + PAGE,
    "in the headers": HEAD,
    "at once": b"",
}
WRONG = {
    "longer than its length": HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\n" + PAGE,
    "longer, and kept alive": HEAD + b"Content-Length: 5\r\n\r\n" + PAGE,
    "followed by another answer": answer(PAGE, Connection="") + answer(PAGE),
    "after its last chunk": CHUNKED + b"0\r\n\r\n" + PAGE,
    "with two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "with length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "with a length that is none": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "of another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.fixture(name="get")
def _get(web: Web, tmp_path: Path) -> Callable[..., Fetched]:
    """Fetch `/a` of the server."""

    def get(limit: int = 10**6, seconds: float = 20, resolve: Callable[[str, int], list[str]] | None = None) -> Fetched:
        reach = Reach(resolve=resolve or (lambda *_: [web.host]), allowed=frozenset({(web.host, web.port)}))
        address = Address.parse(f"http://page.test:{web.port}/a")
        return fetch(address, tmp_path / "body", limit, Deadline(seconds), reach)

    return get


@pytest.mark.parametrize("case", CUT)
def test_body_that_is_cut(web: Web, get: Callable[..., Fetched], case: str) -> None:
    """It is failed, and counts as no body."""
    web.routes["/a"] = CUT[case]
    found = get()
    assert "ended before" in found.failure or "nothing proves that it is whole" in found.failure
    assert found.body is None


@pytest.mark.parametrize("case", WRONG)
def test_answer_that_is_not_one(web: Web, get: Callable[..., Fetched], case: str) -> None:
    """Likewise for more bytes than were announced, and for what is no HTTP."""
    web.routes["/a"] = WRONG[case]
    found = get()
    assert "more bytes came than were announced" in found.failure or "not HTTP" in found.failure
    assert found.body is None


def test_more_bytes_that_come_late(web: Web, get: Callable[..., Fetched]) -> None:
    """Bytes after the announced ones are seen, although the answer seemed to be over."""

    def late(handler: Handler) -> None:
        handler.wfile.write(HEAD + b"Content-Length: 5\r\n\r\nhello")
        handler.server.over.wait(0.1)
        handler.wfile.write(b"!")

    web.routes["/a"] = late
    assert "more bytes came" in get().failure


def test_connection_that_is_reset(web: Web, get: Callable[..., Fetched]) -> None:
    """A reset in the middle of the body is a cut."""

    def reset(handler: Handler) -> None:
        handler.wfile.write(HEAD + b"Content-Length: 900\r\n\r\nhello")
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    web.routes["/a"] = reset
    found = get()
    assert "the connection was lost" in found.failure or "ended before" in found.failure
    assert found.body is None


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunks"])
def test_limit_of_the_size(web: Web, get: Callable[..., Fetched], more: int, *, is_chunked: bool) -> None:
    """The limit is allowed, one byte more is not, whatever the headers announce."""
    limit = 100_000
    body = b"x" * (limit + more)
    chunks = CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    web.routes["/a"] = chunks if is_chunked else answer(body)

    found = get(limit)

    if more <= 0:
        assert found.body is not None
        assert (found.failure, found.body.read_bytes(), found.size) == ("", body, len(body))
    else:
        assert (found.failure, found.body) == (f"it has more than {limit} bytes, which is the limit", None)


@pytest.mark.parametrize("where", ["body", "headers", "answers"])
def test_endless_answer(web: Web, get: Callable[..., Fetched], where: str) -> None:
    """Chunks, headers, or answers that only announce one, without an end: each stops at its limit."""
    head, piece = {
        "body": (CHUNKED, b"10000\r\n" + bytes(65536) + b"\r\n"),
        "headers": (HEAD, b"X-More: " + b"x" * 1000 + b"\r\n"),
        "answers": (b"", b"HTTP/1.1 103 Early Hints\r\nX-More: " + b"x" * 1000 + b"\r\n\r\n"),
    }[where]

    def endless(handler: Handler) -> None:
        handler.wfile.write(head)
        handler.drip(piece, 0)

    web.routes["/a"] = endless
    assert "more than" in get().failure


@pytest.mark.parametrize("where", ["status", "headers", "body", "redirect"])
def test_slow_answer(web: Web, get: Callable[..., Fetched], where: str) -> None:
    """A byte now and then keeps no fetch alive beyond its time: the whole of it counts, with all that led there."""
    heads = {"status": b"H", "headers": HEAD + b"X: ", "body": HEAD + b"Content-Length: 900\r\n\r\n"}

    def slow(handler: Handler) -> None:
        handler.wfile.write(heads[where])
        handler.drip(b"x" if where != "status" else b"", 0.02)

    def slow_redirect(handler: Handler) -> None:
        handler.server.over.wait(0.1)
        handler.wfile.write(leading("/a"))

    web.routes["/a"] = slow_redirect if where == "redirect" else slow
    assert get(seconds=0.4).failure == "it was not there within 0.4 seconds"


def test_slow_name(web: Web, get: Callable[..., Fetched]) -> None:
    """A name that nothing answers for."""

    def resolve(*_: object) -> list[str]:
        web.over.wait(20)
        return []

    found = get(seconds=0.2, resolve=resolve)
    assert found.failure == "it was not there within 0.2 seconds"


def test_circle(web: Web, get: Callable[..., Fetched]) -> None:
    """Addresses that lead to each other end after ten."""
    web.routes |= {"/a": leading("/b"), "/b": leading("/a")}
    assert "more than 10 times" in get().failure
    assert len(web.asked) == 11


@pytest.mark.parametrize(
    "there",
    [
        "ftp://page.test/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "javascript:x",
        "http://u:PLANT1@page.test/",
    ],
)
def test_redirect_to_another_protocol(web: Web, get: Callable[..., Fetched], there: str) -> None:
    """It ends there, and what the address holds is not told."""
    web.routes["/a"] = leading(there)
    found = get()
    assert found.failure.startswith("the server leads to an address that ")
    assert "PLANT1" not in found.failure
    assert [one.status for one in found.hops] == [302]


def test_redirect_without_a_place(web: Web, get: Callable[..., Fetched]) -> None:
    """It is an answer that is no page."""
    web.routes["/a"] = answer(PAGE, "302 Found")
    assert get().failure == "the server answered 302"
