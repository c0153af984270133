"""What a change does to a bucket: its objects' expiry, locks and versions, and who may read it.

The rule: a change that shortens the life of existing objects, or weakens their lock or versioning, is a danger. Pure.
"""

from collections.abc import Iterable

from model.plan import PROBE_PREFIX, LifecycleRule, Retention
from model.taxonomy import BandName, RetentionMode
from ops.preview.change import Aspect, Change, Risk
from ops.preview.shape import BucketShape


def days(count: int) -> str:
    """A number of days in words."""
    return f"{count} day" + ("" if count == 1 else "s")


def bucket_changes(
    domain: str, before: BucketShape | None, after: BucketShape | None, recreated: set[str]
) -> list[Change]:
    """What happens to one bucket.

    Args:
        domain: Its domain, by the name after the change.
        before: The bucket as the stack has it; None if it is new.
        after: The bucket as it would be; None if it would be deleted.
        recreated: Domains whose bucket would be recreated.
    """
    if before is None and after is None:
        return []
    if before is None:
        return [Change(domain, f"bucket is new ({_described(after)})", Risk.SAFE, Aspect.WHOLE)] if after else []
    if after is None:
        return [Change(domain, "bucket would be DELETED", Risk.DANGER, Aspect.WHOLE)]
    if domain in recreated or before.name != after.name:
        advice = (
            "" if before.name == after.name else f"{before.name} would become {after.name}; its objects are not moved"
        )
        return [Change(domain, "bucket would be REPLACED", Risk.DANGER, Aspect.WHOLE, advice)]
    changes = _band_move(domain, before, after)
    changes += _rules(domain, before, after)
    changes += _retention(domain, before.retention, after.retention)
    if before.versioned and not after.versioned:
        advice = _old_versions(after.rules)
        changes.append(Change(domain, "versioning would be SUSPENDED", Risk.DANGER, Aspect.VERSIONING, advice))
    elif after.versioned and not before.versioned:
        changes.append(Change(domain, "versions are now kept", Risk.SAFE, Aspect.VERSIONING))
    changes += _guards(domain, before, after)
    if before.encryption and after.encryption and before.encryption != after.encryption:
        what = f"default encryption is now {after.encryption} (was {before.encryption})"
        changes.append(Change(domain, what, Risk.NOTICE, Aspect.ENCRYPTION))
    return changes


def _guards(domain: str, before: BucketShape, after: BucketShape) -> list[Change]:
    """The guards of the data that are either on or off."""

    def guard(*, was: bool | None, now: bool | None, off: str, on: str, risk: Risk, aspect: Aspect) -> list[Change]:
        if was is None or now is None or was == now:
            return []
        return [Change(domain, on, Risk.SAFE, aspect) if now else Change(domain, off, risk, aspect)]

    return [
        *guard(
            was=before.protected,
            now=after.protected,
            off="its protection against deletion is removed",
            on="it is now protected against deletion",
            risk=Risk.DANGER,
            aspect=Aspect.BUCKET,
        ),
        *guard(
            was=_not(before.emptied),
            now=_not(after.emptied),
            off="it would now be emptied when it is destroyed",
            on="it is no longer emptied when it is destroyed",
            risk=Risk.DANGER,
            aspect=Aspect.BUCKET,
        ),
        *guard(
            was=before.public_blocked,
            now=after.public_blocked,
            off="public access is no longer blocked",
            on="public access is now blocked",
            risk=Risk.DANGER,
            aspect=Aspect.PUBLIC_ACCESS,
        ),
        *guard(
            was=_not(before.public_policy),
            now=_not(after.public_policy),
            off="its policy now allows public access",
            on="its policy no longer allows public access",
            risk=Risk.DANGER,
            aspect=Aspect.POLICY,
        ),
        *guard(
            was=_not(before.policy_by_hand),
            now=_not(after.policy_by_hand),
            off="it now has a bucket policy, which the plan does not have",
            on="a bucket policy that was put by hand is removed",
            risk=Risk.DANGER,
            aspect=Aspect.NO_POLICY,
        ),
        *guard(
            was=before.tls_only,
            now=after.tls_only,
            off="plain http is no longer refused",
            on="plain http is now refused",
            risk=Risk.NOTICE,
            aspect=Aspect.POLICY,
        ),
    ]


def _not(value: bool | None) -> bool | None:  # noqa: FBT001 - a value, not a switch
    return None if value is None else not value


def band_of(bucket: BucketShape) -> BandName:
    """The band that fits a bucket's lock and versioning."""
    if bucket.locked or bucket.retention is not None:
        return BandName.COLD
    return BandName.WARM if bucket.versioned else BandName.HOT


def _described(bucket: BucketShape) -> str:
    rule = _by_prefix(bucket.rules).get("")
    expire = rule.expire_after_days if rule else None
    lives = f"objects expire after {days(expire)}" if expire else "objects do not expire"
    retention = f", {bucket.retention.mode} for {days(bucket.retention.days)}" if bucket.retention else ""
    return f"{band_of(bucket)}{retention}, {lives}"


