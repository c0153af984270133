"""`python -m bench.verify_growth`: how the suite's time and memory grow with the number of domains.

The rule: it measures the whole command, `python -m verify` with its report and an HTML file, in its own process, on
stores of 30, 100 and 300 domains on one server. The exponent is the slope of log(time) over log(domains), by least
squares. Goals: exponent <= 1.1, at most 500 MB of memory for the largest store.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.stores import server, store
from model.secrecy.output_guard import guard_output

if TYPE_CHECKING:
    from verify.target import Target

DOMAINS = (30, 100, 300)
EXPONENT_GOAL = 1.1
MEMORY_GOAL_MB = 500
_COULD_NOT_RUN = 2


def measure(target: "Target") -> tuple[float, float]:
    """Seconds and megabytes of one complete verification."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "deployment.json").write_text(target.deployment.model_dump_json(), encoding="utf-8")
        credentials = folder / "credentials.json"
        credentials.touch(mode=0o600)
        pairs = {
            identity: {"access_key_id": p.access_key_id, "secret_access_key": p.secret_access_key.get_secret_value()}
            for identity, p in target.credentials.items()
        }
        credentials.write_text(json.dumps(pairs), encoding="utf-8")
        files = ["--deployment", str(folder / "deployment.json"), "--credentials", str(credentials)]
        command = [sys.executable, "-m", "verify", *files, "--html", str(folder / "report.html"), "--quiet"]
        started = time.monotonic()
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603 - our own module
            _, status, usage = os.wait4(process.pid, 0)
        took = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode >= _COULD_NOT_RUN or process.returncode < 0:
            raise SystemExit(f"verify could not run:\n{(folder / 'output').read_text(encoding='utf-8')[-2000:]}")
        return took, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The slope of log(seconds) over log(sizes)."""
    xs, ys = [math.log(size) for size in sizes], [math.log(second) for second in seconds]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify_growth", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default="us-west-2")
    parser.add_argument("--domains", type=int, nargs="+", default=list(DOMAINS))
    options = parser.parse_args(arguments)
    seconds, megabytes = [], []
    for domains in options.domains:
        with (
            server(options.endpoint) as (endpoint, ca_file, pair),
            store(endpoint, ca_file, pair, domains, options.region) as target,
        ):
            took, memory = measure(target)
        seconds.append(took)
        megabytes.append(memory)
        sys.stdout.write(f"{domains} domains: {took:.1f} s, {memory:.0f} MB\n")
        sys.stdout.flush()
    slope = exponent(options.domains, seconds)
    pairs = " ".join(f"seconds_{d}={s:.1f}" for d, s in zip(options.domains, seconds, strict=True))
    sys.stdout.write(
        f"{pairs} exponent={slope:.2f} exponent_goal={EXPONENT_GOAL} memory_mb={max(megabytes):.0f} "
        f"memory_goal_mb={MEMORY_GOAL_MB}\n"
    )
    return 0 if slope <= EXPONENT_GOAL and max(megabytes) <= MEMORY_GOAL_MB else 1


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
