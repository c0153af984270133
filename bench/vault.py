"""How fast the vault is stored and comes back beside restic, on versitygw or on any S3 server.

Both sides store the same made-up vault (`sandbox.notes`): 6 000 notes, whose git history is packed as git packs it. A
side's figure is the median of its turns, each with a repository or a bucket of its own. The snapshot's time is that of
the whole command: Python's start, the bundle of the history, packing, upload, the read-back of every byte by SHA-256,
the commit and the receipt. restic stores to the same server, and beside that to a folder; it reads nothing back. Goals:
the snapshot takes at most 0.5 of `restic backup`, and the restore, with the history, at most the time of `restic
restore`, each beside the faster of restic's repositories. A second snapshot, with 1 % of the notes changed and
committed in git, takes at most 0.2 of the first one. The peak memory is at most 200 MB.

Server and clients share this machine's cores, so each side's CPU time, with the server's, is printed, too: any other
program's load changes it less than the times.

restic is not measured where it is not on the PATH. The files, and the folder of the run's own server, are in `/dev/shm`
if it has room for them (12 GB), else in `--folder` or the usual temporary folder.
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
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.adapter import Bench, empty, environment, in_memory, running
from bench.archives import Verdict, measured
from model.secrecy.output_guard import guard_output
from sandbox.notes import git, write_vault

NOTES = 6000
GOAL_SNAPSHOT = 0.5
GOAL_RESTORE = 1.0
GOAL_SECOND = 0.2
GOAL_MEMORY_MB = 200
_DAY = 86400


@dataclass
class Times:
    """What was measured in all turns.

    Attributes:
        seconds: By what was done.
        cpu: CPU seconds likewise, with the server's.
        peaks: Memory of our commands in MB.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    peaks: list[float] = field(default_factory=list)

    def own(self, bench: Bench, name: str, *arguments: str) -> None:
        """Run and record a command of ours."""
        before = sum(bench.cpu_seconds())
        seconds, peak = measured("vault", *arguments)
        self.add(name, seconds, sum(bench.cpu_seconds()) - before)
        self.peaks.append(peak)

    def add(self, name: str, seconds: float, cpu: float) -> None:
        """Record one turn."""
        self.seconds.setdefault(name, []).append(seconds)
        self.cpu.setdefault(name, []).append(cpu)

    def median(self, name: str) -> float:
        """Of the turns, in seconds."""
        return statistics.median(self.seconds[name])

    def told(self, name: str) -> str:
        """The medians as text."""
        return f"{self.median(name):.2f} s, CPU {statistics.median(self.cpu[name]):.2f} s"


def own_turn(bench: Bench, vault: Path, turn: int, times: Times) -> None:
    """A first snapshot, a second one, and a restore."""
    folder = bench.folder / f"own{turn}"
    folder.mkdir()
    delivered = folder / "vault.env"
    delivered.touch(mode=0o600)
    variables = {**environment(bench.config), "S3_BUCKETS": json.dumps({"vault-backups": bench.bucket})}
    delivered.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    config = folder / "workloads.yaml"
    content = {
        "machine": f"box{turn}",
        "state": str(folder / "state"),
        "receipts": str(folder / "receipts"),
        "store": {"variables": str(delivered)},
        "vault": {"path": str(vault)},
    }
    config.write_text(json.dumps(content))
    more = ("--quiet", "--config", str(config))
    times.own(bench, "first", "snapshot", *more)
    to = folder / "restored"
    times.own(bench, "restore", "restore", "--to", str(to), *more)
    shutil.rmtree(to)
    change(vault, turn)
    times.own(bench, "second", "snapshot", *more)


