"""A running ClickHouse, from the side of a test or a benchmark: start it, ask it, order faults, stop it.

The rule: the engine is in another process, which ends with the block that started it.
"""

import http.client
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from subprocess import Popen
from urllib.parse import urlencode

from sandbox.child import kill_group, process_group
from sandbox.clickhouse.conditions import Fault, Profile

_ROOT = Path(__file__).parents[2]
_PATIENCE_SECONDS = 120.0


class NoAnswerError(Exception):
    """The server does not start; the message has the end of its log."""


class RefusedError(Exception):
    """A query failed; the message is the server's. `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        """Of an answer."""
        super().__init__(text)
        self.status = status


def is_installed() -> bool:
    """Whether this Python has the engine: it has no wheel for musl."""
    return find_spec("chdb") is not None


@dataclass
class RunningClickHouse:
    """A server and its one account.

    Attributes:
        folder: Where its data and log are.
        port: Where it listens, on 127.0.0.1; the same after a restart.
        user: The account.
        password: Its password.
        time_zone: The server's time zone.
    """

    folder: Path
    user: str
    password: str = field(repr=False)
    time_zone: str = "UTC"
    port: int = 0
    _process: Popen[str] | None = None
    _held: ExitStack = field(default_factory=ExitStack)

    @property
    def endpoint(self) -> str:
        """Its URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int:
        """Of the server, for measurements; 0 if it does not run."""
        return self._process.pid if self._process is not None else 0

    def ask(self, sql: str, body: bytes = b"", /, **settings: str | int) -> bytes:
        """The whole answer to a query.

        Args:
            sql: Its text.
            body: The rows of an INSERT.
            settings: Parameters of the URL: settings, `database`, `param_…`.

        Raises:
            RefusedError: The server says an error; OSError or HTTPException if it does not answer.
        """
        target = f"/?{urlencode({'query': sql, **settings})}" if body or settings else "/"
        status, answer = self._request("POST", target, body or (b"" if settings else sql.encode()))
        if status != http.client.OK:
            raise RefusedError(status, answer.decode(errors="replace"))
        return answer

    def order(self, fault: Fault | None = None, profile: Profile | None = None) -> None:
        """Order a fault and a profile in place of what was ordered before; without either, none."""
        self._request("PUT", "/fault", json.dumps(asdict(fault or Fault())).encode())
        self._request("PUT", "/profile", json.dumps(asdict(profile or Profile())).encode())

    def start(self) -> None:
        """Start it, on the port that it had before.

        Raises:
            NoAnswerError: It ended, or does not answer in time.
        """
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            command = [sys.executable, "-m", "sandbox.clickhouse.serve", str(self.folder)]
            environ = {**os.environ, "TZ": self.time_zone}
            self._process = self._held.enter_context(process_group(command, environ=environ, cwd=_ROOT, stdout=log))
        self.wait()

    def wait(self) -> None:
        """Wait until it answers: after its start, or while it starts itself afresh.

        Raises:
            NoAnswerError: It ended, or does not answer in time.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        place = self.folder / "port"
        while True:
            held = place.read_text(encoding="utf-8") if place.exists() else ""
            if held:
                self.port = int(held)
                try:
                    self._request("GET", "/ping", b"")
                except (OSError, http.client.HTTPException):
                    pass
                else:
                    return
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
                raise NoAnswerError(f"ClickHouse of the sandbox does not answer; its log ends with: {log[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it, as a crash would; `start` brings it back with its data."""
        if self._process is not None:
            kill_group(self._process)
            self._process.wait()
        self._held.close()
        self._process = None

    def _request(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        headers: Mapping[str, str] = {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password}
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def running_clickhouse(folder: Path, *, time_zone: str = "UTC") -> Iterator[RunningClickHouse]:
    """A server on a new folder, or with the data of one that it had before.

    Raises:
        NoAnswerError: It does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    account = {"user": "otel", "password": secrets.token_urlsafe(18)}
    kept = folder / "account.json"
    kept.touch(0o600)
    kept.write_text(json.dumps(account), encoding="utf-8")
    server = RunningClickHouse(folder, account["user"], account["password"], time_zone)
    try:
        server.start()
        yield server
    finally:
        server.stop()
