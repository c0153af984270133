"""The seeds that a run puts in a bucket first, and the sweep at the end, which also removes leftovers of earlier runs.

The rule: everything is under `.verify/<run id>/`, and the verifier writes and removes it. In a bucket with object lock
the seed has an explicit short governance lock. So the verifier can remove it by bypass under any default retention, and
nothing is locked for long. Of other runs it removes only what a verifier certainly wrote (`verify.probe.mark`), and
only when it is older than a day, because another run may be active. The lifecycle rule expires the rest.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from model.plan import PROBE_PREFIX, BucketPlan
from verify.facts import Answer
from verify.probe.mark import Version, of_run, ours
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
    found = _versions(client, bucket.name, PROBE_PREFIX)
    own = [version for version in found if version.key.startswith(prefix)]
    leftovers = ours(client, bucket.name, [one for one in found if one not in own and of_run(one.key)], oldest)
    _delete(client, bucket, [*own, *leftovers])
    return len(_versions(client, bucket.name, prefix))


def _delete(client: "S3Client", bucket: BucketPlan, found: list[Version]) -> None:
    bypass: dict[str, Any] = {"BypassGovernanceRetention": True} if bucket.locked else {}
    for start in range(0, len(found), DELETE_BATCH):
        batch: list[ObjectIdentifierTypeDef] = [
            {"Key": one.key, "VersionId": one.version_id} for one in found[start : start + DELETE_BATCH]
        ]
        # A version that the server does not delete is counted afterwards.
        client.delete_objects(Bucket=bucket.name, Delete={"Objects": batch, "Quiet": True}, **bypass)


def _versions(client: "S3Client", bucket: str, under: str) -> list[Version]:
    """Versions and delete markers under a prefix."""
    return [
        Version(entry["Key"], entry["VersionId"], entry["LastModified"], entry["IsLatest"], is_marker)
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=under)
        for entries, is_marker in ((page.get("Versions", []), False), (page.get("DeleteMarkers", []), True))
        for entry in entries
    ]
