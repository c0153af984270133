"""Checks of a bucket's configuration: its region, its band's settings, its access.

The rule: a check compares with the declared value; "a value is set" is not enough. A feature that the backend does not
have is CANNOT TELL, with the reason that the deployment gives.
"""

import json
from collections.abc import Mapping

from model.deployment import Deployment
from model.lifecycle import FoundRule, rule_text
from model.plan import BucketPlan, LifecycleRule
from model.policies import bucket_policy
from model.policy_meaning import same_meaning
from verify.checks.finding import (
    LOOK_POLICY,
    UP,
    Status,
    Verdict,
    all_refused,
    cannot_tell,
    fail,
    judged,
    not_asked,
    verifiers,
)
from verify.facts import Answer, BucketFacts, LiveRetention

ABSENT = frozenset({"NotImplemented", "MalformedXML", "MethodNotAllowed"})
ALL_BLOCKED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
OWNED = "BucketOwnerEnforced"
_LOOK = "check the server and the verifier's policy; the region of an existing bucket cannot be changed"


def bucket_in_region(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The bucket exists and is in the deployment's region."""
    wanted = f"the bucket in {deployment.region}"
    right = facts.location.value == deployment.region
    if deployment.cloud == "aistor" and facts.location.ok:
        # A server without a configured region answers us-east-1 for every bucket and accepts signatures for any region.
        right = facts.location.value in (deployment.region, "us-east-1")
    del plan
    return judged(right, wanted, str(facts.location), UP if facts.location.code == "NoSuchBucket" else _LOOK)


def versioning_as_planned(_: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Versioning is on in warm and cold buckets, and off in hot buckets (suspended if the bucket was warm before)."""
    # It cannot be set back to Off: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
    legal = ("Enabled",) if plan.versioned else ("Off", "Suspended")
    return judged(facts.versioning.value in legal, " or ".join(legal), str(facts.versioning), UP)


def lifecycle_as_planned(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The lifecycle rules are exactly the planned ones; the finding names an unplanned rule by its id."""
    wanted = {rule.id: realisable(rule, deployment) for rule in plan.rules}
    if facts.rules.value is None:
        return Verdict(Status.FAIL, _rules_text(wanted.values()), str(facts.rules), LOOK_POLICY)
    found = {rule.rule.id: rule for rule in facts.rules.value}
    wrong_ids = [
        *(rule_id for rule_id, rule in wanted.items() if not _rule_as_wanted(rule, found.get(rule_id))),
        *(rule_id for rule_id in found if rule_id not in wanted),
    ]
    if not wrong_ids and len(facts.rules.value) == len(wanted):
        return Verdict(Status.PASS, _rules_text(wanted.values()), "the same")
    return Verdict(
        Status.FAIL,
        "; ".join(f"rule {i}: {rule_text(wanted[i]) if i in wanted else 'no such rule'}" for i in wrong_ids),
        "; ".join(f"rule {i}: {_live_text(found[i]) if i in found else 'no such rule'}" for i in wrong_ids),
        UP,
    )


def retention_as_planned(_: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Object lock is on in cold buckets, with the planned default retention, and off in all others."""
    if plan.retention is None:
        right = facts.retention.value == LiveRetention(enabled=False)
        return judged(right, "no object lock", _retention_text(facts.retention), LOOK_POLICY)
    wanted = LiveRetention(enabled=True, mode=plan.retention.mode.value, days=plan.retention.days)
    return judged(
        facts.retention.value == wanted,
        _retention_text(Answer(wanted)),
        _retention_text(facts.retention),
        f"{UP}; if object lock is off, recreate the bucket",
    )


def abort_multipart_as_planned(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Parts of unfinished uploads are removed after the planned days."""
    wanted = {r.id: r.abort_multipart_after_days for r in plan.rules if r.abort_multipart_after_days is not None}
    return _part_of_rules(
        deployment.cannot("abort_multipart"),
        wanted,
        {r.rule.id: r.rule.abort_multipart_after_days for r in facts.rules.value or ()},
        facts,
        "unfinished uploads are removed after {} d",
    )


def transition_as_planned(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Current versions move to the planned storage class after the planned days."""
    return _part_of_rules(
        deployment.cannot("transition"),
        {r.id: _move(r) for r in plan.rules if r.transition is not None},
        {r.rule.id: _move(r.rule) for r in facts.rules.value or ()},
        facts,
        "move to {}",
    )


def _move(rule: LifecycleRule) -> str | None:
    if rule.transition is None:
        return None
    return f"{rule.transition.storage_class} after {rule.transition.after_days} d"


def _part_of_rules(
    reason: str | None, wanted: Mapping[str, object], live: Mapping[str, object], facts: BucketFacts, words: str
) -> Verdict:
    if not wanted:
        return not_asked("the band has no such rule")
    text = "; ".join(f"rule {rule_id}: {words.format(value)}" for rule_id, value in wanted.items())
    if reason is not None:
        return cannot_tell(text, reason)
    if not facts.rules.ok:
        return fail(text, str(facts.rules), LOOK_POLICY)
    found = {rule_id: live.get(rule_id) for rule_id in wanted}
    shown = "; ".join(f"rule {i}: {words.format(v) if v is not None else 'not set'}" for i, v in found.items())
    return judged(found == wanted, text, shown, UP)


def expiry_announced(_: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """HEAD of a probe names the planned rule, which proves that the rule applies without waiting for its day."""
    if facts.probe is None or not facts.probe.uploaded.ok:
        return not_asked("no probe was written")
    wanted = "x-amz-expiration names the rule verify-probes"
    said = facts.probe.expiry
    if said.ok and said.value is None:
        if any(live.rule.id in {rule.id for rule in plan.rules if rule.prefix} for live in facts.rules.value or ()):
            return cannot_tell(wanted, "the server has the rule but does not send x-amz-expiration")
        return fail(wanted, "no such header, because no such rule exists", UP)
    names = {rule.id for rule in plan.rules if rule.prefix}
    right = said.value is not None and said.value.rule_id in names
    return judged(right, wanted, f"rule {said.value.rule_id}, {said.value.date}" if said.value else str(said), UP)


def encryption_as_planned(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """The bucket's default encryption is the one that the deployment sets."""
    reason = deployment.cannot("encryption")
    wanted = deployment.encryption or "encryption at rest"
    if reason is not None:
        return cannot_tell(wanted, reason)
    return judged(facts.encryption.value == wanted, wanted, str(facts.encryption), UP)


def public_access_blocked(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """Public access is blocked; a backend without a public access block refuses callers without a signature."""
    wanted = "all four settings of the public access block"
    if deployment.cannot("public_access_block") is None:
        found = (
            ", ".join(facts.public_access.value or ()) or "none" if facts.public_access.ok else str(facts.public_access)
        )
        return judged(facts.public_access.value == ALL_BLOCKED, wanted, found, UP)
    if facts.public_access.code not in ABSENT:
        found = f"{facts.public_access}, but the deployment says that this server has no public access block"
        return fail("no public access block", found, LOOK_POLICY)
    if facts.strangers is None:
        return cannot_tell(wanted, f"{deployment.cannot('public_access_block')}; no anonymous request was tried")
    return all_refused(
        facts.strangers.anonymous,
        frozenset({"AccessDenied"}),
        "every anonymous request refused, because the backend has no public access block",
        UP,
        verifiers(deployment),
    )


def ownership_enforced(deployment: Deployment, _: BucketPlan, facts: BucketFacts) -> Verdict:
    """The bucket's owner owns all objects, and access control lists (ACLs) are off."""
    reason = deployment.cannot("ownership_controls")
    if reason is not None:
        return cannot_tell(OWNED, reason)
    return judged(facts.ownership.value == OWNED, OWNED, str(facts.ownership), UP)


def policy_as_planned(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The bucket policy is the planned one: on AWS it refuses plain http, on AIStor there is none."""
    planned = ""
    if deployment.cloud == "aws" and deployment.plan.tls_only:
        planned = json.dumps(bucket_policy(plan.name), sort_keys=True)
    wanted = "the bucket policy that refuses plain http, and nothing else" if planned else "no bucket policy"
    if facts.policy.value is None:
        return fail(wanted, str(facts.policy), LOOK_POLICY)
    same = same_meaning(facts.policy.value, planned)
    return judged(same, wanted, "the same" if same else facts.policy.value or "no bucket policy", UP)


def realisable(rule: LifecycleRule, deployment: Deployment) -> LifecycleRule:
    """A planned rule without the parts that the deployment lists as unsupported by the backend."""
    without: dict[str, None] = {}
    if deployment.cannot("abort_multipart"):
        without["abort_multipart_after_days"] = None
    if deployment.cannot("transition"):
        without["transition"] = None
    return rule.model_copy(update=without)


def _rule_as_wanted(wanted: LifecycleRule, found: FoundRule | None) -> bool:
    return found is not None and found.enabled and not found.beyond and found.rule == wanted


def _rules_text(rules: object) -> str:
    return "; ".join(f"rule {rule.id}: {rule_text(rule)}" for rule in rules)  # type: ignore[attr-defined]


def _live_text(found: FoundRule) -> str:
    return ", ".join(filter(None, [rule_text(found.rule), "" if found.enabled else "disabled", found.beyond]))


def _retention_text(found: Answer[LiveRetention]) -> str:
    if found.value is None:
        return str(found)
    if not found.value.enabled:
        return "no object lock"
    if found.value.mode is None:
        return "object lock without default retention"
    return f"object lock, {found.value.mode} {found.value.days} d"