def change(vault: Path, turn: int) -> None:
    """Change 1 % of the notes, and commit that."""
    chance = random.Random(turn)  # noqa: S311 - not for secrets
    notes = sorted((vault / "Notes").rglob("*.md"))
    for path in chance.sample(notes, max(1, len(notes) // 100)):
        path.write_bytes(path.read_bytes() + f"changed in turn {turn}\n".encode())
        os.utime(path, (time.time() - _DAY,) * 2)
    git(vault, "add", "--all", ".")
    git(vault, "commit", "--quiet", "-m", f"turn {turn}")


def restic_turn(bench: Bench, vault: Path, name: str, times: Times) -> None:
    """A backup to a new repository, and a restore."""
    on_server = name == "restic"
    folder = bench.folder / "restic"
    where = f"s3:{bench.config.endpoint}/{bench.bucket}/restic" if on_server else str(folder / "repository")
    own = {
        "RESTIC_REPOSITORY": where,
        "RESTIC_PASSWORD": "of a benchmark",
        "RESTIC_CACHE_DIR": str(folder / "cache"),
        "AWS_ACCESS_KEY_ID": bench.config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": bench.config.secret_access_key,
        "AWS_DEFAULT_REGION": bench.config.region,
    }
    own |= {"RESTIC_CACERT": str(bench.config.ca_bundle)} if bench.config.ca_bundle else {}
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RESTIC_", "S3_"))}

    def restic(*arguments: str) -> tuple[float, float]:
        before, started = sum(bench.cpu_seconds()), time.monotonic()
        done = subprocess.run(  # noqa: S603 - the tool to compare with
            ["restic", "--quiet", *arguments],  # noqa: S607 - the one on the PATH
            env={**clean, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"restic {arguments[0]} failed: {(done.stderr.strip() or 'it says nothing')[-500:]}")
        return time.monotonic() - started, sum(bench.cpu_seconds()) - before

    folder.mkdir()
    restic("init")
    times.add(f"{name} backup", *restic("backup", str(vault)))
    times.add(f"{name} restore", *restic("restore", "latest", "--target", str(folder / "restored")))
    shutil.rmtree(folder)


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.vault", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-west-2"))
    parser.add_argument("--notes", type=int, default=NOTES, help="notes; the figures of fewer are no verdict")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="folder for the files; default: in memory if there is room")
    options = parser.parse_args(arguments)
    options.folder, options.quick = options.folder or in_memory(), False
    verdict, times = Verdict(), Times()
    others = ("restic", "restic in a folder") if shutil.which("restic") else ()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, running(options, Path(folder)) as bench:
        vault = bench.folder / "Vault"
        write_vault(vault, notes=options.notes, seed=1, now=time.time() - _DAY, odd=False)
        git(vault, "gc", "--quiet")
        for turn in range(options.rounds):
            for name in ["", *others][:: 1 if turn % 2 else -1]:
                if name:
                    restic_turn(bench, vault, name, times)
                else:
                    own_turn(bench, vault, turn, times)
                empty(bench.client, bench.bucket)
    judge(times, others, verdict)
    return verdict.told()


def judge(times: Times, others: Sequence[str], verdict: Verdict) -> None:
    """Hold the medians against the goals."""
    for name in ("first", "second", "restore"):
        verdict.figures[f"{name}_seconds"] = f"{times.median(name):.2f}"
    if not others:
        verdict.not_measured += ["restic backup", "restic restore"]
    for own, their, goal in (("first", "backup", GOAL_SNAPSHOT), ("restore", "restore", GOAL_RESTORE)):
        for other in others:
            ratio = times.median(own) / times.median(f"{other} {their}")
            what = "snapshot with its read-back" if own == "first" else "restore"
            text = f"{what}: {times.told(own)}; {other}'s {their}: {times.told(f'{other} {their}')}: {ratio:.2f} of it"
            verdict.holds(f"{own}_to_{other.replace(' ', '_')}", ratio, goal, text)
    ratio = times.median("second") / times.median("first")
    text = f"a second snapshot, 1 % of the notes changed: {times.told('second')}; {ratio:.2f} of the first"
    verdict.holds("second_to_first", ratio, GOAL_SECOND, text)
    if max(times.peaks):
        text = f"peak memory: {max(times.peaks):.0f} MB"
        verdict.holds("peak_mb", max(times.peaks), GOAL_MEMORY_MB, text, 0)
    else:
        verdict.not_measured.append("memory")


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
