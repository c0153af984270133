"""How fast sessions are archived beside rclone and s5cmd, on versitygw or on any S3 server.

All sides copy the same 1 500 made-up transcripts (546 MB, `sandbox.transcripts`) in one run, in turns; a side's figure
is the median of its times. The archive's time is that of the whole command: Python's start, packing, upload, the
read-back of every byte by SHA-256, the commit and the receipt. `rclone copy` and `s5cmd cp` upload and read nothing
back; each has the better of two numbers of transfers. Goals, as ratios of times: 0.7 of rclone, 1.0 of s5cmd. What is
stored has at most 0.3 of the bytes. A second run, in which 1 % of the files grew, takes at most 0.1 of the first one.
One session out of 365 packs, a year of daily runs, comes within 1 s. The peak memory of an archive and of a restore is
at most 200 MB, also with ten times the data (`--memory 1` leaves that out), and then at most a tenth above that of the
data once.

Server and clients share this machine's cores, so each side's CPU time, with the server's, is printed, too: any other
program's load changes it less than the times.

The files, and the folder of the run's own server, are in `/dev/shm` if it has room for them (12 GB), else in `--folder`
or the usual temporary folder.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest import mock

from bench.adapter import MB, Bench, Tool, empty, environment, fastest, in_memory, rclone, running, s5cmd
from model.secrecy.output_guard import guard_output
from sandbox.transcripts import grow, lines, write_tree
from workloads.archive import clock
from workloads.sessions.archive import ArchiveOptions
from workloads.sessions.archive import run as archive
from workloads.settings import SOURCES

FILES = 1500
MEDIAN_BYTES = 108_000
"""Half of the files are smaller; 1 500 then have 546 MB."""
PACKS = 365
GOALS = {"rclone": 0.7, "s5cmd": 1.0}
GOAL_STORED = 0.3
GOAL_SECOND = 0.1
GOAL_ONE_SECONDS = 1.0
GOAL_MEMORY_MB = 200
GOAL_GROWTH = 1.1
"""Peak memory with ten times the data, divided by that with the data once."""
KINDS = ("pi-agent-sessions", "claude-projects", "codex-sessions", "joelclaw-gateway-sessions")
_CHOICES = (8, 32)
_DAY = 86400
#: Runs a command as its console script does, and then names its peak memory in kB. Not getrusage: its peak includes
#: that of the process before exec.
_COMMAND = (
    "import sys\nfrom pathlib import Path\nfrom cli.main import main\nstatus = main(sys.argv[1:])\n"
    "held = Path('/proc/self/status')\nlines = held.read_text().splitlines() if held.exists() else []\n"
    "peak = next((line.split()[1] for line in lines if line.startswith('VmHWM')), '0')\n"
    "sys.stderr.write(f'\\n{peak}')\nsys.exit(status)"
)


@dataclass(frozen=True)
class Machine:
    """A machine with transcripts and a state of its own.

    Attributes:
        name: Its name.
        home: The folder with the transcripts.
        folder: Everything else of it.
        bench: The run.
    """

    name: str
    home: Path
    folder: Path
    bench: Bench

    def config(self) -> Path:
        """Write the configuration, and return its path."""
        self.folder.mkdir(exist_ok=True)
        variables = {**environment(self.bench.config), "S3_BUCKETS": json.dumps({"session-archive": self.bench.bucket})}
        delivered = self.folder / "archiver.env"
        delivered.touch(mode=0o600)
        delivered.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
        sources = {name: str(self.home / SOURCES[name][2:]) if name in KINDS else None for name in SOURCES}
        path = self.folder / "workloads.yaml"
        content = {
            "machine": self.name,
            "state": str(self.folder / "state"),
            "receipts": str(self.folder / "receipts"),
            "store": {"variables": str(delivered)},
            "sessions": {"sources": sources},
        }
        path.write_text(json.dumps(content))
        return path

    def run(self, command: str, *more: str) -> tuple[float, float]:
        """Run `sessions COMMAND` in a process of its own; return its seconds and its peak memory in MB."""
        return measured("sessions", command, *more, "--config", str(self.config()))


def measured(*arguments: str) -> tuple[float, float]:
    """Run a command of `object-store` in a process of its own; return its seconds and its peak memory in MB."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_"))}
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", _COMMAND, *arguments], env=clean, capture_output=True, check=False
    )
    took = time.monotonic() - started
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        named = " ".join(arguments[:2])
        raise SystemExit(f"{named} ended with {done.returncode}: {said[-2000:]}{done.stdout[-2000:]!r}")
    return took, int(said.rpartition("\n")[2]) * 1024 / MB


