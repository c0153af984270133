"""A day in the store is read by other programs, as docs/otel.md says."""

from __future__ import annotations

import gzip
import json
import subprocess
import zlib
from typing import TYPE_CHECKING

import duckdb
import pytest

from sandbox.otel_events import three_days
from tests.workloads.conftest import KEY, SECRET
from tests.workloads.otel.conftest import FIRST

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.otel.conftest import Exporter


@pytest.fixture(name="day")
def _day(exporter: Exporter, tmp_path: Path) -> tuple[Exporter, Path, int]:
    """A day in several parts, as files, and how many events it has."""
    exporter.more = {"slice_rows": 50}
    events = three_days(FIRST, rows=60)
    exporter.insert(events)
    assert exporter.export(last=str(FIRST)) == 0
    folder = tmp_path / "day"
    folder.mkdir()
    for key in exporter.world.keys(".ndjson.gz"):
        exporter.world.client.download_file(exporter.world.bucket, key, str(folder / key.rpartition("/")[2]))
    return exporter, folder, len(events.of_day(str(FIRST)))


def test_zcat(day: tuple[Exporter, Path, int]) -> None:
    """Each part is one gzip of one member, and each line an event.

    https://github.com/nodejs/node/issues/64741
    """
    _, folder, count = day
    parts = sorted(folder.iterdir())
    assert len(parts) > 1
    for part in parts:
        member = zlib.decompressobj(31)
        member.decompress(part.read_bytes())
        assert (member.eof, member.unused_data) == (True, b"")

    done = subprocess.run(["zcat", *map(str, parts)], check=True, capture_output=True)  # noqa: S603, S607 - of the page

    assert done.stdout == b"".join(gzip.decompress(part.read_bytes()) for part in parts)
    assert (
        len({json.loads(line.decode("utf-8", "surrogateescape"))["id"] for line in done.stdout.splitlines()}) == count
    )


def test_duckdb(day: tuple[Exporter, Path, int]) -> None:
    """DuckDB reads the parts without being told their columns."""
    _, folder, count = day
    for part in folder.iterdir():  # it takes no text that is not UTF-8, which the odd events have
        lines = gzip.decompress(part.read_bytes()).decode("utf-8", "replace")
        part.write_bytes(gzip.compress(lines.encode()))

    with duckdb.connect() as engine:
        found = engine.execute(f"SELECT count(DISTINCT id) FROM read_json('{folder}/*.ndjson.gz')").fetchone()  # noqa: S608

    assert found == (count,)


def test_clickhouse(day: tuple[Exporter, Path, int]) -> None:
    """ClickHouse reads the parts from the store itself."""
    exporter, _, count = day
    url = f"{exporter.world.endpoint}/{exporter.world.bucket}/v1/date={FIRST}/*.ndjson.gz"

    said = exporter.server.ask(f"SELECT uniqExact(id) FROM s3('{url}', '{KEY}', '{SECRET}', 'JSONEachRow') FORMAT TSV")  # noqa: S608

    assert int(said) == count
