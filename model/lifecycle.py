"""Lifecycle rules: when S3 removes an object because of them, how to describe them, and how to read them.

A rule is read from an answer of the S3 API (`api_rule`) or from the inputs of either provider (`declared_rule`). Parts
that the plan cannot express are kept next to it, so that nothing is lost. (The policy pack reads inputs itself: there
a value may still be unknown, and the pack may touch only the values that it judges.)

The rule: days count from the object's last modification or, for a noncurrent version, from when its successor was
written (a delete marker is also a successor). The result is rounded up to the next midnight UTC; a result exactly at
midnight is rounded up to the one after. The object is eligible from then on; the server removes it hours or days later.
Pure: it does not contact a cloud. It leaves out transitions, which lose nothing, and unfinished uploads, which are not
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
#: The result for a rule with more days than the calendar has.
LAST_MIDNIGHT = datetime(9999, 12, 31, tzinfo=UTC)


def midnight_after(moment: datetime, days: int) -> datetime:
    """The moment (with a time zone) plus some days, rounded up to the next midnight UTC."""
    start = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if days >= (LAST_MIDNIGHT - start).days:
        return LAST_MIDNIGHT
    return start + timedelta(days=days + 1)


def current_goes_at(rules: Iterable[LifecycleRule], key: str, modified: datetime) -> datetime | None:
    """When a current version expires, by the rule that applies first; None for never.

    In an unversioned bucket the object is then gone. In a versioned one it gets a delete marker and is noncurrent.
    """
    return _soonest(rules, key, modified, lambda rule: rule.expire_after_days)


def noncurrent_goes_at(rules: Iterable[LifecycleRule], key: str, replaced: datetime) -> datetime | None:
    """When a version that became noncurrent at `replaced` is removed; None for never."""
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
        rule: The part that the plan can express.
        enabled: Whether its status is Enabled.
        beyond: The part that the plan cannot express, as text; empty if there is none.
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
    # MinIO and S3 both answer ExpiredObjectDeleteMarker false where days are set; false has no effect.
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
    """A rule from the inputs of either provider."""
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
    """The number of days, or None; some plugins give 0 where no days are set."""
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
