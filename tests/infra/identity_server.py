"""A server of the admin API in this process, with the sandbox's users and policies, that can misbehave on demand.

The rule: botocore, not the client's code, recomputes every signature, and every body is decrypted, so that each test
covers both. It leaves out permissions: its only caller is the admin.
"""

import io
import json
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from minio.crypto import decrypt, encrypt
from minio.helpers import sha256_hash
from pulumi import dynamic
from pulumi.dynamic.config import Config

from infra.admin_api import AdminApi
from infra.identity.connection import IdentityProvider
from sandbox.server import minio_admin_api
from sandbox.server.answers import ApiError, admin_error
from sandbox.server.authority import Caller
from sandbox.server.minio_iam import MinioIam, ServiceAccount, User
from sandbox.server.minio_policy import Document
from sandbox.server.web import Request

HOST, REGION = "127.0.0.1", "us-west-2"
ADMIN = "provisioner"
PASSWORD = "planted-admin-password"  # noqa: S105 - planted
Provider = TypeVar("Provider", bound=IdentityProvider)
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        length: The declared length of the body, if it is wrong.
        is_reset: The connection is reset instead.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    is_reset: bool = False


#: Answers in place of the server; the argument is a function that runs the command.
Fault = Callable[[Callable[[], Reply]], Reply]


def refuse(status: int, code: str = "SlowDown", message: str = "Please try again") -> Fault:
    """A refusal; the server does not run the command."""
    body = json.dumps({"Code": code, "Message": message}).encode()
    return lambda _run: Reply(status, body, (("Content-Type", "application/json"),))


def html(status: int) -> Fault:
    """A proxy's page; the command never arrives."""
    return lambda _run: Reply(status, b"<!doctype html><title>Sign in</title>", (("Content-Type", "text/html"),))


def reset(_run: Callable[[], Reply]) -> Reply:
    """The connection is reset before the server runs the command."""
    return Reply(0, is_reset=True)


def lose_answer(run: Callable[[], Reply]) -> Reply:
    """The server runs the command, then resets the connection."""
    run()
    return Reply(0, is_reset=True)


def fail_afterwards(run: Callable[[], Reply]) -> Reply:
    """The server runs the command and answers 503."""
    run()
    return refuse(503)(run)


def cut_short(run: Callable[[], Reply]) -> Reply:
    """The connection ends before the body does."""
    reply = run()
    return replace(reply, length=len(reply.body) + 20)


