"""The error for an unreachable endpoint: which one, why and what to do; and it comes soon."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import trustme

import object_store
from tests.object_store.conftest import scripted_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from object_store import ObjectStore
    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer, ServeOverTls

OPERATIONS: dict[str, Callable[[ObjectStore], object]] = {
    "upload": lambda store: store.upload("probe", "k", b"body"),
    "multipart": lambda store: store.upload("probe", "k", bytes(object_store.MULTIPART_THRESHOLD + 1)),
    "download": lambda store: store.download("probe", "k"),
    "head": lambda store: store.head("probe", "k"),
    "list": lambda store: next(store.list("probe")),
    "delete": lambda store: store.delete_object("probe", "k"),
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS)
either_client = pytest.mark.parametrize("operation", ["download", "list"])


@pytest.fixture(name="silent_port")
def _silent_port() -> Iterator[int]:
    """Return a port with a full queue: the kernel drops each further SYN, as a firewall would."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)  # noqa: FBT003  # its one parameter
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        yield listener.getsockname()[1]
        for client in waiting:
            client.close()


def _closed_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@every_operation
def test_refused_connection(store_at: MakeStore, operation: str) -> None:
    """Nothing listens: the error names the endpoint and comes after the retries, long before a minute."""
    endpoint = f"http://127.0.0.1:{_closed_port()}"
    begin = time.monotonic()

    with pytest.raises(object_store.EndpointUnreachable, match=f"{endpoint} cannot be reached: nothing listens"):
        OPERATIONS[operation](store_at(endpoint))

    assert time.monotonic() - begin < 40


@either_client
def test_unknown_host(store_at: MakeStore, operation: str) -> None:
    """A name that does not resolve; `.invalid` never does."""
    with pytest.raises(object_store.EndpointUnreachable, match="name does not resolve") as unreachable:
        OPERATIONS[operation](store_at("https://store.invalid", max_retries=0))

    assert "https://store.invalid" in str(unreachable.value)
    assert type(unreachable.value) is object_store.EndpointUnreachable


@either_client
def test_silent_host(store_at: MakeStore, operation: str, silent_port: int) -> None:
    """A host that never answers costs the connect timeout for each try and no more."""
    store = store_at(f"http://127.0.0.1:{silent_port}", connect_timeout=timedelta(seconds=0.2), max_retries=3)
    begin = time.monotonic()

    with pytest.raises(object_store.EndpointUnreachable, match="no answer in time"):
        OPERATIONS[operation](store)

    assert time.monotonic() - begin < 4 * 2  # of the default


@either_client
def test_stalled_answer(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, operation: str) -> None:
    """A server that takes the request and then sends nothing is given up after the stall timeout."""

    def stalled(_: object) -> Answer:
        time.sleep(0.6)
        return answer.refusal(500, "InternalError")

    scripted.answer = stalled
    store = store_at(scripted.endpoint, stall_timeout=timedelta(seconds=0.2), max_retries=0)

    with pytest.raises(object_store.EndpointUnreachable):
        OPERATIONS[operation](store)


@either_client
def test_truncated_answer(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, operation: str) -> None:
    """Half a body is never returned as a whole one."""
    headers = {"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"}
    scripted.always(answer(body=b"half", headers=headers, declared_length=8))

    # botocore shows no difference between a listing that broke off and one that is not XML.
    error = object_store.UnexpectedAnswer if operation == "list" else object_store.EndpointUnreachable
    with pytest.raises(error, match=r"lost before the answer was complete|broke off"):
        OPERATIONS[operation](store_at(scripted.endpoint, max_retries=0))


@every_operation
def test_untrusted_certificate(tls_scripted: ScriptedServer, store_at: MakeStore, operation: str) -> None:
    """Without its private CA, the message names the variable to set."""
    with pytest.raises(object_store.CertificateNotTrusted, match="S3_CA_BUNDLE") as untrusted:
        OPERATIONS[operation](store_at(tls_scripted.endpoint, max_retries=0))

    assert f"certificate of {tls_scripted.endpoint} is not trusted" in str(untrusted.value)
    assert tls_scripted.seen == []


@either_client
def test_certificate_for_another_name(
    serve_over_tls: ServeOverTls, authority: trustme.CA, ca_file: Path, store_at: MakeStore, operation: str
) -> None:
    """A trusted CA does not help if the certificate does not hold the host's name."""
    script = serve_over_tls(authority.issue_cert("elsewhere.test"))

    with pytest.raises(object_store.CertificateNotTrusted, match=r"NotValidForName|doesn't match|not valid for"):
        OPERATIONS[operation](store_at(script.endpoint, ca_bundle=ca_file, max_retries=0))


@either_client
def test_tls_to_a_plain_port(scripted: ScriptedServer, store_at: MakeStore, operation: str) -> None:
    """https:// to a port that speaks http is not a missing CA, and the message says so."""
    endpoint = scripted.endpoint.replace("http://", "https://")

    with pytest.raises(object_store.EndpointUnreachable) as unreachable:
        OPERATIONS[operation](store_at(endpoint, max_retries=0))

    assert "does not speak TLS" in str(unreachable.value)
    assert type(unreachable.value) is object_store.EndpointUnreachable


@either_client
@pytest.mark.parametrize(
    "page",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"The client sent a plain HTTP request, but this server only speaks HTTPS on this port.",
    ],
    ids=["Go", "cheroot"],
)
def test_plain_http_to_a_tls_port(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, operation: str, page: bytes
) -> None:
    """http:// to a port that speaks TLS: our message gives the server's hint."""
    scripted.always(answer(400, page))

    with pytest.raises(object_store.EndpointUnreachable, match="is it an https:// endpoint"):
        OPERATIONS[operation](store_at(scripted.endpoint, max_retries=0))


class TestTrust:
    """TLS with a given private CA."""

    @pytest.mark.parametrize("form", ["path", "text"])
    def test_given_ca_is_trusted_by_every_operation(  # fixtures
        self,
        tls_scripted: ScriptedServer,
        answer: type[Answer],
        authority: trustme.CA,
        ca_file: Path,
        store_at: MakeStore,
        form: str,
    ) -> None:
        """It works as a path or as text, for objects and for listings."""
        body = (
            b"<ListBucketResult><IsTruncated>false</IsTruncated>"
            b'<Contents><Key>k</Key><ETag>"e"</ETag><Size>1</Size></Contents></ListBucketResult>'
        )
        tls_scripted.always(
            answer(body=body, headers={"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"})
        )
        bundle = str(ca_file) if form == "path" else authority.cert_pem.bytes().decode()
        store = store_at(tls_scripted.endpoint, ca_bundle=bundle)

        assert store.upload("probe", "k", b"1").etag == "e"
        assert store.download("probe", "k") == body
        assert next(store.list("probe")).key == "k"

    def test_certificate_that_changes(
        self, authority: trustme.CA, answer: type[Answer], ca_file: Path, store_at: MakeStore
    ) -> None:
        """Each new connection demands a trusted one, whatever an earlier one had."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        with scripted_server(context) as script:
            headers = {"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT", "Connection": "close"}
            script.always(answer(body=b"1", headers=headers))
            store = store_at(script.endpoint, ca_bundle=ca_file, max_retries=0)
            assert store.download("probe", "k") == b"1"
            trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
            with pytest.raises(object_store.CertificateNotTrusted):
                store.download("probe", "k")
            authority.issue_cert("127.0.0.1").configure_cert(context)
            assert store.download("probe", "k") == b"1"
        assert len(script.seen) == 2
