"""How fast event days are exported beside ClickHouse's own ways, on versitygw or on any S3 server.

All sides read the same rows from the same engine (`sandbox.clickhouse`: chdb behind ClickHouse's HTTP), a storm day as
gzipped NDJSON. Ours is the whole command: Python's start, the count before and after, the stream sorted and each id
once, gzip, upload, the read-back of every byte by SHA-256, the commits and the receipt. ClickHouse's `INSERT INTO
FUNCTION s3` writes the same rows to the same server, and `gzip -6` writes an unsorted answer to a file; neither counts
or reads anything back. A side's figure is the median of its turns.

Goals: as many rows a second as `s3()` (1.0), and 1.7 times as many as `gzip -6`; peak memory of the exporter at most
150 MB, and the same with ten times as many rows (at most 1.1 times); the time grows at most with the power 1.05. The
sorted answer alone, read and thrown away, is timed, too: no exporter that sorts can be faster than that.

Engine, server and exporter share this machine's cores, so each side's CPU time, with the engine's and the server's, is
printed, too: any other program's load changes it less than the times. The engine signs for us-east-1, and so the run's
own server is there.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench.adapter import Bench, cpu_seconds, empty, environment, in_memory, running
from bench.archives import Verdict, measured
from model.secrecy.output_guard import guard_output
from sandbox.clickhouse.running import RefusedError, RunningClickHouse, is_installed, running_clickhouse
from sandbox.clickhouse.tables import CREATE_DATABASE, TABLE, create_table
from sandbox.otel_events import storm_sql
from workloads.otel.clickhouse import Address, ClickHouse
from workloads.otel.span import Slice, span_of
from workloads.otel.table import described, export_of

ROWS = 1_500_000
LARGER = 10
GOALS = {"s3": 1.0, "gzip": 1.7}
"""Rows a second, divided by those of the other side; at least."""
GOAL_MEMORY_MB = 150
GOAL_SAME_MEMORY = 1.1
GOAL_EXPONENT = 1.05


def days() -> tuple[date, date]:
    """The smaller and the larger day; both have ended, and are younger than a table's TTL."""
    today = datetime.now(UTC).date()
    return today - timedelta(days=4), today - timedelta(days=3)


def fill(server: RunningClickHouse, day: date, rows: int) -> None:
    """Insert a storm day."""
    for sql in storm_sql(TABLE, day, rows):
        server.ask(sql)


def exported(bench: Bench, server: RunningClickHouse, day: date, turn: str) -> tuple[float, float]:
    """Export a day to the empty bucket; seconds, and peak memory in MB."""
    folder = bench.folder / turn
    folder.mkdir()
    delivered, password = folder / "otel.env", folder / "password"
    for path in (delivered, password):
        path.touch(mode=0o600)
    variables = {**environment(bench.config), "S3_BUCKETS": json.dumps({"otel-archive": bench.bucket})}
    delivered.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    password.write_text(server.password)
    config = folder / "workloads.yaml"
    content = {
        "machine": "box",
        "state": str(folder / "state"),
        "receipts": str(folder / "receipts"),
        "store": {"variables": str(delivered)},
        "otel": {"url": server.endpoint, "user": server.user, "password_file": str(password)},
    }
    config.write_text(json.dumps(content))
    took = measured("otel", "export", "--quiet", "--from", str(day), "--to", str(day), "--config", str(config))
    empty(bench.client, bench.bucket)
    return took


def by_s3(bench: Bench, server: RunningClickHouse, day: date) -> None:
    """ClickHouse writes the day to the server itself."""
    config = bench.config
    where = f"{config.endpoint}/{bench.bucket}/clickhouse.ndjson.gz"
    keys = f"'{config.access_key_id}', '{config.secret_access_key}'"
    server.ask(
        f"INSERT INTO FUNCTION s3('{where}', {keys}, 'JSONEachRow') SELECT * FROM {TABLE} WHERE date = '{day}'"  # noqa: S608 - a table of the benchmark
    )
    empty(bench.client, bench.bucket)


def by_gzip(bench: Bench, server: RunningClickHouse, day: date) -> None:
    """What a shell would do: the answer through `gzip -6` to a file."""
    sql = f"SELECT * FROM {TABLE} WHERE date = '{day}' FORMAT JSONEachRow"  # noqa: S608 - a table of the benchmark
    path = bench.folder / "events.ndjson.gz"
    with path.open("wb") as file, subprocess.Popen(["gzip", "-6"], stdin=subprocess.PIPE, stdout=file) as gzip:  # noqa: S607 - the one on the PATH
        assert gzip.stdin is not None  # noqa: S101 - a pipe was asked for
        with ClickHouse(address(server)) as client, client.stream(sql) as blocks:
            for block in blocks:
                gzip.stdin.write(block)
        gzip.stdin.close()
    path.unlink()


