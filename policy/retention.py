"""The policy on cold buckets: object lock, and a default retention of at least the band's minimum days."""

from collections.abc import Iterator, Sequence

from pulumi_policy import PolicyResource, StackValidationPolicy

from model.taxonomy import COLD_RETENTION_DAYS_MINIMUM, RETENTION_DAYS_MAXIMUM, BandName, RetentionMode
from policy.lifecycle import band_rule, rules_of
from policy.resources import (
    LIFECYCLES,
    MINIO_RETENTION,
    RETENTIONS,
    is_locked,
    of_each_bucket,
    on_bucket,
    type_of,
)

_DAYS_PER_YEAR = 365  # as S3 counts a year of retention


def _cold(bucket: PolicyResource, resources: Sequence[PolicyResource]) -> Iterator[str]:
    lifecycles = on_bucket(bucket, resources, LIFECYCLES)
    found = band_rule(rules_of(lifecycles[0])) if len(lifecycles) == 1 else None
    is_cold = found is not None and found[0] is BandName.COLD
    locked = is_locked(bucket)
    if not is_cold and not locked:
        return
    if not locked:
        yield "a cold bucket has no object lock, which cannot be enabled later"
    retentions = on_bucket(bucket, resources, RETENTIONS)
    if len(retentions) != 1:
        yield f"the bucket has {len(retentions)} default retentions instead of one"
        return
    mode, days = _retention(retentions[0])
    if mode not in tuple(RetentionMode):
        yield f"its default retention has none of the modes {', '.join(RetentionMode)}"
    if days < COLD_RETENTION_DAYS_MINIMUM:
        yield f"its default retention is {days} d; the minimum is {COLD_RETENTION_DAYS_MINIMUM} d"
    if days > RETENTION_DAYS_MAXIMUM:
        yield f"its default retention is {days} d; S3 and MinIO allow at most {RETENTION_DAYS_MAXIMUM} d"
    expire = found[1].expire_after_days if is_cold and found is not None else None
    if expire is not None and expire < days:
        yield f"its objects expire after {expire} d, before their retention of {days} d ends"


def _retention(resource: PolicyResource) -> tuple[str | None, int]:
    if type_of(resource) == MINIO_RETENTION:
        return resource.props.get("mode"), int(resource.props.get("days") or 0)
    default = (resource.props.get("rule") or {}).get("defaultRetention") or {}
    days = int(default.get("days") or 0) or int(default.get("years") or 0) * _DAYS_PER_YEAR
    return default.get("mode"), days


POLICIES = [
    StackValidationPolicy(
        "cold-retention",
        "Cold buckets have object lock and a default retention of at least 365 days: originals and records exist only "
        "once, and without retention a leaked key can delete them.",
        of_each_bucket(_cold),
    ),
]
