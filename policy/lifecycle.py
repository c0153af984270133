"""Policies on lifecycle: each bucket has exactly one set of rules, within the limits of the band that a rule names.

The rule: a rule's id names the bucket's band (`band-hot`, `band-warm`, `band-cold`); the limits come from
`model.taxonomy`, in days. It leaves out the lock and retention of cold buckets (`policy.retention`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pulumi_policy import (
    PolicyResource,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationPolicy,
)

from model.plan import PROBE_PREFIX
from model.taxonomy import (
    COLD_RETENTION_DAYS_MINIMUM,
    HOT_EXPIRE_DAYS,
    TRANSITION_DAYS_MINIMUM,
    WARM_EXPIRE_DAYS,
    BandName,
)
from policy.resources import (
    AWS_BUCKET,
    LIFECYCLES,
    MINIO_LIFECYCLE,
    VERSIONINGS,
    Properties,
    is_locked,
    of_each_bucket,
    of_types,
    on_bucket,
    type_of,
)

_BAND_RULES = {f"band-{band}": band for band in BandName}
_PROBE_RULE = "verify-probes"
_DAYS = re.compile(r"([0-9]+)d")
_ENABLED = "Enabled"


@dataclass(frozen=True)
class Rule:
    """A lifecycle rule of either cloud.

    Attributes:
        id: The rule's id.
        prefix: The prefix of the keys that it applies to; empty for all.
        expire_after_days: Days until current versions expire; None if they do not.
        narrowed: Whether it has another condition than the prefix (a tag, a size), or a date instead of days.
        enabled: Whether it is enabled.
        moves: The storage classes that versions move to, each with its days and the days until these versions expire.
    """

    id: str
    prefix: str
    expire_after_days: int | None
    narrowed: bool
    enabled: bool
    moves: tuple[tuple[str, int, int | None], ...] = ()


def rules_of(resource: PolicyResource | ResourceValidationArgs) -> list[Rule]:
    """The rules of a lifecycle resource.

    Raises:
        UnknownValueError: A relevant value is not known yet.
    """
    parse = _minio_rule if type_of(resource) == MINIO_LIFECYCLE else _aws_rule
    return [parse(rule) for rule in resource.props.get("rules") or []]


def band_rule(rules: Sequence[Rule]) -> tuple[BandName, Rule] | None:
    """The one rule that names the band; None if there is none or more than one."""
    found = [(_BAND_RULES[rule.id], rule) for rule in rules if rule.id in _BAND_RULES]
    return found[0] if len(found) == 1 else None


def _minio_rule(rule: Properties) -> Rule:
    # `status` comes from the server and is unknown before the first update; pulumi-minio creates only enabled rules.
    expiration = rule.get("expiration")
    days = _DAYS.fullmatch(str(expiration or ""))
    return Rule(
        id=str(rule.get("id")),
        prefix=str(rule.get("filter") or ""),
        expire_after_days=int(days[1]) if days else None,
        narrowed=bool(rule.get("tags")) or bool(expiration and not days),
        enabled=True,
    )


def _aws_rule(rule: Properties) -> Rule:
    where = rule.get("filter") or {}
    expiration = rule.get("expiration") or {}
    expire = int(expiration["days"]) if expiration.get("days") else None
    noncurrent = (rule.get("noncurrentVersionExpiration") or {}).get("noncurrentDays")
    moves = rule.get("transitions") or []
    return Rule(
        id=str(rule.get("id")),
        prefix=str(where.get("prefix") or rule.get("prefix") or ""),
        expire_after_days=expire,
        narrowed=any(where.get(key) for key in where if key != "prefix")
        or any(one.get("date") for one in (expiration, *moves)),
        enabled=rule.get("status") == _ENABLED,
        moves=(
            *((str(move.get("storageClass")), int(move.get("days") or 0), expire) for move in moves),
            *(
                (str(move.get("storageClass")), int(move.get("noncurrentDays") or 0), int(noncurrent or 0) or None)
                for move in rule.get("noncurrentVersionTransitions") or []
            ),
        ),
    )


def _limits(args: ResourceValidationArgs) -> Iterator[str]:
    if type_of(args) == AWS_BUCKET:
        if args.props.get("lifecycleRules"):
            yield "the bucket itself declares lifecycle rules, besides its lifecycle resource"
        return
    rules = rules_of(args)
    found = band_rule(rules)
    if found is None:
        yield f"the bucket must have exactly one of the rules {', '.join(_BAND_RULES)}"
    else:
        yield from _band_limits(*found)
    for rule in rules:
        yield from _move_limits(rule)
        if rule.id == _PROBE_RULE and rule.prefix != PROBE_PREFIX:
            yield f"the rule {_PROBE_RULE} is not limited to {PROBE_PREFIX}"
        elif rule.id not in (_PROBE_RULE, *_BAND_RULES):
            yield f"the rule {rule.id!r} is neither the band's rule nor {_PROBE_RULE}"


def _band_limits(band: BandName, rule: Rule) -> Iterator[str]:
    if rule.prefix or rule.narrowed or not rule.enabled:
        yield f"the rule {rule.id} must be enabled, count in days and apply to every key"
    days = rule.expire_after_days
    if band is BandName.COLD:
        if days is not None and days < COLD_RETENTION_DAYS_MINIMUM:
            yield f"cold objects expire after {days} d; the minimum is {COLD_RETENTION_DAYS_MINIMUM} d"
        return
    least, most = HOT_EXPIRE_DAYS if band is BandName.HOT else WARM_EXPIRE_DAYS
    if days is None or not least <= days <= most:
        found = "never expire" if days is None else f"expire after {days} d"
        yield f"{band} objects {found}; the limits are {least} to {most} d"


def _move_limits(rule: Rule) -> Iterator[str]:
    for storage_class, days, expire in rule.moves:
        if storage_class.endswith("_IA") and days < TRANSITION_DAYS_MINIMUM:
            yield (
                f"the rule {rule.id} moves objects to {storage_class} after {days} d; S3 wants at least "
                f"{TRANSITION_DAYS_MINIMUM} d"
            )
        if expire is not None and days >= expire:
            yield (
                f"the rule {rule.id} moves objects to {storage_class} after {days} d, but they expire after "
                f"{expire} d; S3 wants the move before the expiry"
            )


def _exactly_one(bucket: PolicyResource, resources: Sequence[PolicyResource]) -> Iterator[str]:
    count = len(on_bucket(bucket, resources, LIFECYCLES))
    if count != 1:
        yield f"the bucket has {count} lifecycle resources instead of one"


def _band_versioning(bucket: PolicyResource, resources: Sequence[PolicyResource]) -> Iterator[str]:
    lifecycles = on_bucket(bucket, resources, LIFECYCLES)
    found = band_rule(rules_of(lifecycles[0])) if len(lifecycles) == 1 else None
    if found is None or found[0] is BandName.COLD:
        return
    band = found[0]
    if is_locked(bucket):
        yield f"a {band} bucket has object lock, so its objects cannot expire as the band requires"
    versioned = any(
        (one.props.get("versioningConfiguration") or {}).get("status") == _ENABLED
        for one in on_bucket(bucket, resources, VERSIONINGS)
    )
    if versioned != (band is BandName.WARM):
        yield f"a {band} bucket must be {'versioned' if band is BandName.WARM else 'unversioned'}"


POLICIES = [
    ResourceValidationPolicy(
        "lifecycle-limits",
        "Lifecycle rules stay within their band's limits: too few days lose data that must be kept, too many keep data "
        "that must be removed, and an additional rule can expire any object.",
        of_types((*LIFECYCLES, AWS_BUCKET), _limits),
    ),
    StackValidationPolicy(
        "bucket-lifecycle",
        "Every bucket has exactly one lifecycle resource: without one it grows for ever, and a second one silently "
        "empties the first.",
        of_each_bucket(_exactly_one),
    ),
    StackValidationPolicy(
        "band-versioning",
        "Hot buckets are unversioned and warm ones versioned, both without object lock: a hot bucket's versions would "
        "never be removed, and overwritten objects of an unversioned warm bucket could not be restored.",
        of_each_bucket(_band_versioning),
    ),
]
