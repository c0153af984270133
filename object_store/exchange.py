"""One HTTP request on an open connection, and its answer with every header, read by llhttp (httptools).

The rule: nothing is added, followed, decoded or repaired. What is not HTTP is `NotHttp`; a body that ends before its
length or its last chunk is a lost connection; each wait for bytes ends after the timeout of the connection. The errors
are urllib3's, as those of its connections are.

urllib3 and Python's `http.client` take five times the CPU time for a small answer (docs/adr/0021).

Source: https://www.rfc-editor.org/rfc/rfc9112 (HTTP/1.1)
"""

from __future__ import annotations

import errno
import ssl
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from urllib3.exceptions import HTTPError, ProtocolError, SSLError
from urllib3.util import wait_for_read

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from urllib3.connection import HTTPConnection

_HEAD_BYTES_MAXIMUM: Final = 128 * 1024
_STALLS_OF_HEAD: Final = 10  # the headers take at most as long as ten of the longest waits
_BLOCK_BYTES: Final = 64 * 1024
_NO_BODY: Final = {204, 304}
_FIRST_FINAL_STATUS: Final = 200
_ANSWERED_TOO_EARLY: Final = {errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE}  # the last one is macOS's


class NotHttp(HTTPError):  # noqa: N818  # named as what it is, like the errors of `errors`
    """What arrived is not an HTTP answer."""


