"""What the auditor reads in one run.

The rule: without a key of the auditor nothing is read, and the facts say why. A refusal is an answer, so that a key
that may read only a part shows which part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from pydantic import JsonValue, TypeAdapter

from model.audited import QUOTA, settings_of
from model.deployment import KeyPair
from model.plan import PROBE_PREFIX, BucketPlan, StorePlan
from verify.audit import aistor, aws
from verify.audit.signed import Auditor
from verify.facts import Answer, AuditFacts, BucketAudit, HeldVersion, Principal
from verify.probe.answers import UNEXPECTED
from verify.probe.session import StoreSession

# How many versions of a locked bucket are looked at.
SAMPLE_VERSIONS = 20
# Pages of the listing, of 1000 versions each; probes of other runs may fill some.
_PAGES = 5
_NOT_HELD = frozenset({"NoSuchObjectLockConfiguration", "NoSuchKey", "InvalidRequest"})
_LIMITS = TypeAdapter(dict[str, JsonValue])
NO_AUDITOR = "no identity audits this store"


@dataclass
class Audit:
    """The reads of one run, as independent tasks, and what they found so far."""

    auditor: Auditor | None
    why_not: str
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    principals: Answer[tuple[Principal, ...]] = field(default_factory=lambda: Answer(()))

    @classmethod
    def of(cls, session: StoreSession) -> "Audit":
        """The audit of a run's target."""
        target = session.target
        identity = target.deployment.plan.auditor
        if identity is None:
            return cls(None, NO_AUDITOR)
        if identity.name in target.absent:
            return cls(None, target.absent[identity.name])
        return cls(Auditor(session, identity.name), "", _published(target.credentials))

    @property
    def facts(self) -> AuditFacts:
        """What was found about everybody."""
        return AuditFacts(self.why_not, self.principals, self.published)

    def read_principals(self, plan: StorePlan) -> None:
        """Read everybody that the server knows."""
        if self.auditor is None:
            return
        cloud = aistor if self.auditor.session.target.deployment.cloud == "aistor" else aws
        names = {identity.user_name for identity in plan.identities}
        names.update(self.auditor.session.target.deployment.administrators)
        found = cloud.read_principals(self.auditor, asks_keys=names.__contains__)
        own = next(one.user_name for one in plan.identities if one.name == self.auditor.identity)
        if found.value is not None and own not in {one.name for one in found.value if one.kind != "account"}:
            found = Answer(code=UNEXPECTED, said=f"the list of users and roles lacks {own} itself, so it is not whole")
        self.principals = found

    def read_bucket(self, bucket: BucketPlan) -> BucketAudit:
        """Read everything that governs a bucket."""
        if self.auditor is None:
            return BucketAudit(self.why_not)
        auditor, cloud = self.auditor, self.auditor.session.target.deployment.cloud
        found = {setting.name: auditor.setting(bucket.name, setting.query) for setting in settings_of(cloud)}
        if cloud == "aistor":
            quota = auditor.admin(f"get-bucket-quota?bucket={bucket.name}", _LIMITS, encrypted=False)
            found[QUOTA] = (
                Answer(code=quota.code, said=quota.said) if quota.value is None else Answer(_quota(quota.value))
            )
        return BucketAudit("", found, _versions(auditor, bucket.name) if bucket.locked else Answer(()))


def _published(credentials: Mapping[str, KeyPair]) -> dict[str, tuple[str, ...]]:
    """The access keys of each identity: the current one, and the previous one while it is valid."""
    found = {}
    for name, pair in credentials.items():
        previous = (pair.previous.access_key_id,) if pair.previous else ()
        found[name] = (pair.access_key_id, *previous)
    return found


def _quota(limits: Mapping[str, JsonValue]) -> str:
    """The limits that are not zero, as `name value`; empty for none."""
    return ", ".join(f"{name} {value}" for name, value in sorted(limits.items()) if value and name != "quotatype")


def _versions(auditor: Auditor, bucket: str) -> Answer[tuple[HeldVersion, ...]]:
    """The first versions of a bucket outside the probe prefix, with what holds them."""
    session, client = auditor.session, auditor.session.client(auditor.identity)

    def listed() -> list[HeldVersion]:
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket)
        entries = (one for page in islice(pages, _PAGES) for one in page.get("Versions", []))
        others = (one for one in entries if not one["Key"].startswith(PROBE_PREFIX))
        return [
            HeldVersion(one["Key"], one["VersionId"], one["LastModified"].isoformat(timespec="seconds"))
            for one in islice(others, SAMPLE_VERSIONS)
        ]

    found = session.ask(listed)
    if found.value is None:
        return Answer(code=found.code, said=f"ListObjectVersions: {found.said}")
    held = []
    for one in found.value:
        at = {"Bucket": bucket, "Key": one.key, "VersionId": one.version_id}
        kept = session.ask(partial(lambda at: client.get_object_retention(**at)["Retention"], at))
        hold = session.ask(partial(lambda at: client.get_object_legal_hold(**at)["LegalHold"].get("Status"), at))
        for answer in (kept, hold):
            if not answer.ok and answer.code not in _NOT_HELD:
                return Answer(code=answer.code, said=f"{one.key}: {answer.said}")
        retention = kept.value or {}
        until = retention.get("RetainUntilDate")
        held.append(
            HeldVersion(
                one.key,
                one.version_id,
                one.made,
                str(retention.get("Mode", "")),
                until.isoformat(timespec="seconds") if until else "",
                hold.value == "ON",
            )
        )
    return Answer(tuple(held))
