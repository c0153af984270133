"""`python -m bench.preview`: what taxonomy, plan and checks cost a preview, and how that grows with the domains.

The rule: it times whole commands, `pulumi preview --expect-no-changes` of deployed stacks on one server in one run. Our
program takes turns with a bare program that declares the same resources with the same inputs (`bench.bare`, which is
proven equal before it is timed). The result is each side's median. The plan is timed in process: the benchmark reads
and checks a taxonomy, and builds its plan. The plan's seconds include Python's garbage collector, but its exponent does
not: the collector starts at a certain number of objects, which is a step, not a slope. Exponents are slopes of
log(time) over log(domains).

Goals: ratio <= 1.3; 10 000 domains planned in under 1 s and linearly (exponent <= 1.1); a preview no worse than linear.
"""

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.bare import program, same_resources
from bench.projects import REPOSITORY, Place, Project, deployed, place, stack_config
from bench.stores import BANDS
from bench.verify_growth import exponent
from model.plan import build_plan
from model.secrecy.output_guard import guard_output
from model.taxonomy_file import load, parse

RATIO_GOAL = 1.3
PLAN_GOAL_SECONDS = 1.0
EXPONENT_GOAL = 1.1
ROUNDS = 5
PLANNED = (1_000, 3_000, 10_000)
PREVIEWED = (30, 110)
ENV, BARE_ENV = "bench", "plain"  # of the same length, so that all names have the same length


def domains_of(count: int) -> dict[str, Any]:
    """This number of domains, with the bands in the same proportion as in the taxonomy in use."""
    return {f"domain-{number}": {"band": BANDS[number % len(BANDS)]} for number in range(count)}


def plan_seconds(domains: int, *, collecting: bool) -> float:
    """Seconds to read a taxonomy of this number of domains and to plan it, the best of several.

    Args:
        domains: The number of domains.
        collecting: With the garbage collector, or without.
    """
    names = list(domains_of(domains))
    content = {
        "bands": load().bands.model_dump(),
        "domains": domains_of(domains),
        "identities": {
            "worker": {"grants": dict.fromkeys(names[:6], "append")},
            "reader": {"grants": {"*": "read"}},
            "verifier": {"verifies": True},
        },
    }
    took = []
    if not collecting:
        gc.disable()
    try:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            plan = build_plan(parse(content, "bench"), env=ENV, region_code="usw2", tls_only=True, where="bench: ")
            took.append(time.perf_counter() - started)
            if len(plan.buckets) != domains:
                raise SystemExit(f"the plan has {len(plan.buckets)} buckets for {domains} domains")
    finally:
        gc.enable()
    return min(took)


def resources_of(project: Project) -> list[dict[str, Any]]:
    """A stack's resources, from its state."""
    exported = json.loads(project.pulumi("stack", "export", "--show-secrets"))
    return list(exported["deployment"]["resources"])


def side_by_side(where: Place, folder: Path, rounds: int) -> tuple[float, float]:
    """Median seconds of a preview of our program and of the bare one, taking turns."""
    with ExitStack() as ending:
        main = REPOSITORY / "infra"
        ours = ending.enter_context(deployed(where, folder / "ours", main, stack_config(where, ENV, {})))
        resources, prefixes = resources_of(ours), (f"joelclaw-{ENV}-", f"joelclaw-{BARE_ENV}-")
        source = folder / "bare-program"
        source.mkdir()
        (source / "__main__.py").write_text(program(resources, *prefixes), encoding="utf-8")
        bare = ending.enter_context(deployed(where, folder / "bare", source, {}))
        differing = same_resources(resources, resources_of(bare), *prefixes)
        if differing:
            raise SystemExit(f"the bare program does not declare the same resources: {', '.join(differing)}")
        seconds: dict[str, list[float]] = {"ours": [], "bare": []}
        for turn in range(rounds):
            for name, project in (("ours", ours), ("bare", bare))[:: 1 if turn % 2 else -1]:
                seconds[name].append(project.preview_seconds())
    return statistics.median(seconds["ours"]), statistics.median(seconds["bare"])


def preview_seconds(where: Place, folder: Path, domains: int, rounds: int) -> float:
    """Median seconds of a preview of this number of domains, including those of the taxonomy."""
    more = domains_of(domains - len(load().domains))
    config = stack_config(where, f"of{domains}", more)
    with deployed(where, folder / f"of-{domains}", REPOSITORY / "infra", config) as project:
        return statistics.median(project.preview_seconds() for _ in range(rounds))


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if every goal is reached, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.preview", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", choices=("local", "aws"), default="local")
    parser.add_argument(
        "--endpoint",
        help="any server, used with the real plugin; keys from AISTOR_ROOT_USER and AISTOR_ROOT_PASSWORD (aws: "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), its CA from S3_CA_BUNDLE",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--domains", type=int, nargs="+", default=list(PREVIEWED), help="at least two sizes")
    options = parser.parse_args(arguments)

    plan_took = plan_seconds(PLANNED[-1], collecting=True)
    planned = [plan_seconds(domains, collecting=False) for domains in PLANNED]
    for domains, took in zip(PLANNED, planned, strict=True):
        _tell(f"plan of {domains} domains without garbage collection: {took:.3f} s")
    _tell(f"plan of {PLANNED[-1]} domains: {plan_took:.3f} s")
    previewed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        with place(options.stack, options.endpoint, folder / "place") as where:
            ours, bare = side_by_side(where, folder, options.rounds)
            _tell(f"preview of {len(load().domains)} domains: {ours:.2f} s, of the bare program {bare:.2f} s")
            for domains in options.domains:
                previewed.append(preview_seconds(where, folder, domains, min(options.rounds, 3)))
                _tell(f"preview of {domains} domains: {previewed[-1]:.2f} s")
    plan_slope, preview_slope = exponent(PLANNED, planned), exponent(options.domains, previewed)
    pairs = [
        f"stack={options.stack}",
        f"ratio={ours / bare:.2f} ratio_goal={RATIO_GOAL}",
        f"plan_seconds_{PLANNED[-1]}={plan_took:.2f} plan_seconds_goal={PLAN_GOAL_SECONDS:g}",
        f"plan_exponent={plan_slope:.2f} preview_exponent={preview_slope:.2f} exponent_goal={EXPONENT_GOAL}",
        *(f"preview_seconds_{d}={s:.1f}" for d, s in zip(options.domains, previewed, strict=True)),
    ]
    sys.stdout.write(" ".join(pairs) + "\n")
    reached = ours / bare <= RATIO_GOAL and plan_took < PLAN_GOAL_SECONDS
    return 0 if reached and max(plan_slope, preview_slope) <= EXPONENT_GOAL else 1


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
