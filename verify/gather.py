"""Gathers the facts of all buckets, concurrently, each once, and leaves no probe behind.

The rule: whatever interrupts a run, every bucket in which a probe may have been written is swept before the end.
"""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.plan import BucketPlan
from object_store import ObjectStore
from verify.client import s3_client
from verify.facts import BucketFacts, Facts
from verify.probes import remove_probes, try_probe, writer_for
from verify.reading import read_location, read_retention, read_rules, read_versioning
from verify.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

JOBS = 8

Progress = Callable[[str], None]


def gather_facts(target: Target, progress: Progress = lambda _: None, jobs: int = JOBS) -> Facts:
    """Read and try everything once.

    Args:
        target: What to verify.
        progress: Called with a bucket's name when its facts are there.
        jobs: Buckets at a time.
    """
    run_id = secrets.token_hex(6)
    plan = target.deployment.plan
    verifier = plan.verifier
    if verifier is None:
        raise LookupError("the plan has no identity that verifies")
    stores = {identity.name: ObjectStore(target.config(identity.name)) for identity in plan.identities}
    ca_pem = target.config(verifier.name).read_ca()

    def gather(bucket: BucketPlan) -> tuple[str, BucketFacts]:
        identity = writer_for(plan, bucket)
        store = stores[identity.name]
        with _swept(client, bucket, run_id):
            probe = try_probe(store, client, bucket, identity, run_id, ca_pem)
        found = BucketFacts(
            location=read_location(client, bucket.name),
            versioning=read_versioning(client, bucket.name),
            rules=read_rules(client, bucket.name),
            retention=read_retention(client, bucket.name),
            probe=probe,
            left=remove_probes(client, bucket, run_id),
        )
        progress(bucket.name)
        return bucket.name, found

    with s3_client(target, verifier.name) as client, ThreadPoolExecutor(jobs, "facts") as pool:
        try:
            return Facts(run_id, dict(pool.map(gather, plan.buckets)))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _swept(client: "S3Client", bucket: BucketPlan, run_id: str) -> "Iterator[None]":
    """Remove the probes of a bucket when the attempt in it is broken off."""
    try:
        yield
    except BaseException:
        remove_probes(client, bucket, run_id)
        raise
