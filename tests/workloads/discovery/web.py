"""A web server that answers as it is told, byte for byte, and records what it is asked; and a git server behind it."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers by the route of the path."""

    server: Web

    def do_GET(self) -> None:
        """Answer."""
        self.close_connection = True
        self.server.asked.append(self.path)
        self.server.heads.append(dict(self.headers))
        route = self.server.route(self.path)
        if isinstance(route, bytes):
            self.wfile.write(route)
        else:
            route(self)

    do_POST = do_GET  # noqa: N815 - its own name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""

    def drip(self, piece: bytes, seconds: float, times: int = 10**9) -> None:
        """Send a piece again and again."""
        for _ in range(times):
            self.wfile.write(piece)
            self.wfile.flush()
            if self.server.over.wait(seconds):
                return


class Web(ThreadingHTTPServer):
    """The server.

    Attributes:
        routes: By path, the whole answer, or what gives it.
        asked: The targets that were asked for.
        heads: The headers of each request.
        over: Set when the server ends.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        """Listen on a free port."""
        super().__init__((host, 0), Handler)
        self.routes: dict[str, bytes | Callable[[Handler], None]] = {}
        self.asked: list[str] = []
        self.heads: list[dict[str, str]] = []
        self.over = threading.Event()
        self.host, self.port = host, self.server_address[1]
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def route(self, path: str) -> bytes | Callable[[Handler], None]:
        """What answers a path: its own route, or that of the longest folder."""
        bare = path.partition("?")[0]
        while bare not in self.routes and bare:
            bare = bare.rpartition("/")[0]
        return self.routes.get(bare, answer(b"nothing here", "404 Not Found"))

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error."""


def answer(body: bytes, status: str = "200 OK", kind: str = "text/html", **headers: str) -> bytes:
    """A whole answer with its length."""
    lines = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


def leading(location: str, status: str = "302 Found") -> bytes:
    """An answer that leads to another address."""
    return answer(b"", status, Location=location)


@contextmanager
def serving(host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> Iterator[Web]:
    """A server as long as the block lasts."""
    web = Web(host, context)
    thread = threading.Thread(target=lambda: web.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.over.set()
        web.shutdown()
        web.server_close()
        thread.join()


def git_server(folder: Path, stalls_after: int = 10**9) -> Callable[[Handler], None]:
    """Answers as `git http-backend` does for the repositories of a folder; a larger answer never ends."""

    def answer_git(handler: Handler) -> None:
        path, _, query = handler.path.partition("?")
        length = int(handler.headers.get("Content-Length", 0))
        environ: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],  # noqa: S607 - as in PATH
            env=environ, input=handler.rfile.read(length), capture_output=True, check=True,
        )  # fmt: skip
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
        status = lines.pop("Status", "200 OK")
        kind = lines.pop("Content-Type", "text/plain")
        if len(body) <= stalls_after:
            handler.wfile.write(answer(body, status, kind))
        else:
            handler.wfile.write(answer(body, status, kind)[:-1000])
            handler.server.over.wait(20)

    return answer_git


def make_repository(folder: Path, files: Mapping[str, str], *words: tuple[str, ...]) -> str:
    """A bare repository with one commit of some files, and what the commands in `words` do; the commit."""
    work = folder.with_suffix(".work")
    work.mkdir(parents=True)
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text, encoding="utf-8")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "n"), ("EMAIL", "e@example.org"), ("DATE", "2026-11-01T00:00:00Z"))
        },
    }

    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - arguments of ours
            ["git", *arguments],  # noqa: S607 - as in PATH
            cwd=work, env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    for each in words:
        git(*each)
    if files:
        git("commit", "--quiet", "--message=first")
    git("clone", "--quiet", "--bare", ".", str(folder))
    return git("rev-parse", "HEAD") if files else ""
