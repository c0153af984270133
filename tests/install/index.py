"""A package index on this machine, in which every package of a lock has a newer release than the lock.

The rule: the newer release can be installed like any other, so every resolution finds it or fails.

Source: the simple API, https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEWER = "9999.0"


def normalized(name: str) -> str:
    """A distribution's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def newer_wheel(name: str) -> tuple[str, bytes]:
    """File name and content of the newer release."""
    plain = normalized(name).replace("-", "_")
    folder = f"{plain}-{NEWER}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {NEWER}\n"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr(f"{folder}/METADATA", metadata)
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", "")
    return f"{plain}-{NEWER}-py3-none-any.whl", content.getvalue()


@contextmanager
def index_of(wheels: Path) -> Iterator[str]:
    """Serve a folder of wheels, each package with a newer release; yield the index's address."""
    files: dict[str, bytes | Path] = {}
    packages: dict[str, list[str]] = {}
    for path in sorted(wheels.glob("*.whl")):
        name = normalized(path.name.split("-")[0])
        newer, content = newer_wheel(name)
        files |= {path.name: path, newer: content}
        packages.setdefault(name, [newer]).append(path.name)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            if kind == "simple" and name in packages:
                links = (f'<a href="/files/{file}#sha256={digest(files[file])}">{file}</a>' for file in packages[name])
                self._answer(200, "text/html", "".join(links).encode())
            elif kind == "files" and name in files:
                self._answer(200, "application/octet-stream", content_of(files[name]))
            else:
                self._answer(404, "text/plain", b"no such package")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def content_of(file: bytes | Path) -> bytes:
    """The content of a file."""
    return file if isinstance(file, bytes) else file.read_bytes()


def digest(file: bytes | Path) -> str:
    """Its SHA-256."""
    return hashlib.sha256(content_of(file)).hexdigest()
