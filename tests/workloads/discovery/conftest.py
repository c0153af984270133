"""A machine that archives discoveries, a web of made-up names, and moto's buckets as its store."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.workloads.discovery.ending import AT
from tests.workloads.discovery.web import Web, serving
from workloads.discovery.put import PutOptions, run
from workloads.discovery.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.workloads.conftest import World

HOST = "page.test"

_SEEN: list[tuple[str, object]] = []
_IS_WATCHED = [False]


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _IS_WATCHED[0] and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _SEEN.append((event, arguments[1] if event != "socket.getaddrinfo" else arguments[0]))


sys.addaudithook(_watch)  # Python has no way to take it off


@pytest.fixture(name="watched")
def _watched() -> Iterator[list[tuple[str, object]]]:
    """Every address that this process connects to, and every name that it asks for."""
    _SEEN.clear()
    _IS_WATCHED[0] = True
    yield _SEEN
    _IS_WATCHED[0] = False


@dataclass
class Finder:
    """A machine that archives discoveries.

    Attributes:
        world: The machine and its bucket.
        web: The server of `page.test`.
        names: The addresses of each made-up name.
        allowed: The addresses with their ports that may be reached although they are not public.
        more: Further keys of `discovery` in the configuration.
        printed: What the last run printed.
        asked: The names that were asked for.
    """

    world: World
    web: Web
    capsys: pytest.CaptureFixture[str]
    names: dict[str, list[str]] = field(default_factory=dict)
    allowed: set[tuple[str, int]] = field(default_factory=set)
    more: dict[str, object] = field(default_factory=dict)
    printed: dict[str, Any] = field(default_factory=dict)
    errors: str = ""
    asked: list[str] = field(default_factory=list)

    def config(self) -> Path:
        """Write the configuration."""
        self.world.variables = {"S3_BUCKETS": json.dumps({"discovery-raw": self.world.bucket})}
        self.world.more = {"discovery": {"max_seconds": 20, **self.more}}
        return self.world.write()

    def resolve(self, host: str, _: int) -> list[str]:
        """The addresses of a made-up name."""
        self.asked.append(host)
        if host not in self.names:
            raise OSError(-2, "Name or service not known")
        return self.names[host]

    def reach(self, **more: Any) -> Reach:  # noqa: ANN401 - of Reach
        """What this machine may reach."""
        return Reach(**{"resolve": self.resolve, "allowed": frozenset(self.allowed), **more})

    def url(self, path: str, host: str = HOST) -> str:
        """An address of the server."""
        return f"http://{host}:{self.web.port}{path}"

    def put(self, path: str, at: str = AT, stage: Callable[[str], None] | None = None, **more: Any) -> int:  # noqa: ANN401 - of Reach
        """Run `discovery put --json` for a path of the server, or a whole address."""
        url = path if "://" in path else self.url(path)
        self.capsys.readouterr()
        status = run(
            PutOptions(self.config(), quiet=True, as_json=True, url=url, at=at), reach=self.reach(**more), stage=stage
        )
        out, self.errors = self.capsys.readouterr()
        self.printed = json.loads(out) if out else {}
        return status

    def failed(self, path: str, **more: Any) -> str:  # noqa: ANN401 - likewise
        """Run it for what cannot be captured; the reason. Nothing that a reader takes for whole is left."""
        assert self.put(path, **more) == 1, (self.printed, self.errors)
        assert self.printed["status"] == "failed"
        assert "event" not in self.printed
        assert not self.world.keys(".meta.json")
        assert self.record()["reason"] == self.printed["reason"]
        return str(self.printed["reason"])

    def body(self, ref: str) -> bytes:
        """The bytes to which a printed reference leads."""
        one = self.printed[ref]
        with self.world.store() as store:
            return store.download(one["bucket"], one["key"], etag=one["etag"])

    def record(self) -> dict[str, Any]:
        """The record of the last run."""
        found: dict[str, Any] = json.loads(self.body("metaRef"))
        return found


@pytest.fixture(name="web")
def _web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture(name="finder")
def _finder(world: World, web: Web, capsys: pytest.CaptureFixture[str]) -> Finder:
    """A machine on which `page.test` is the server, which may be reached."""
    return Finder(world, web, capsys, {HOST: [web.host]}, {(web.host, web.port)})