def answered(server: RunningClickHouse, day: date) -> None:
    """The answer of the export alone, thrown away."""
    with ClickHouse(address(server)) as client:
        sql = export_of(described(client), datetime.now(UTC), Slice(span_of(day)))
        with client.stream(sql) as blocks:
            for _ in blocks:
                pass


def address(server: RunningClickHouse) -> Address:
    """Where the table is."""
    return Address(server.endpoint, "joelclaw", "otel_events", server.user, server.password)


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.otel", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-east-1"))
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of a day; the figures of fewer are no verdict")
    parser.add_argument("--larger", type=int, default=LARGER, help="how many times as many the larger day has; 1: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="folder for the files; default: in memory if there is room")
    options = parser.parse_args(arguments)
    if not is_installed():
        raise SystemExit("chdb-core-lite has no wheel for this Python")
    options.folder, options.quick = options.folder or in_memory(), False
    verdict = Verdict()
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        running(options, Path(folder), region="us-east-1") as bench,
        running_clickhouse(bench.folder / "clickhouse") as server,
    ):
        server.ask(CREATE_DATABASE)
        server.ask(create_table(is_replacing=False))
        measure(bench, server, options, verdict)
    return verdict.told()


def measure(bench: Bench, server: RunningClickHouse, options: argparse.Namespace, verdict: Verdict) -> None:
    """Take turns, and hold the medians against the goals."""
    small, large = days()
    fill(server, small, options.rows)
    peaks: list[float] = []
    sides: dict[str, Callable[[int], object]] = {
        "own": lambda turn: peaks.append(exported(bench, server, small, f"own{turn}")[1]),
        "s3": lambda _: by_s3(bench, server, small),
        "gzip": lambda _: by_gzip(bench, server, small),
        "answer": lambda _: answered(server, small),
    }
    if not is_signed(bench, server, small):
        del sides["s3"]
        verdict.not_measured.append("s3")
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    spent: dict[str, list[float]] = {name: [] for name in sides}

    def used() -> float:
        return sum(bench.cpu_seconds()) + cpu_seconds(server.process_id)

    for turn in range(options.rounds):
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            before, started = used(), time.monotonic()
            sides[name](turn)
            seconds[name].append(time.monotonic() - started)
            spent[name].append(used() - before)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    verdict.figures["own_seconds"] = f"{medians['own']:.2f}"
    for name, what in (
        ("own", "export with count and read-back"),
        ("answer", "the sorted answer alone"),
        ("s3", "INSERT INTO FUNCTION s3"),
        ("gzip", "gzip -6 to a file"),
    ):
        if name not in sides:
            continue
        text = (
            f"{what}: {options.rows / medians[name] / 1000:.0f} k rows/s, {medians[name]:.2f} s, "
            f"CPU {statistics.median(spent[name]):.2f} s"
        )
        if name == "own":
            sys.stdout.write(f"{text}\n")
            continue
        ratio = medians[name] / medians["own"]
        text += f"; the export has {ratio:.2f} of this rate"
        verdict.holds(f"rate_to_{name}", ratio, GOALS.get(name, 0), text, least=True)
    verdict.holds("peak_mb", max(peaks), GOAL_MEMORY_MB, f"peak memory: {max(peaks):.0f} MB", 0)
    if options.larger == 1:
        verdict.not_measured += ["growth", "memory with more rows"]
        return
    fill(server, large, options.rows * options.larger)
    before = used()
    took, peak = exported(bench, server, large, "large")
    work = used() - before
    text = f"with {options.larger} times as many rows: {peak:.0f} MB"
    verdict.holds("same_memory", peak / max(peaks), GOAL_SAME_MEMORY, text)
    exponent = math.log(took / medians["own"]) / math.log(options.larger)
    text = f"{took:.0f} s for them: the time grows with the power {exponent:.2f}"
    verdict.holds("exponent", exponent, GOAL_EXPONENT, text)
    exponent = math.log(work / statistics.median(spent["own"])) / math.log(options.larger)
    verdict.figures["exponent_cpu"] = f"{exponent:.2f}"
    sys.stdout.write(f"CPU {work:.0f} s for them: with the power {exponent:.2f}\n")


def is_signed(bench: Bench, server: RunningClickHouse, day: date) -> bool:
    """Whether the engine can write to this server."""
    try:
        by_s3(bench, server, day)
    except RefusedError as refusal:
        sys.stdout.write(f"INSERT INTO FUNCTION s3 is not measured: {str(refusal)[:300]}\n")
        return False
    return True


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
