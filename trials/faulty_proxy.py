"""A reverse proxy with deliberate faults, between the suite and an embedded server.

The rule: the Host header passes unchanged, so the client's signature stays valid although the client talks to the
proxy. It listens only on this machine, with its own certificate authority. With `plain` it also accepts plain http on
the same port, and forwards it over TLS. It holds bodies in memory in both directions. It leaves out the faults
themselves: `trials.faults`.
"""

import http.client
import socket
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import trustme

from trials.faults import HOP_BY_HOP, Ending, Fault, Headers, Request, Response, header

HOST = "127.0.0.1"
IDLE_SECONDS = 60
UPSTREAM_SECONDS = 60
CLOSE_SECONDS = 10
_TLS_HANDSHAKE = b"\x16"
_FRAMING = frozenset({"content-length", "transfer-encoding"})


class _ResetError(Exception):
    """Private to this module: the connection must be reset."""


class FaultyProxy:
    """A proxy in front of `upstream`, a store's endpoint; a context manager.

    Attributes:
        faults: In the order in which they see a request; answers pass them in reverse. May be replaced at any time.
        requests: All requests that came, without their bodies.
        ca_pem: The CA certificate that a client must trust.
    """

    def __init__(self, upstream: str, upstream_ca: str | None, *faults: Fault, plain: bool = False) -> None:
        """Prepare the proxy; it does not listen yet.

        Args:
            upstream: The store's URL.
            upstream_ca: The file with the CA certificates of the store; None for a store without TLS.
            faults: The faults.
            plain: Accept plain http on the same port.
        """
        self.faults = faults
        self.requests: list[Request] = []
        authority = trustme.CA(organization_name="faulty proxy")
        self.ca_pem = authority.cert_pem.bytes().decode("ascii")
        self._plain = plain
        self._folder = tempfile.TemporaryDirectory()
        self.ca_bundle = str(Path(self._folder.name) / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_bundle)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost").configure_cert(self._context)
        self._upstream = urlsplit(upstream).netloc
        self._upstream_context = None if upstream_ca is None else ssl.create_default_context(cafile=upstream_ca)
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._gone = threading.Event()
        self._server = _Server((HOST, 0), partial(_Connection, self))
        self.endpoint = f"https://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="faulty-proxy")

    @property
    def endpoint_plain(self) -> str:
        """The endpoint for plain http, on the same port."""
        if not self._plain:
            raise ValueError("this proxy does not accept plain http: pass plain=True")
        return self.endpoint.replace("https:", "http:", 1)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection; raise an exception that occurred in a fault."""
        self.stop()
        self._thread.join()
        for thread in self._server.threads:
            thread.join(CLOSE_SECONDS)
        self._folder.cleanup()
        if self._server.failures and error is None:
            raise self._server.failures[0]

    def stop(self) -> None:
        """Refuse new connections and close the open ones."""
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for live in self._live:
                with suppress(OSError):
                    # The plain socket's method: the TLS method would change state that the serving thread still uses.
                    socket.socket.shutdown(live, socket.SHUT_RDWR)

    def accept(self, raw: socket.socket) -> socket.socket:
        """The connection with TLS, or without TLS if that is allowed."""
        raw.settimeout(IDLE_SECONDS)
        first = raw.recv(1, socket.MSG_PEEK)
        if first == _TLS_HANDSHAKE:
            made: socket.socket = self._context.wrap_socket(raw, server_side=True)
        elif first and not self._plain:
            raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            raise _ResetError
        else:
            made = raw
        with self._lock:
            self._live.add(made)
            if not self._gone.is_set():
                return made
        self.released(made)
        made.close()
        raise _ResetError

    def released(self, connection: socket.socket) -> None:
        """Forget a closed connection."""
        with self._lock:
            self._live.discard(connection)

    def registered(self, request: Request) -> tuple[Request, list[Fault]]:
        """The request with its number, and the faults that apply to it."""
        with self._lock:
            numbered = replace(request, count=len(self.requests) + 1)
            self.requests.append(numbered)
        return numbered, [fault for fault in self.faults if fault.when(numbered)]

    def upstream(self) -> http.client.HTTPConnection:
        """A new connection to the store."""
        if self._upstream_context is None:
            return http.client.HTTPConnection(self._upstream, timeout=UPSTREAM_SECONDS)
        return http.client.HTTPSConnection(self._upstream, context=self._upstream_context, timeout=UPSTREAM_SECONDS)

    def stall(self, seconds: float) -> None:
        """Wait, but only until the proxy stops."""
        if seconds and self._gone.wait(seconds):
            raise _ResetError


def shut_endpoint() -> str:
    """An endpoint on this machine where no server listens: connections are refused."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return f"https://{HOST}:{probe.getsockname()[1]}"


