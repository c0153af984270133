"""The embedded server: moto behind the gate, over TLS, only on this machine.

The rule: a process serves one cloud, because moto's state and amendments belong to the process. The folder holds all
state: certificates, administrator, snapshot, and `server.json` while the server runs. Left out: the process, which is
`sandbox.server.serve`, and for tests `sandbox.server.temporary`.
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
import string
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cheroot import wsgi
from cheroot.makefile import StreamReader, StreamWriter
from cheroot.ssl.builtin import BuiltinSSLAdapter
from moto.moto_server.werkzeug_app import create_backend_app

from sandbox.server import moto_amendments
from sandbox.server.authority import AistorAuthority, Authority, AwsAuthority
from sandbox.server.certificates import HOST, make_certificates, write_private
from sandbox.server.clock import clock_of
from sandbox.server.gate import Backends, Gate
from sandbox.server.minio_iam import MinioIam
from sandbox.server.s3_actions import Cloud
from sandbox.server.snapshot import Saver, Snapshot

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

log = logging.getLogger(__name__)

#: Clients open spare TLS connections without sending anything, and each holds a thread while it is idle.
THREADS = 128
#: Seconds before an idle connection closes; longer than in clients, which would otherwise use a closing connection.
IDLE = 120
STOP_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Admin:
    """The administrator's key pair."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Admin({self.user!r})"


def read_admin(directory: Path, cloud: Cloud) -> Admin:
    """The administrator of this folder, created at random if it does not exist."""
    path = directory / "admin.json"
    if path.exists():
        raw = json.loads(path.read_text())
        return Admin(raw["user"], raw["password"])
    letters = string.ascii_uppercase + string.digits[2:8]
    if cloud is Cloud.AWS:
        user = "AKIA" + "".join(secrets.choice(letters) for _ in range(16))
        password = secrets.token_urlsafe(30)
    else:
        user, password = f"admin-{secrets.token_hex(6)}", secrets.token_urlsafe(30)
    write_private(path, json.dumps({"user": user, "password": password}).encode())
    return Admin(user, password)


class _Reader(StreamReader):
    """Takes a line that is in the buffer whole; cheroot's reader is Python's slow one, and each header is a line."""

    _read_buf: bytes
    _read_pos: int

    def readline(self, size: int | None = -1) -> bytes:
        start = self._read_pos
        end = self._read_buf.find(b"\n", start) + 1
        if not end or (size is not None and 0 <= size < end - start):
            line: bytes = super().readline(size)
            return line
        self._read_pos = end
        self.bytes_read += end - start
        return self._read_buf[start:end]


class _LazyHandshake(BuiltinSSLAdapter):
    """Does the TLS handshake in the thread of the connection, so that a silent client does not block other clients."""

    def makefile(self, sock: socket.socket, mode: str = "r", bufsize: int = -1) -> _Reader | StreamWriter:
        return (_Reader if "r" in mode else StreamWriter)(sock, mode, bufsize)

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        wrapped = self.context.wrap_socket(sock, do_handshake_on_connect=False, server_side=True)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class EmbeddedServer:
    """S3 and IAM of one cloud, with its state in a folder."""

    def __init__(self, cloud: Cloud, directory: Path, port: int = 0, *, admin_api: str = "v3") -> None:
        """Load the saved state, and listen; requests wait until `start`. AIStor speaks one admin API version."""
        self.cloud = cloud
        self.admin = read_admin(directory, cloud)
        self.certificates = make_certificates(directory)
        moto_amendments.apply(cloud)
        self._snapshot = Snapshot(directory)
        self.minio_iam = self._minio_iam(self._snapshot.load())
        self._saver = Saver(self.save)
        backends = Backends(*(create_backend_app(service) for service in ("s3", "iam", "sts")))
        self._gate = Gate(
            cloud, self._authority(), backends, self.minio_iam, self._saver.touch, admin_api, clock_of(directory)
        )
        self._server = self._bound(port)
        self._thread = threading.Thread(target=self._server.serve, name="server", daemon=True)

    def _minio_iam(self, loaded: MinioIam | None) -> MinioIam | None:
        if self.cloud is Cloud.AWS:
            return None
        if loaded is not None:
            loaded.root_user = self.admin.user
            return loaded
        return MinioIam(self.admin.user)

    def _authority(self) -> Authority:
        if self.minio_iam is not None:
            return AistorAuthority(self.minio_iam, self.admin.user, self.admin.password)
        return AwsAuthority(self.admin.user, self.admin.password)

    def _bound(self, port: int) -> Any:  # noqa: ANN401 - cheroot's server is untyped
        """A server on the requested port, or on a free one if that is taken."""
        try:
            return self._prepared(port)
        except OSError:
            if port == 0:
                raise
            log.warning("port %d is taken; the server uses another port", port)
            return self._prepared(0)

    def _prepared(self, port: int) -> Any:  # noqa: ANN401 - cheroot's server is untyped
        server = wsgi.Server((HOST, port), self._gate, numthreads=THREADS, request_queue_size=256, timeout=IDLE)
        server.keep_alive_conn_limit = 512
        server.error_log = _log_server_error  # type: ignore[method-assign, assignment]  # the hook that cheroot documents
        certificates = self.certificates
        server.ssl_adapter = _LazyHandshake(str(certificates.server_chain), str(certificates.server_key))
        server.prepare()
        # cheroot sets it only for a requested port. Connections inherit it; a closed one without it keeps the next
        # server from the same port for a minute.
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return server

    @property
    def endpoint(self) -> str:
        """The URL on which it listens."""
        return f"https://{HOST}:{self._server.bind_addr[1]}"

    def start(self) -> None:
        """Answer requests from now on."""
        self._thread.start()

    def save(self) -> None:
        """Write the present state to disk."""
        with self._gate.lock:
            captured = self._snapshot.capture(self.minio_iam)
        self._snapshot.write(captured)

    def stop(self) -> None:
        """Stop answering, and save."""
        self._server.stop()
        self._thread.join(STOP_TIMEOUT)
        self._saver.stop()


def _log_server_error(message: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: FBT001, FBT002 - cheroot's signature
    log.log(level, "%s", message, exc_info=traceback)
