"""One request and its answer: every header is seen, no byte is lost or added, and each wait has its own limit."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import ProtocolError

import object_store
from object_store.clients import _session_lock, listing_client
from object_store.connections import Connections
from object_store.exchange import NotHttp, head_of
from tests.object_store.conftest import config_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import trustme

    from tests.object_store.conftest import MakeStore

HEAD = b"HTTP/1.1 200 OK\r\nETag: e\r\n"
BODY = bytes(range(256)) * 1000


@contextmanager
def _served(
    serve: Callable[[socket.socket], None], *, receive_bytes: int | None = None, tls: trustme.CA | None = None
) -> Iterator[str]:
    """A server that does as it is told with each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls is not None:
        tls.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if receive_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if tls is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                threading.Thread(target=_ended, args=(serve, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}"


def _ended(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, suppress(OSError):  # a client that hangs up
        serve(connection)


def _request(connection: socket.socket) -> bytes:
    """The next request without a body; nothing at the end."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        piece = connection.recv(65536)
        if not piece:
            return b""
        got += piece
    return got


def _scripted(answers: Sequence[Sequence[bytes]], seen: list[int]) -> Callable[[socket.socket], None]:
    """Give one answer to each request of a connection, in pieces that arrive one after the other."""

    def serve(connection: socket.socket) -> None:
        seen.append(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for answer in answers:
            if not _request(connection):
                return
            seen[-1] += 1
            for piece in answer:
                connection.sendall(piece)

    return serve


def _got(endpoint: str, times: int = 1, method: str = "GET") -> list[tuple[int, dict[str, str], bytes]]:
    with closing(Connections(config_for(endpoint, stall_timeout=timedelta(seconds=20)), None)) as connections:
        got = []
        for _ in range(times):
            with closing(connections.send(method, endpoint, "/b/k", {})) as answer:
                body = b"".join(iter(lambda: answer.read(len(BODY) + 1), b""))
                got.append((answer.status, answer.headers, body))
        return got


@pytest.mark.parametrize("cut", [1, 17, 40, 70, len(HEAD) + 30, len(HEAD) + 200_000])
def test_body_of_a_length(cut: int) -> None:
    """However the answer is cut into packets; and the connection takes the next request."""
    seen: list[int] = []
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with _served(_scripted([[answer[:cut], answer[cut:]]] * 2, seen)) as endpoint:
        assert _got(endpoint, 2) == [(200, {"etag": "e", "content-length": str(len(BODY))}, BODY)] * 2
    assert seen == [2]


@pytest.mark.parametrize("size", [1, 1000, 70_000])
def test_body_in_chunks(size: int) -> None:
    """What follows the last chunk is no header."""
    pieces = [BODY[at : at + size] for at in range(0, 140_000, size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nETag: other\r\n\r\n"
    with _served(_scripted([[answer]], [])) as endpoint:
        [(status, headers, body)] = _got(endpoint)
    assert (status, headers["etag"], body) == (200, "e", BODY[:140_000])


def test_body_to_the_end_of_the_connection() -> None:
    """As HTTP/1.0 has it."""
    with _served(_scripted([[HEAD + b"\r\n", BODY]], [])) as endpoint:
        assert _got(endpoint) == [(200, {"etag": "e"}, BODY)]


def test_headers_of_one_name() -> None:
    """All are seen, by their name in small letters; a value may hold any character of a byte."""
    answer = HEAD + b"X-Amz-Meta-A: 1\r\nx-amz-meta-a: \xfc\x01\r\nContent-Length: 0\r\n\r\n"
    with _served(_scripted([[answer]], [])) as endpoint:
        [(_, headers, _)] = _got(endpoint)
    assert headers["x-amz-meta-a"] == "1, ü\x01"


@pytest.mark.parametrize("first", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nETag: x\r\n\r\n"])
@pytest.mark.parametrize("apart", [True, False])
def test_announcement(first: bytes, apart: bool) -> None:  # noqa: FBT001  # a parameter
    """An answer below 200 is not the answer."""
    rest = HEAD + b"Content-Length: 1\r\n\r\nx"
    with _served(_scripted([[first, rest] if apart else [first + rest]], [])) as endpoint:
        assert _got(endpoint) == [(200, {"etag": "e", "content-length": "1"}, b"x")]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_answer_without_a_body(method: str) -> None:
    """HEAD has the length of what it does not send, 204 has none; the connection is used again."""
    seen: list[int] = []
    answer = HEAD + b"Content-Length: 7\r\n\r\n" if method == "HEAD" else b"HTTP/1.1 204 No Content\r\nETag: e\r\n\r\n"
    with _served(_scripted([[answer]] * 2, seen)) as endpoint:
        assert [(body, headers["etag"]) for _, headers, body in _got(endpoint, 2, method)] == [(b"", "e")] * 2
    assert seen == [2]


@pytest.mark.parametrize("rest", [b"x", b"HTTP/1.1 200 OK\r\nETag: z\r\nContent-Length: 1\r\n\r\nz"])
def test_more_than_was_announced(rest: bytes) -> None:
    """It belongs to no answer: a connection that delivers it is not used again."""
    seen: list[int] = []
    with _served(_scripted([[HEAD + b"Content-Length: 2\r\n\r\nok" + rest]] * 2, seen)) as endpoint:
        assert [(headers["etag"], body) for _, headers, body in _got(endpoint, 2)] == [("e", b"ok")] * 2
    assert seen == [1, 1]


@pytest.mark.parametrize("connection", [b"close", b"keep-alive, Close"])
def test_server_that_closes(connection: bytes) -> None:
    """The next request goes over another connection."""
    seen: list[int] = []
    answer = HEAD + b"Connection: " + connection + b"\r\nContent-Length: 1\r\n\r\nx"
    with _served(_scripted([[answer]] * 2, seen)) as endpoint:
        assert [body for _, _, body in _got(endpoint, 2)] == [b"x", b"x"]
    assert seen == [1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nETag: e\r\n",
        HEAD + b"Content-Length: 5\r\n\r\nx",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nx",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"<html>",
    ],
)
def test_answer_that_ends_too_early(answer: bytes) -> None:
    """Half a body is an error, and so is another protocol."""
    with _served(_scripted([[answer]], [])) as endpoint, pytest.raises(ProtocolError):
        _got(endpoint)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: some\r\n\r\nx",
        HEAD + b"Content-Length: -1\r\n\r\nx",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
        HEAD + b"".join(b"x-%d: %s\r\n" % (number, b"x" * 4096) for number in range(200)),
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nx",
    ],
)
def test_what_is_not_http(answer: bytes, store_at: MakeStore) -> None:
    """Two lengths, or none that is one, can end a body in two places."""
    with _served(_scripted([[answer]] * 2, [])) as endpoint:
        with pytest.raises(NotHttp):
            _got(endpoint)
        with pytest.raises(object_store.UnexpectedAnswer):
            store_at(endpoint, max_retries=0).download("probe", "k")
        with pytest.raises(object_store.EndpointUnreachable, match="is not understood"):
            object_store.try_connection(endpoint)


def test_slow_link(store_at: MakeStore) -> None:
    """A body takes as long as it needs: neither the time to connect nor the longest stall limits the whole."""
    size, pause = 8_000_000, threading.Event()

    def serve(connection: socket.socket) -> None:
        got = len(connection.recv(1000, socket.MSG_PEEK).partition(b"\r\n\r\n")[0]) + 4
        left = got + size
        for _ in range(50):
            pause.wait(0.05)
            left -= len(connection.recv(100_000))
        while left:
            left -= len(connection.recv(min(left, 1_000_000)))
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    with _served(serve, receive_bytes=50_000) as endpoint:
        store = store_at(
            endpoint, max_retries=0, connect_timeout=timedelta(seconds=1), stall_timeout=timedelta(seconds=2)
        )
        assert store.upload("probe", "k", bytes(size)).size == size


def test_slow_answer(store_at: MakeStore, tmp_path: Path) -> None:
    """Byte by byte it may take longer than the longest stall; a stall in the middle is the end, and leaves the file."""
    said = HEAD + b"Last-Modified: Mon, 24 Nov 2025 10:00:00 GMT\r\nContent-Length: 30\r\n\r\n"
    pause, stalls = threading.Event(), [False]

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _request(connection)
        connection.sendall(said)
        for _ in range(30 - 15 * stalls[0]):
            pause.wait(0.05)
            connection.sendall(b"x")
        connection.recv(1)

    with _served(serve) as endpoint:
        store = store_at(endpoint, max_retries=0, stall_timeout=timedelta(seconds=1))
        assert store.download("probe", "k") == b"x" * 30
        stalls[0] = True
        (tmp_path / "k").write_bytes(b"old")
        with pytest.raises(object_store.EndpointUnreachable, match="lost before the answer was complete"):
            store.download_file("probe", "k", tmp_path / "k")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_headers_that_do_not_end(store_at: MakeStore) -> None:
    """Each comes soon, and they are few: the answer is given up all the same."""
    pause = threading.Event()

    def serve(connection: socket.socket) -> None:
        _request(connection)
        connection.sendall(HEAD + b"Last-Modified: Mon, 24 Nov 2025 10:00:00 GMT\r\n")
        for _ in range(200):
            pause.wait(0.1)
            connection.sendall(b"X: y\r\n")
        connection.sendall(b"Content-Length: 1\r\n\r\nx")

    with _served(serve) as endpoint, pytest.raises(object_store.EndpointUnreachable):
        store_at(endpoint, max_retries=0, stall_timeout=timedelta(seconds=0.4)).download("probe", "k")


@pytest.mark.parametrize(
    ("then", "is_tls"),
    [
        ("reads", False),
        ("closes", False),
        ("waits", False),
        ("reads", True),
        ("waits", True),
    ],  # TLS may lose the close's
)
def test_answer_before_the_whole_request(
    store_at: MakeStore, authority: trustme.CA, ca_file: Path, then: str, *, is_tls: bool
) -> None:
    """A server that refuses a body while it is sent is heard; the rest of the body is no next request."""
    seen: list[bytes] = []
    is_over = threading.Event()

    def serve(connection: socket.socket) -> None:
        seen.append(connection.recv(1000))
        refusal = b"<Error><Code>AccessDenied</Code></Error>"
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(refusal), refusal))
        if then == "reads":
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1_000_000):
                pass
        elif then == "waits":
            is_over.wait()

    with _served(serve, tls=authority if is_tls else None) as endpoint:
        store = store_at(
            endpoint, max_retries=0, stall_timeout=timedelta(seconds=1), ca_bundle=ca_file if is_tls else None
        )
        for _ in range(2):
            with pytest.raises(object_store.AccessDenied):
                store.upload("probe", "k", bytes(8_000_000))
        is_over.set()
    assert [one[:4] for one in seen] == [b"PUT "] * 2


@pytest.mark.parametrize("is_tls", [False, True])
def test_answer_that_was_not_asked_for(
    store_at: MakeStore, authority: trustme.CA, ca_file: Path, *, is_tls: bool
) -> None:
    """What comes in one packet with the end of a body is not the answer to the next request."""
    head = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nLast-Modified: Mon, 24 Nov 2025 10:00:00 GMT\r\nContent-Length: %d\r\n\r\n'

    def serve(connection: socket.socket) -> None:
        while _request(connection):
            connection.sendall(head % len(BODY))
            connection.sendall(BODY[:-1])
            connection.sendall(BODY[-1:] + head % 4 + b"evil")

    with _served(serve, tls=authority if is_tls else None) as endpoint:
        store = store_at(endpoint, ca_bundle=ca_file if is_tls else None)
        assert [store.download("probe", key) == BODY for key in ("k", "l", "m")] == [True] * 3


def test_forked_process(store_at: MakeStore, authority: trustme.CA, ca_file: Path) -> None:
    """Parent and child do not share a connection, whose answers they would mix up; the parent's CA stays."""

    def serve(connection: socket.socket) -> None:
        while asked := _request(connection):
            key = asked.split()[1].rpartition(b"/")[2]
            connection.sendall(HEAD + b"Last-Modified: Mon, 24 Nov 2025 10:00:00 GMT\r\n")
            connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(key), key))

    def reads(store: object_store.ObjectStore, who: str) -> bool:
        return all(store.download("probe", key) == key.encode() for key in (f"{who}{number}" for number in range(50)))

    with _served(serve, tls=authority) as endpoint:
        store = store_at(endpoint, ca_bundle=ca_file)
        assert reads(store, "before")
        children = []
        for number in range(2):
            child = os.fork()
            if not child:
                with suppress(BaseException):
                    if reads(store, f"child{number}-"):
                        store.close()
                        os._exit(0)
                os._exit(1)
            children.append(child)
        assert reads(store, "parent")
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        assert Path(str(store._ca)).exists()