class _Server(socketserver.ThreadingTCPServer):
    """Private to this module: keeps its threads and their exceptions."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: "partial[_Connection]") -> None:
        self.threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []
        # socketserver expects a class, but only calls it.
        super().__init__(address, handler)

    def process_request(self, request: object, client_address: object) -> None:
        arguments = (request, client_address)
        thread = threading.Thread(target=self.process_request_thread, args=arguments, daemon=True)
        self.threads = [*(t for t in self.threads if t.is_alive()), thread]
        thread.start()

    def shutdown_request(self, request: object) -> None:
        # Without the FIN that the original sends, which would come before a reset.
        self.close_request(request)  # type: ignore[arg-type]  # a socket, as process_request was given it

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address
        error = sys.exception()
        if error is not None:
            self.failures.append(error)


class _Connection(socketserver.BaseRequestHandler):
    """Private to this module: one client's connection, request after request."""

    def __init__(self, proxy: FaultyProxy, request: socket.socket, address: object, server: _Server) -> None:
        self._proxy = proxy
        self._upstream: http.client.HTTPConnection | None = None
        super().__init__(request, address, server)

    def handle(self) -> None:
        try:
            connection = self._proxy.accept(self.request)
        except (OSError, _ResetError):
            return
        try:
            with connection.makefile("rb") as self._in:
                self._out = connection
                while self._exchange(connection):
                    pass
        except _ResetError:
            # A socket that is closed without lingering sends a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # the client went away
        finally:
            self._proxy.released(connection)
            connection.close()
            if self._upstream is not None:
                self._upstream.close()

    def _exchange(self, connection: socket.socket) -> bool:
        """Handle one request and its answer; False at the end of the connection."""
        line = self._in.readline(65536).decode("latin-1").split()
        if len(line) != len(("method", "target", "version")):
            return False
        headers: Headers = tuple(http.client.parse_headers(self._in).items())
        path, _, query = line[1].partition("?")
        secure = isinstance(connection, ssl.SSLSocket)
        request, faults = self._proxy.registered(Request(line[0], path, query, headers, b"", 0, secure))
        if (header(headers, "expect") or "").lower() == "100-continue":
            self._out.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if any(fault.ends_service for fault in faults):
            self._proxy.stop()
            raise _ResetError
        if any(fault.resets_request for fault in faults):
            self._in.read(int(header(headers, "content-length") or 0) // 2)
            raise _ResetError
        request = replace(request, body=self._read_body(headers))
        response = self._answered(request, faults)
        self._proxy.stall(sum(fault.stall_seconds for fault in faults))
        return self._send(request, response) and (header(headers, "connection") or "").lower() != "close"

    def _read_body(self, headers: Headers) -> bytes:
        if "chunked" not in (header(headers, "transfer-encoding") or "").lower():
            return self._read(int(header(headers, "content-length") or 0))
        chunks = []
        while size := int(self._line().split(b";")[0], 16):
            chunks.append(self._read(size))
            self._line()
        while self._line().strip():
            pass  # HTTP trailers, which no S3 client sends
        return b"".join(chunks)

    def _read(self, size: int) -> bytes:
        body = self._in.read(size)
        if len(body) < size:
            raise _ResetError  # the client closed the connection
        return body

    def _line(self) -> bytes:
        line = self._in.readline()
        if not line:
            raise _ResetError  # the client closed the connection
        return line

    def _answered(self, request: Request, faults: list[Fault]) -> Response:
        for fault in faults:
            request = fault.rewrite(request)
        for fault in faults:
            response = fault.answer(request)
            if response is not None:
                break
        else:
            response = self._forwarded(request)
        for fault in reversed(faults):
            response = fault.alter(request, response)
        return response

    def _forwarded(self, request: Request) -> Response:
        upstream = self._upstream = self._upstream or self._proxy.upstream()
        try:
            upstream.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            chunked = header(request.headers, "transfer-encoding") is not None
            for name, value in request.headers:
                if name.lower() not in HOP_BY_HOP | _FRAMING:
                    upstream.putheader(name, value)
            if chunked:
                upstream.putheader("Transfer-Encoding", "chunked")
                body = b"%x\r\n%b\r\n" % (len(request.body), request.body) if request.body else b""
                body += b"0\r\n\r\n"
            else:
                body = request.body
                if body or request.method in ("PUT", "POST") or header(request.headers, "content-length") is not None:
                    upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            got = upstream.getresponse()
            content = got.read()
        except (OSError, http.client.HTTPException) as error:
            upstream.close()
            self._upstream = None
            return Response(502, (("X-Proxy-Error", type(error).__name__),))
        return Response(got.status, tuple(got.headers.items()), content)

    def _send(self, request: Request, response: Response) -> bool:
        if response.as_is:
            lines = "".join(f"{n}: {v}\r\n" for n, v in response.headers)
            head = f"{response.version} {response.status} As it is\r\n{lines}\r\n"
            self._out.sendall(head.encode("latin-1") + (b"" if request.method == "HEAD" else response.body))
            return False
        bodiless = request.method == "HEAD" or response.status in (204, 304)
        body = b"" if bodiless else response.body
        length = str(len(body))
        if request.method == "HEAD":
            length = header(response.headers, "content-length") or length
        kept = [(n, v) for n, v in response.headers if n.lower() not in HOP_BY_HOP | _FRAMING]
        if response.status not in (204, 304):
            kept.append(("Content-Length", length))
        reason = http.client.responses.get(response.status, "Unknown")
        head = f"HTTP/1.1 {response.status} {reason}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in kept) + "\r\n"
        if response.ending is Ending.WELL:
            self._out.sendall(head.encode("latin-1") + body)
            return True
        if body:
            self._out.sendall(head.encode("latin-1") + body[: len(body) // 2])
        if response.ending is Ending.RESET:
            raise _ResetError
        return False
