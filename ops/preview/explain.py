"""Two shapes compared: each change in the project's words, with its risk.

The rule: `danger` is what can lose data, open it or cut a workload off: a bucket deleted or replaced, expiry
introduced or shortened, retention shortened or weakened, versioning suspended, a grant widened, public access, a
credential replaced without overlap or by a role, a role's trust widened, protection taken off. A grant on a bucket
that this very change makes is no danger: nothing is in it. Pure; what the engine alone knows comes as `Touched` and is
never dropped unsaid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, unique

from model.plan import PROBE_PREFIX, LifecycleRule, Retention
from model.taxonomy import BandName, RetentionMode
from ops.preview.access import Allowed, words
from ops.preview.shape import BucketShape, IdentityShape, StoreShape

_TAGS = {"tags", "tagsAll"}
_NAMES_ONLY = {"s3:ListAllMyBuckets"}
# What our own resources have of the way to the server.
_WAY = {"endpoint", "region", "caPem", "ca_pem"}


@unique
class Risk(StrEnum):
    """What a change may cost."""

    SAFE = "safe"
    NOTICE = "notice"
    DANGER = "danger"


@unique
class Aspect(StrEnum):
    """What of a bucket or an identity a change is about; WHOLE is all of it."""

    WHOLE = "whole"
    BUCKET = "bucket"
    LIFECYCLE = "lifecycle"
    RETENTION = "retention"
    VERSIONING = "versioning"
    PUBLIC_ACCESS = "public access"
    OWNERSHIP = "ownership"
    ENCRYPTION = "encryption"
    POLICY = "policy"
    USER = "user"
    ACCESS = "access"
    KEY = "key"
    TRUST = "trust"
    CONNECTION = "connection"
    OTHER = "other"


@dataclass(frozen=True)
class Change:
    """One thing that a person should know.

    Attributes:
        subject: The domain or identity, or `stack`.
        what: What happens to it.
        risk: What it may cost.
        aspect: What it is about.
        advice: What to do about it, where there is something.
    """

    subject: str
    what: str
    risk: Risk
    aspect: Aspect
    advice: str = ""

    @property
    def sentence(self) -> str:
        """The change as it is said and acknowledged."""
        return f"{self.subject}: {self.what}"


@dataclass(frozen=True)
class Touched:
    """A resource that the engine would change.

    Attributes:
        subject: The domain or identity, or `stack`.
        aspect: What it is about.
        operation: create, update, delete or replace.
        properties: Names of the inputs that differ.
    """

    subject: str
    aspect: Aspect
    operation: str
    properties: tuple[str, ...] = ()


def explain(
    before: StoreShape,
    after: StoreShape,
    *,
    renamed: Mapping[str, str] | None = None,
    replaced: Iterable[str] = (),
    touched: Iterable[Touched] = (),
    further: Iterable[Change] = (),
) -> list[Change]:
    """Every change, the dangerous first.

    Args:
        before: What the stack has.
        after: What it would have.
        renamed: Former to present domain, of buckets that are kept.
        replaced: Domains whose bucket, and identities whose user or key, would be made anew.
        touched: All that the engine would change; what no sentence covers is said by name.
        further: What is known from elsewhere.
    """
    present = dict(renamed or {})
    buckets = {present.get(domain, domain): bucket for domain, bucket in before.buckets.items()}
    anew = set(replaced)
    changes = [
        Change(new, f"renamed from {old}; its bucket {buckets[new].name} is kept", Risk.SAFE, Aspect.OTHER)
        for old, new in present.items()
        if new not in anew and new in after.buckets and buckets[new].name == after.buckets[new].name
    ]
    for domain in sorted({*buckets, *after.buckets}):
        changes += _bucket(domain, buckets.get(domain), after.buckets.get(domain), anew)
    changes += _rename_advice(changes, buckets, after.buckets)
    names = _Names(
        {bucket.name: domain for domain, bucket in buckets.items()},
        {bucket.name: bucket.domain for bucket in after.buckets.values()},
        frozenset(buckets) & frozenset(after.buckets),
    )
    for name in sorted({*before.identities, *after.identities}):
        changes += _identity(name, before.identities.get(name), after.identities.get(name), anew, names)
    changes += [*_unsaid(changes, touched), *further]
    order = list(Risk)
    return sorted(_distinct(changes), key=lambda change: (-order.index(change.risk), change.subject))


@dataclass(frozen=True)
class _Names:
    """Which bucket is which domain's, before and after, and which domains are on both sides."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    kept: frozenset[str]


