"""Fetches one address to a file: the bytes of the answer as they came, and the chain of answers that led to it.

The rule: an answer counts if its end is proved, by its length or by its last chunk, and if nothing follows it. What it
has is counted while it is read; what a header announces decides nothing. Each address of the chain is checked before it
is asked (`reach`). Nothing is sent but the request: no cookie, no user, no password, no address that led there.
"""

import hashlib
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from workloads.discovery.address import Address, AddressError
from workloads.discovery.reach import Deadline, Reach, ReachError

TOOL: Final = f"object-store-discovery/{version('joelclaw-object-store')}"
_BLOCK: Final = 2**16
_HEAD_BYTES_MAXIMUM: Final = 2**17
_ANSWERS_MAXIMUM: Final = 11
"""One, and ten that lead to another address."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WHOLE: Final = frozenset({200, 203})
"""The others of 2xx have a part, or no page: 202 is how a wall against robots answers."""
_AFTER_SECONDS: Final = 2.0
"""How long is waited for the end of the connection, which was asked for, to see that nothing follows the answer."""


class FetchError(Exception):
    """The answer is not one that can be kept as a whole; the message says why."""


@dataclass(frozen=True)
class Hop:
    """One answer of the chain.

    Attributes:
        url: The address that was asked, as it may be shown.
        address: The address of the server to which the connection went.
        status: The answer's status; 0 for none.
    """

    url: str
    address: str
    status: int


@dataclass
class Fetched:
    """What came of a fetch.

    Attributes:
        first: The address that was asked for.
        last: The address that answered last.
        hops: The chain of answers.
        status: Of the last answer; 0 for none.
        headers: Of the last answer, by name in small letters; several of one name are joined by a comma.
        body: The file with the bytes of the last answer, if all of them came.
        size: How many those are.
        sha256: Of those.
        failure: Why it is not the page that was asked for; empty if it is.
    """

    first: Address
    last: Address
    hops: list[Hop] = field(default_factory=list)
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Path | None = None
    size: int = 0
    sha256: str = ""
    failure: str = ""


def fetch(address: Address, to: Path, limit: int, deadline: Deadline, reach: Reach) -> Fetched:
    """Fetch an address, and follow where it leads.

    Args:
        address: What is asked for.
        to: A new file for the body.
        limit: Bytes of the body at most.
        deadline: When it must be over.
        reach: Which servers may be asked.

    Returns:
        What came; `failure` says why it is not the page. What is wrong on this side is raised.

    Raises:
        OSError: The file cannot be written.
    """
    found = Fetched(address, address)
    try:
        _follow(found, to, limit, deadline, reach)
    except (AddressError, FetchError, ReachError) as fault:
        found.failure = str(fault)
    return found


def _follow(found: Fetched, to: Path, limit: int, deadline: Deadline, reach: Reach) -> None:
    for _ in range(_ANSWERS_MAXIMUM):
        there = found.last
        found.status, found.headers = 0, {}
        sock, address = reach.connect(there, deadline)
        with closing(sock):
            try:
                answer = _Answer(sock, there, deadline)
                found.hops.append(Hop(there.shown, address, answer.status))
                found.status, found.headers = answer.status, dict(answer.headers)
                if answer.status in _REDIRECTS and "location" in answer.headers:
                    found.last = _led(there, answer.headers["location"])
                    continue
                found.size, found.sha256 = answer.save(to, limit)
            except TimeoutError:
                raise deadline.over() from None
        found.body = to
        if answer.status not in _WHOLE:
            raise FetchError(f"the server answered {answer.status}")
        if not found.size:
            raise FetchError("the answer is empty")
        return
    raise FetchError(f"it leads from one address to another, more than {_ANSWERS_MAXIMUM - 1} times")


def _led(there: Address, location: str) -> Address:
    text = location.encode("latin-1")
    try:
        return there.joined(text.decode("utf-8", "strict"))
    except UnicodeDecodeError:
        return there.joined(location)
    except AddressError as fault:
        raise AddressError(f"the server leads to an address that {fault}") from None


class _Answer:
    """One request on an open connection, and its answer."""

    def __init__(self, sock: socket.socket, there: Address, deadline: Deadline) -> None:
        """Send the request, and wait for the headers. Raise FetchError, ReachError and TimeoutError."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self._socket, self._deadline = sock, deadline
        self._pieces: list[bytes] = []
        self._is_headed = self._is_over = self._has_more = False
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_headers=True)  # a control character in a header harms nobody
        lines = {
            "Host": there.authority,
            "User-Agent": TOOL,
            "Accept": "text/html,application/xhtml+xml,text/markdown,text/plain;q=0.9,*/*;q=0.8",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._send(f"GET {there.target} HTTP/1.1\r\n{head}\r\n".encode("ascii"))
        read = 0
        while not self._is_headed:
            read += self._feed()
            if read > _HEAD_BYTES_MAXIMUM:
                raise FetchError(f"the answer begins with more than {_HEAD_BYTES_MAXIMUM} bytes of headers")

    def save(self, to: Path, limit: int) -> tuple[int, str]:
        """Write the body to a new file; its size and SHA-256.

        Raises:
            FetchError: It does not come as a whole, or is too large.
            ReachError: It does not come in time.
            OSError: The file cannot be written.
        """
        size, digest = 0, hashlib.sha256()
        with to.open("xb") as file:
            while True:
                for piece in self._pieces:
                    size += len(piece)
                    if size > limit:
                        raise FetchError(f"it has more than {limit} bytes, which is the limit")
                    digest.update(piece)
                    file.write(piece)
                self._pieces.clear()
                if self._is_over:
                    break
                self._feed()
        self._see_the_end()
        return size, digest.hexdigest()

    def _send(self, request: bytes) -> None:
        self._socket.settimeout(self._deadline.left())
        try:
            self._socket.sendall(request)
        except TimeoutError:
            raise
        except OSError as fault:
            raise FetchError(f"the connection was lost: {fault.strerror or fault}") from None

    def _feed(self) -> int:
        """Read what comes next."""
        block = self._received(self._deadline.left())
        if not block:
            if not self._is_headed:
                raise FetchError("the connection ended before the answer")
            if self.headers.keys() & {"content-length", "transfer-encoding"}:
                raise FetchError("the connection ended before the body, which is cut")
            raise FetchError("the body has no length and no last chunk, so nothing proves that it is whole")
        try:
            self._parser.feed_data(block)
        except HttpParserUpgrade:
            raise FetchError("the answer goes on in another protocol") from None
        except HttpParserError as fault:
            if not self._is_over:
                raise FetchError(f"the answer is not HTTP: {fault}") from None
            self._has_more = True
        return len(block)

    def _received(self, seconds: float) -> bytes:
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(_BLOCK)
        except TimeoutError:
            raise
        except ssl.SSLEOFError:
            return b""
        except OSError as fault:
            raise FetchError(f"the connection was lost: {fault.strerror or fault}") from None

    def _see_the_end(self) -> None:
        """See that nothing follows the answer, as after a length that is too small."""
        with suppress(FetchError, ReachError, TimeoutError):
            self._has_more |= bool(self._received(min(_AFTER_SECONDS, self._deadline.left())))
        if self._has_more:
            raise FetchError("more bytes came than were announced, so nothing proves that the body is whole")

    def on_message_begin(self) -> None:
        """Begin an answer, perhaps after one that only announced it."""
        if self._is_over:
            self._has_more = True
        else:
            self.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what follows a body in chunks is none."""
        if not self._is_headed:
            key, said = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {said}" if key in self.headers else said

    def on_headers_complete(self) -> None:
        """Take the status."""
        if not self._is_over:
            self.status = self._parser.get_status_code()
            self._is_headed = self.status >= 200  # noqa: PLR2004 - the first final status

    def on_body(self, block: bytes) -> None:
        """Take a piece of the body."""
        if not self._is_over:
            self._pieces.append(block)

    def on_message_complete(self) -> None:
        """See the end of an answer."""
        self._is_over = self._is_headed
