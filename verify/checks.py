"""Checks: pure functions from (plan, facts) to findings.

The rule: PASS, FAIL or CANNOT TELL. CANNOT TELL is never counted as PASS and never used where the backend can tell:
it stands only for what the deployment itself lists as unsupported, or for what cannot be tried without harm. A check
compares with the declared value, never with "something is there".
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique

from infra.deployment import Deployment
from infra.plan import BucketPlan, LifecycleRule
from infra.taxonomy import RetentionMode
from verify.facts import Answer, BucketFacts, Described, Facts, LiveRetention, LiveRule

NO_FACTS_REMEDY = "run the verification again; the facts of this bucket were not gathered"


@unique
class Status(StrEnum):
    """The verdict of a check."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    CANNOT_TELL = "CANNOT TELL"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Finding:
    """What a check says of one bucket.

    Attributes:
        check: The check's id, `thing_state`.
        resource: The bucket's name.
        status: The verdict; NOT_ASKED where the plan asks nothing of the kind.
        wanted: What the plan says.
        found: What the store says.
        remedy: One sentence that says what to do.
    """

    check: str
    resource: str
    status: Status
    wanted: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        """The whole finding in one sentence or two."""
        return f"{self.resource}: {self.check}: {self.status}: wanted {self.wanted}, found {self.found}. {self.remedy}"


Check = Callable[[Deployment, BucketPlan, BucketFacts], tuple[Status, str, str, str]]

_UP = "`pulumi up --refresh` puts it right"


def _judged(right: bool, wanted: str, found: str, remedy: str) -> tuple[Status, str, str, str]:  # noqa: FBT001 - the verdict itself
    return (Status.PASS, wanted, found, "") if right else (Status.FAIL, wanted, found, remedy)


