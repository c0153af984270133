"""Smoke probes: written, read in every way, deleted where that may be, and always removed.

The rule: everything is under `.verify/<run id>/` and is removed by the verifier afterwards, whatever happened before,
locked versions by governance bypass included. Where a bucket's default is COMPLIANCE nobody could remove a workload's
probe, so there the verifier writes it under an explicit short governance lock.
"""

import hashlib
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from infra.plan import PROBE_PREFIX, BucketPlan, IdentityPlan, StorePlan
from infra.taxonomy import Access, RetentionMode
from object_store import BadCredentials, NotFound, ObjectStore, ObjectStoreError
from verify.facts import Answer, Described, ProbeFacts
from verify.reading import answer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

T = TypeVar("T")

PROBE_BYTES = 2048
PROBE_CONTENT_TYPE = "application/x-joelclaw-probe"
PRESIGN_EXPIRY = timedelta(minutes=5)
FETCH_TIMEOUT_SECONDS = 20
# IAM on AWS takes some seconds to know a key that was just made:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html
NEW_KEY_SECONDS = 20
SHORT_LOCK = timedelta(minutes=1)
DELETE_BATCH = 1000


def run_prefix(run_id: str) -> str:
    """Where all objects of a run are."""
    return f"{PROBE_PREFIX}{run_id}/"


def writer_for(plan: StorePlan, bucket: BucketPlan) -> IdentityPlan:
    """Who writes a bucket's probe: an identity that may also delete, else one that may append, else the verifier.

    Raises:
        LookupError: No identity may write and there is no verifier.
    """
    compliance = bucket.retention is not None and bucket.retention.mode is RetentionMode.COMPLIANCE
    if not compliance:
        for access in (Access.WRITE, Access.APPEND):
            for identity in plan.identities:
                if any(grant.bucket == bucket.name and grant.access is access for grant in identity.grants):
                    return identity
    if plan.verifier is None:
        raise LookupError(f"no identity may write to {bucket.name}")
    return plan.verifier


def may_delete(identity: IdentityPlan, bucket: BucketPlan) -> bool:
    """Whether a grant lets the identity delete in the bucket; the verifier's own removal is another check's."""
    return any(grant.bucket == bucket.name and grant.access is Access.WRITE for grant in identity.grants)


def try_probe(
    store: ObjectStore,
    client: "S3Client",
    bucket: BucketPlan,
    identity: IdentityPlan,
    run_id: str,
    ca_pem: str | None,
) -> ProbeFacts:
    """Write a probe as `identity`, read it in every way, delete it where that is granted.

    Args:
        store: The adapter with the identity's key.
        client: boto3 with the verifier's key, for the explicit lock in COMPLIANCE buckets.
        bucket: Where.
        identity: Who; see `writer_for`.
        run_id: Of this run.
        ca_pem: The CA that a presigned URL's server is checked with.
    """
    key = f"{run_prefix(run_id)}smoke"
    body = secrets.token_bytes(PROBE_BYTES)
    sent = Described(size=len(body), content_type=PROBE_CONTENT_TYPE, sha256=_sha256(body))
    if bucket.retention is not None and identity.verifies:
        uploaded = answer(lambda: _put_with_short_lock(client, bucket.name, key, body))
    else:
        uploaded = _tried(lambda: _upload(store, bucket.name, key, body))

    def delete() -> bool:
        store.delete_object(bucket.name, key)
        try:
            store.head(bucket.name, key)
        except NotFound:
            return True
        return False

    return ProbeFacts(
        identity=identity.name,
        sent=sent,
        uploaded=uploaded,
        headed=_tried(lambda: _head(store, bucket.name, key)),
        downloaded=_tried(lambda: _download(store, bucket.name, key)),
        listed=_tried(lambda: _listed(store, bucket.name, key)),
        presigned=_tried(lambda: _fetch(store.presign(bucket.name, key, PRESIGN_EXPIRY), ca_pem)),
        deleted=_tried(delete) if may_delete(identity, bucket) else None,
    )


def remove_probes(client: "S3Client", bucket: BucketPlan, run_id: str) -> Answer[int]:
    """Remove every version and marker under the run's prefix and count what is left."""
    return answer(lambda: _remove(client, bucket, run_prefix(run_id)))


def _remove(client: "S3Client", bucket: BucketPlan, prefix: str) -> int:
    found = _versions(client, bucket.name, prefix)
    for start in range(0, len(found), DELETE_BATCH):
        batch = found[start : start + DELETE_BATCH]
        if bucket.locked:
            client.delete_objects(
                Bucket=bucket.name, Delete={"Objects": batch, "Quiet": True}, BypassGovernanceRetention=True
            )
        else:
            client.delete_objects(Bucket=bucket.name, Delete={"Objects": batch, "Quiet": True})
    return len(_versions(client, bucket.name, prefix))


def _versions(client: "S3Client", bucket: str, prefix: str) -> "list[ObjectIdentifierTypeDef]":
    found: list[ObjectIdentifierTypeDef] = []
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found += [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in page.get("Versions", [])]
        found += [{"Key": m["Key"], "VersionId": m["VersionId"]} for m in page.get("DeleteMarkers", [])]
    return found


def _upload(store: ObjectStore, bucket: str, key: str, body: bytes) -> Described:
    for attempt in Retrying(
        retry=retry_if_exception_type(BadCredentials),
        stop=stop_after_delay(NEW_KEY_SECONDS),
        wait=wait_exponential(multiplier=0.5, max=5),
        reraise=True,
    ):
        with attempt:
            ref = store.upload(bucket, key, body, content_type=PROBE_CONTENT_TYPE)
    return Described(etag=ref.etag, size=ref.size, content_type=ref.content_type)


def _put_with_short_lock(client: "S3Client", bucket: str, key: str, body: bytes) -> Described:
    done = client.put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        ContentType=PROBE_CONTENT_TYPE,
        ChecksumAlgorithm="SHA256",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + SHORT_LOCK,
    )
    return Described(etag=done["ETag"].strip('"'), size=len(body), content_type=PROBE_CONTENT_TYPE)


def _head(store: ObjectStore, bucket: str, key: str) -> Described:
    ref = store.head(bucket, key)
    return Described(etag=ref.etag, size=ref.size, content_type=ref.content_type)


def _download(store: ObjectStore, bucket: str, key: str) -> Described:
    body = store.download(bucket, key)
    return Described(size=len(body), sha256=_sha256(body))


def _listed(store: ObjectStore, bucket: str, key: str) -> Described | None:
    for ref in store.list(bucket, key):
        if ref.key == key:
            return Described(etag=ref.etag, size=ref.size)
    return None


def _fetch(url: str, ca_pem: str | None) -> Described:
    context = ssl.create_default_context(cadata=ca_pem) if url.startswith("https:") else None
    # S310: the URL was signed by the adapter for the target's own http(s) endpoint.
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_SECONDS, context=context) as response:  # noqa: S310
        body = response.read()
    return Described(size=len(body), sha256=_sha256(body))


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _tried(attempt: Callable[[], T]) -> Answer[T]:
    """Call once; the adapter's errors become the answer, signed URLs never show."""
    try:
        return Answer(attempt())
    except ObjectStoreError as error:
        return Answer(code=error.code or type(error).__name__, said=str(error))
    except urllib.error.HTTPError as error:
        with suppress(OSError):
            error.close()
        return Answer(code=f"HTTP {error.code}", said="a GET of the presigned URL was refused")
    except (urllib.error.URLError, OSError) as error:
        return Answer(code=type(error).__name__, said="a GET of the presigned URL got no usable answer")
