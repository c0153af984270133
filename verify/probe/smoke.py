"""Smoke probes: a workload puts an object through the adapter, reads it in every way, and deletes it if it may.

The rule: everything is under `.verify/<run id>/`, and the verifier removes it afterwards (`verify.probe.seeds`). In a
bucket with default COMPLIANCE a workload's probe could not be removed before its retention ends. There the verifier
puts it under an explicit short governance lock, unless `--leave-locked-probe` is given.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from model.plan import BucketPlan, IdentityPlan, StorePlan
from model.taxonomy import Access, RetentionMode
from object_store import LocalFault, NotFound, ObjectStore, ObjectStoreError
from verify.facts import Answer, Described, Expiry, HeldRetention, ProbeFacts
from verify.probe.actions import LINK_SECONDS
from verify.probe.answers import LocalFaultError
from verify.probe.mark import mark_for
from verify.probe.seeds import short_lock
from verify.probe.session import StoreSession

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_WRITING = (Access.WRITE, Access.APPEND)
PROBE_BYTES = 2048
PROBE_CONTENT_TYPE = "application/x-joelclaw-probe"
PRESIGN_EXPIRY = timedelta(seconds=LINK_SECONDS)
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (x-amz-expiration)
_EXPIRATION = re.compile(r'expiry-date="(?P<date>[^"]*)", rule-id="(?P<rule>[^"]*)"')


def compliance(bucket: BucketPlan) -> bool:
    """Whether a workload's object cannot be removed before its retention ends."""
    return bucket.retention is not None and bucket.retention.mode is RetentionMode.COMPLIANCE


def writer_for(
    plan: StorePlan, bucket: BucketPlan, *, leave_locked_probe: bool = False, absent: Collection[str] = ()
) -> IdentityPlan:
    """Who puts objects in a bucket: an identity that may delete, else one that may append, else the verifier.

    Args:
        plan: The plan with the identities.
        bucket: The bucket.
        leave_locked_probe: Choose a workload even if its object cannot be removed.
        absent: Identities that are unavailable.

    Raises:
        LookupError: No identity may put objects, and there is no verifier.
    """
    if leave_locked_probe or not compliance(bucket):
        for access in _WRITING:
            for identity in _with_access(plan, bucket, access):
                if identity.name not in absent:
                    return identity
    if plan.verifier is None:
        raise LookupError(f"no identity may write to {bucket.name}")
    return plan.verifier


def has_writer(plan: StorePlan, bucket: BucketPlan) -> bool:
    """Whether any workload may write in a bucket."""
    return any(_with_access(plan, bucket, access) for access in _WRITING)


def _with_access(plan: StorePlan, bucket: BucketPlan, access: Access) -> list[IdentityPlan]:
    return [i for i in plan.identities if any(g.bucket == bucket.name and g.access is access for g in i.grants)]


def may_delete(identity: IdentityPlan, bucket: BucketPlan) -> bool:
    """Whether a grant allows the identity to delete in the bucket; `probes_removed` covers the verifier's deletes."""
    return any(grant.bucket == bucket.name and grant.access is Access.WRITE for grant in identity.grants)


def try_probe(
    session: StoreSession,
    store: ObjectStore,
    bucket: BucketPlan,
    identity: IdentityPlan,
    verifier: str,
    prefix: str,
) -> ProbeFacts:
    """Put a probe as `identity`, read it in every way, and delete it if that is granted.

    Args:
        session: Of the run.
        store: The adapter with the identity's key.
        bucket: The bucket.
        identity: Who puts the probe; see `writer_for`.
        verifier: The identity that reads the probe's retention.
        prefix: The run's prefix.
    """
    key = f"{prefix}smoke"
    body = secrets.token_bytes(PROBE_BYTES)
    sent = Described(size=len(body), content_type=PROBE_CONTENT_TYPE, sha256=_sha256(body))
    client = session.client(identity.name)

    def tried(attempt: Callable[[], T]) -> Answer[T]:
        return session.ask(attempt, _tried)

    if identity.verifies and bucket.locked:
        uploaded = session.ask(lambda: _put_with_short_lock(client, bucket, key, body, session.now()))
    else:
        uploaded = tried(lambda: _upload(store, bucket.name, key, body))

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
        headed=tried(lambda: _head(store, bucket.name, key)),
        downloaded=tried(lambda: _download(store, bucket.name, key)),
        listed=tried(lambda: _listed(store, bucket.name, key)),
        presigned=_fetched(session, _tried(lambda: store.presign(bucket.name, key, PRESIGN_EXPIRY))),
        expiry=session.ask(lambda: _expiry(client, bucket.name, key)),
        retention=session.ask(lambda: _retention(session, verifier, bucket.name, key)) if bucket.locked else None,
        deleted=tried(delete) if may_delete(identity, bucket) else None,
    )


def _expiry(client: "S3Client", bucket: str, key: str) -> Expiry | None:
    said = client.head_object(Bucket=bucket, Key=key).get("Expiration")
    found = _EXPIRATION.search(said) if said else None
    return Expiry(found["rule"], found["date"]) if found else None


def _retention(session: StoreSession, verifier: str, bucket: str, key: str) -> HeldRetention:
    held = session.client(verifier).get_object_retention(Bucket=bucket, Key=key)["Retention"]
    return HeldRetention(held["Mode"], round((held["RetainUntilDate"] - session.now()) / timedelta(days=1)))


def _upload(store: ObjectStore, bucket: str, key: str, body: bytes) -> Described:
    ref = store.upload(bucket, key, body, content_type=PROBE_CONTENT_TYPE, metadata=mark_for(key))
    return Described(etag=ref.etag, size=ref.size, content_type=ref.content_type)


def _put_with_short_lock(client: "S3Client", bucket: BucketPlan, key: str, body: bytes, now: datetime) -> Described:
    done = client.put_object(
        Bucket=bucket.name, Key=key, Body=body, ContentType=PROBE_CONTENT_TYPE, **short_lock(bucket, now)
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


def _fetched(session: StoreSession, url: Answer[str]) -> Answer[Described]:
    """What a plain HTTP client gets with a presigned URL."""
    if url.value is None:
        return Answer(code=url.code, said=url.said)
    came = session.send("GET", url.value)
    if came.value is None:
        return Answer(code=came.code, said=f"a GET of the presigned URL: {came.said}")
    return Answer(Described(size=len(came.value), sha256=_sha256(came.value)))


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _tried(attempt: Callable[[], T]) -> Answer[T]:
    """Call once; an error of the adapter becomes the answer."""
    try:
        return Answer(attempt())
    except LocalFault as error:
        raise LocalFaultError(str(error)) from error
    except ObjectStoreError as error:
        return Answer(code=error.code or type(error).__name__, said=str(error))
