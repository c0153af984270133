"""ClickHouse's HTTP interface over the engine.

The rule: an error has its own HTTP status as long as nothing of the answer is sent; the server holds the first MiB back
for that. After it the status stays 200, and the answer's end has the form that `failures` names.
"""

import json
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.clickhouse.ahead import made_ahead
from sandbox.clickhouse.conditions import Armed, Fault, Profile
from sandbox.clickhouse.engine import Engine
from sandbox.clickhouse.failures import TAG, Form, QueryError
from sandbox.clickhouse.query import Query, credentials_of, query_of
from sandbox.clickhouse.wire import Body, EndedEarly

_HELD_BYTES = 1 << 20
_OK = b"Ok.\n"
_TYPES = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}


class ClickHouseServer(ThreadingHTTPServer):
    """The server: an engine, one account, and what a test has ordered."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, engine: Engine, user: str, password: str) -> None:
        """Listen on this machine only, on a port; 0 for a free one."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.engine = engine
        self.account = (user, password)
        self.time_zone = engine.time_zone()
        self.profile = Profile()
        self.armed = Armed()


class _Handler(BaseHTTPRequestHandler):
    server: ClickHouseServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path == "/ping" or (path.path == "/" and not path.query):
            self._say(200, {"Content-Type": "text/html; charset=UTF-8"}, _OK)
        else:
            self._query()

    def do_POST(self) -> None:
        self._query()

    def do_PUT(self) -> None:
        """What a test orders; a real server has nothing at these paths."""
        held = json.loads(self._body())
        if self.path == "/profile":
            self.server.profile = Profile(held["settings"], tuple(held["fixed"]))
        else:
            names = [field.name for field in fields(Fault)]
            self.server.armed = Armed(Fault(**{name: held[name] for name in names}))
        self._say(200, {}, _OK)

    def _query(self) -> None:
        url = urlsplit(self.path)
        given = parse_qsl(url.query, keep_blank_values=True, errors="surrogateescape")
        query = query_of(self.command, given, self._body())
        fault = self.server.armed.of(query.sql.decode(errors="replace"))
        time.sleep(fault.wait_seconds)
        if fault.status is not None:
            self._say(fault.status, {}, b"upstream connect error\n")
            return
        if url.path != "/":
            self._say(404, {}, f"There is no handle {url.path}\n".encode())
            return
        try:
            user, password = credentials_of(self.headers, given)  # type: ignore[arg-type]  # a Message is a mapping
            if (user, password) != self.server.account or fault.refuses_password:
                raise QueryError.of(
                    516,
                    "AUTHENTICATION_FAILED",
                    f"{user}: Authentication failed: password is incorrect, or there is no user with such name.",
                )
            pieces: Iterator[bytes] = made_ahead(self.server.engine.answer(query, self.server.profile))
            if fault.error_after_rows is not None:
                pieces = _failing(pieces, fault.error_after_rows)
            self._stream(query, fault, pieces)
        except QueryError as failure:
            headers = {
                "Content-Type": "text/plain; charset=UTF-8",
                "X-ClickHouse-Exception-Code": str(failure.code),
                **self._own(query),
            }
            self._say(failure.status, headers, f"{failure.text}\n".encode())
        except (EndedEarly, ConnectionError):
            self.close_connection = True

    def _stream(self, query: Query, fault: Fault, pieces: Iterator[bytes]) -> None:
        held, size = [], 0
        most = float("inf") if query.waits else _HELD_BYTES if fault.error_after_rows is None else 0
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= most:
                break
        settings = {"http_zlib_compression_level": "3", **self.server.profile.settings, **query.settings}
        is_zipped = settings.get("enable_http_compression") == "1" and "gzip" in self.headers.get("Accept-Encoding", "")
        form: Form = fault.form or ("row" if _has_rows(query.form, settings) else "marked")
        headers = {
            "Content-Type": _TYPES.get(query.form, "text/plain; charset=UTF-8"),
            "Transfer-Encoding": "chunked",
            "X-ClickHouse-Format": query.form,
            **self._own(query),
            **({"Content-Encoding": "gzip"} if is_zipped else {}),
            **({"X-ClickHouse-Exception-Tag": TAG} if form == "tagged" else {}),
        }
        self._head(200, headers)
        body = Body(
            self.wfile,
            self.connection,
            gzip_level=int(settings["http_zlib_compression_level"]) if is_zipped else None,
            end_after=fault.end_after_bytes,
            ending=fault.ending,
        )
        try:
            for piece in held:
                body.write(piece)
            for piece in pieces:
                body.write(piece)
        except QueryError as failure:
            is_cut = form in ("marked", "tagged")
            body.write(failure.written(form))
            body.close(is_whole=not is_cut)
            self.close_connection = is_cut
        else:
            body.close()
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator: a query that is given up is cancelled

    def _own(self, query: Query) -> dict[str, str]:
        counted = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read", "result_rows")
        return {
            "X-ClickHouse-Server-Display-Name": "sandbox",
            "X-ClickHouse-Query-Id": query.query_id or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": self.server.time_zone,
            "X-ClickHouse-Summary": json.dumps(dict.fromkeys(counted, "0")),  # what is known at the first byte
        }

    def _body(self) -> bytes:
        """The request's whole body: a test's INSERT has few MB."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            held = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                held.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(held)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("Content-Encoding") == "gzip":
            return zlib.decompress(body, 16 + zlib.MAX_WBITS)
        return body

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._head(status, {"Content-Length": str(len(body)), **headers})
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - what the base class gives
        """Say nothing: a query may hold what a test has planted."""


def _has_rows(form: str, settings: dict[str, str]) -> bool:
    """Whether an error in the middle becomes a row of the answer."""
    return form.startswith("JSON") and settings.get("http_write_exception_in_output_format", "1") != "0"


def _failing(pieces: Iterator[bytes], after: int) -> Iterator[bytes]:
    """An answer that fails after a number of lines."""
    left = after
    for piece in pieces:
        lines = piece.splitlines(keepends=True)
        yield b"".join(lines[:left])
        left -= len(lines)
        if left <= 0:
            break
    raise QueryError.of(
        241, "MEMORY_LIMIT_EXCEEDED", "Memory limit (total) exceeded: would use 3.61 GiB, maximum: 3.60 GiB."
    )
