"""A stub of Typesense that gives a collection's documents as `/documents/export` does, with its known faults.

The rule: the documents are exported in a fixed order, one JSON object a line, and the last line has no end, as with
Typesense. Left out: search, every write, and filters other than ranges of a number.
"""

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Document = Mapping[str, Any]
_PIECE_LINES = 500
_RANGE = re.compile(r"(\w+):=?\[(-?\d+)\.\.(-?\d+)\]")
_BOUND = re.compile(r"(\w+):(>=|<=|=|>|<)(-?\d+)")
_COMPARED: Mapping[str, Callable[[int, int], bool]] = {
    ">=": int.__ge__,
    "<=": int.__le__,
    "=": int.__eq__,
    ">": int.__gt__,
    "<": int.__lt__,
}


@dataclass(frozen=True)
class ExportFault:
    """What goes wrong with each export, at status 200 and with a whole end.

    Attributes:
        ends_after: It ends after that many lines; None for all (https://github.com/typesense/typesense/issues/830).
        tears: It ends in the middle of its last line.
        empty_line: A line's end and an empty line follow the last line.
        counts: What the collection says in turn of the number of its documents; the last for good, none for the truth.
    """

    ends_after: int | None = None
    tears: bool = False
    empty_line: bool = False
    counts: tuple[int, ...] = ()


class RunningTypesense:
    """A server with collections; a test changes `fault` and `collections` as it goes on.

    Attributes:
        endpoint: Its URL, without a slash at the end.
        key: The API key.
        collections: The documents of each, by name.
        fault: What goes wrong.
        filters: The `filter_by` of each export so far.
    """

    def __init__(self, endpoint: str, collections: dict[str, Sequence[Document]]) -> None:
        """With a new key."""
        self.endpoint = endpoint
        self.key = secrets.token_urlsafe(18)
        self.collections = collections
        self.fault = ExportFault()
        self.filters: list[str] = []
        self._counted = 0

    def order(self, fault: ExportFault) -> None:
        """Let a fault come, in place of what was ordered before."""
        self.fault, self._counted = fault, 0

    def count(self, name: str) -> int:
        """What a collection says of the number of its documents."""
        counts = self.fault.counts
        self._counted += 1
        return counts[min(self._counted, len(counts)) - 1] if counts else len(self.collections[name])

    def exported(self, name: str, filter_by: str) -> Iterator[bytes]:
        """An export in pieces, with its fault.

        Raises:
            ValueError: The filter is none that is known here.
        """
        self.filters.append(filter_by)
        accepts = _filter(filter_by)
        lines = [_line(document) for document in self.collections[name] if accepts(document)][: self.fault.ends_after]
        if lines and self.fault.tears:
            lines[-1] = lines[-1][: len(lines[-1]) // 2]
        return _pieces(lines, b"\n\n" if self.fault.empty_line else b"")


@contextmanager
def running_typesense(**collections: Sequence[Document]) -> Iterator[RunningTypesense]:
    """A server on a free port of this machine, with collections by name."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.held = RunningTypesense(f"http://127.0.0.1:{server.server_port}", dict(collections))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.held
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # a thread that is left at the end would hold its connection
    held: RunningTypesense


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        self.close_connection = True
        held, url = self.server.held, urlsplit(self.path)
        found = re.fullmatch(r"/collections/([^/]+)(/documents/export)?", url.path)
        name = unquote(found[1]) if found else ""
        if self.headers.get("X-TYPESENSE-API-KEY") != held.key:
            self._say(401, {"message": "Forbidden - a valid `x-typesense-api-key` header must be sent."})
        elif found is None or name not in held.collections:
            self._say(404, {"message": "Not Found"})
        elif found[2] is None:
            self._say(200, {"name": name, "num_documents": held.count(name), "default_sorting_field": "timestamp"})
        else:
            self._export(name, parse_qs(url.query).get("filter_by", [""])[0])

    def _export(self, name: str, filter_by: str) -> None:
        try:
            pieces = self.server.held.exported(name, filter_by)
        except ValueError:
            self._say(400, {"message": "Could not parse the filter query."})
            return
        self._head(200, {"Content-Type": "text/plain; charset=utf-8", "Transfer-Encoding": "chunked"})
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, answer: Mapping[str, object]) -> None:
        body = json.dumps(answer).encode()
        self._head(status, {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - what the base class gives
        """Say nothing."""


def _line(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")


def _pieces(lines: Sequence[bytes], end: bytes) -> Iterator[bytes]:
    for first in range(0, len(lines), _PIECE_LINES):
        yield (b"\n" if first else b"") + b"\n".join(lines[first : first + _PIECE_LINES])
    if end:
        yield end


def _filter(text: str) -> Callable[[Document], bool]:
    bounds: list[tuple[str, str, int]] = []
    for part in filter(None, (part.strip() for part in text.split("&&"))):
        if both := _RANGE.fullmatch(part):
            bounds += [(both[1], ">=", int(both[2])), (both[1], "<=", int(both[3]))]
        elif one := _BOUND.fullmatch(part):
            bounds.append((one[1], one[2], int(one[3])))
        else:
            raise ValueError(f"not a range: {part}")
    return lambda document: all(_COMPARED[sign](document[name], bound) for name, sign, bound in bounds)
