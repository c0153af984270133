"""`try_connection`, and certificates that the adapter's transport cannot use."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import object_store
from object_store import CertificateUnusable, try_connection
from tests.object_store.conftest import scripted_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer


def _self_signed(*, ca: bool, name: bool, days: int = 1) -> bytes:
    """PEM of a key and a certificate that is its own CA."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    built = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if name:
        built = built.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(name="serve")
def _serve(tmp_path: Path) -> Iterator[Callable[[bytes], tuple[ScriptedServer, Path]]]:
    with ExitStack() as servers:

        def serve(pem: bytes) -> tuple[ScriptedServer, Path]:
            path = tmp_path / "server.pem"
            path.write_bytes(pem)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path)
            return servers.enter_context(scripted_server(context)), path

        yield serve


@pytest.mark.parametrize(
    ("ca", "name", "days", "words"),
    [
        (False, False, 1, "no name in the certificate"),
        (False, True, -1, "it has expired"),
    ],
    ids=["no name", "ended"],
)
def test_certificate_that_no_server_may_have(  # the table's columns
    serve: Callable[[bytes], tuple[ScriptedServer, Path]],
    ca: bool,  # noqa: FBT001
    name: bool,  # noqa: FBT001
    days: int,
    words: str,
) -> None:
    """The message says what is wrong with it, and the line that makes a usable one instead of a CA to set."""
    script, path = serve(_self_signed(ca=ca, name=name, days=days))

    with pytest.raises(CertificateUnusable, match=words) as untrusted:
        try_connection(script.endpoint, path)

    assert "basicConstraints=critical,CA:FALSE" in str(untrusted.value)


@pytest.mark.parametrize(
    ("name", "days", "words"), [(False, 1, "no name in the certificate"), (True, -1, "it has expired")]
)
def test_listing_says_it_too(
    serve: Callable[[bytes], tuple[ScriptedServer, Path]],
    store_at: MakeStore,
    name: bool,  # noqa: FBT001
    days: int,
    words: str,
) -> None:
    """The other half of the adapter has the same words; it is not "no TLS"."""
    script, path = serve(_self_signed(ca=False, name=name, days=days))

    with pytest.raises(CertificateUnusable, match=words):
        next(store_at(script.endpoint, ca_bundle=path, max_retries=0).list("probe"))


def test_advised_certificate_works(
    serve: Callable[[bytes], tuple[ScriptedServer, Path]], answer: type[Answer], store_at: MakeStore
) -> None:
    """A certificate that is its own CA, with CA:FALSE and a name, serves both halves."""
    script, path = serve(_self_signed(ca=False, name=True))
    script.always(
        answer(
            body=b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
            headers={"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"},
        )
    )
    store = store_at(script.endpoint, ca_bundle=path, max_retries=0)

    try_connection(script.endpoint, path)
    assert list(store.list("probe")) == []
    assert store.head("probe", "k").etag == "e"


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404, 500])
def test_any_answer_is_a_connection(scripted: ScriptedServer, answer: type[Answer], status: int) -> None:
    """A server that refuses the unsigned request was reached; no credential was sent."""
    scripted.always(answer(status))

    try_connection(scripted.endpoint)

    assert "authorization" not in scripted.seen[0].headers


def test_no_connection() -> None:
    """Nothing listens: the error of any operation."""
    with pytest.raises(object_store.EndpointUnreachable, match="nothing listens"):
        try_connection("http://127.0.0.1:9")
