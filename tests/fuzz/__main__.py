"""`python -m tests.fuzz`: the fuzzer, with a table by kind of input.

Exit status: 0 no traceback, 1 some. To run the same inputs on another commit, copy this folder into its checkout.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.campaign import ACCEPTED, REFUSED, TRACEBACK, count_of, run
from tests.fuzz.kinds import KINDS


def main() -> int:
    """Run all kinds and print the table."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=5000, help="how many inputs, of all kinds together")
    options.add_argument("--seed", type=int, default=20)
    options.add_argument("--kind", choices=[kind.name for kind in KINDS], help="only this kind")
    options.add_argument("--examples", action="store_true", help="print the first input of each fault")
    given = options.parse_args()
    began = time.process_time()
    total: dict[str, int] = {}
    sys.stdout.write(f"{'kind':<20}{'inputs':>8}{'refused':>9}{'accepted':>10}{'tracebacks':>12}\n")
    for kind in KINDS:
        if given.kind not in (None, kind.name):
            continue
        found = run(kind, given.seed, count_of(kind, given.inputs))
        figures = {"inputs": found.inputs, **{end: found.ends[end] for end in (REFUSED, ACCEPTED, TRACEBACK)}}
        total = {name: total.get(name, 0) + count for name, count in figures.items()}
        sys.stdout.write("{:<20}{:>8}{:>9}{:>10}{:>12}\n".format(kind.name, *figures.values()))
        for fault, count in found.faults.most_common():
            sys.stdout.write(f"    {count:>6} x {fault}\n")
            if given.examples:
                number, content = found.example[fault]
                sys.stdout.write(f"           input {number}: {content[:2000]!r}\n")
    sys.stdout.write(
        f"seed={given.seed} "
        + " ".join(f"{name}={count}" for name, count in total.items())
        + f" cpu_seconds={time.process_time() - began:.1f}\n"
    )
    return 1 if total.get(TRACEBACK) else 0


if __name__ == "__main__":
    sys.exit(main())
