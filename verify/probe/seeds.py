"""The seeds that a run puts in a bucket first, and the sweep at the end, which also removes leftovers of earlier runs.

The rule: everything is under `.verify/<run id>/`, and the verifier writes and removes it. In a bucket with object lock
the seed has an explicit short governance lock. So the verifier can remove it by bypass under any default retention, and
nothing is locked for long. Leftovers of other runs are removed when they are older than a day, never sooner, because
another run may be active.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from model.plan import PROBE_PREFIX, BucketPlan
from verify.facts import Answer
from verify.probe.session import StoreSession

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

DELETE_BATCH = 1000
LEFTOVER_AFTER = timedelta(days=1)
SEED_BYTES = 512
LOCK = timedelta(minutes=10)


def new_run_id() -> str:
    """The time when the run began and a random part: `20261125T101500Z-3f2a9c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def run_prefix(run_id: str) -> str:
    """The prefix of all objects of a run."""
    return f"{PROBE_PREFIX}{run_id}/"


def short_lock(bucket: BucketPlan, lock: timedelta = LOCK) -> dict[str, Any]:
    """Arguments of put_object for a short governance lock; none in a bucket without object lock."""
    if not bucket.locked:
        return {}
    return {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": datetime.now(UTC) + lock,
        "ChecksumAlgorithm": "SHA256",
    }


@dataclass(frozen=True)
class Seeds:
    """The seeds in a bucket.

    Attributes:
        answer: The answer to the put of the seed.
        marker_version: Version id of the delete marker; `null` in a bucket without versions.
        conditions_hold: Whether the server refused a put with `If-None-Match: *` for a key that exists.
    """

    answer: Answer[str]
    marker_version: str
    conditions_hold: bool


def lay_seeds(session: StoreSession, verifier: str, bucket: BucketPlan, prefix: str) -> Seeds:
    """Put the seed, test a conditional put, and in a versioned bucket create a delete marker without an object."""
    client = session.client(verifier)

    def lay() -> str:
        client.put_object(
            Bucket=bucket.name, Key=f"{prefix}seed", Body=secrets.token_bytes(SEED_BYTES), **short_lock(bucket)
        )
        if not bucket.versioned:
            return "null"
        return str(client.delete_object(Bucket=bucket.name, Key=f"{prefix}gone").get("VersionId", "null"))

    def put_again() -> object:
        return client.put_object(
            Bucket=bucket.name, Key=f"{prefix}seed", Body=b"again", IfNoneMatch="*", **short_lock(bucket)
        )

    laid = session.ask(lay)
    again = session.ask(put_again)
    return Seeds(laid, laid.value or "null", again.code == "PreconditionFailed")


def sweep(session: StoreSession, verifier: str, bucket: BucketPlan, prefix: str) -> Answer[int]:
    """Remove every version and delete marker of the run, and old leftovers; count what is left of the run."""
    client = session.client(verifier)
    return session.ask(lambda: _swept(client, bucket, prefix))


def _swept(client: "S3Client", bucket: BucketPlan, prefix: str) -> int:
    oldest = datetime.now(UTC) - LEFTOVER_AFTER
    _delete(client, bucket, _versions(client, bucket.name, PROBE_PREFIX, prefix, oldest))
    return len(_versions(client, bucket.name, prefix, prefix, oldest))


def _delete(client: "S3Client", bucket: BucketPlan, found: "list[ObjectIdentifierTypeDef]") -> None:
    bypass: dict[str, Any] = {"BypassGovernanceRetention": True} if bucket.locked else {}
    for start in range(0, len(found), DELETE_BATCH):
        batch = found[start : start + DELETE_BATCH]
        # A version that the server does not delete is counted afterwards.
        client.delete_objects(Bucket=bucket.name, Delete={"Objects": batch, "Quiet": True}, **bypass)


def _versions(
    client: "S3Client", bucket: str, under: str, prefix: str, oldest: datetime
) -> "list[ObjectIdentifierTypeDef]":
    """Versions and delete markers of the run, and those of other runs that are too old."""
    found: list[ObjectIdentifierTypeDef] = []
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=under):
        found += [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if entry["Key"].startswith(prefix) or entry["LastModified"] < oldest
        ]
    return found
