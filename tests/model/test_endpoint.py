"""model.endpoint: the form of endpoints and CA bundles."""

from pathlib import Path

import pytest
import trustme

from model.endpoint import Endpoint, one_spelling, parse_endpoint, read_ca_bundle
from model.problems import InvalidInputError

WHERE = "Pulumi.local.yaml: object-store:endpoint"


@pytest.fixture(scope="module", name="authority")
def _authority() -> trustme.CA:
    return trustme.CA()


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
        ("HTTP://Minio-1:80", Endpoint("http", "minio-1", 80), "minio-1:80", "http://minio-1"),
        ("https://10.0.0.1", Endpoint("https", "10.0.0.1", 443), "10.0.0.1:443", "https://10.0.0.1"),
        ("https://[::1]:9000", Endpoint("https", "::1", 9000), "[::1]:9000", "https://[::1]:9000"),
    ],
)
def test_endpoint_is_read(value: str, expected: Endpoint, host_port: str, url: str) -> None:
    """A URL is converted to the forms that clients and the plugin expect."""
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
        ("https://localhost:0", "the port 0"),
        ("https://local host:9000", "a malformed host"),
        ("https://host\\name", "a malformed host"),
        ("https://host,other", "a malformed host"),
        ("https://bücket.example.com", "a malformed host"),
        ("https://-host.example.com", "a malformed host"),
        ("https://host..example.com", "a malformed host"),
        ("https://127.1:9000", "a malformed host"),
        ("https://2130706433", "a malformed host"),
        ("https://1.2.3.256", "a malformed host"),
        ("https://0x7f000001", "a malformed host"),
        ("https://minio_1:9000", "a malformed host"),
        ("https://s3.example.com.:9000", "a malformed host"),
        ("https://[fe80::1%25eth0]:9000", "a malformed host"),
        ("https://localhost:31000\n", "a malformed host"),
        (f"https://{'h' * 64}.example.com", "a malformed host"),
    ],
)
def test_malformed_endpoint_is_refused(value: str, expected: str) -> None:
    """An unusable endpoint is refused with the form to write."""
    with pytest.raises(InvalidInputError) as caught:
        parse_endpoint(value, WHERE)

    assert expected in str(caught.value)
    assert "write: object-store:endpoint: https://localhost:31000" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://admin:planted-password@localhost", "'https://…@localhost' holds credentials"),
        ("ftp://admin:planted-password@localhost", "'ftp://…@localhost' has no scheme"),
        ("admin:planted-password@localhost:9000", "'…@localhost:9000' has no scheme"),
        ("https://admin:planted-password@localhost:port", "'https://…@localhost:port' is malformed"),
        ("https://admin:planted-password@@localhost:0", "holds credentials"),
        ("https://admin:planted/password@localhost", "'https://…@localhost' is malformed"),
        ("https://localhost/?X-Amz-Signature=planted-password", "'https://localhost/?…' has a path or a query"),
    ],
)
def test_credentials_in_an_endpoint_are_refused_and_not_shown(value: str, expected: str) -> None:
    """A password or a signature in the URL stays out of the message, whatever else is wrong."""
    with pytest.raises(InvalidInputError) as caught:
        parse_endpoint(value, WHERE)

    assert expected in str(caught.value)
    assert "planted" not in str(caught.value)


class TestCaBundle:
    """The CA file."""

    def test_certificate_is_read(self, authority: trustme.CA, tmp_path: Path) -> None:
        """A PEM file is read unchanged."""
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(path)

        assert read_ca_bundle(path, WHERE) == path.read_text(encoding="ascii")

    def test_private_key_beside_the_certificate_is_refused(self, authority: trustme.CA, tmp_path: Path) -> None:
        """The bundle is published in clear text, so a file that also holds the key must not be taken for one."""
        path = tmp_path / "ca.pem"
        path.write_bytes(authority.cert_pem.bytes() + authority.private_key_pem.bytes())

        with pytest.raises(InvalidInputError, match=r"'ca\.pem' holds a private key"):
            read_ca_bundle(path, WHERE)

    @pytest.mark.parametrize("content", [b"no certificate", b"", b"\xff\xfe"])
    def test_anything_else_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """A file without a certificate is refused before the plugin says only '1 error occurred'."""
        path = tmp_path / "ca.pem"
        path.write_bytes(content)

        with pytest.raises(InvalidInputError, match=r"'ca\.pem' is not a certificate"):
            read_ca_bundle(path, WHERE)

    def test_missing_file_is_refused(self, tmp_path: Path) -> None:
        """A missing file is reported without this machine's path."""
        with pytest.raises(InvalidInputError, match=r"'none\.pem' cannot be read: No such file") as caught:
            read_ca_bundle(tmp_path / "none.pem", WHERE)

        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "spelling"),
    [
        ("https://store", "https://store"),
        ("https://STORE.:443/", "https://store"),
        ("HTTP://store:80", "http://store"),
        ("http://store:443", "http://store:443"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
        ("not an endpoint", "not an endpoint"),
    ],
)
def test_urls_of_one_server_have_one_spelling(url: str, spelling: str) -> None:
    """Case of the host, the default port, and a closing slash or dot make no difference."""
    assert one_spelling(url) == spelling
