"""Servers on this machine for the adapter's tests: moto for S3's behaviour, a scripted one for chosen answers.

Every test runs without a stray `AWS_…` or `S3_…` variable, so no test can reach a real account.
"""

from __future__ import annotations

import os
import ssl
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
import pytest
import trustme
from botocore.config import Config
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from object_store import ObjectStore, StoreConfig
from trials.servers import OWN, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

REGION: Final = "us-west-2"
ACCESS_KEY = "AKIATESTTESTTESTTEST"
SECRET_KEY = "planted/secret+that=nobody-may-see"  # noqa: S105  # planted, to be searched for


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith(("AWS_", "S3_")) or variable.upper().endswith("_PROXY"):
            monkeypatch.delenv(variable)


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Server]:
    """The sandbox's server for AIStor, for the tests that need its whole behaviour."""
    with OWN["local"]() as server:
        yield server


@pytest.fixture(name="witness", scope="module")
def _witness(server: Server) -> Iterator[S3Client]:
    """A client other than the adapter, past any proxy."""
    client = server.client()
    yield client
    client.close()


def config_for(endpoint: str | None, **changes: object) -> StoreConfig:
    """Return a configuration with the planted credential."""
    values: dict[str, Any] = {
        "endpoint": endpoint,
        "region": REGION,
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
    }
    return StoreConfig(**values | changes)


@dataclass
class Answer:
    """The answer of a scripted server to one request."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    declared_length: int | None = None

    @classmethod
    def refusal(cls, status: int, code: str, message: str = "Because.") -> Answer:
        """Return an S3 error."""
        return cls(
            status,
            f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(),
            {"Content-Type": "application/xml"},
        )


@dataclass
class Request:
    """A request to a scripted server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """A server whose answer is a function of the request; `seen` holds the requests."""

    endpoint: str
    seen: list[Request] = field(default_factory=list)
    answer: Callable[[Request], Answer] = lambda _: Answer(headers={"ETag": '"e"'})

    def always(self, answer: Answer) -> None:
        """Give the same answer to every request."""
        self.answer = lambda _: answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that hang up: some tests make them."""


@contextmanager
def scripted_server(context: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Run a scripted server on a free port, over TLS if a context is given."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            script.seen.append(request)
            answer = script.answer(request)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status not in {204, 304}:
                length = len(answer.body) if answer.declared_length is None else answer.declared_length
                self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            if answer.declared_length is not None:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = _Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    script = ScriptedServer(f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(name="scripted")
def _scripted() -> Iterator[ScriptedServer]:
    with scripted_server() as script:
        yield script


@pytest.fixture(name="answer", scope="session")
def _answer() -> type[Answer]:
    """Give the class to test modules, which cannot import this one."""
    return Answer


class MakeStore(Protocol):
    """Makes a store with the planted credential."""

    def __call__(self, endpoint: str | None, **changes: object) -> ObjectStore:
        """Return a store for the endpoint, with other fields of the configuration changed."""


@pytest.fixture(name="store_at")
def _store_at() -> Iterator[MakeStore]:
    """Make stores with the planted credential for an endpoint, and close them after the test."""
    with ExitStack() as stores:
        yield lambda endpoint, **changes: stores.enter_context(ObjectStore(config_for(endpoint, **changes)))


@pytest.fixture(name="authority", scope="session")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="ca_file", scope="session")
def _ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


class ServeOverTls(Protocol):
    """Starts a scripted server with a certificate."""

    def __call__(self, certificate: trustme.LeafCert) -> ScriptedServer:
        """Return the server."""


@pytest.fixture(name="serve_over_tls")
def _serve_over_tls() -> Iterator[ServeOverTls]:
    with ExitStack() as servers:

        def serve(certificate: trustme.LeafCert) -> ScriptedServer:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            return servers.enter_context(scripted_server(context))

        yield serve


@pytest.fixture(name="tls_scripted")
def _tls_scripted(serve_over_tls: ServeOverTls, authority: trustme.CA) -> ScriptedServer:
    return serve_over_tls(authority.issue_cert("127.0.0.1"))


@pytest.fixture(name="moto_endpoint", scope="session")
def _moto_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(autouse=True, scope="module")
def _empty_moto() -> None:
    """Start each module without buckets: moto has one memory in a process, and other tests fill it."""
    moto_api_backend.reset()


@pytest.fixture(name="admin", scope="session")
def _admin(moto_endpoint: str) -> Iterator[S3Client]:
    """Return a boto3 client, the independent witness of the server's content."""
    client = boto3.client(
        "s3",
        endpoint_url=moto_endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}),
    )
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(name="store", scope="session")
def _store(moto_endpoint: str) -> Iterator[ObjectStore]:
    with ObjectStore(config_for(moto_endpoint)) as store:
        yield store


@pytest.fixture(name="bucket", scope="module")
def _bucket(admin: S3Client, request: pytest.FixtureRequest) -> str:
    """Return the name of a bucket that only this module's tests use."""
    module: str = request.module.__name__
    name = "probe-" + module.rpartition(".")[2].replace("_", "-")
    admin.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name
