"""How fast documents and media are stored beside scp and rclone, and how a backfill grows, on any S3 server.

All sides copy the same files in one run, in turns; a side's figure is the median of its times. Our time is that of the
whole command: Python's start, the digests, the upload, the read-back of every byte by SHA-256, and the receipt. `scp`
copies to an sshd of this machine, which the run starts with keys of its own, and verifies nothing. `rclone copy` goes
to the same S3 server with the better of two numbers of transfers, and `rclone check` compares digests without reading
back.

`many`: 1 000 files of 1 MB in folders, by `documents backfill`, because `media put` takes one file of a chat at a time.
`large`: one file of 2 GB, by `media put`. `single`: files of 1 MB, each by a process of its own on every side, as a
producer's step does it; this has no goal, because Python's start is most of it. Goals of the first two: at most 0.8 of
the time of scp, 0.7 of that of rclone, and a peak memory of 200 MB.

`growth`: a backfill of 2 000 and of 20 000 documents of 2 KB. The time grows at most with the power 1.05, for a first
run and for one that finds all stored, and the memory at most by a tenth.

What is not on the PATH, or does not start, is named and not measured. Server and clients share this machine's cores.
The files, and the folders of the run's own servers, are in `/dev/shm` if it has room for them (12 GB), else in
`--folder` or the usual temporary folder.
"""

import argparse
import getpass
import json
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.adapter import (
    MB,
    Bench,
    empty,
    environment,
    fastest,
    fill,
    in_memory,
    ran,
    rclone,
    rclone_environment,
    running,
)
from bench.archives import Verdict, measured
from model.secrecy.output_guard import guard_output

FILES = 1_000
FILE_BYTES = 1 * MB
LARGE_MB = 2_000
SINGLE = 20
DOCUMENTS = 2_000
LARGER = 10
DOCUMENT_BYTES = 2_000
FOLDER_HAS = 500
GOALS = {"scp": 0.8, "rclone": 0.7}
GOAL_EXPONENT = 1.05
GOAL_MEMORY_MB = 200
GOAL_SAME_MEMORY = 1.1
PARTS = ("many", "large", "single", "growth")
_CHOICES = (4, 16)
_SECONDS_TO_START = 10
_SSHD_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Ssh:
    """An sshd of this run.

    Attributes:
        folder: Its keys and its configuration.
        port: Where it listens.
    """

    folder: Path
    port: int

    def copy(self, what: Path, to: Path) -> None:
        """Copy a file or a folder with scp."""
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": str(self.folder / "known"),
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        key, port = str(self.folder / "user"), str(self.port)
        there = f"{getpass.getuser()}@127.0.0.1:{to}"
        ran(["scp", "-q", "-r", "-F", os.devnull, "-i", key, "-P", port, *words, str(what), there], {})


class NotStartedError(Exception):
    """A program is missing or does not start; the message says which, and why."""


