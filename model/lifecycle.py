"""Lifecycle rules: when S3 lets an object go by them, how they are said, and how they are read.

A rule is read from an answer of the S3 API (`api_rule`) or from the inputs of either provider (`declared_rule`). What
the plan has no words for is kept beside it, so that nothing is lost in passing. (The policy pack reads inputs by
itself: there a value may not be known yet, and only what it judges by may be touched.)

The rule: days are counted from the object's last modification or, for a noncurrent version, from when its successor
was written (a delete marker is a successor too), and the result is rounded up to the next midnight of UTC; exactly at
midnight, to the one after. An object is eligible from then on; when the server really removes it is the server's
matter, hours or days later. Pure. It leaves out transitions, which lose nothing, and unfinished uploads, which are no
objects yet.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html (how the time is calculated)
and, for AIStor, `ExpectedExpiryTime` in MinIO's internal/bucket/lifecycle/lifecycle.go.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from model.plan import LifecycleRule, StorageClassChange
from model.taxonomy import StorageClass

_API_KEYS = {
    "ID",
    "Status",
    "Filter",
    "Prefix",
    "Expiration",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
    "Transitions",
}
_DAYS = re.compile(r"([0-9]+)d")
#: What a rule of more days than a calendar has amounts to.
LAST_MIDNIGHT = datetime(9999, 12, 31, tzinfo=UTC)


def midnight_after(moment: datetime, days: int) -> datetime:
    """So many days after a moment (with a time zone), rounded up to the next midnight of UTC."""
    start = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if days >= (LAST_MIDNIGHT - start).days:
        return LAST_MIDNIGHT
    return start + timedelta(days=days + 1)


def current_goes_at(rules: Iterable[LifecycleRule], key: str, modified: datetime) -> datetime | None:
    """When a current version expires: by the rule that takes it first; None for never.

    In a bucket without versions the object is then gone; with versions it gets a delete marker and is noncurrent.
    """
    return _soonest(rules, key, modified, lambda rule: rule.expire_after_days)


def noncurrent_goes_at(rules: Iterable[LifecycleRule], key: str, replaced: datetime) -> datetime | None:
    """When a noncurrent version is removed, which became noncurrent at `replaced`; None for never."""
    return _soonest(rules, key, replaced, lambda rule: rule.expire_noncurrent_after_days)


def _soonest(
    rules: Iterable[LifecycleRule], key: str, moment: datetime, days_of: Callable[[LifecycleRule], int | None]
) -> datetime | None:
    days = [given for rule in rules if key.startswith(rule.prefix) and (given := days_of(rule)) is not None]
    return midnight_after(moment, min(days)) if days else None


@dataclass(frozen=True)
class FoundRule:
    """A lifecycle rule as the server has it.

    Attributes:
        rule: What of it the plan has words for.
        enabled: Whether its status is Enabled.
        beyond: Anything in it that the plan has no words for, as text; empty where there is nothing.
    """

    rule: LifecycleRule
    enabled: bool = True
    beyond: str = ""


def api_rule(rule: Mapping[str, Any]) -> FoundRule:
    """A rule of a GetBucketLifecycleConfiguration answer."""
    condition = dict(rule.get("Filter", {}))
    expiration = dict(rule.get("Expiration", {}))
    noncurrent = dict(rule.get("NoncurrentVersionExpiration", {}))
    transitions = list(rule.get("Transitions", []))
    beyond = {key: value for key, value in rule.items() if key not in _API_KEYS}
    beyond |= {f"Filter.{key}": value for key, value in condition.items() if key != "Prefix"}
    # MinIO and S3 both answer ExpiredObjectDeleteMarker false where days are set: that says nothing.
    beyond |= {f"Expiration.{key}": value for key, value in expiration.items() if key != "Days" and value}
    beyond |= {f"NoncurrentVersionExpiration.{key}": v for key, v in noncurrent.items() if key != "NoncurrentDays"}
    known = (
        len(transitions) == 1
        and "Days" in transitions[0]
        and transitions[0].get("StorageClass") in get_args(StorageClass)
    )
    if transitions and not known:
        beyond["Transitions"] = transitions
        transitions = []
    return FoundRule(
        rule=LifecycleRule.model_construct(
            id=str(rule.get("ID", "")),
            prefix=str(condition.get("Prefix", rule.get("Prefix", ""))),
            expire_after_days=expiration.get("Days"),
            expire_noncurrent_after_days=noncurrent.get("NoncurrentDays"),
            abort_multipart_after_days=dict(rule.get("AbortIncompleteMultipartUpload", {})).get("DaysAfterInitiation"),
            transition=StorageClassChange.model_construct(
                storage_class=transitions[0]["StorageClass"], after_days=transitions[0]["Days"]
            )
            if transitions
            else None,
        ),
        enabled=rule.get("Status") == "Enabled",
        beyond=", ".join(f"{key}={value}" for key, value in sorted(beyond.items())),
    )


def declared_rule(rule: Mapping[str, Any]) -> LifecycleRule:
    """A rule as either provider has it among its inputs."""
    given = rule.get("filter") or ""
    prefix = given.get("prefix", "") if isinstance(given, Mapping) else str(given)
    expiration = rule.get("expiration")
    if isinstance(expiration, Mapping):
        expire = expiration.get("days")
    else:
        match = _DAYS.fullmatch(str(expiration or ""))
        expire = match.group(1) if match else None
    noncurrent = (rule.get("noncurrentVersionExpiration") or {}).get("noncurrentDays") or rule.get(
        "noncurrentVersionExpirationDays"
    )
    abort = (rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation")
    moves = rule.get("transitions") or []
    return LifecycleRule(
        id=str(rule.get("id", "")),
        prefix=prefix,
        expire_after_days=_whole(expire),
        expire_noncurrent_after_days=_whole(noncurrent),
        abort_multipart_after_days=_whole(abort),
        transition=StorageClassChange(storage_class=moves[0]["storageClass"], after_days=int(moves[0]["days"]))
        if moves
        else None,
    )


def _whole(value: object) -> int | None:
    """Days, which some plugins leave as 0 where there are none."""
    number = int(float(str(value))) if value not in (None, "") else 0
    return number or None


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
