"""infra.reachable: whether a server answers, and the message if none does."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trustme

from infra.reachable import check_reachable
from model.endpoint import Endpoint
from model.problems import InvalidInputError

WHERE = "Pulumi.local.yaml: object-store:endpoint"


@pytest.fixture(scope="module", name="authority")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="tls_port")
def _tls_port(authority: trustme.CA) -> Iterator[int]:
    """A TLS server on 127.0.0.1 with a certificate for `localhost` only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(plain, server_side=True) as wrapped:
                        wrapped.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


class TestReachable:
    """Whether a usable server answers."""

    def test_trusted_server_is_reached(self, authority: trustme.CA, tls_port: int) -> None:
        """A server with a certificate of the CA for its name is accepted."""
        check_reachable(Endpoint("https", "localhost", tls_port), authority.cert_pem.bytes().decode(), WHERE)

    def test_plain_server_is_reached(self) -> None:
        """Plain http needs only a connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            check_reachable(Endpoint("http", "127.0.0.1", listener.getsockname()[1]), None, WHERE)

    def test_other_ca_is_refused(self, tls_port: int) -> None:
        """A certificate of another CA is not trusted."""
        other = trustme.CA().cert_pem.bytes().decode()

        with pytest.raises(InvalidInputError, match="is not trusted"):
            check_reachable(Endpoint("https", "localhost", tls_port), other, WHERE)

    def test_other_name_is_refused(self, authority: trustme.CA, tls_port: int) -> None:
        """A certificate for another name is not trusted."""
        with pytest.raises(InvalidInputError, match="is not trusted"):
            check_reachable(Endpoint("https", "127.0.0.1", tls_port), authority.cert_pem.bytes().decode(), WHERE)

    def test_nothing_listening_is_refused(self) -> None:
        """A closed port is reported with its endpoint."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

        with pytest.raises(InvalidInputError, match=f"no usable server answers at http://127.0.0.1:{port}: Connection"):
            check_reachable(Endpoint("http", "127.0.0.1", port), None, WHERE)