@contextmanager
def ssh_server(folder: Path) -> Iterator[Ssh]:
    """An sshd with keys of its own, on a free port of this machine. Raise NotStartedError."""
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    missing = [name for name in ("scp", "ssh", "ssh-keygen") if shutil.which(name) is None]
    if missing or program is None:
        raise NotStartedError(f"{(missing or ['sshd'])[0]} is not on the PATH")
    folder.mkdir(0o700)
    for name in ("host", "user"):
        subprocess.run(  # noqa: S603 - arguments of ours
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],  # noqa: S607 - on the PATH
            check=True,
        )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "config").write_text(_SSHD_CONFIG.format(port=port, folder=folder))
    log = folder / "log"
    with log.open("wb") as said, subprocess.Popen(  # noqa: S603 - as found
        [program, "-D", "-e", "-f", str(folder / "config")], stdin=subprocess.DEVNULL, stderr=said
    ) as process:  # fmt: skip
        try:
            _wait(process, port, log)
            yield Ssh(folder, port)
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until it listens. Raise NotStartedError."""
    ends = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    lines = log.read_text(errors="replace").strip().splitlines()
    raise NotStartedError(f"sshd does not start: {lines[-1] if lines else 'it says nothing'}")


@dataclass
class Run:
    """What all parts need.

    Attributes:
        bench: The S3 server.
        config: Of a machine whose buckets are that of the run.
        ssh: The sshd; None if there is none.
        options: What was asked for.
        verdict: The figures.
    """

    bench: Bench
    config: Path
    ssh: Ssh | None
    options: argparse.Namespace
    verdict: Verdict

    def own(self, *words: str) -> float:
        """Run a command of ours; its peak memory in MB."""
        return measured(*words, "--quiet", "--config", str(self.config))[1]

    def side_by_side(
        self, name: str, own: Callable[[], float], what: Path, text: str, *, has_goal: bool = True
    ) -> None:
        """Time all sides in turns, and hold our median against those of the others."""
        target, peaks = self.bench.folder / "copied", list[float]()
        sides: dict[str, Callable[[], object]] = {"own": lambda: peaks.append(own())}
        sides |= self._others(what, target, has_goal=has_goal)
        times: dict[str, list[float]] = {side: [] for side in sides}
        for turn in range(self.options.rounds):
            for side in list(sides)[:: 1 if turn % 2 else -1]:
                target.mkdir()
                started = time.monotonic()
                sides[side]()
                times[side].append(time.monotonic() - started)
                self._clear(target)
        median = {side: statistics.median(each) for side, each in times.items()}
        self.verdict.figures[f"{name}_seconds"] = f"{median['own']:.2f}"
        for side, goal in GOALS.items():
            figure = f"{name}_to_{side}"
            if side not in sides:
                self.verdict.not_measured.append(figure)
                continue
            ratio = median["own"] / median[side]
            told = f"{text}: {median['own']:.2f} s; {side}: {median[side]:.2f} s: {ratio:.2f} of it"
            self.verdict.holds(figure, ratio, goal if has_goal else math.inf, told)
        peak = max(peaks)
        if peak:
            self.verdict.holds(f"{name}_peak_mb", peak, GOAL_MEMORY_MB, f"peak memory: {peak:.0f} MB", 0)
        else:
            self.verdict.not_measured.append(f"{name}_peak_mb")

    def _others(self, what: Path, target: Path, *, has_goal: bool) -> Mapping[str, Callable[[], object]]:
        sides: dict[str, Callable[[], object]] = {}
        files = [what] if has_goal else sorted(what.iterdir())
        if self.ssh is not None:
            ssh = self.ssh
            sides["scp"] = lambda: _each(files, lambda each: ssh.copy(each, target))
        if shutil.which("rclone") is not None:
            if not has_goal:
                sides["rclone"] = lambda: _each(files, lambda each: self._cloned(each, 1))
            else:
                at_once = fastest(
                    partial(self._cloned, what), _CHOICES, partial(empty, self.bench.client, self.bench.bucket)
                )
                sides["rclone"] = partial(self._cloned, what, at_once)
        return sides

    def _cloned(self, what: Path, at_once: int) -> None:
        """Copy with rclone, and compare what is there."""
        config, where = self.bench.config, f"{self.bench.bucket}/cloned"
        rclone(config, str(what), where, at_once, up=True)
        alone = () if what.is_dir() else (f"--include=/{what.name}",)
        folder = str(what if what.is_dir() else what.parent)
        words = ["rclone", "check", "--one-way", "--config=", f"--checkers={at_once}", *alone, folder, f"x:{where}"]
        ran(words, rclone_environment(config))

    def _clear(self, target: Path) -> None:
        shutil.rmtree(target)
        empty(self.bench.client, self.bench.bucket)


def _each(files: Sequence[Path], copied: Callable[[Path], None]) -> None:
    for each in files:
        copied(each)


def many(run: Run) -> None:
    """Many files of 1 MB, as one tree."""
    root, count = run.bench.folder / "many", run.options.files
    for number in range(count):
        fill(root / f"{number % 10}" / f"A Book {number}.pdf", FILE_BYTES)
    text = f"{count} files of 1 MB, documents backfill with its read-back"
    run.side_by_side("many", lambda: run.own("documents", "backfill", str(root)), root, text)
    shutil.rmtree(root)


def large(run: Run) -> None:
    """One large file."""
    path = run.bench.folder / "large" / "video.mp4"
    fill(path, run.options.large_mb * MB)
    text = f"one file of {run.options.large_mb} MB, media put with its read-back"
    run.side_by_side("large", lambda: run.own(*_put(path)), path, text)
    shutil.rmtree(path.parent)


def single(run: Run) -> None:
    """Files of 1 MB, each by a process of its own."""
    root = run.bench.folder / "single"
    paths = [root / f"{number}.jpg" for number in range(run.options.single)]
    for path in paths:
        fill(path, FILE_BYTES)
    text = f"{len(paths)} files of 1 MB, a process for each, media put with its read-back"
    run.side_by_side("single", lambda: max(run.own(*_put(path)) for path in paths), root, text, has_goal=False)
    shutil.rmtree(root)


def _put(path: Path) -> tuple[str, ...]:
    """The words that store one file."""
    return ("media", "put", str(path), "--source", "telegram", "--at", "2026-11-30T04:00:00Z")


def growth(run: Run) -> None:
    """Take turns of a small and a ten times larger tree, and hold the growth against the goals."""
    verdict, seconds, spent, peaks = (
        run.verdict,
        dict[str, list[float]](),
        dict[str, list[float]](),
        dict[str, list[float]](),
    )
    counts = {"small": run.options.documents, "large": run.options.documents * LARGER}
    for name, count in counts.items():
        write_documents(run.bench.folder / name, count)
    for _ in range(run.options.rounds):
        for name in counts:
            for visit in ("first", "again"):
                before, started = sum(run.bench.cpu_seconds()), time.monotonic()
                peaks.setdefault(name, []).append(run.own("documents", "backfill", str(run.bench.folder / name)))
                seconds.setdefault(f"{name} {visit}", []).append(time.monotonic() - started)
                spent.setdefault(f"{name} {visit}", []).append(sum(run.bench.cpu_seconds()) - before)
            empty(run.bench.client, run.bench.bucket)
    for visit, what in (("first", "stored"), ("again", "found stored")):
        (small, large_), cpu = (
            [statistics.median(times[f"{name} {visit}"]) for name in counts] for times in (seconds, spent)
        )
        power, by_cpu = math.log(large_ / small, LARGER), math.log(cpu[1] / cpu[0], LARGER)
        verdict.figures[f"exponent_cpu_{visit}"] = f"{by_cpu:.2f}"
        text = (
            f"{counts['large']} documents {what}: {large_:.1f} s, CPU {cpu[1]:.1f} s; "
            f"the time grows with the power {power:.2f}, CPU with {by_cpu:.2f}"
        )
        verdict.holds(f"exponent_{visit}", power, GOAL_EXPONENT, text)
    if not max(peaks["small"]):
        verdict.not_measured.append("growth_peak_mb")
        return
    peak = max(peaks["large"])
    verdict.holds("growth_peak_mb", peak, GOAL_MEMORY_MB, f"peak memory: {peak:.0f} MB", 0)
    same = peak / max(peaks["small"])
    verdict.holds("same_memory", same, GOAL_SAME_MEMORY, f"with {LARGER} times as many: {same:.2f} of the memory")


def write_documents(root: Path, count: int) -> None:
    """Write small documents, each with content of its own."""
    for number in range(count):
        folder = root / f"{number // FOLDER_HAS}"
        if not number % FOLDER_HAS:
            folder.mkdir(parents=True)
        line = b"%d " % number
        (folder / f"A Book {number}.txt").write_bytes(line * (DOCUMENT_BYTES // len(line)))


def configured(bench: Bench) -> Path:
    """Write the configuration of a machine with the run's bucket."""
    delivered, config = bench.folder / "worker.env", bench.folder / "workloads.yaml"
    delivered.touch(mode=0o600)
    buckets = dict.fromkeys(("docs-raw", "docs-derived", "media-raw", "media-derived"), bench.bucket)
    variables = {**environment(bench.config), "S3_BUCKETS": json.dumps(buckets)}
    delivered.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    content = {
        "machine": "box",
        "state": str(bench.folder / "state"),
        "receipts": str(bench.folder / "receipts"),
        "store": {"variables": str(delivered)},
    }
    config.write_text(json.dumps(content))
    return config


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-west-2"))
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this part; repeatable")
    parser.add_argument("--files", type=int, default=FILES, help="of 1 MB; the figures of fewer are no verdict")
    parser.add_argument("--large-mb", type=int, default=LARGE_MB, help="of the large file; likewise")
    parser.add_argument("--single", type=int, default=SINGLE, help="files that are stored one by one; likewise")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="of the smaller tree; likewise")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="folder for the files; default: in memory if there is room")
    options = parser.parse_args(arguments)
    options.folder, options.quick = options.folder or in_memory(), False
    verdict, parts = Verdict(), {"many": many, "large": large, "single": single, "growth": growth}
    if shutil.which("rclone") is None:
        sys.stdout.write("rclone is not measured: it is not on the PATH\n")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        bench, ssh = stack.enter_context(running(options, folder)), None
        try:
            ssh = stack.enter_context(ssh_server(folder / "ssh"))
        except NotStartedError as fault:
            sys.stdout.write(f"scp is not measured: {fault}\n")
        run = Run(bench, configured(bench), ssh, options, verdict)
        for name in options.only or PARTS:
            parts[name](run)
    return verdict.told()


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