def halve(run: Callable[[], Reply]) -> Reply:
    """Half of the body, with a length that says it is complete."""
    reply = run()
    return replace(reply, body=reply.body[: len(reply.body) // 2])


@dataclass(frozen=True)
class Asked:
    """One received request; `body` is decrypted, or None if it is unreadable."""

    method: str
    version: str
    command: str
    query: dict[str, str]
    body: Any
    headers: Mapping[str, str] = field(repr=False)


class IdentityServer:
    """The server; `running` starts it.

    Attributes:
        iam: The server's users, policies and service accounts, which tests may change.
        asked: The requests, in order.
        speaks: The one version that it supports.
        password: The admin's secret key.
        endpoint: Its URL, while it runs.
    """

    def __init__(self, speaks: str = "v4") -> None:
        """Start without users, policies and requests."""
        self.iam = MinioIam(ADMIN)
        self.asked: list[Asked] = []
        self.speaks = speaks
        self.password = PASSWORD
        self.endpoint = ""
        self._faults: dict[str, list[Fault]] = {}

    def fault(self, command: str, fault: Fault, times: int = 1) -> None:
        """Misbehave for the next calls of a command, this many times."""
        self._faults.setdefault(command, []).extend([fault] * times)

    def commands(self) -> list[str]:
        """The commands that were called, in order."""
        return [asked.command for asked in self.asked]

    @property
    def users(self) -> dict[str, User]:
        """The server's users."""
        return self.iam._users

    @property
    def policies(self) -> dict[str, Document]:
        """The server's policies."""
        return self.iam._policies

    @property
    def accounts(self) -> dict[str, ServiceAccount]:
        """The server's service accounts."""
        return self.iam._accounts

    @property
    def connection(self) -> dict[str, str]:
        """A resource's inputs with the server's address."""
        return {"endpoint": self.endpoint, "region": REGION, "caPem": ""}

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Record the request and answer it, correctly or with the next fault."""
        _, _, _, version, command = urlsplit(target).path.split("/", 4)
        query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        self.asked.append(Asked(method, version, command, query, self._clear(body), headers))
        run = partial(self._carried_out, method, target, headers, body)
        waiting = self._faults.get(command)
        return waiting.pop(0)(run) if waiting else run()

    def _clear(self, body: bytes) -> Any:  # noqa: ANN401 - any JSON
        try:
            return json.loads(body)
        except ValueError:
            pass
        try:
            return json.loads(decrypted(body, self.password))
        except (OSError, ValueError):
            return None

    def _carried_out(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        request = Request(
            {
                "REQUEST_METHOD": method,
                "REQUEST_URI": target,
                "CONTENT_LENGTH": str(len(body)),
                "wsgi.input": io.BytesIO(body),
            }
        )
        caller = Caller(ADMIN, self.password, ADMIN, f"arn:aws:iam:::user/{ADMIN}", root=True)
        try:
            route = minio_admin_api.find(request, self.speaks)
            self._check_signature(method, target, headers, body)
            answer = minio_admin_api.run(route, request, self.iam, caller)
        except ApiError as error:
            answer = admin_error(error, request.path)
        return Reply(answer.status, answer.body, tuple(answer.headers))

    def _check_signature(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        given = headers.get("Authorization", "")
        if not given:
            raise ApiError("AccessDenied", "Access Denied.", 403)
        signed = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed)
        # The query in the one spelling that a real server makes of it, whatever the client's was.
        path, _, query = target.partition("?")
        request = AWSRequest(
            method,
            f"{self.endpoint}{path}",
            headers={name: headers[name] for name in signed},
            params=dict(parse_qsl(query, keep_blank_values=True)),
        )
        request.context["timestamp"] = headers["x-amz-date"]
        auth = S3SigV4Auth(Credentials(ADMIN, self.password), "s3", REGION)
        right = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        wanted = f"Credential={ADMIN}/{headers['x-amz-date'][:8]}/{REGION}/s3/aws4_request, "
        if (
            not given.endswith(f"Signature={right}")
            or wanted not in given
            or headers["x-amz-content-sha256"] != sha256_hash(body)
        ):
            raise ApiError("SignatureDoesNotMatch", "The request signature we calculated does not match", 403)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server: Any = self.server
        reply = server.identities.answer(self.command, self.path, self.headers, body)
        if reply.is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        self.wfile.write(reply.body)
        self.close_connection = reply.length is not None

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    identities: IdentityServer

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - a socket, as socketserver has it
        """Close at once: an orderly end before it would make no reset."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - likewise
        """A client that breaks the connection off is meant to; a mistake of the server's own is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def running(server: IdentityServer, tls: ssl.SSLContext | None = None) -> Iterator[IdentityServer]:
    """Serve in a thread, by TLS if a context is given."""
    with _Server((HOST, 0), _Handler) as listening:
        listening.identities = server
        if tls:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
        server.endpoint = f"{'https' if tls else 'http'}://{HOST}:{listening.server_address[1]}"
        thread = threading.Thread(target=partial(listening.serve_forever, 0.02), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


def client(server: IdentityServer, password: str = PASSWORD, ca_pem: str | None = None) -> AdminApi:
    """A client with the admin's keys."""
    return AdminApi(
        endpoint=server.endpoint, region=REGION, ca_pem=ca_pem, access_key_id=ADMIN, secret_access_key=password
    )


def configured(kind: type[Provider], password: str = PASSWORD) -> Provider:
    """A provider as the engine starts it, with the admin's keys in the stack's config."""
    config = {"object-store:adminUser": ADMIN, "object-store:adminPassword": password}
    provider = kind()
    provider.configure(dynamic.ConfigureRequest(Config(config, "object-store")))
    return provider


def decrypted(body: bytes, password: str = PASSWORD) -> bytes:
    """A body in clear."""
    return decrypt(urllib3.HTTPResponse(io.BytesIO(body), preload_content=False), password)


def encrypted(answer: object, password: str = PASSWORD) -> bytes:
    """An answer as it travels."""
    return encrypt(json.dumps(answer).encode(), password)