class Answer:
    """An answer whose body has not been read; its first bytes may have come with the headers.

    Call `close` at the end, which keeps the connection for the next request or closes it.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name; several of one name are joined by a comma.
    """

    def __init__(self, connection: HTTPConnection, method: str, keep: Callable[[HTTPConnection], None]) -> None:
        """Wait for the answer's headers.

        Args:
            connection: where the request was sent.
            method: that of the request: the answer to HEAD has no body.
            keep: takes the connection if the next request can use it.

        Raises:
            urllib3's errors: no answer; `NotHttp` if it is something else.
        """
        self.status = 0
        self.headers: dict[str, str] = {}
        self._connection, self._socket = connection, connection.sock
        self._keep: Callable[[HTTPConnection], None] | None = keep
        self._pieces: deque[bytes] = deque()
        self._headed = self._ended = self._keeps = False
        self._fault: HTTPError | None = None
        self._left: int | None = None  # bytes that the connection still has to deliver, if a length says so
        parser = HttpResponseParser(self)
        parser.set_dangerous_leniencies(lenient_headers=True)  # a control character in a header harms nobody
        self._parser: HttpResponseParser | None = parser
        read, ends = 0, time.monotonic() + _STALLS_OF_HEAD * (self._socket.gettimeout() or 0)
        while not self._headed:
            read += self._feed(parser)
            if time.monotonic() > ends:
                raise ProtocolError("its headers do not end")
            if read > _HEAD_BYTES_MAXIMUM and not self._headed:
                raise NotHttp(f"its headers have more than {_HEAD_BYTES_MAXIMUM:,} bytes")
        if method == "HEAD" or self.status in _NO_BODY:
            self._left = 0
        elif "content-length" in self.headers and "transfer-encoding" not in self.headers:
            self._left = int(self.headers["content-length"]) - sum(map(len, self._pieces))
        if self._left is not None:
            self._parser = None  # which refers to this object

    def read(self, size: int) -> bytes:
        """Return the next bytes of the body: that many, unless it ends before; at its end none.

        Raises:
            urllib3's errors: the rest does not come.
        """
        if self._left == 0 and len(self._pieces) == 1 and len(self._pieces[0]) <= size:
            return self._pieces.popleft()  # a small body came with its headers
        block = memoryview(bytearray(size))
        return bytes(block[: self.fill(block)])

    def fill(self, view: memoryview) -> int:
        """Fill a buffer with the next bytes of the body, and return how many: all that it holds, but before an end.

        Raises:
            urllib3's errors: the rest does not come.
        """
        if self._fault is not None:
            raise self._fault
        at = 0
        try:
            while at < len(view) and (got := self._some(view[at:])):
                at += got
        except HTTPError as fault:
            if not at:
                raise
            self._fault = fault  # what came before it is not lost
        return at

    def close(self) -> None:
        """Let the connection go: it is used again if nothing of the body is left, or so little that it is read."""
        keep, self._keep, self._parser = self._keep, None, None
        if keep is None:
            return
        if self._keeps and self._left is not None and self._left <= _BLOCK_BYTES:
            self._pieces.clear()
            with suppress(HTTPError):
                self.fill(memoryview(bytearray(self._left)))
            if not self._left:
                keep(self._connection)
                return
        self._connection.close()

    def _some(self, view: memoryview) -> int:
        """Fill the beginning of a buffer with what is there, and return how many bytes; 0 at the end of the body."""
        while self._parser is not None and not self._pieces and not self._ended:
            self._feed(self._parser)
        if self._pieces:
            piece = self._pieces.popleft()
            taken = min(len(piece), len(view))
            view[:taken] = piece[:taken]
            if taken < len(piece):
                self._pieces.appendleft(piece[taken:])
            return taken
        if not self._left:
            return 0
        try:
            got = self._socket.recv_into(view, min(self._left, len(view)))
        except OSError as fault:
            raise lost(fault) from None
        if not got:
            raise ProtocolError(f"the connection ended {self._left} bytes before the body")
        self._left -= got
        return got

    def _feed(self, parser: HttpResponseParser) -> int:
        """Give the parser what arrives next, and return how many bytes that was."""
        try:
            block = self._socket.recv(_BLOCK_BYTES)
        except OSError as fault:
            raise lost(fault) from None
        if not block:
            if not self._headed or self.headers.keys() & {"transfer-encoding", "content-length"}:
                raise ProtocolError("the connection ended before the answer")
            self._ended, self._keeps = True, False
        try:
            parser.feed_data(block)
        except HttpParserUpgrade:
            raise NotHttp("it goes on in another protocol, which was not asked for") from None
        except HttpParserError as fault:
            self._keeps = False
            if not self._ended:  # else it is what follows the answer
                # Instead of an answer's first line: the rest of an older answer, or TLS. Then the connection is wrong.
                raise (NotHttp if parser.get_status_code() else ProtocolError)(str(fault)) from None
        return len(block)

    def on_message_begin(self) -> None:
        """Begin an answer: the one after one that only announced it. No request asked for one after that."""
        if self._ended:
            self._keeps = False
        else:
            self._headed = False
            self.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what follows a body in chunks is none."""
        if not self._headed:
            key, said = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {said}" if key in self.headers else said

    def on_headers_complete(self) -> None:
        """Take the status."""
        if self._parser is None or self._headed:
            return
        self.status = self._parser.get_status_code()
        self._headed = self.status >= _FIRST_FINAL_STATUS
        self._keeps = self._parser.should_keep_alive()

    def on_body(self, block: bytes) -> None:
        """Take a piece of the body."""
        if not self._ended:
            self._pieces.append(block)

    def on_message_complete(self) -> None:
        """See the end of an answer."""
        self._ended = self._headed


def head_of(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return a request up to its empty line. Raise ValueError if a line of it would be two."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if not len(headers) == lines.count("\n") == lines.count("\r") or not target.isprintable() or " " in target:
        raise ValueError("a header or the target of a request holds a line break or a space")
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def send(connection: socket.socket, head: bytes, body: bytes) -> bool:
    """Send a request. Each wait ends after the connection's timeout; the whole may take as long as the link needs.

    Returns:
        Whether all of it is sent; if not, the server may have answered before, and this is its last answer here.

    Raises:
        urllib3's errors: it cannot be sent.
    """
    try:
        for block in (head + body,) if len(body) <= _BLOCK_BYTES else (head, body):
            rest = memoryview(block)
            while rest:
                rest = rest[connection.send(rest) :]
    except OSError as fault:
        # A server may answer before it has read the whole request, and then close, or read no further.
        if fault.errno not in _ANSWERED_TOO_EARLY and not wait_for_read(connection, timeout=0):
            raise lost(fault) from None
        return False
    return True


def lost(fault: Exception) -> HTTPError:
    """Turn a connection's error into urllib3's."""
    return SSLError(fault) if isinstance(fault, ssl.SSLError) else ProtocolError("the connection was lost", fault)
