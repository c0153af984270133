"""What happens to objects as days pass, by band.

The rule: an event that the backend does not support is shown with the reason. Pure.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from model.deployment import Deployment
from model.plan import PROBE_PREFIX, BucketPlan, LifecycleRule
from verify.selection import Selection


@unique
class Kind(StrEnum):
    """What happens to objects as days pass."""

    LOCK = "lock"
    EXPIRE = "expire"
    REPLACED = "replaced"
    MOVE = "move"
    ABORT = "abort"


@dataclass(frozen=True)
class Event:
    """Something that happens to objects after some days.

    Attributes:
        kind: What happens.
        days: After how many days; None for never.
        text: The full text.
        unsupported: Why the backend does not do it; empty if it does.
    """

    kind: Kind
    days: int | None
    text: str
    unsupported: str = ""


@dataclass(frozen=True)
class Life:
    """What happens to objects in the buckets of a band that have the same days."""

    band: str
    domains: tuple[str, ...]
    events: tuple[Event, ...]


def lives(deployment: Deployment, selection: Selection) -> tuple[Life, ...]:
    """One for each band and set of days; the probes' keys, which every bucket has, come last."""
    alike: dict[tuple[str, tuple[Event, ...]], list[str]] = {}
    probes: dict[tuple[Event, ...], list[str]] = {}
    for bucket in selection.chosen(deployment.plan):
        alike.setdefault((bucket.band.value, _events(deployment, bucket)), []).append(bucket.domain)
        for rule in bucket.rules:
            if rule.prefix:
                # A bucket without versions has no noncurrent versions: without that event the line is the same for all.
                probes.setdefault(tuple(_rule_events(deployment, rule)[:1]), []).append(bucket.domain)
    order = ["hot", "warm", "cold"]
    lives = [Life(band, tuple(domains), events) for (band, events), domains in alike.items()]
    lives.sort(key=lambda life: order.index(life.band))
    lives += [Life(f"keys under {PROBE_PREFIX}", tuple(domains), events) for events, domains in probes.items()]
    return tuple(lives)


def _events(deployment: Deployment, bucket: BucketPlan) -> tuple[Event, ...]:
    events = []
    if bucket.retention is not None:
        mode, days = bucket.retention.mode.value, bucket.retention.days
        events.append(Event(Kind.LOCK, days, f"versions are locked ({mode}) for {days} d"))
    of_all_keys = [event for rule in bucket.rules if not rule.prefix for event in _rule_events(deployment, rule)]
    if not any(event.kind is Kind.EXPIRE for event in of_all_keys):
        events.append(Event(Kind.EXPIRE, None, "current versions never expire"))
    order = list(Kind)
    return tuple(sorted(events + of_all_keys, key=lambda event: order.index(event.kind)))


def _rule_events(deployment: Deployment, rule: LifecycleRule) -> list[Event]:
    events = []
    if (days := rule.expire_after_days) is not None:
        events.append(Event(Kind.EXPIRE, days, f"current versions expire after {days} d"))
    if (days := rule.expire_noncurrent_after_days) is not None:
        events.append(Event(Kind.REPLACED, days, f"noncurrent versions expire {days} d after they were replaced"))
    if rule.transition is not None:
        days, where = rule.transition.after_days, rule.transition.storage_class
        why = deployment.cannot("transition") or ""
        events.append(Event(Kind.MOVE, days, f"current versions move to {where} after {days} d", why))
    if (days := rule.abort_multipart_after_days) is not None:
        why = deployment.cannot("abort_multipart") or ""
        events.append(Event(Kind.ABORT, days, f"unfinished uploads are removed after {days} d", why))
    return events
