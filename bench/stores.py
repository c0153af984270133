"""A store to measure on: buckets of a plan of any size, on the sandbox's own server or on any S3 server.

The rule: it creates buckets with new names and removes them again. All identities share the key pair from the
environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`), because not every server has IAM. So the grants matrix
fails there, and the benchmark measures its cost and not its verdict.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from pydantic import SecretStr

from model.deployment import KeyPair, build_deployment
from model.loaded_cas import load_cas_once
from model.plan import BucketPlan, StorePlan, build_plan
from model.taxonomy_file import load, parse
from verify.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

JOBS = 16
# The bands in the same proportion as in the taxonomy in use: 4 cold, 4 warm, 1 hot of 9.
BANDS = ("cold", "warm", "cold", "warm", "warm", "cold", "cold", "hot", "warm")


def plan_of(domains: int, *, audited: bool = False) -> StorePlan:
    """A plan with this number of domains, and with the identities in use; one that audits, if wanted."""
    names = {f"domain-{number:03}": BANDS[number % len(BANDS)] for number in range(domains)}
    first = list(names)
    content = {
        "bands": load().bands.model_dump(),
        "domains": {name: {"band": band} for name, band in names.items()},
        "identities": {
            "worker": {"grants": dict.fromkeys(first[:6], "append")},
            **{f"producer-{n}": {"grants": {first[n]: "append"}} for n in range(3)},
            "reader": {"grants": {"*": "read"}},
            "verifier": {"verifies": True},
            **({"auditor": {"audits": True}} if audited else {}),
        },
    }
    taxonomy = parse(content, "bench")
    return build_plan(taxonomy, env=f"b{secrets.token_hex(3)}", region_code="usw2", tls_only=True, where="bench: ")


@contextmanager
def server(endpoint: str | None) -> Iterator[tuple[str, str | None, KeyPair]]:
    """Endpoint, CA file and key pair of the given server, or of the sandbox's server, started for this run."""
    if endpoint is not None:
        key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        yield endpoint, os.environ.get("S3_CA_BUNDLE"), KeyPair(access_key_id=key, secret_access_key=SecretStr(secret))
        return
    from sandbox.server.temporary import running_server  # noqa: PLC0415 - another server does not need the sandbox

    with tempfile.TemporaryDirectory() as folder, running_server("aistor", Path(folder)) as own:
        pair = KeyPair(access_key_id=own.admin.user, secret_access_key=SecretStr(own.admin.password))
        yield own.endpoint, own.ca_bundle, pair


@contextmanager
def store(
    endpoint: str, ca_file: str | None, pair: KeyPair, domains: int, region: str, *, audited: bool = False
) -> Iterator[Target]:
    """A store with this number of domains; its buckets are removed at the end."""
    plan = plan_of(domains, audited=audited)
    ca_pem = Path(ca_file).read_text(encoding="ascii") if ca_file else None
    deployment = build_deployment(
        plan,
        stack="bench",
        cloud="aistor",
        region=region,
        endpoint=endpoint,
        provisioning_endpoint=endpoint,
        ca_pem=ca_pem,
    )
    target = Target(deployment, {identity.name: pair for identity in plan.identities}, endpoint)
    client = admin_client(target, ca_file)
    with ThreadPoolExecutor(JOBS) as pool:
        try:
            list(pool.map(lambda b: _make(client, b, region), plan.buckets))
            yield target
        finally:
            list(pool.map(lambda b: _remove(client, b), plan.buckets))
            client.close()


def admin_client(target: Target, ca_file: str | None) -> "S3Client":
    """A usual boto3 client with as many connections as threads."""
    pair = next(iter(target.credentials.values()))
    return load_cas_once(boto3.session.Session()).client(
        "s3",
        endpoint_url=target.endpoint,
        region_name=target.deployment.region,
        verify=ca_file,
        aws_access_key_id=pair.access_key_id,
        aws_secret_access_key=pair.secret_access_key.get_secret_value(),
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=JOBS),
    )


def _make(client: "S3Client", bucket: BucketPlan, region: str) -> None:
    where: dict[str, Any] = {} if region == "us-east-1" else {"LocationConstraint": region}
    more: dict[str, Any] = {"CreateBucketConfiguration": where} if where else {}
    client.create_bucket(Bucket=bucket.name, ObjectLockEnabledForBucket=bucket.locked, **more)
    if bucket.versioned and not bucket.locked:
        client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})


def _remove(client: "S3Client", bucket: BucketPlan) -> None:
    client.delete_bucket(Bucket=bucket.name)