def _distinct(changes: Iterable[Change]) -> list[Change]:
    found: dict[str, Change] = {}
    for change in changes:
        found.setdefault(change.sentence, change)
    return list(found.values())


def days(count: int) -> str:
    """Days in words."""
    return f"{count} day" + ("" if count == 1 else "s")


def _bucket(domain: str, before: BucketShape | None, after: BucketShape | None, anew: set[str]) -> list[Change]:
    if before is None and after is None:
        return []
    if before is None:
        return [Change(domain, f"bucket is new ({_described(after)})", Risk.SAFE, Aspect.WHOLE)] if after else []
    if after is None:
        return [Change(domain, "bucket would be DELETED", Risk.DANGER, Aspect.WHOLE)]
    if domain in anew or before.name != after.name:
        advice = (
            "" if before.name == after.name else f"{before.name} would be {after.name}, and its objects are not moved"
        )
        return [Change(domain, "bucket would be REPLACED", Risk.DANGER, Aspect.WHOLE, advice)]
    changes = _band_move(domain, before, after)
    changes += _rules(domain, before, after)
    changes += _retention(domain, before.retention, after.retention)
    if before.versioned and not after.versioned:
        changes.append(Change(domain, "versioning would be SUSPENDED", Risk.DANGER, Aspect.VERSIONING))
    elif after.versioned and not before.versioned:
        changes.append(Change(domain, "versions are now kept", Risk.SAFE, Aspect.VERSIONING))
    changes += _guards(domain, before, after)
    if before.encryption and after.encryption and before.encryption != after.encryption:
        what = f"default encryption is now {after.encryption} (was {before.encryption})"
        changes.append(Change(domain, what, Risk.NOTICE, Aspect.ENCRYPTION))
    return changes


