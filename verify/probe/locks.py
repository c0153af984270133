"""The immutability proof of a bucket with object lock.

The rule: the version that must not be deleted belongs to the run. In a bucket with default COMPLIANCE a workload's
version could not be removed before its retention ends. There the verifier writes it under an explicit short governance
lock, unless `--leave-locked-probe` is given. A refusal is a code, never "it raised".
"""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from model.plan import BucketPlan, IdentityPlan, StorePlan
from verify.facts import NOT_TRIED, Answer, LockFacts, Tried
from verify.probe.answers import done
from verify.probe.seeds import condition, short_lock
from verify.probe.session import StoreSession, body_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BYTES = 256


def holders(plan: StorePlan, bucket: BucketPlan) -> tuple[IdentityPlan, ...]:
    """Every identity with access to the bucket, including the verifier."""
    return tuple(
        identity
        for identity in plan.identities
        if identity.verifies or any(grant.bucket == bucket.name for grant in identity.grants)
    )


def try_lock(
    session: StoreSession, plan: StorePlan, bucket: BucketPlan, identity: IdentityPlan, prefix: str
) -> LockFacts:
    """Put a version, and try on it everything that must fail.

    Args:
        session: Of the run.
        plan: The plan, for the identities with access to the bucket.
        bucket: A bucket with object lock.
        identity: Who puts it; the verifier does so under an explicit lock.
        prefix: The run's prefix.
    """
    verifier = next(one for one in plan.identities if one.verifies)
    writer, reader = session.client(identity.name), session.client(verifier.name)
    key, body = f"{prefix}locked", secrets.token_bytes(_BYTES)
    explicit: dict[str, Any] = (
        short_lock(bucket, session.now()) if identity.verifies else {"ChecksumAlgorithm": "SHA256"}
    )

    once = condition(identity, bucket)

    def put(content: bytes, **more: Any) -> str:  # noqa: ANN401 - boto3's own parameters
        answer = writer.put_object(Bucket=bucket.name, Key=key, Body=content, **explicit, **more)
        return str(answer.get("VersionId", ""))

    first = session.ask(lambda: put(body, **once))
    version = first.value or "none"
    versions = [version]

    def reads_back() -> bool:
        return body_of(reader, bucket.name, key, VersionId=version) == body

    def overwritten() -> bool:
        newer = put(secrets.token_bytes(_BYTES))
        versions.append(newer)
        return newer != version and reads_back()

    def refused() -> bool:
        return _is_refused(lambda: put(secrets.token_bytes(_BYTES))) and reads_back()

    def put_newer() -> None:
        """On the delete marker, which the condition takes for an absent object."""
        versions.append(put(secrets.token_bytes(_BYTES), **once))

    def deleted() -> bool:
        marker = reader.delete_object(Bucket=bucket.name, Key=key)
        return bool(marker.get("DeleteMarker")) and reads_back()

    who = holders(plan, bucket)
    if not first.ok:
        stopped: Answer[Any] = Answer(code=first.code, said=f"the version was not written: {first.said}")
        untried: dict[str, Tried] = dict.fromkeys((one.name for one in who), Answer(code=NOT_TRIED, said=str(stopped)))
        workloads = {name: answer for name, answer in untried.items() if name != verifier.name}
        return LockFacts(identity.name, not identity.verifies, stopped, stopped, untried, workloads, untried, workloads)
    after_overwrite = session.ask(refused if once else overwritten)
    after_delete = session.ask(deleted)
    if once:
        session.ask(done(put_newer))
    # On the newer version: a retention that is wrongly allowed must not change the lock of the version under test.
    shortenings = {one.name: _shorten(session, one.name, bucket, key, versions[-1]) for one in who}
    plain = {one.name: _delete(session, one.name, bucket, key, version) for one in who}
    bypasses = {
        one.name: _delete(session, one.name, bucket, key, version, bypass=True) for one in who if not one.verifies
    }
    if after_delete.value is True and not any(answer.ok for answer in (*plain.values(), *bypasses.values())):
        after_delete = session.ask(reads_back)  # a server may refuse a delete and do it all the same
    # The last of all, and on the newer version: where it is let in, that version has no lock any more.
    unlockings = {one.name: _unlock(session, one.name, bucket, key, versions[-1]) for one in who if not one.verifies}
    return LockFacts(
        identity.name,
        not identity.verifies,
        after_overwrite,
        after_delete,
        plain,
        bypasses,
        shortenings,
        unlockings,
    )


def _is_refused(act: Callable[[], object]) -> bool:
    """Whether the server denies the caller the right; another error is raised."""
    try:
        act()
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] == "AccessDenied":
            return True
        raise
    return False


def _delete(
    session: StoreSession, identity: str, bucket: BucketPlan, key: str, version: str, *, bypass: bool = False
) -> Tried:
    more: dict[str, Any] = {"BypassGovernanceRetention": True} if bypass else {}

    def delete(client: "S3Client") -> object:
        return client.delete_object(Bucket=bucket.name, Key=key, VersionId=version, **more)

    return session.ask_as(identity, delete)


def _shorten(session: StoreSession, identity: str, bucket: BucketPlan, key: str, version: str) -> Tried:
    sooner = session.now() + timedelta(minutes=1)

    def shorten(client: "S3Client") -> object:
        return client.put_object_retention(
            Bucket=bucket.name,
            Key=key,
            VersionId=version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": sooner},
        )

    return session.ask_as(identity, shorten)


def _unlock(session: StoreSession, identity: str, bucket: BucketPlan, key: str, version: str) -> Tried:
    def unlock(client: "S3Client") -> object:
        return client.put_object_retention(
            Bucket=bucket.name, Key=key, VersionId=version, Retention={}, BypassGovernanceRetention=True
        )

    return session.ask_as(identity, unlock)
