"""Lifecycle rules: what each vendor accepts and stores, and which rule governs an object.

Pure, on rules decoded from S3's XML (all values are strings, as in `moto`). Left out: deletion. The server only
announces the effect of a rule in `x-amz-expiration`, as the real servers do.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.server.answers import ApiError
from sandbox.server.s3_actions import Cloud

if TYPE_CHECKING:
    from collections.abc import Mapping

Rule = dict[str, Any]

MAX_RULES = 1000
MAX_ID = 255
MIN_DAYS_TO_IA = 30  # S3's own minimum before STANDARD_IA and ONEZONE_IA
_INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")
_ACTIONS = (
    "Expiration",
    "Transition",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
    "DelMarkerExpiration",
)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The properties of an object that the rules use."""

    key: str
    size: int
    last_modified: datetime
    tags: Mapping[str, str]


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidArgument", message, 400)


def _malformed() -> ApiError:
    return ApiError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
        400,
    )


def accepted(rules: list[Rule], cloud: Cloud) -> list[Rule]:
    """The rules as the vendor stores them; refuses what the vendor refuses."""
    kept = []
    for rule in rules:
        one = rule | {"ID": rule.get("ID") or str(uuid.uuid4())}
        if cloud is Cloud.AISTOR:
            one.pop("AbortIncompleteMultipartUpload", None)
            _check_aistor(one)
        else:
            _check_aws(one)
        kept.append(one)
    _check_all(kept, cloud)
    return kept


def _check_all(rules: list[Rule], cloud: Cloud) -> None:
    if not rules and cloud is Cloud.AISTOR:
        raise _invalid("Lifecycle configuration should have at least one rule")
    if len(rules) > MAX_RULES:
        raise _invalid(f"Lifecycle configuration allows a maximum of {MAX_RULES} rules")
    names = [rule["ID"] for rule in rules]
    if len(set(names)) != len(names):
        raise _invalid("Rule ID must be unique. Found same ID for more than one rule")
    if any(len(name) > MAX_ID for name in names):
        raise _invalid(f"ID length is limited to {MAX_ID} characters")


def _check_aistor(rule: Rule) -> None:
    # MinIO drops the abort action unread. A rule with no other action then has none.
    if not any(rule.get(action) for action in _ACTIONS):
        raise _invalid("The XML you provided was not well-formed or did not validate against our published schema")
    expiration = rule.get("Expiration") or {}
    if expiration.get("ExpiredObjectDeleteMarker") and (expiration.get("Days") or expiration.get("Date")):
        raise _invalid("Delete marker cannot be specified with Days or Date in a Lifecycle Expiration Policy")
    _check_days(expiration, "Days must be positive integer when used with Expiration")
    if rule.get("Transition") or rule.get("NoncurrentVersionTransition"):
        raise ApiError("InvalidStorageClass", "Invalid storage class.", 400)  # no remote tier is configured


def _check_aws(rule: Rule) -> None:
    if not any(rule.get(action) for action in (*_ACTIONS, "AbortIncompleteMultipartUpload")):
        raise ApiError("InvalidRequest", "At least one action needs to be specified in a rule.", 400)
    expiration = rule.get("Expiration") or {}
    _check_days(expiration, "'Days' for Expiration action must be a positive integer")
    for transition in _listed(rule.get("Transition")):
        days = int(transition.get("Days") or 0)
        if transition.get("StorageClass") in _INFREQUENT and "Days" in transition and days < MIN_DAYS_TO_IA:
            raise _invalid(
                f"'Days' in Transition action must be greater than or equal to {MIN_DAYS_TO_IA} for "
                f"storageClass '{transition['StorageClass']}'"
            )
        if expiration.get("Days") and int(expiration["Days"]) <= days:
            raise _invalid(
                f"'Days' in the Expiration action for filter '(prefix={prefix_of(rule)})' must be greater than "
                "'Days' in the Transition action"
            )
    if "Filter" in rule and "Prefix" in rule:
        raise _malformed()


def _check_days(expiration: Mapping[str, Any], message: str) -> None:
    if "Days" in expiration and not (str(expiration["Days"]).isdigit() and int(expiration["Days"]) > 0):
        raise _invalid(message)


def _listed(raw: object) -> list[Any]:
    if raw is None:
        return []
    return raw if isinstance(raw, list) else [raw]


def prefix_of(rule: Rule) -> str:
    """The prefix of a rule, in each place where a rule can have it."""
    filters = rule.get("Filter") or {}
    together = filters.get("And") or {}
    return rule.get("Prefix") or filters.get("Prefix") or together.get("Prefix") or ""


def _governs(rule: Rule, stored: StoredObject) -> bool:
    if rule.get("Status") != "Enabled" or not stored.key.startswith(prefix_of(rule)):
        return False
    filters = rule.get("Filter") or {}
    together = filters.get("And") or {}
    tags = _listed(filters.get("Tag")) + _listed(together.get("Tag"))
    if any(stored.tags.get(tag["Key"]) != (tag.get("Value") or "") for tag in tags):
        return False
    larger = filters.get("ObjectSizeGreaterThan") or together.get("ObjectSizeGreaterThan")
    smaller = filters.get("ObjectSizeLessThan") or together.get("ObjectSizeLessThan")
    return (not larger or stored.size > int(larger)) and (not smaller or stored.size < int(smaller))


def expiration_header(rules: list[Rule], stored: StoredObject) -> str | None:
    """`x-amz-expiration` of an object, by the earliest of its rules; None if no rule expires it."""
    found: list[tuple[datetime, str]] = []
    for rule in rules:
        expiration = rule.get("Expiration") or {}
        if not _governs(rule, stored):
            continue
        if expiration.get("Days"):
            found.append((midnight_after(stored.last_modified, int(expiration["Days"])), rule["ID"]))
        elif expiration.get("Date"):
            found.append((datetime.fromisoformat(expiration["Date"]).astimezone(UTC), rule["ID"]))
    if not found:
        return None
    moment, rule_id = min(found)
    return f'expiry-date="{moment.strftime("%a, %d %b %Y %H:%M:%S GMT")}", rule-id="{rule_id}"'


def midnight_after(moment: datetime, days: int) -> datetime:
    """A number of days after a moment, rounded up to the next midnight UTC, as both vendors do."""
    later = moment.astimezone(UTC) + timedelta(days=days + 1)
    return later.replace(hour=0, minute=0, second=0, microsecond=0)