@dataclass
class Verdict:
    """The figures, and the goals that were missed.

    Attributes:
        figures: By name, for the last line.
        missed: The names of missed goals.
        not_measured: What could not be measured.
    """

    figures: dict[str, str] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)

    def holds(self, name: str, value: float, goal: float, text: str, digits: int = 2, *, least: bool = False) -> None:
        """Record a figure that must be at most its goal, or at least, and print it."""
        self.figures[name] = f"{value:.{digits}f}"
        missed = value < goal if least else value > goal
        if missed:
            self.missed.append(name)
        side = "below" if least else "above"
        sys.stdout.write(f"{text}{f', {side} the goal of {goal:g}' if missed else ''}\n")
        sys.stdout.flush()

    def told(self) -> int:
        """Print what was missed and the line of figures; 1 if a goal was missed, else 0."""
        for what, names in (("goals missed", self.missed), ("not measured", self.not_measured)):
            if names:
                sys.stdout.write(f"{what}: {', '.join(names)}\n")
        pairs = [f"{name}={value}" for name, value in self.figures.items()]
        pairs += [f"missed={len(self.missed)}", f"not_measured={len(self.not_measured)}"]
        sys.stdout.write(" ".join(pairs) + "\n")
        return 1 if self.missed else 0


@dataclass
class Sizes:
    """How much is measured.

    Attributes:
        files: Transcripts.
        packs: Daily runs.
        times: How often the data is there in the larger measurement of memory; with 1 it is left out.
        rounds: Turns of each side.
    """

    files: int = FILES
    packs: int = PACKS
    times: int = 10
    rounds: int = 3


