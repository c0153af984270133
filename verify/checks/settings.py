"""The audit of a bucket: each of its settings as a whole, and what holds its versions.

The rule: the server's own text is compared, so an element that this module does not know is a difference. A setting
that the plan does not have must be absent. What could not be read is CANNOT TELL, by name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from shlex import quote
from xml.etree import ElementTree as ET

from model.allowed import same_for_everybody
from model.audited import QUOTA, ROOTS
from model.deployment import Deployment
from model.plan import BucketPlan, LifecycleRule
from model.policies import as_json, bucket_policy
from model.policy_meaning import same_meaning
from model.remedies import AUDITOR_LINE, Remedy, s3api
from verify.checks.configuration import realisable
from verify.checks.finding import Status, Verdict, cannot_tell, fail, not_asked
from verify.facts import BucketAudit, BucketFacts, HeldVersion
from verify.probe.answers import UNEXPECTED

GIVE_AUDITOR = (
    f"add `{AUDITOR_LINE}` to `identities` in infra/taxonomy.yaml, then run `pulumi up`; with --deployment, give its "
    "key in --credentials"
)
RESTORE_AUDITOR = f"check the auditor's policy; {Remedy.CHANGED} restores it"
# A setting that is not there.
_ABSENT = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchCORSConfiguration",
        "NoSuchLifecycleConfiguration",
        "NoSuchTagSet",
        "NoSuchTagSetError",
        "NoSuchWebsiteConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "OwnershipControlsNotFoundError",
        "NoSuchPublicAccessBlockConfiguration",
        "ReplicationConfigurationNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
# A version is held for less than the plan says only by a whole day: a put and its lock are not of the same moment.
_TOLERANCE = timedelta(days=1)
_LOCK_DAYS_OF_YEAR = 365

Leaves = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class _Place:
    """A bucket of a deployment."""

    deployment: Deployment
    plan: BucketPlan


def settings_audited(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """Every setting of the bucket that the API has is the planned one or absent; the auditor reads each as a whole."""
    wanted = "each setting as planned, and no other"
    if (untold := _untold(facts.audit, wanted)) is not None or facts.audit is None:
        return untold or not_asked("not selected")
    place = _Place(deployment, plan)
    unread, wrong = [], {}
    for name, answer in facts.audit.settings.items():
        if answer.code is not None and answer.code not in _ABSENT:
            unread.append(f"{name}: {answer}")
        elif answer.ok and not _is_answer(name, answer.value or ""):
            unread.append(f"{name}: {UNEXPECTED}: {(answer.value or 'an empty body')[:80]}")
        elif difference := _difference(place, name, answer.value or ""):
            wrong[name] = difference
    if wrong:
        found = "; ".join([*(f"{name}: {text}" for name, text in wrong.items()), *unread])
        texts = {name: facts.audit.settings[name].value or "" for name in wrong}
        lines = dict.fromkeys(line for name in wrong for line in _lines(place, name, texts[name]))
        return fail(wanted, found, f"run {', and '.join(lines)}")
    if unread:
        return cannot_tell(wanted, "; ".join(unread), RESTORE_AUDITOR)
    return Verdict(Status.PASS, wanted, f"the same in {len(facts.audit.settings)} settings")


def held_versions_audited(deployment: Deployment, plan: BucketPlan, facts: BucketFacts) -> Verdict:
    """The first versions of a bucket with object lock are locked as long as the plan says, and have no legal hold."""
    if plan.retention is None:
        return not_asked("the bucket has no object lock")
    wanted = f"{plan.retention.mode.value} for {plan.retention.days} d from the put, no legal hold"
    if (untold := _untold(facts.audit, wanted)) is not None or facts.audit is None:
        return untold or not_asked("not selected")
    held = facts.audit.versions
    if held.value is None:
        return cannot_tell(wanted, str(held), RESTORE_AUDITOR)
    wrong = {one: fault for one in held.value if (fault := _held_fault(plan, one))}
    if wrong:
        first = next(iter(wrong))
        told = "; ".join(f"{one.key} (version {one.version_id}): {fault}" for one, fault in wrong.items())
        return fail(wanted, told, f"run {_held_remedy(_Place(deployment, plan), first)}, and so for each of them")
    return Verdict(Status.PASS, wanted, f"so in {len(held.value)} versions")


def _untold(audit: BucketAudit | None, wanted: str) -> Verdict | None:
    if audit is None:
        return not_asked("not selected")
    return cannot_tell(wanted, audit.why_not, GIVE_AUDITOR) if audit.why_not else None


def _held_fault(plan: BucketPlan, version: HeldVersion) -> str:
    assert plan.retention is not None  # noqa: S101 - the caller looked
    if version.hold:
        return "a legal hold"
    if not version.until:
        return "no retention"
    if version.mode != plan.retention.mode.value:
        return f"mode {version.mode}"
    planned = datetime.fromisoformat(version.made) + timedelta(days=plan.retention.days)
    until = datetime.fromisoformat(version.until)
    if planned - until > _TOLERANCE:
        return f"locked until {version.until}, {(planned - until).days} d less than planned"
    return ""


def _held_remedy(place: _Place, version: HeldVersion) -> str:
    at = ("--key", quote(version.key), "--version-id", version.version_id)
    endpoint = place.deployment.endpoint
    if version.hold:
        return f"`{s3api('put-object-legal-hold', place.plan.name, endpoint, *at, '--legal-hold', 'Status=OFF')}`"
    assert place.plan.retention is not None  # noqa: S101 - only buckets with object lock have faults
    until = datetime.fromisoformat(version.made) + timedelta(days=place.plan.retention.days)
    retention = f"Mode={place.plan.retention.mode.value},RetainUntilDate={until.isoformat(timespec='seconds')}"
    return f"`{s3api('put-object-retention', place.plan.name, endpoint, *at, '--retention', retention)}`"


def _is_answer(name: str, text: str) -> bool:
    """Whether a 200 holds the setting; a page of another program, or a list of objects, holds none."""
    if not (root := ROOTS.get(name)):
        return bool(text) or name == QUOTA
    try:
        return root in _root(text).tag
    except ET.ParseError:
        return False


def _difference(place: _Place, name: str, text: str) -> str:
    """How a setting differs from the plan, in words; empty if it does not."""
    if name == QUOTA:
        return text
    if name == "bucket policy":
        planned = ""
        if place.deployment.cloud == "aws" and place.deployment.plan.tls_only:
            planned = as_json(bucket_policy(place.plan.name))
        return "" if same_meaning(text, planned) or _same_in_other_words(place, text, planned) else text or "none"
    root = _root(text)
    if name in _DIFFERENCES:
        return _DIFFERENCES[name](place, root)
    found, wanted = _leaves(root), _WANTED.get(name, _nothing)(place)
    return _beyond(found - _HARMLESS.get(name, frozenset()), wanted)


def _same_in_other_words(place: _Place, text: str, planned: str) -> bool:
    """Whether both are there and allow and deny everybody the same; a policy that is not planned must be absent."""
    return bool(text and planned) and same_for_everybody(text, planned, place.plan.name, place.deployment.cloud)


def _beyond(found: Leaves, wanted: Leaves) -> str:
    """The leaves on one side only, in words."""
    more = ", ".join(f"{path} {text}".rstrip() for path, text in sorted(found - wanted))
    less = ", ".join(f"{path} {text}".rstrip() for path, text in sorted(wanted - found))
    return ", ".join(filter(None, (more, less and f"without {less}")))


def _root(text: str) -> ET.Element:
    root = ET.fromstring(text) if text else ET.Element("None")  # noqa: S314 - of the server that the run trusts
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _leaves(element: ET.Element, ignored: frozenset[str] = frozenset(), path: str = "") -> Leaves:
    """Each element that holds text or nothing, with its path from the root."""
    found: set[tuple[str, str]] = set()
    for child in element:
        own = f"{path}/{child.tag}".lstrip("/")
        if own in ignored:
            continue
        if len(child):
            found |= _leaves(child, ignored, own)
        else:
            found.add((own, (child.text or "").strip()))
    return frozenset(found)


def _lifecycle_difference(place: _Place, root: ET.Element) -> str:
    rules = {rule.id: _rule_leaves(realisable(rule, place.deployment)) for rule in place.plan.rules}
    told = []
    found: dict[str, Leaves] = {}
    for rule in root.findall("Rule"):
        name = rule.findtext("ID") or ""
        if name in found:
            told.append(f"two rules {name}")
        found[name] = frozenset(leaf for leaf in _leaves(rule) if leaf[1] or leaf[0] not in _EMPTY_IN_RULE)
    others = _leaves(root, frozenset({"Rule"}))
    for name in dict.fromkeys((*rules, *found)):
        if name not in rules:
            told.append(f"rule {name}, which is not planned")
        elif difference := _beyond(found.get(name, frozenset()), rules[name]):
            told.append(f"rule {name}: {difference}")
    return ", ".join([*told, *(f"{path} {text}" for path, text in sorted(others))])


# MinIO writes a filter for all keys as an empty prefix, or as no prefix.
_EMPTY_IN_RULE = frozenset({"Filter/Prefix", "Prefix", "Filter"})


def _rule_leaves(rule: LifecycleRule) -> Leaves:
    leaves = {("ID", rule.id), ("Status", "Enabled")}
    if rule.prefix:
        leaves.add(("Filter/Prefix", rule.prefix))
    if rule.expire_after_days is not None:
        leaves.add(("Expiration/Days", str(rule.expire_after_days)))
    if rule.expire_noncurrent_after_days is not None:
        leaves.add(("NoncurrentVersionExpiration/NoncurrentDays", str(rule.expire_noncurrent_after_days)))
    if rule.abort_multipart_after_days is not None:
        leaves.add(("AbortIncompleteMultipartUpload/DaysAfterInitiation", str(rule.abort_multipart_after_days)))
    if rule.transition is not None:
        leaves.add(("Transition/Days", str(rule.transition.after_days)))
        leaves.add(("Transition/StorageClass", rule.transition.storage_class))
    return frozenset(leaves)


def _acl_difference(_: _Place, root: ET.Element) -> str:
    owner = root.findtext("Owner/ID") or ""
    grants = [
        (
            grant.findtext("Grantee/ID")
            or grant.findtext("Grantee/URI")
            or grant.findtext("Grantee/EmailAddress")
            or "?",
            grant.findtext("Permission") or "?",
        )
        for grant in root.iter("Grant")
    ]
    return ", ".join(f"{who} has {permission}" for who, permission in grants if who != owner)


def _tags_difference(place: _Place, root: ET.Element) -> str:
    if place.deployment.tags is None:
        return ""  # deployed before the stack published them
    found = frozenset((tag.findtext("Key") or "", tag.findtext("Value") or "") for tag in root.iter("Tag"))
    return _beyond(found, frozenset(place.deployment.tags.items()))


def _nothing(_: _Place) -> Leaves:
    return frozenset()


def _versioning(place: _Place) -> Leaves:
    # A bucket that was warm once stays suspended; `versioning_as_planned` says whether it may be.
    return frozenset({("Status", "Enabled")}) if place.plan.versioned else frozenset()


def _object_lock(place: _Place) -> Leaves:
    if place.plan.retention is None:
        return frozenset()
    return frozenset(
        {
            ("ObjectLockEnabled", "Enabled"),
            ("Rule/DefaultRetention/Mode", place.plan.retention.mode.value),
            ("Rule/DefaultRetention/Days", str(place.plan.retention.days)),
        }
    )


def _encryption(place: _Place) -> Leaves:
    if place.deployment.encryption is None:
        return frozenset()
    path = "Rule/ApplyServerSideEncryptionByDefault"
    if place.deployment.encryption == "SSE-S3":
        return frozenset({(f"{path}/SSEAlgorithm", "AES256"), ("Rule/BucketKeyEnabled", "false")})
    key = {(f"{path}/KMSMasterKeyID", place.deployment.kms_key)} if place.deployment.kms_key else set()
    return frozenset({(f"{path}/SSEAlgorithm", "aws:kms"), ("Rule/BucketKeyEnabled", "true"), *key})


def _public_access(_: _Place) -> Leaves:
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    return frozenset((name, "true") for name in names)


_DIFFERENCES: Mapping[str, Callable[[_Place, ET.Element], str]] = {
    "ACL": _acl_difference,
    "lifecycle": _lifecycle_difference,
    "tags": _tags_difference,
}
_WANTED: Mapping[str, Callable[[_Place], Leaves]] = {
    "versioning": _versioning,
    "object lock": _object_lock,
    "encryption": _encryption,
    "request payment": lambda _: frozenset({("Payer", "BucketOwner")}),
    "public access block": _public_access,
    "ownership": lambda _: frozenset({("Rule/ObjectOwnership", "BucketOwnerEnforced")}),
}
# Settings of which a bucket has several.
_SEVERAL = frozenset({"inventory", "metrics", "analytics", "intelligent tiering"})
# What a server writes where nothing is set, or where something was set and is off again.
_OFF = frozenset({("Status", ""), ("Status", "Suspended")})
_HARMLESS: Mapping[str, Leaves] = {
    "versioning": _OFF | {("MfaDelete", "Disabled")},
    "acceleration": _OFF,
    # All of it is on this page.
    **dict.fromkeys(_SEVERAL, frozenset({("IsTruncated", "false")})),
}


def _lines(place: _Place, name: str, text: str) -> list[str]:
    """The lines that take away what differs in a setting."""
    command, *arguments = _LINES.get(name, ("",))
    up = f"`pulumi up --refresh --stack {place.deployment.stack}`"
    if name == QUOTA:
        return [f"`mc quota clear ALIAS/{place.plan.name}`"]
    if not command:
        return [up]
    status = "Enabled" if place.plan.versioned else "Suspended"
    given = [one.format(status=status) for one in arguments]
    ids = [("--id", one.text or "") for one in _root(text).iter("Id")] if name in _SEVERAL else [()]
    lines = [f"`{s3api(command, place.plan.name, place.deployment.endpoint, *given, *of_one)}`" for of_one in ids]
    return [*lines, up] if name in _DECLARED else lines


# Settings that the program declares: removing the whole one lets it put the planned one.
_DECLARED = frozenset({"lifecycle", "bucket policy", "tags"})
_LINES: Mapping[str, Iterable[str]] = {
    "versioning": ("put-bucket-versioning", "--versioning-configuration", "Status={status}"),
    "lifecycle": ("delete-bucket-lifecycle",),
    "bucket policy": ("delete-bucket-policy",),
    "replication": ("delete-bucket-replication",),
    "notification": ("put-bucket-notification-configuration", "--notification-configuration", "'{{}}'"),
    "tags": ("delete-bucket-tagging",),
    "CORS": ("delete-bucket-cors",),
    "ACL": ("put-bucket-acl", "--acl", "private"),
    "website": ("delete-bucket-website",),
    "logging": ("put-bucket-logging", "--bucket-logging-status", "'{{}}'"),
    "acceleration": ("put-bucket-accelerate-configuration", "--accelerate-configuration", "Status=Suspended"),
    "request payment": (
        "put-bucket-request-payment",
        "--request-payment-configuration",
        "Payer=BucketOwner",
    ),
    "inventory": ("delete-bucket-inventory-configuration",),
    "metrics": ("delete-bucket-metrics-configuration",),
    "analytics": ("delete-bucket-analytics-configuration",),
    "intelligent tiering": ("delete-bucket-intelligent-tiering-configuration",),
}
