"""A server, or a proxy before it, whose answers are whole and are not what was asked for."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from sandbox.otel_events import three_days
from tests.workloads.otel.conftest import FIRST, days
from workloads.otel import slice_export
from workloads.otel.export import ExportOptions
from workloads.otel.export import run as export

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workloads.otel.conftest import Exporter

LAST = days()[-1]


@contextmanager
def proxied(exporter: Exporter, matching: bytes, answer: bytes) -> Iterator[None]:
    """Put a proxy before the server that answers by itself what contains a text."""
    server = urlsplit(exporter.server.endpoint)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            status, answered = 200, answer
            if matching not in body:
                asked = http.client.HTTPConnection(server.netloc)
                asked.request("POST", self.path, body, {"Authorization": self.headers["Authorization"]})
                response = asked.getresponse()
                status, answered = response.status, response.read()
                asked.close()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answered)))
            self.end_headers()
            self.wfile.write(answered)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        direct = exporter.server
        exporter.server = replace(direct, port=proxy.server_port)
        try:
            yield
        finally:
            exporter.server = direct
            proxy.shutdown()


LIES = {
    "columns": (b"system.columns", b'{"data":[["id"]],"rows":1}'),
    "tables": (b"system.tables", b'{"data":[[]],"rows":1}'),
    "days": (b"AS day", b'{"data":[["x",1]],"rows":1}'),
    "far days": (b"AS day", b'{"data":[["99999999999",1]],"rows":1}'),
    "short": (b"AS bucket", b'{"data":[[1,2]],"rows":1}'),
    "bucket": (b"AS bucket", b'{"data":[[256,1,"1","0","0"]],"rows":1}'),
    "count": (b"AS bucket", b'{"data":[[1,"many","1","0","0"]],"rows":1}'),
    "null": (b"AS bucket", b'{"data":[[null,null,null,null,null]],"rows":1}'),
    "no row": (b"SELECT count() FROM", b'{"data":[],"rows":0}'),
    "another form": (b"AS bucket", b'{"data":{"a":1},"rows":1}'),
    "deep": (b"AS bucket", b"[" * 200_000 + b"]" * 200_000),
    "packed": (b"AS bucket", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
}


@pytest.mark.parametrize("lie", LIES)
def test_answer_that_was_not_asked_for(
    exporter: Exporter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """Nothing is committed, the status says so, and the server is named."""
    monkeypatch.setattr(slice_export, "_WAITS", (0.0, 0.0, 0.0))
    exporter.insert(three_days(FIRST, rows=5))

    with proxied(exporter, *LIES[lie]):
        assert export(ExportOptions(exporter.config(), last=str(LAST))) in (1, 2)
        assert "http://127.0.0.1:" in "".join(capsys.readouterr())
        assert exporter.gaps(last=str(LAST)) in (1, 2)

    assert exporter.commits() == []
