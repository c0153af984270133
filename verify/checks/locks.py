"""Checks of immutability: the versions in a bucket with object lock cannot be changed or removed.

The rule: a refusal is this backend's code for it. For a locked version MinIO answers 400 InvalidRequest and AWS 403
AccessDenied: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html and MinIO's cmd/api-errors.go
(ErrObjectLocked).
"""

from collections.abc import Mapping

from model.deployment import Deployment
from model.plan import BucketPlan
from model.policies import Cloud
from model.remedies import Remedy
from verify.checks.finding import (
    NO_WORKLOAD,
    NO_WRITER,
    SEE_TRUST,
    STAND_IN,
    UP,
    Status,
    Verdict,
    all_refused,
    cannot_tell,
    fail,
    judged,
    not_asked,
)
from verify.facts import NOT_TRIED, BucketFacts, Tried
from verify.probe.smoke import compliance, has_writer

LOCK_CODES: dict[Cloud, frozenset[str]] = {
    "aistor": frozenset({"AccessDenied", "InvalidRequest"}),
    "aws": frozenset({"AccessDenied"}),
}
_NO_LOCK = not_asked("the bucket has no object lock")
_MEND = f"check the bucket's object lock and the identities' policies; {Remedy.EITHER} restore the policies"


def retention_applied(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """An object that a workload puts gets the bucket's default retention, with its mode and days."""
    probe = facts.probe
    if plan.retention is None:
        return _NO_LOCK
    if probe is None or probe.retention is None or not probe.uploaded.ok:
        return not_asked("no probe was written")
    mode, days = plan.retention.mode.value, plan.retention.days
    wanted = f"{mode} for {days} days on the object that {probe.identity} put"
    verifier = deployment.plan.verifier
    if verifier is not None and probe.identity == verifier.name:
        if not compliance(plan) and has_writer(deployment.plan, plan):
            return cannot_tell(wanted, NO_WRITER, SEE_TRUST)
        return cannot_tell(wanted, STAND_IN, NO_WORKLOAD)
    held = probe.retention.value
    if held is None:
        return fail(wanted, str(probe.retention), _MEND)
    return judged((held.mode, held.days) == (mode, days), wanted, f"{held.mode} for {held.days} days", UP)


def old_version_kept_on_overwrite(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """After an overwrite, or its refusal where the identity writes once, the previous version reads back unchanged."""
    if facts.lock is None:
        return _NO_LOCK
    return judged(
        facts.lock.overwritten.value is True, "the previous version reads back", str(facts.lock.overwritten), _MEND
    )


def old_version_kept_on_delete(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """A delete without a version id leaves a delete marker; the version reads back, after all refused deletes, too."""
    if facts.lock is None:
        return _NO_LOCK
    wanted = "a delete marker, and the previous version reads back"
    return judged(facts.lock.deleted.value is True, wanted, str(facts.lock.deleted), _MEND)


def version_delete_refused(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """Without bypass no identity with access to the bucket, nor the verifier, can delete a locked version."""
    codes = LOCK_CODES[deployment.cloud]
    return _NO_LOCK if facts.lock is None else _refused(facts.lock.version_deletes, codes, "refused to every holder")


def lock_bypass_refused(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """No workload can bypass governance to delete a locked version, or to take its lock off."""
    if facts.lock is None:
        return _NO_LOCK
    if not facts.lock.bypasses:
        return not_asked("no workload has access to the bucket")
    wanted = "refused to every workload"
    deletion = _refused(facts.lock.bypasses, frozenset({"AccessDenied"}), wanted)
    let_in = [who for who, answer in facts.lock.unlockings.items() if answer.ok]
    if deletion.status is not Status.PASS or not let_in:
        return deletion
    if reason := deployment.cannot("refusal_of_unlocking"):
        return cannot_tell(f"the lock stays, too, for {', '.join(let_in)}", reason)
    return fail(wanted, f"an empty retention with bypass took the lock off for {', '.join(let_in)}", _MEND)


def retention_shortening_refused(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """Without bypass no identity can shorten a retention."""
    codes = LOCK_CODES[deployment.cloud]
    return _NO_LOCK if facts.lock is None else _refused(facts.lock.shortenings, codes, "refused to every holder")


def _refused(answers: Mapping[str, Tried], codes: frozenset[str], wanted: str) -> Verdict:
    unwritten = next(iter(answers.values()), None)
    if unwritten is not None and all(answer == unwritten and answer.code == NOT_TRIED for answer in answers.values()):
        return cannot_tell(wanted, unwritten.said, _MEND)
    return all_refused(answers, codes, wanted, _MEND)
