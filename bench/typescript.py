"""How fast the TypeScript package puts and gets beside the bare SDK, on versitygw or on any S3 server.

Both sides run in one process of Node, in turn, with 16 small bodies at a time and one large one. The bare SDK is used
as its documentation shows it: a whole body in one `PutObject`, with the CRC32 that it computes and checks by itself.
Ours sends a SHA-256, large bodies in parts, and computes the server's digest again from what arrives. A figure is the
median of the rounds.

Goal: at most 1.1 times the bare SDK's time, for each of the four.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.adapter import empty, environment, in_memory, running
from bench.archives import Verdict
from model.secrecy.output_guard import guard_output
from trials.typescript_package import NoPackageError, built

GOAL = 1.1
SMALL = (1000, 16 * 1024)
LARGE = (4, 256 * 2**20)


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.typescript", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-east-1"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few and small bodies; their figures are no verdict")
    parser.add_argument("--folder", type=Path, help="folder for the files; default: in memory if there is room")
    options = parser.parse_args(arguments)
    options.folder = options.folder or in_memory()
    small, large = ((50, SMALL[1]), (1, 20 * 2**20)) if options.quick else (SMALL, LARGE)
    verdict = Verdict()
    with tempfile.TemporaryDirectory() as package_folder, tempfile.TemporaryDirectory(dir=options.folder) as folder:
        try:
            package = built(Path(package_folder), os.environ)
        except NoPackageError as reason:
            raise SystemExit(f"no TypeScript here: {reason}") from None
        with running(options, Path(folder), region=options.region) as bench:
            ran = package.run(
                package.node,
                str(package.folder / "build" / "test" / "bench.js"),
                *(bench.bucket, *map(str, (*small, *large)), str(options.rounds)),
                environ=environment(bench.config),
                seconds=3600,
            )
            empty(bench.client, bench.bucket)
    if ran.returncode:
        raise SystemExit(ran.stderr[-2000:])
    found = json.loads(ran.stdout)
    for what in ("small_put", "small_get", "large_put", "large_get"):
        ours, bare = (
            [statistics.median(part) for part in zip(*found["found"][f"{side}_{what}"], strict=True)]
            for side in ("ours", "bare")
        )
        text = f"{what}: {ours[0]:.2f} s, CPU {ours[1]:.2f} s; the bare SDK {bare[0]:.2f} s, CPU {bare[1]:.2f} s"
        verdict.holds(f"{what}_ratio", ours[0] / bare[0], GOAL, text)
        verdict.figures[f"{what}_cpu_ratio"] = f"{ours[1] / bare[1]:.2f}"
    verdict.figures["memory_mb"] = f"{found['memory']:.0f}"
    return verdict.told()


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