def speed(bench: Bench, sizes: Sizes, verdict: Verdict) -> None:
    """The first run beside the tools, and the second one beside the first."""
    home = bench.folder / "home"
    write_tree(home, files=sizes.files, seed=1, now=time.time(), median_bytes=MEDIAN_BYTES, odd=False)
    held = [path for path in home.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in held)
    sys.stdout.write(f"{len(held)} files, {size / MB:.0f} MB\n")
    others: dict[str, Callable[[], None]] = {}
    for name, tool in (("rclone", rclone), ("s5cmd", s5cmd)):
        if shutil.which(name) is None:
            verdict.not_measured.append(name)
            continue
        best = fastest(partial(_copy, bench, tool, home), _CHOICES, lambda: empty(bench.client, bench.bucket))
        others[name] = partial(_copy, bench, tool, home, best)
    seconds: dict[str, list[float]] = {name: [] for name in ("first", "second", *others)}
    spent: dict[str, list[float]] = {name: [] for name in seconds}

    def timed(name: str, side: Callable[[], object]) -> None:
        before, started = sum(bench.cpu_seconds()), time.monotonic()
        side()
        seconds[name].append(time.monotonic() - started)
        spent[name].append(sum(bench.cpu_seconds()) - before)

    stored: list[float] = []
    chance = random.Random(1)  # noqa: S311 - not for secrets
    for turn in range(sizes.rounds):

        def own(turn: int = turn) -> None:
            box = Machine(f"box{turn}", home, bench.folder / f"box{turn}", bench)
            timed("first", lambda: box.run("archive", "--quiet"))
            stored.append(sum(ref.size for ref in bench.store.list(bench.bucket, f"v1/{box.name}/")) / size)
            for path in chance.sample(held, max(1, len(held) // 100)):
                grow(path, chance, 2000, time.time() - _DAY)
            timed("second", lambda: box.run("archive", "--quiet"))
            box.run("coverage", "--quiet")

        for name in ["", *others][:: 1 if turn % 2 else -1]:
            if name:
                timed(name, others[name])
            else:
                own()
            empty(bench.client, bench.bucket)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    cpu = {name: statistics.median(each) for name, each in spent.items()}
    verdict.figures["first_seconds"] = f"{medians['first']:.2f}"
    sys.stdout.write(f"archive with its read-back: {medians['first']:.2f} s, CPU {cpu['first']:.2f} s\n")
    for name in others:
        ratio = medians["first"] / medians[name]
        share = cpu["first"] / cpu[name]
        verdict.figures[f"first_to_{name}_cpu"] = f"{share:.2f}"
        used = f"{medians[name]:.2f} s, CPU {cpu[name]:.2f} s"
        text = (
            f"{name} without a read-back: {used}; the archive takes {ratio:.2f} of it, and {share:.2f} of its CPU time"
        )
        verdict.holds(f"first_to_{name}", ratio, GOALS[name], text)
    text = f"stored: {stored[0]:.2f} of the bytes"
    verdict.holds("stored", stored[0], GOAL_STORED, text)
    ratio = medians["second"] / medians["first"]
    text = f"a second run, 1 % of the files grew: {medians['second']:.2f} s, {ratio:.2f} of the first"
    verdict.holds("second_to_first", ratio, GOAL_SECOND, text)


def _copy(bench: Bench, tool: Tool, home: Path, at_once: int) -> None:
    tool(bench.config, str(home), f"{bench.bucket}/copied", at_once, up=True)


def one(bench: Bench, sizes: Sizes, verdict: Verdict) -> None:
    """One session out of the packs of a year, on a machine that knows them and on a new one."""
    home, chance = bench.folder / "year", random.Random(2)  # noqa: S311 - not for secrets
    folder = home / SOURCES[KINDS[0]][2:] / "-project--"
    folder.mkdir(parents=True)
    for name in KINDS[1:]:
        (home / SOURCES[name][2:]).mkdir(parents=True)
    box = Machine("year", home, bench.folder / "year-box", bench)
    options = ArchiveOptions(config=box.config(), quiet=True, meant=KINDS)
    begun = datetime.now(UTC) - timedelta(days=sizes.packs)
    for day in range(sizes.packs):
        now = begun + timedelta(days=day)
        size = int(100_000 * chance.lognormvariate(0, 1.6))
        path = folder / f"session-{day:04}.jsonl"
        path.write_bytes(lines(chance, "pi", f"session-{day:04}", size))
        os.utime(path, (now.timestamp() - _DAY / 2,) * 2)
        with mock.patch.object(clock, "now_utc", lambda now=now: now):
            if archive(options):
                raise SystemExit(f"the archive of day {day} failed")
    wanted = f"session-{sizes.packs // 2:04}"
    known = statistics.median(box.run("cat", wanted)[0] for _ in range(sizes.rounds))
    text = f"one session out of {sizes.packs} packs: {known:.2f} s"
    verdict.holds("one_seconds", known, GOAL_ONE_SECONDS, text)
    fresh = [Machine("year", home, bench.folder / f"fresh{turn}", bench) for turn in range(sizes.rounds)]
    new = statistics.median(each.run("cat", wanted)[0] for each in fresh)
    verdict.figures["one_seconds_new_machine"] = f"{new:.2f}"
    sys.stdout.write(f"likewise on a machine that knows none of them: {new:.2f} s\n")
    empty(bench.client, bench.bucket)


def memory(bench: Bench, sizes: Sizes, verdict: Verdict) -> None:
    """Peak memory of an archive and of a restore, with the data once and many times."""
    if not Path("/proc/self/status").exists():
        verdict.not_measured.append("memory")
        return
    home = bench.folder / "memory"
    write_tree(home, files=sizes.files, seed=3, now=time.time(), median_bytes=MEDIAN_BYTES, odd=False)
    peaks: dict[str, list[float]] = {"archive": [], "restore": []}
    for times in sorted({1, sizes.times}):
        for path in [path for path in home.rglob("*") if path.is_file()] if times > 1 else []:
            for number in range(1, times):
                shutil.copy2(path, path.with_name(f"{number}-{path.name}"))
        box = Machine(f"memory{times}", home, bench.folder / f"memory-box{times}", bench)
        peaks["archive"].append(box.run("archive", "--quiet")[1])
        to = bench.folder / "restored"
        peaks["restore"].append(box.run("restore", "--quiet", "--to", str(to))[1])
        shutil.rmtree(to)
        empty(bench.client, bench.bucket)
    shutil.rmtree(home)
    for name, each in peaks.items():
        text = f"peak memory of {name}: {', '.join(f'{peak:.0f} MB' for peak in each)}"
        verdict.holds(f"peak_mb_{name}", max(each), GOAL_MEMORY_MB, text, 0)
        if len(each) > 1:
            text = f"the same with {sizes.times} times the data: {each[1] / each[0]:.2f} times the memory"
            verdict.holds(f"growth_{name}", each[1] / each[0], GOAL_GROWTH, text)


PARTS = {"speed": speed, "one": one, "memory": memory}


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.archives", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-west-2"))
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this part; repeatable")
    parser.add_argument("--files", type=int, default=FILES, help="transcripts; the figures of fewer are no verdict")
    parser.add_argument("--packs", type=int, default=PACKS, help="daily runs; likewise")
    parser.add_argument("--memory", type=int, default=10, metavar="TIMES", help="times the data for the peak memory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="folder for the files; default: in memory if there is room")
    options = parser.parse_args(arguments)
    options.folder, options.quick = options.folder or in_memory(), False
    sizes = Sizes(options.files, options.packs, options.memory, options.rounds)
    verdict = Verdict()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, running(options, Path(folder)) as bench:
        for name in options.only or PARTS:
            PARTS[name](bench, sizes, verdict)
    return verdict.told()


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