def test_forked_process_of_a_program_with_an_event_loop(store_at: MakeStore) -> None:
    """The child of a process whose asynchronous store has threads gets its answers from threads of its own."""

    def serve(connection: socket.socket) -> None:
        while _request(connection):
            connection.sendall(HEAD + b"Last-Modified: Mon, 24 Nov 2025 10:00:00 GMT\r\nContent-Length: 4\r\n\r\nbody")

    with _served(serve) as endpoint:
        store = object_store.AsyncObjectStore(store_at(endpoint).config)
        assert asyncio.run(store.download("probe", "k")) == b"body"
        time.sleep(0.2)  # then the thread is idle, and the next work would wait for it
        child = os.fork()
        if not child:
            with suppress(BaseException):
                signal.alarm(20)
                os._exit(asyncio.run(store.download("probe", "k")) != b"body")
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert asyncio.run(store.download("probe", "k")) == b"body"
        asyncio.run(store.close())


def test_fork_while_a_thread_makes_a_client(store_at: MakeStore) -> None:
    """The child can list, although a thread that it does not have was making a client for a listing."""
    begun = threading.Event()

    def makes_a_client() -> None:
        with _session_lock:
            begun.set()
            time.sleep(0.3)

    thread = threading.Thread(target=makes_a_client)
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        with suppress(BaseException):
            signal.alarm(20)
            listing_client(store_at("http://127.0.0.1:9").config, None)
            os._exit(0)
        os._exit(2)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\r"])
def test_header_of_two_lines(value: str) -> None:
    """No value of a header begins another one."""
    with pytest.raises(ValueError, match="line break"):
        head_of("GET", "/", {"a": value})
    with pytest.raises(ValueError, match="line break"):
        head_of("GET", f"/{value}", {})
