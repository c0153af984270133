"""The connections to a server, by urllib3: with the CA, the proxy and the limits of a configuration.

The rule: only the configuration decides. urllib3 reads neither a variable of the environment nor a profile.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from botocore.httpsession import create_urllib3_context, get_cert_path
from urllib3 import PoolManager, ProxyManager, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import HTTPConnectionPool

    from object_store.config import StoreConfig

CONNECTIONS: Final = 64
"""Connections to one host that stay open between requests."""

_HOSTS: Final = 1000  # on AWS each bucket has its own


class Connections:
    """The connections that a configuration allows; threads may share them."""

    def __init__(self, config: StoreConfig, ca_file: str | None) -> None:
        """Prepare them; nothing is sent.

        Args:
            config: the server's certificates, the proxy and the limits.
            ca_file: PEM file that replaces the public CAs; None for the public CAs.
        """
        context = create_urllib3_context()  # as botocore's own client: it demands a certificate for the host
        context.load_verify_locations(ca_file or get_cert_path(True))  # noqa: FBT003  # botocore's: the public CAs
        timeout = Timeout(connect=config.connect_timeout.total_seconds(), read=config.stall_timeout.total_seconds())
        proxy = config.proxy
        self._manager = (
            PoolManager(_HOSTS, maxsize=CONNECTIONS, timeout=timeout, ssl_context=context)
            if proxy is None
            else ProxyManager(
                proxy.url,
                _HOSTS,
                proxy_headers=proxy.headers,
                maxsize=CONNECTIONS,
                timeout=timeout,
                ssl_context=context,
            )
        )
        self._by_proxy = proxy is not None
        self._pool: Callable[[str], HTTPConnectionPool] = cache(self._manager.connection_from_url)

    def send(
        self, method: str, origin: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> BaseHTTPResponse:
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
        # The manager parses the URL anew for each request, and only a proxy needs that.
        opener = self._manager if self._by_proxy else self._pool(origin)
        return opener.urlopen(
            method,
            f"{origin}{target}" if self._by_proxy else target,
            body=body,
            headers=dict(headers),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._manager.clear()


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
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="object-store-ca-", suffix=".pem") as copy:
        copy.write(pem)
        copy.flush()
        yield copy.name