def _guards(domain: str, before: BucketShape, after: BucketShape) -> list[Change]:
    """What stands before the data and is on or off."""

    def guard(*, was: bool | None, now: bool | None, off: str, on: str, risk: Risk, aspect: Aspect) -> list[Change]:
        if was is None or now is None or was == now:
            return []
        return [Change(domain, on, Risk.SAFE, aspect) if now else Change(domain, off, risk, aspect)]

    return [
        *guard(
            was=before.protected,
            now=after.protected,
            off="its protection against deletion is taken off",
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
            off="its policy now lets anyone in",
            on="its policy no longer lets anyone in",
            risk=Risk.DANGER,
            aspect=Aspect.POLICY,
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


def _band(bucket: BucketShape) -> BandName:
    if bucket.retention is not None:
        return BandName.COLD
    return BandName.WARM if bucket.versioned else BandName.HOT


def _described(bucket: BucketShape) -> str:
    rule = _by_prefix(bucket.rules).get("")
    expire = rule.expire_after_days if rule else None
    lives = f"objects expire after {days(expire)}" if expire else "objects do not expire"
    retention = f", {bucket.retention.mode} for {days(bucket.retention.days)}" if bucket.retention else ""
    return f"{_band(bucket)}{retention}, {lives}"


def _band_move(domain: str, before: BucketShape, after: BucketShape) -> list[Change]:
    old, new = _band(before), _band(after)
    return [] if old is new else [Change(domain, f"moves from {old} to {new}", Risk.SAFE, Aspect.OTHER)]


def _by_prefix(rules: Iterable[LifecycleRule]) -> dict[str, LifecycleRule]:
    """The rules by prefix; where several have one, whichever acts first counts, field by field."""
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
                # There are none yet where versions were not kept.
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

    # Object lock itself cannot change on a bucket (infra.moves), so this is about the default alone.
    if old is None:
        return [change(f"retention is now {new.mode}, {days(new.days)} (was none)", Risk.SAFE)] if new else []
    if new is None:
        return [change(f"its default retention is taken off (was {old.mode}, {days(old.days)})", Risk.DANGER)]
    changes = []
    if old.days != new.days:
        risk = Risk.DANGER if new.days < old.days else Risk.SAFE
        changes.append(change(f"retention of new objects is now {days(new.days)} (was {old.days})", risk))
    if old.mode is not new.mode:
        what = f"retention mode of new objects is now {new.mode} (was {old.mode})"
        if new.mode is RetentionMode.GOVERNANCE:
            changes.append(change(what, Risk.DANGER))
        else:
            advice = "what is stored from then on can be deleted early by nobody, its owner included"
            changes.append(change(what, Risk.NOTICE, advice))
    return changes


def _rename_advice(
    changes: Iterable[Change], before: Mapping[str, BucketShape], after: Mapping[str, BucketShape]
) -> list[Change]:
    """Where one bucket goes and another of its band comes, it may be a rename."""
    gone = [change.subject for change in changes if change.subject in before and change.subject not in after]
    new = [change.subject for change in changes if change.subject in after and change.subject not in before]
    if len(gone) != 1 or len(new) != 1 or _band(before[gone[0]]) is not _band(after[new[0]]):
        return []
    return [
        Change(
            new[0],
            f"is it {gone[0]} under a new name?",
            Risk.NOTICE,
            Aspect.OTHER,
            f"`renamed_from: {gone[0]}` under domains.{new[0]} keeps the bucket",
        )
    ]


def _identity(
    name: str, before: IdentityShape | None, after: IdentityShape | None, anew: set[str], names: _Names
) -> list[Change]:
    if after is None:
        return (
            [Change(name, f"identity would be DELETED, and its {_means(before)} refused", Risk.NOTICE, Aspect.WHOLE)]
            if before
            else []
        )
    changes = []
    if before is None:
        what = f"identity is new ({'user' if after.trusted is None else 'role'} {after.user_name})"
        changes.append(Change(name, what, Risk.SAFE, Aspect.WHOLE))
        before = replace(after, access=frozenset(), off=frozenset())
    elif (before.trusted is None) != (after.trusted is None):
        what = f"its {_means(before)} would be DELETED without overlap: a {_means(after)} takes its place"
        advice = "its callers need a token first: docs/oidc.md" if before.trusted is None else "deliver the key"
        changes.append(Change(name, what, Risk.DANGER, Aspect.WHOLE, advice))
    elif before.user_name != after.user_name or name in anew:
        changes.append(
            Change(name, "credential would be REPLACED without overlap", Risk.DANGER, Aspect.WHOLE, "deliver it anew")
        )
    else:
        changes += [*_keys(name, before.keys, after.keys), *_switches(name, before, after)]
        changes += _trusted(name, before.trusted or frozenset(), after.trusted or frozenset())
    if before.access is not None and after.access is not None:
        changes += _access(name, before.access, after.access, names)
    elif before.access is not None:
        changes.append(Change(name, "what it may do is not known before the update", Risk.DANGER, Aspect.ACCESS))
    if before.tls_only is True and after.tls_only is False:
        changes.append(Change(name, "plain http is no longer refused", Risk.NOTICE, Aspect.ACCESS))
    elif before.tls_only is False and after.tls_only is True:
        changes.append(Change(name, "plain http is now refused", Risk.NOTICE, Aspect.ACCESS))
    return changes


def _means(identity: IdentityShape) -> str:
    """By what it is let in."""
    return "key" if identity.trusted is None else "role"


def _trusted(name: str, before: frozenset[str], after: frozenset[str]) -> list[Change]:
    """A role that stands, and who may assume it."""
    return [
        *(Change(name, f"may now be assumed by {who}", Risk.DANGER, Aspect.TRUST) for who in sorted(after - before)),
        *(Change(name, f"may no longer be assumed by {w}", Risk.NOTICE, Aspect.TRUST) for w in sorted(before - after)),
    ]


def _keys(name: str, before: frozenset[str], after: frozenset[str]) -> list[Change]:
    gone, new = sorted(before - after), sorted(after - before)
    if not before & after and gone:
        return [
            Change(name, "credential would be REPLACED without overlap", Risk.DANGER, Aspect.KEY, "deliver it anew")
        ]
    # Where no key stands, whoever had one has none that is let in.
    advice = "" if before else "deliver it anew"
    changes = [Change(name, f"{key} is made", Risk.SAFE, Aspect.KEY, advice) for key in new]
    return changes + [Change(name, f"{key} would be DELETED", Risk.NOTICE, Aspect.KEY) for key in gone]


def _switches(name: str, before: IdentityShape, after: IdentityShape) -> list[Change]:
    """A user or a key that stands, switched on or off."""
    standing = {"user", *(before.keys & after.keys)}
    changes = []
    for word in sorted(standing & (before.off ^ after.off)):
        aspect = Aspect.USER if word == "user" else Aspect.KEY
        if word in after.off:
            changes.append(Change(name, f"{word} would be SWITCHED OFF", Risk.DANGER, aspect))
        else:
            advice = "did somebody switch it off on purpose?"
            changes.append(Change(name, f"{word} is switched on again", Risk.NOTICE, aspect, advice))
    return changes


def _access(name: str, before: frozenset[Allowed], after: frozenset[Allowed], names: _Names) -> list[Change]:
    old, new = _by_domain(before, names.before), _by_domain(after, names.after)
    changes = []
    for domain in sorted({*old, *new}):
        held, wanted = old.get(domain, frozenset()), new.get(domain, frozenset())
        # A bucket that goes takes its grants with it.
        going = domain in names.before.values() and domain not in names.after.values()
        gained, lost = wanted - held, held - wanted
        if gained:
            fresh = domain in names.after.values() and domain not in names.kept
            # A first deployment: nothing of ours stands, and names of buckets are not what is in them.
            fresh |= not names.kept and all(pair.action in _NAMES_ONLY for pair in gained)
            what = f"may now {words(gained, wanted)} in {domain}"
            changes.append(Change(name, what, Risk.SAFE if fresh else Risk.DANGER, Aspect.ACCESS))
        if lost:
            what = f"may no longer {words(lost, held)} in {domain}"
            changes.append(Change(name, what, Risk.SAFE if going else Risk.NOTICE, Aspect.ACCESS))
    return changes


def _by_domain(pairs: Iterable[Allowed], names: Mapping[str, str]) -> dict[str, frozenset[Allowed]]:
    """Pairs by domain, each with its bucket's name taken out, as a bucket may have another name on the other side."""
    found: dict[str, set[Allowed]] = {}
    for pair in pairs:
        found.setdefault(names.get(pair.bucket, pair.bucket), set()).add(pair._replace(bucket=""))
    return {domain: frozenset(own) for domain, own in found.items()}


def _unsaid(changes: Iterable[Change], touched: Iterable[Touched]) -> list[Change]:
    """What the engine would change and no sentence covers."""
    covered = {(change.subject, change.aspect) for change in changes}
    said = []
    for item in touched:
        if {(item.subject, item.aspect), (item.subject, Aspect.WHOLE)} & covered:
            continue
        said.append(_by_name(item))
    # What is said of user, access and key alike is said once.
    return list(dict.fromkeys(said))


def _by_name(item: Touched) -> Change:
    """What is left to say of a resource: that it changes, and which of its inputs."""
    if item.operation == "update" and item.properties and set(item.properties) <= _TAGS:
        return Change(item.subject, "its tags change", Risk.SAFE, item.aspect)
    of_ours = item.aspect is not Aspect.CONNECTION  # a provider's own region is said as that
    if of_ours and item.operation == "update" and item.properties and set(item.properties) <= _WAY:
        what = f"is reached another way ({', '.join(item.properties)}), and stays as it is"
        return Change(item.subject, what, Risk.SAFE, Aspect.CONNECTION)
    if item.operation == "update" and item.aspect is Aspect.ACCESS and set(item.properties) <= {"policy", *_TAGS}:
        what = "its policy is written anew, what it allows does not change"
        return Change(item.subject, what, Risk.SAFE, item.aspect)
    what = {"create": "is made", "delete": "would be DELETED", "replace": "would be REPLACED"}.get(
        item.operation, "is updated"
    )
    inputs = f" ({', '.join(item.properties)})" if item.properties else ""
    risk = Risk.NOTICE if item.operation in ("delete", "replace") else Risk.SAFE
    return Change(item.subject, f"{item.aspect} {what}{inputs}", risk, item.aspect)
