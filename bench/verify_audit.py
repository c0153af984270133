"""`python -m bench.verify_audit`: what the audit adds to a verification, in time and memory.

The rule: it measures the whole command, `python -m verify`, on one store with the auditor's key and without it in turn,
and compares the quickest of each. The auditor's key also adds its own cells to the matrix of grants. Without
`--endpoint` each identity has a key of its own, as deployed; with it all share one key, so identities are listed but
not compared. Goals: at most 1.3 times the time, and 80 MB more, because MinIO's encryption of lists and keys fills 64
MiB for each message.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.stores import plan_of, server, store
from bench.verify_growth import measure
from model.secrecy.output_guard import guard_output

if TYPE_CHECKING:
    from verify.target import Target

DOMAINS = (9, 100)
TIME_GOAL = 1.3
MEMORY_GOAL_MB = 80
ROUNDS = 3


@contextmanager
def audited_store(domains: int, endpoint: str | None, region: str) -> "Iterator[Target]":
    """A store with an identity that audits, on the sandbox's server or on another one."""
    if endpoint is None:
        from trials.stores import running_store  # noqa: PLC0415 - another server does not need the sandbox

        with running_store("aistor", plan_of(domains, audited=True)) as own:
            yield own.target
        return
    with (
        server(endpoint) as (url, ca_file, pair),
        store(url, ca_file, pair, domains, region, audited=True) as target,
    ):
        yield target


def compare(target: "Target", rounds: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds and megabytes without the auditor's key, and with it: the quickest and the smallest of some rounds."""
    keys = {name: pair for name, pair in target.credentials.items() if name != "auditor"}
    sides = replace(target, credentials=keys), target
    found = [[measure(side) for side in sides] for _ in range(rounds)]
    without, audited = ([one[n] for one in found] for n in (0, 1))
    return _least(without), _least(audited)


def _least(measured: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return min(seconds for seconds, _ in measured), min(memory for _, memory in measured)


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify_audit", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default="us-west-2")
    parser.add_argument("--domains", type=int, nargs="+", default=list(DOMAINS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    pairs, worst_time, worst_memory = [], 0.0, 0.0
    for domains in options.domains:
        with audited_store(domains, options.endpoint, options.region) as target:
            (plain, plain_mb), (audited, audited_mb) = compare(target, options.rounds)
        worst_time, worst_memory = max(worst_time, audited / plain), max(worst_memory, audited_mb - plain_mb)
        sys.stdout.write(
            f"{domains} domains: {plain:.1f} s and {plain_mb:.0f} MB without the audit, {audited:.1f} s and "
            f"{audited_mb:.0f} MB with it\n"
        )
        sys.stdout.flush()
        pairs.append(f"ratio_{domains}={audited / plain:.2f}")
    sys.stdout.write(
        f"{' '.join(pairs)} ratio_goal={TIME_GOAL} memory_more_mb={worst_memory:.0f} memory_goal_mb={MEMORY_GOAL_MB}\n"
    )
    return 0 if worst_time <= TIME_GOAL and worst_memory <= MEMORY_GOAL_MB else 1


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
