"""The connections to a server, made by urllib3: with the CA, the proxy and the limits of a configuration.

The rule: only the configuration decides; urllib3 reads neither a variable of the environment nor a profile. A
connection takes one request at a time (`exchange`), and is kept for the next one if nothing of the answer is left.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from botocore.httpsession import create_urllib3_context, get_cert_path
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProxyError, SSLError
from urllib3.util import parse_url
from urllib3.util.ssl_match_hostname import CertificateError

from object_store.exchange import Answer, head_of, lost, send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from object_store.config import StoreConfig

CONNECTIONS: Final = 64
"""Connections to one host that stay open between requests."""


class Connections:
    """The connections that a configuration allows; threads may share them."""

    def __init__(self, config: StoreConfig, ca_file: str | None) -> None:
        """Prepare them; nothing is sent.

        Args:
            config: the server's certificates, the proxy and the limits.
            ca_file: PEM file that replaces the public CAs; None for the public CAs.
        """
        self._context = create_urllib3_context()  # as botocore's own client: it demands a certificate for the host
        if ca_file or config.endpoint is None or config.endpoint.startswith("https:"):
            public = get_cert_path(True)  # noqa: FBT003  # botocore's
            self._context.load_verify_locations(ca_file or public)
        self._connect_seconds = config.connect_timeout.total_seconds()
        self._stall_seconds = config.stall_timeout.total_seconds()
        self._proxy = config.proxy
        self._kept: dict[str, deque[HTTPConnection]] = {}

    def send(self, method: str, origin: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send one request as it is, and return the answer with its body unread. No redirect is followed.

        Args:
            method: the HTTP method.
            origin: `https://HOST[:PORT]` or `http://HOST[:PORT]`.
            target: path and query, percent-encoded.
            headers: all headers but those of the connection.
            body: the whole body.

        Raises:
            urllib3's errors: no answer.
        """
        headers = {"host": origin.partition("//")[2], "accept-encoding": "identity", **headers}
        if body or method == "PUT":
            headers["content-length"] = str(len(body))
        if self._proxy is not None and not origin.startswith("https:"):
            target = f"{origin}{target}"
            headers |= self._proxy.headers
        head = head_of(method, target, headers)
        kept = self._kept.setdefault(origin, deque())
        connection = _idle(kept) or self._connected(origin)
        try:
            is_whole = send(connection.sock, head, body)
            return Answer(connection, method, partial(_keep, kept) if is_whole else HTTPConnection.close)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the connections that are not in use."""
        for kept in self._kept.values():
            while kept:
                kept.popleft().close()

    def _connected(self, origin: str) -> HTTPConnection:
        """Open a connection, and raise what urllib3's own pool would."""
        server, proxy = urlsplit(origin), parse_url(self._proxy.url) if self._proxy is not None else None
        host, port = (server.hostname, server.port) if proxy is None else (proxy.host, proxy.port or 80)
        if server.scheme == "https":
            connection: HTTPConnection = HTTPSConnection(
                str(host), port, timeout=self._connect_seconds, proxy=proxy, ssl_context=self._context
            )
            if self._proxy is not None:
                connection.set_tunnel(str(server.hostname), server.port or 443, self._proxy.headers)
        else:
            connection = HTTPConnection(str(host), port, timeout=self._connect_seconds, proxy=proxy)
        try:
            connection.connect()
        except (HTTPError, HTTPException, OSError, CertificateError) as fault:
            reached = proxy is None or connection.has_connected_to_proxy
            connection.close()
            if isinstance(fault, CertificateError):
                raise SSLError(fault) from None
            if not reached:
                raise ProxyError("no connection through the proxy", fault) from None
            if isinstance(fault, HTTPError):
                raise
            raise lost(fault) from None
        connection.sock.settimeout(self._stall_seconds)
        return connection


def _idle(kept: deque[HTTPConnection]) -> HTTPConnection | None:
    while kept:
        with suppress(IndexError):  # another thread was faster
            connection = kept.pop()
            if connection.is_connected:
                return connection
            connection.close()
    return None


def _keep(kept: deque[HTTPConnection], connection: HTTPConnection) -> None:
    # What TLS has decrypted and nobody has read is a part of no answer, and the look at the socket does not see it.
    left_over = isinstance(connection.sock, ssl.SSLSocket) and connection.sock.pending()
    if len(kept) < CONNECTIONS and not left_over:
        kept.append(connection)
    else:
        connection.close()


@contextmanager
def ca_file_of(config: StoreConfig) -> Iterator[str | None]:
    """Path of a copy of the CA, because botocore takes no text; None for the public CAs.

    Raises:
        ConfigurationError: the file of the CA cannot be read any more.
    """
    pem = config.read_ca()
    if pem is None:
        yield None
        return
    number, path = tempfile.mkstemp(prefix="object-store-ca-", suffix=".pem")
    made_by = os.getpid()
    try:
        with os.fdopen(number, "w", encoding="utf-8") as copy:
            copy.write(pem)
        yield path
    finally:
        if os.getpid() == made_by:  # a forked process leaves the file to its parent
            Path(path).unlink(missing_ok=True)
