"""Event days on the two deployed stacks, with the delivered key of `otel-exporter` and nothing wider."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from model.exit_codes import ExitCode
from sandbox.clickhouse.running import RunningClickHouse, is_installed, running_clickhouse
from sandbox.clickhouse.tables import CREATE_DATABASE, TABLE, create_table
from sandbox.otel_events import digest_sql, insert, late, newest, storm_sql, three_days
from tests.e2e.conftest import delivered
from tests.sizes import sized
from workloads.archive import clock
from workloads.context import OTEL, Options
from workloads.otel import gaps, query, restoring
from workloads.otel.export import ExportOptions, run
from workloads.receipts import run as receipts
from workloads.scrubbing import ScrubOptions
from workloads.scrubbing import run as scrub
from workloads.window import reconcile, status
from workloads.window.nas import MARKER

if TYPE_CHECKING:
    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e

FIRST = date(2026, 10, 31)
STORM = FIRST + timedelta(days=3)
NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    if not is_installed():
        pytest.skip("chdb-core-lite has no wheel for this Python")
    with running_clickhouse(tmp_path_factory.mktemp("clickhouse")) as server:
        server.ask(CREATE_DATABASE)
        yield server


@pytest.fixture(name="delivered_key")
def _delivered_key(checkout: "Checkout", stack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with delivered(checkout, stack, "otel-exporter", "otel-archive", tmp_path, monkeypatch):
        yield


@pytest.mark.usefixtures("delivered_key")
def test_event_days_come_back(
    stack: str,
    server: RunningClickHouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three days and a storm, on AWS as a plain MergeTree; a late part; restored row by row, to a table, and asked.

    All the while the window is open: each part is on the NAS, too.
    """
    monkeypatch.setattr(clock, "now_utc", lambda: NOW)
    monkeypatch.setenv("CLICKHOUSE_URL", server.endpoint)
    monkeypatch.setenv("CLICKHOUSE_USER", server.user)
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", server.password)
    for table in (TABLE, "joelclaw.back"):
        server.ask(f"DROP TABLE IF EXISTS {table}")
    server.ask(create_table(is_replacing=stack == "local"))
    events = three_days(FIRST, rows=sized(200, 2000))
    insert(server, TABLE, events)
    storm = sized(200_000, 5_000_000)
    for sql in storm_sql(TABLE, STORM, storm):
        server.ask(sql)
    nas = tmp_path / "nas"
    nas.mkdir()
    (nas / MARKER).touch()
    config = tmp_path / "workloads.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "machine": "box",
                "state": str(tmp_path / "state"),
                "receipts": str(tmp_path / "receipts"),
                "otel": {"slice_rows": sized(60_000, 1_000_000), "outbox": str(tmp_path / "outbox")},
                "window": {"otel": {"nas": str(nas), "since": "2026-11-01", "reason": "both"}},
            }
        )
    )
    options = ExportOptions(config, quiet=True, as_json=True, last=str(STORM))

    assert run(options) == ExitCode.DONE
    drained = late(FIRST, datetime(2026, 11, 1, tzinfo=UTC), 10)
    insert(server, TABLE, drained)
    assert gaps.run(options) == ExitCode.WRONG
    assert run(options) == ExitCode.DONE
    assert gaps.run(options) == ExitCode.DONE
    assert scrub(ScrubOptions(config, quiet=True), OTEL) == ExitCode.DONE
    assert receipts(Options(config, quiet=True), OTEL, 30) == ExitCode.DONE
    lost = min(nas.rglob("*.ndjson.gz"))
    held = lost.read_bytes()
    lost.unlink()
    assert status.run(Options(config, quiet=True), OTEL) == ExitCode.WRONG
    assert reconcile.run(Options(config, quiet=True), OTEL) == ExitCode.DONE
    assert status.run(Options(config, quiet=True), OTEL) == ExitCode.DONE
    assert lost.read_bytes() == held

    last = str(STORM - timedelta(days=1))
    back = tmp_path / "back"
    assert (
        restoring.run(restoring.RestoreOptions(config, quiet=True, first=str(FIRST), last=last, to=back))
        == ExitCode.DONE
    )
    lines = [json.loads(line.decode("utf-8", "surrogateescape")) for line in back.read_bytes().splitlines()]
    assert {row["id"]: row for row in lines} == {
        name: dict(row) for name, row in newest((events + drained).rows).items()
    }
    day = str(STORM)
    assert (
        restoring.run(restoring.RestoreOptions(config, quiet=True, first=day, last=day, table="back")) == ExitCode.DONE
    )
    names = server.ask("SELECT name FROM system.columns WHERE table = 'back' FORMAT TSV").decode().split()
    assert server.ask(digest_sql("joelclaw.back", STORM, columns=names)) == server.ask(
        digest_sql(TABLE, STORM, columns=names)
    )
    capsys.readouterr()
    sql = "SELECT count() AS n FROM otel_events"
    asked = query.QueryOptions(config, quiet=True, first=day, last=day, sql=sql, form="json")
    assert query.run(asked) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == {"n": storm}
