"""The seeds that a run puts in a bucket first, and the sweep at the end, which also removes leftovers of earlier runs.

The rule: everything is under `.verify/<run id>/`, and the verifier writes and removes it. In a bucket with object lock
the seed has an explicit short governance lock. So the verifier can remove it by bypass under any default retention, and
nothing is locked for long. Of other runs it removes only what a verifier certainly wrote (`verify.probe.mark`), and
only when it is older than a day, because another run may be active. The lifecycle rule expires the rest.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from model.plan import PROBE_PREFIX, BucketPlan, IdentityPlan
from verify.facts import Answer
from verify.probe.answers import done
from verify.probe.mark import Version, of_run, ours
from verify.probe.session import StoreSession, body_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

DELETE_BATCH = 1000
LEFTOVER_AFTER = timedelta(days=1)
SEED_BYTES = 512
LOCK = timedelta(minutes=10)
_AGAIN = b"again"
# The digest of no bytes: a server that lets a put of some bytes in refuses it, and nothing is left.
MD5_OF_NOTHING = base64.b64encode(hashlib.md5(b"", usedforsecurity=False).digest()).decode()
BAD_DIGEST = "BadDigest"


def new_run_id() -> str:
    """The time when the run began and a random part: `20261125T101500Z-3f2a9c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def run_prefix(run_id: str) -> str:
    """The prefix of all objects of a run."""
    return f"{PROBE_PREFIX}{run_id}/"


def condition(identity: IdentityPlan, bucket: BucketPlan) -> dict[str, str]:
    """Arguments of a put that the identity needs in a bucket: `If-None-Match: *` where it may write only once."""
    once = any(grant.bucket == bucket.name and grant.write_once for grant in identity.grants)
    return {"IfNoneMatch": "*"} if once else {}


def short_lock(bucket: BucketPlan, now: datetime) -> dict[str, Any]:
    """Arguments of put_object for a short governance lock; none in a bucket without object lock."""
    if not bucket.locked:
        return {}
    return {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": now + LOCK,
        "ChecksumAlgorithm": "SHA256",
    }


@dataclass(frozen=True)
class Seeds:
    """The seeds in a bucket.

    Attributes:
        answer: The answer to the put of the seed.
        marker_version: Version id of the delete marker; `null` in a bucket without versions.
        conditions_hold: Whether the server refused a put with `If-None-Match: *` for a key that exists.
        digests_hold: Whether the server refused a put with another body's MD5.
        leaves_markers: Whether a delete leaves a delete marker, as in a bucket with versions, on or suspended.
    """

    answer: Answer[str]
    marker_version: str
    conditions_hold: bool
    digests_hold: bool
    leaves_markers: bool


def lay_seeds(session: StoreSession, verifier: str, bucket: BucketPlan, prefix: str) -> Seeds:
    """Put the seed, test puts that must fail, and in a versioned bucket create a delete marker without an object."""
    client = session.client(verifier)
    lock = short_lock(bucket, session.now())

    def lay() -> str:
        client.put_object(Bucket=bucket.name, Key=f"{prefix}seed", Body=secrets.token_bytes(SEED_BYTES), **lock)
        gone = client.delete_object(Bucket=bucket.name, Key=f"{prefix}gone")
        return str(gone.get("VersionId", "null")) if gone.get("DeleteMarker") else ""

    def unchanged() -> bool:
        return body_of(client, bucket.name, f"{prefix}seed") != _AGAIN

    def stored() -> bool:
        found = client.list_objects_v2(Bucket=bucket.name, Prefix=f"{prefix}other")
        return found["IsTruncated"] or "Contents" in found

    laid = session.ask(lay)  # with the version id of the delete marker, if the bucket leaves one
    again = session.ask(
        done(lambda: client.put_object(Bucket=bucket.name, Key=f"{prefix}seed", Body=_AGAIN, IfNoneMatch="*", **lock))
    )
    other = session.ask(
        done(
            lambda: client.put_object(
                Bucket=bucket.name, Key=f"{prefix}other", Body=b"other", ContentMD5=MD5_OF_NOTHING, **lock
            )
        )
    )
    return Seeds(
        laid,
        laid.value or "null",
        # A server may answer with the refusal and store the body all the same.
        again.code == "PreconditionFailed" and session.ask(unchanged).value is True,
        other.code == BAD_DIGEST and session.ask(stored).value is False,
        leaves_markers=laid.value != "",
    )


def sweep(session: StoreSession, verifier: str, bucket: BucketPlan, prefix: str) -> Answer[int]:
    """Remove every version and delete marker of the run, and old leftovers; count what is left of the run."""
    client = session.client(verifier)
    return session.ask(lambda: _swept(client, bucket, prefix, session.now()))


def _swept(client: "S3Client", bucket: BucketPlan, prefix: str, now: datetime) -> int:
    oldest = now - LEFTOVER_AFTER
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
        if page["IsTruncated"] is not None  # an error with a status of success is no empty listing: KeyError
        for entries, is_marker in ((page.get("Versions", []), False), (page.get("DeleteMarkers", []), True))
        for entry in entries
    ]