def _band_move(domain: str, before: BucketShape, after: BucketShape) -> list[Change]:
    old, new = band_of(before), band_of(after)
    return [] if old is new else [Change(domain, f"moves from {old} to {new}", Risk.SAFE, Aspect.OTHER)]


def _old_versions(rules: Iterable[LifecycleRule]) -> str:
    """What becomes of the versions that a bucket keeps when its versioning is suspended."""
    rule = _by_prefix(rules).get("")
    end = rule.expire_noncurrent_after_days if rule else None
    if end is None:
        return "the old versions stay for ever: no rule removes them"
    return f"each old version is removed {days(end)} after it became noncurrent"


def _by_prefix(rules: Iterable[LifecycleRule]) -> dict[str, LifecycleRule]:
    """The rules by prefix; of several rules for one prefix, the earliest effect counts, field by field."""
    found: dict[str, LifecycleRule] = {}
    for rule in rules:
        other = found.get(rule.prefix)
        if other is None:
            found[rule.prefix] = rule
            continue
        merged = {
            key: min(value for value in (getattr(rule, key), getattr(other, key)) if value is not None)
            for key in ("expire_after_days", "expire_noncurrent_after_days", "abort_multipart_after_days")
            if getattr(rule, key) is not None or getattr(other, key) is not None
        }
        found[rule.prefix] = other.model_copy(update={**merged, "transition": other.transition or rule.transition})
    return found


def _rules(domain: str, before: BucketShape, after: BucketShape) -> list[Change]:
    old_rules, new_rules = _by_prefix(before.rules), _by_prefix(after.rules)
    changes = []
    for prefix in sorted({*old_rules, *new_rules}):
        old = old_rules.get(prefix) or LifecycleRule(id="")
        new = new_rules.get(prefix) or LifecycleRule(id="")
        where = f" under {prefix}" if prefix else ""
        found = [
            _expiry(f"objects{where}", "expire", old.expire_after_days, new.expire_after_days, Risk.DANGER),
            _expiry(
                f"noncurrent versions{where}",
                "are removed",
                old.expire_noncurrent_after_days,
                new.expire_noncurrent_after_days,
                # A bucket without versioning has no noncurrent versions yet.
                Risk.DANGER if before.versioned else Risk.NOTICE,
            ),
            _expiry(
                f"unfinished uploads{where}",
                "are removed",
                old.abort_multipart_after_days,
                new.abort_multipart_after_days,
                Risk.NOTICE,
            ),
            _transition(where, old, new),
        ]
        for said in found:
            if said is not None:
                what, risk = said
                risk = Risk.SAFE if prefix == PROBE_PREFIX else risk
                changes.append(Change(domain, what, risk, Aspect.LIFECYCLE))
    return changes


def _expiry(things: str, verb: str, old: int | None, new: int | None, risk: Risk) -> tuple[str, Risk] | None:
    if old == new:
        return None
    said = {"expire": ("now expire", "no longer expire"), "are removed": ("are now removed", "are no longer removed")}
    now, never = said[verb]
    if new is None:
        return f"{things} {never} (was after {days(old or 0)})", Risk.NOTICE
    what = f"{things} {now} after {days(new)} (was {'never' if old is None else old})"
    return what, risk if old is None or new < old else Risk.SAFE


def _transition(where: str, old: LifecycleRule, new: LifecycleRule) -> tuple[str, Risk] | None:
    if old.transition == new.transition:
        return None

    def said(rule: LifecycleRule) -> str:
        found = rule.transition
        return f"{found.storage_class} after {days(found.after_days)}" if found else "never"

    if new.transition is None:
        return f"objects{where} no longer move to another storage class (was {said(old)})", Risk.NOTICE
    return f"objects{where} now move to {said(new)} (was {said(old)})", Risk.NOTICE


def _retention(domain: str, old: Retention | None, new: Retention | None) -> list[Change]:
    def change(what: str, risk: Risk, advice: str = "") -> Change:
        return Change(domain, what, risk, Aspect.RETENTION, advice)

    # Object lock itself cannot change on a bucket (infra.moves), so only the default retention is compared.
    if old is None:
        return [change(f"retention is now {new.mode}, {days(new.days)} (was none)", Risk.SAFE)] if new else []
    if new is None:
        return [change(f"its default retention is removed (was {old.mode}, {days(old.days)})", Risk.DANGER)]
    changes = []
    if old.days != new.days:
        risk = Risk.DANGER if new.days < old.days else Risk.SAFE
        changes.append(change(f"retention of new objects is now {days(new.days)} (was {old.days})", risk))
    if old.mode is not new.mode:
        what = f"retention mode of new objects is now {new.mode} (was {old.mode})"
        if new.mode is RetentionMode.GOVERNANCE:
            changes.append(change(what, Risk.DANGER))
        else:
            advice = "from then on no one, not even the owner, can delete a new object before its retention ends"
            changes.append(change(what, Risk.NOTICE, advice))
    return changes
