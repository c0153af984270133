"""A machine that exports from a ClickHouse with the owner's table, and moto's buckets as its store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.clickhouse.running import RunningClickHouse, is_installed, running_clickhouse
from sandbox.clickhouse.tables import CREATE_DATABASE, TABLE, create_table
from sandbox.otel_events import Events, insert
from workloads.archive import clock
from workloads.context import Options
from workloads.otel.export import ExportOptions
from workloads.otel.export import run as export
from workloads.otel.gaps import run as gaps
from workloads.otel.query import QueryOptions
from workloads.otel.query import run as query
from workloads.otel.restoring import RestoreOptions
from workloads.otel.restoring import run as restore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.workloads.conftest import World

FIRST = date(2026, 10, 31)
"""Of the three days; America/Los_Angeles sets its clocks back on the second one."""
NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)


@pytest.fixture(scope="session", name="started")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    if not is_installed():
        pytest.skip("chdb-core-lite has no wheel for this Python")
    with running_clickhouse(tmp_path_factory.mktemp("clickhouse"), time_zone="America/Los_Angeles") as server:
        server.ask(CREATE_DATABASE)
        yield server


@dataclass
class Exporter:
    """A machine that exports, and its table.

    Attributes:
        world: The machine and its bucket.
        server: The server.
        more: Further keys of `otel` in the configuration.
    """

    world: World
    server: RunningClickHouse
    more: dict[str, object] = field(default_factory=dict)

    def config(self) -> Path:
        """Write the configuration."""
        password = self.world.folder / "clickhouse.password"
        self.world.folder.mkdir(parents=True, exist_ok=True)
        password.write_text(self.server.password)
        outbox = str(self.world.home / "outbox")
        where = {"url": self.server.endpoint, "user": self.server.user, "password_file": str(password)}
        self.world.variables = {"S3_BUCKETS": json.dumps({"otel-archive": self.world.bucket})}
        self.world.more |= {"otel": {"outbox": outbox, **where, **self.more}}
        return self.world.write()

    def create(self, **more: Any) -> None:  # noqa: ANN401 - of create_table
        """Make the table, empty."""
        self.server.ask(f"DROP TABLE IF EXISTS {TABLE}")
        self.server.ask(create_table(**more))

    def insert(self, events: Events, table: str = TABLE) -> None:
        """Insert rows."""
        insert(self.server, table, events)

    def export(self, first: str = "", last: str = "", stage: Callable[[str], None] | None = None) -> int:
        """Run `otel export`."""
        return export(ExportOptions(self.config(), quiet=True, first=first, last=last), stage=stage)

    def gaps(self, first: str = "", last: str = "") -> int:
        """Run `otel gaps --json`."""
        return gaps(ExportOptions(self.config(), quiet=True, as_json=True, first=first, last=last))

    def restored(self, path: Path, first: date, last: date) -> tuple[int, dict[str, Mapping[str, Any]]]:
        """Run `otel restore` to a file: the status, and the rows by id."""
        path.unlink(missing_ok=True)
        options = RestoreOptions(self.config(), quiet=True, first=str(first), last=str(last), to=path)
        status = restore(options)
        found: dict[str, Mapping[str, Any]] = {}
        for line in path.read_bytes().splitlines() if status != 2 else ():
            row = json.loads(line.decode("utf-8", "surrogateescape"))
            assert row["id"] not in found
            found[row["id"]] = row
        return status, found

    def query(self, sql: str, first: date | str, last: date | str) -> int:
        """Run `otel query --json`."""
        return query(QueryOptions(self.config(), quiet=True, first=str(first), last=str(last), sql=sql, form="json"))

    def commits(self) -> list[dict[str, Any]]:
        """The commits in the store, in the order of their keys."""
        client, bucket = self.world.client, self.world.bucket
        keys = [key for key in self.world.keys(".json") if "/commit-" in key]
        return [json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in sorted(keys)]

    def options(self) -> Options:
        """The options that all commands share."""
        return Options(self.config(), quiet=True)


@pytest.fixture(name="exporter")
def _exporter(world: World, started: RunningClickHouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exporter]:
    """A machine whose clock stands a week after the three days."""
    monkeypatch.setattr(clock, "now_utc", lambda: NOW)
    for name in ("CLICKHOUSE_URL", "CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    exporter = Exporter(world, started)
    exporter.create()
    yield exporter
    started.order()


def days() -> list[date]:
    """The three days."""
    return [FIRST + timedelta(days=number) for number in range(3)]
