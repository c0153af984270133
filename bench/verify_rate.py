"""`python -m bench.verify_rate`: the suite compared with boto3 at its own saturated rate, on one server in one run.

The rule: both sides use the same number of threads and make the same calls. The benchmark records the calls of the
suite's run, and boto3 repeats them in a tight loop with one client for all threads, without reading the answers. They
take turns, and the result is each side's median. The suite's time covers everything from its first look at the endpoint
to the end of its sweep. Its requests are all that it sent, including presigned URLs, which boto3 signs and does not
send. Goal: ratio >= 0.9.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ClientError

from bench.stores import admin_client, server, store
from model.secrecy.output_guard import guard_output
from verify.gather import JOBS, gather_facts
from verify.probe.session import StoreSession
from verify.selection import Part, Selection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from verify.target import Target

GOAL = 0.9
DOMAINS = 30
ROUNDS = 3
Call = tuple[str, dict[str, Any]]


@contextmanager
def recorded(calls: list[Call]) -> Iterator[None]:
    """Record every call of the suite's clients."""
    made = StoreSession._made  # noqa: SLF001 - every client of the suite is created there

    def listening(self: StoreSession, *arguments: Any) -> "S3Client":  # noqa: ANN401 - any arguments
        client = made(self, *arguments)

        def note(params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's model
            calls.append((xform_name(model.name), dict(params)))

        client.meta.events.register("provide-client-params.s3", note)
        return client

    StoreSession._made = listening  # type: ignore[method-assign, assignment]  # noqa: SLF001 - for the time of the run
    try:
        yield
    finally:
        StoreSession._made = made  # type: ignore[method-assign]  # noqa: SLF001 - restored


def suite_rate(target: "Target", calls: list[Call]) -> float:
    """Requests a second of the suite's matrix, including everything before and after; records calls in `calls`."""
    started = time.monotonic()
    with recorded(calls):
        facts = gather_facts(target, selection=Selection(parts=frozenset({Part.GRANTS})))
    took = time.monotonic() - started
    if facts.gave_up or not facts.door.open:
        raise SystemExit(f"the server does not answer: {facts.gave_up or facts.door}")
    return facts.requests / took


def boto3_rate(client: "S3Client", calls: Sequence[Call]) -> float:
    """Calls a second of boto3 with the same number of threads."""

    def call(one: Call) -> None:
        name, params = one
        with suppress(ClientError):
            answer = getattr(client, name)(**params)
            if "Body" in answer:
                answer["Body"].read()

    started = time.monotonic()
    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(call, calls))
    return len(calls) / (time.monotonic() - started)


def empty(client: "S3Client", target: "Target") -> None:
    """Remove what the repeated calls have left, also outside `.verify/`: boto3 sends the right digest of each body."""
    for bucket in target.deployment.plan.buckets:
        bypass: dict[str, Any] = {"BypassGovernanceRetention": True} if bucket.locked else {}
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket.name):
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                client.delete_object(Bucket=bucket.name, Key=entry["Key"], VersionId=entry["VersionId"], **bypass)


def main(arguments: Sequence[str]) -> int:
    """Measure; return 0 if the goal is reached, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify_rate", description=__doc__)
    parser.add_argument("--endpoint", help="any S3 server; keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--region", default="us-west-2")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    own, others = [], []
    with (
        server(options.endpoint) as (endpoint, ca_file, pair),
        store(endpoint, ca_file, pair, DOMAINS, options.region) as target,
    ):
        client = admin_client(target, ca_file)
        suite_rate(target, [])  # fill the caches before the measurement
        for number in range(options.rounds):
            calls: list[Call] = []
            own.append(suite_rate(target, calls))
            others.append(boto3_rate(client, calls))
            empty(client, target)
            sys.stdout.write(f"round {number + 1}: suite {own[-1]:.0f}/s, boto3 {others[-1]:.0f}/s\n")
        client.close()
    ratio = statistics.median(own) / statistics.median(others)
    sys.stdout.write(
        f"suite_per_second={statistics.median(own):.0f} boto3_per_second={statistics.median(others):.0f} "
        f"threads={JOBS} ratio={ratio:.2f} goal={GOAL}\n"
    )
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    guard_output()
    sys.exit(main(sys.argv[1:]))
