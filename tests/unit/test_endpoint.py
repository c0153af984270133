"""infra.endpoint: the form of endpoints and CA bundles, and whether a server answers."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from infra.endpoint import Endpoint, check_reachable, parse_endpoint, read_ca_bundle
from infra.problems import InvalidInputError

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


@pytest.mark.parametrize(
    ("value", "expected", "host_port", "url"),
    [
        (
            "https://localhost:31000",
            Endpoint("https", "localhost", 31000),
            "localhost:31000",
            "https://localhost:31000",
        ),
        ("https://s3.aistor:443/", Endpoint("https", "s3.aistor", 443), "s3.aistor:443", "https://s3.aistor"),
        ("http://minio:9000", Endpoint("http", "minio", 9000), "minio:9000", "http://minio:9000"),
        ("http://minio", Endpoint("http", "minio", 80), "minio:80", "http://minio"),
        ("https://[::1]:9000", Endpoint("https", "::1", 9000), "[::1]:9000", "https://[::1]:9000"),
    ],
)
def test_endpoint_is_read(value: str, expected: Endpoint, host_port: str, url: str) -> None:
    """A URL becomes what clients and what the plugin take."""
    found = parse_endpoint(value, WHERE)

    assert found == expected
    assert (found.host_port, found.url) == (host_port, url)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("localhost:31000", "no scheme"),
        ("ftp://localhost", "no scheme"),
        ("https://", "no scheme"),
        ("", "no scheme"),
        ("https://localhost:31000/minio", "has a path"),
        ("https://localhost?x=1", "has a path or a query"),
        ("https://localhost:port", "is malformed"),
        ("https://[::1", "is malformed"),
    ],
)
def test_malformed_endpoint_is_refused(value: str, expected: str) -> None:
    """What clients could not use is refused with the form to write."""
    with pytest.raises(InvalidInputError) as caught:
        parse_endpoint(value, WHERE)

    assert expected in str(caught.value)
    assert "write: object-store:endpoint: https://localhost:31000" in str(caught.value)


def test_credentials_in_an_endpoint_are_refused_and_not_shown() -> None:
    """A password in the URL stays out of the message."""
    with pytest.raises(InvalidInputError) as caught:
        parse_endpoint("https://admin:planted-password@localhost", WHERE)

    assert "holds credentials" in str(caught.value)
    assert "planted-password" not in str(caught.value)


class TestCaBundle:
    """The CA file."""

    def test_certificate_is_read(self, authority: trustme.CA, tmp_path: Path) -> None:
        """A PEM file is taken as it stands."""
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(path)

        assert read_ca_bundle(path, WHERE) == path.read_text(encoding="ascii")

    @pytest.mark.parametrize("content", [b"no certificate", b"", b"\xff\xfe"])
    def test_anything_else_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """A file without a certificate is refused before the plugin says only '1 error occurred'."""
        path = tmp_path / "ca.pem"
        path.write_bytes(content)

        with pytest.raises(InvalidInputError, match=r"'ca\.pem' is not a certificate"):
            read_ca_bundle(path, WHERE)

    def test_missing_file_is_refused(self, tmp_path: Path) -> None:
        """A missing file says so, without this machine's path."""
        with pytest.raises(InvalidInputError, match=r"'none\.pem' cannot be read: No such file") as caught:
            read_ca_bundle(tmp_path / "none.pem", WHERE)

        assert str(tmp_path) not in str(caught.value)


class TestReachable:
    """Whether something usable answers."""

    def test_trusted_server_is_reached(self, authority: trustme.CA, tls_port: int) -> None:
        """A server with a certificate of the CA for its name is fine."""
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
        """A closed port is said with its endpoint."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

        with pytest.raises(InvalidInputError, match=f"nothing usable answers at http://127.0.0.1:{port}: Connection"):
            check_reachable(Endpoint("http", "127.0.0.1", port), None, WHERE)