def bucket_in_region(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """The bucket exists and is in the deployment's region."""
    wanted = f"the bucket in {deployment.region}"
    right = facts.location.value == deployment.region
    if deployment.cloud == "aistor" and facts.location.ok:
        # A server without a configured region answers us-east-1 for every bucket and signs for any.
        right = facts.location.value in (deployment.region, "us-east-1")
    del plan
    return _judged(right, wanted, str(facts.location), _UP if facts.location.code == "NoSuchBucket" else _LOOK)


_LOOK = "look at the server and at the verifier's policy; a bucket's region cannot be changed"


def versioning_as_planned(_: Deployment, plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """Versioning is on in warm and cold buckets and was never on in hot ones."""
    wanted = "Enabled" if plan.versioned else "Off"
    return _judged(facts.versioning.value == wanted, wanted, str(facts.versioning), _UP)


def lifecycle_as_planned(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """The lifecycle rules are exactly the planned ones; a foreign rule is named by its id."""
    wanted = {rule.id: realisable(rule, deployment) for rule in plan.rules}
    if facts.rules.value is None:
        return Status.FAIL, _rules_text(wanted.values()), str(facts.rules), _LOOK_POLICY
    found = {rule.rule.id: rule for rule in facts.rules.value}
    wrong_ids = [
        *(rule_id for rule_id, rule in wanted.items() if not _rule_as_wanted(rule, found.get(rule_id))),
        *(rule_id for rule_id in found if rule_id not in wanted),
    ]
    if not wrong_ids and len(facts.rules.value) == len(wanted):
        return Status.PASS, _rules_text(wanted.values()), "the same", ""
    return (
        Status.FAIL,
        "; ".join(f"rule {i}: {rule_text(wanted[i]) if i in wanted else 'no such rule'}" for i in wrong_ids),
        "; ".join(f"rule {i}: {_live_text(found[i]) if i in found else 'no such rule'}" for i in wrong_ids),
        _UP,
    )


_LOOK_POLICY = "look at the verifier's policy and at the server"


def retention_as_planned(_: Deployment, plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """Object lock is on exactly in cold buckets, with the planned default retention."""
    if plan.retention is None:
        right = facts.retention.value == LiveRetention(enabled=False)
        return _judged(right, "no object lock", _retention_text(facts.retention), _LOOK_POLICY)
    wanted = LiveRetention(enabled=True, mode=plan.retention.mode.value, days=plan.retention.days)
    return _judged(
        facts.retention.value == wanted,
        _retention_text(Answer(wanted)),
        _retention_text(facts.retention),
        f"{_UP}; where object lock is off, the bucket must be made anew",
    )


def object_uploaded(_: Deployment, plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """An identity that may put a smoke object did, and the answer has its size."""
    probe = facts.probe
    wanted = f"{probe.sent.size} bytes put by {probe.identity}"
    right = probe.uploaded.value is not None and probe.uploaded.value.size == probe.sent.size
    status, _wanted, found, remedy = _judged(right, wanted, _described(probe.uploaded), _GRANT.format(probe.identity))
    if status is Status.PASS and plan.retention and plan.retention.mode is RetentionMode.COMPLIANCE:
        return (
            Status.CANNOT_TELL,
            wanted,
            "put by the verifier under a short governance lock",
            "in COMPLIANCE mode nobody could remove a workload's probe before its date, so none is put",
        )
    return status, wanted, found, remedy


_GRANT = "look at the policy and the key of {0}: `pulumi up --refresh` renews both"


def object_read_back(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """The bytes, the content type, the etag and the size that went in come out."""
    probe = facts.probe
    etag = probe.uploaded.value.etag if probe.uploaded.value else None
    del deployment
    wanted = Described(etag=etag, size=probe.sent.size, content_type=probe.sent.content_type, sha256=probe.sent.sha256)
    came = probe.downloaded.value
    told = probe.headed.value
    right = (
        came is not None
        and told is not None
        and etag is not None
        and (came.sha256, came.size) == (wanted.sha256, wanted.size)
        and (told.etag, told.size, told.content_type) == (wanted.etag, wanted.size, wanted.content_type)
    )
    found = f"{_described(probe.downloaded)}; HEAD: {_described(probe.headed)}"
    return _judged(right, _described(Answer(wanted)), found, _GRANT.format(probe.identity))


def object_listed(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """A listing of the probe's prefix holds it with its etag and size."""
    probe = facts.probe
    etag = probe.uploaded.value.etag if probe.uploaded.value else None
    wanted = Described(etag=etag, size=probe.sent.size)
    found = "not listed" if probe.listed.ok and probe.listed.value is None else _described(probe.listed)
    right = etag is not None and probe.listed.value == wanted
    return _judged(right, _described(Answer(wanted)), found, _GRANT.format(probe.identity))


def object_presigned(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """A presigned URL gives the object to a plain HTTP client."""
    probe = facts.probe
    wanted = Described(size=probe.sent.size, sha256=probe.sent.sha256)
    value = probe.presigned.value
    right = value is not None and (value.size, value.sha256) == (wanted.size, wanted.sha256)
    return _judged(
        right,
        _described(Answer(wanted)),
        _described(probe.presigned),
        "look at the endpoint that the URL is signed for and at the clocks",
    )


def object_deleted(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """After a delete by an identity that may, the key is gone; where none may, nothing is asked."""
    probe = facts.probe
    if probe.deleted is None:
        return Status.NOT_ASKED, "no delete", f"{probe.identity} holds no grant to delete", ""
    return _judged(probe.deleted.value is True, "the key gone", str(probe.deleted), _GRANT.format(probe.identity))


def probes_removed(_: Deployment, _plan: BucketPlan, facts: BucketFacts) -> tuple[Status, str, str, str]:
    """Nothing of this run is left, locked versions and delete markers included."""
    return _judged(
        facts.left.value == 0,
        "0 versions left",
        f"{facts.left.value} versions left" if facts.left.ok else str(facts.left),
        "the rule verify-probes expires what is left; look at the verifier's policy",
    )


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        bucket_in_region,
        versioning_as_planned,
        lifecycle_as_planned,
        retention_as_planned,
        object_uploaded,
        object_read_back,
        object_listed,
        object_presigned,
        object_deleted,
        probes_removed,
    )
}


def find(check: str, deployment: Deployment, plan: BucketPlan, facts: Facts) -> Finding:
    """Run one check on one bucket's facts."""
    of_bucket = facts.buckets.get(plan.name)
    if of_bucket is None:
        return Finding(check, plan.name, Status.FAIL, "facts", "none", NO_FACTS_REMEDY)
    status, wanted, found, remedy = CHECKS[check](deployment, plan, of_bucket)
    return Finding(check, plan.name, status, wanted, found, remedy)


def realisable(rule: LifecycleRule, deployment: Deployment) -> LifecycleRule:
    """A planned rule without what the backend has said that it cannot do."""
    without: dict[str, None] = {}
    if deployment.cannot("abort_multipart"):
        without["abort_multipart_after_days"] = None
    if deployment.cannot("transition"):
        without["transition"] = None
    return rule.model_copy(update=without)


def rule_text(rule: LifecycleRule) -> str:
    """A rule in words."""
    parts = [f"keys under {rule.prefix}" if rule.prefix else "all keys"]
    if rule.expire_after_days is not None:
        parts.append(f"expire after {rule.expire_after_days} d")
    if rule.expire_noncurrent_after_days is not None:
        parts.append(f"noncurrent versions expire after {rule.expire_noncurrent_after_days} d")
    if rule.abort_multipart_after_days is not None:
        parts.append(f"unfinished uploads go after {rule.abort_multipart_after_days} d")
    if rule.transition is not None:
        parts.append(f"move to {rule.transition.storage_class} after {rule.transition.after_days} d")
    return ", ".join(parts)


def _rule_as_wanted(wanted: LifecycleRule, found: LiveRule | None) -> bool:
    return found is not None and found.enabled and not found.beyond and found.rule == wanted


def _rules_text(rules: object) -> str:
    return "; ".join(f"rule {rule.id}: {rule_text(rule)}" for rule in rules)  # type: ignore[attr-defined]


def _live_text(found: LiveRule) -> str:
    return ", ".join(filter(None, [rule_text(found.rule), "" if found.enabled else "disabled", found.beyond]))


def _retention_text(found: Answer[LiveRetention]) -> str:
    if found.value is None:
        return str(found)
    if not found.value.enabled:
        return "no object lock"
    if found.value.mode is None:
        return "object lock without default retention"
    return f"object lock, {found.value.mode} {found.value.days} d"


def _described(found: Answer[Described] | Answer[Described | None]) -> str:
    if found.value is None:
        return str(found)
    value = found.value
    parts = [
        None if value.size is None else f"{value.size} bytes",
        value.content_type,
        None if value.etag is None else f"etag {value.etag}",
        None if value.sha256 is None else f"sha256 {value.sha256[:12]}…",
    ]
    return ", ".join(part for part in parts if part) or "nothing"
