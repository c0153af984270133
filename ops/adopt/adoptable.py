"""The resources of a plan that can be imported from a server, and the import file for them.

The rule: every resource has the name, type and parent that `infra.aistor` and `infra.aws` declare, so that the program
finds the imported resources in its state. Pure. It leaves out keys, whose secret cannot be read back, and AIStor's
default retention and absent bucket policies, which dynamic resources can safely set again: `pulumi up` creates both.

Ids: the "Import" section of each type at https://www.pulumi.com/registry/packages/aws/api-docs/ and
https://www.pulumi.com/registry/packages/minio/api-docs/. The file: `pulumi import --help`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from model.plan import BucketPlan, IdentityPlan, Retention, StorePlan
from model.policies import Cloud, identity_policies
from model.resources import (
    PROVIDER,
    STORE,
    STORE_NAME,
    TYPES,
    About,
    AdminApiVersion,
    By,
    about,
    identity_types,
    logical_name,
    numbered,
    with_numbers,
)
from ops.provider_in_state import provider_version
from stack.state import resources_of, under_way

# The entries of the import file that others name as parent and provider; no domain or identity can have these names.
_STORE_LINE, _PROVIDER_LINE = "Store", "Provider"


@dataclass(frozen=True)
class Adoptable:
    """A resource of the plan, as it would be imported.

    Attributes:
        kind: Its type.
        what: The part of a bucket or identity that it describes.
        name: Its name in the program.
        id: The id by which the provider reads it.
        of: The server's name of its bucket or user.
    """

    kind: str
    what: About
    name: str
    id: str
    of: str

    @property
    def own(self) -> bool:
        """Whether it is a resource of `infra.identity`, which the engine cannot import."""
        return self.kind in identity_types("v4")


@dataclass(frozen=True)
class LiveBucket:
    """An existing bucket with a planned name.

    Attributes:
        locked: It has object lock.
        retention: Its default retention as text, `GOVERNANCE 365 d`; empty for none.
        policy: It has a bucket policy.
    """

    locked: bool
    retention: str = ""
    policy: bool = False


@dataclass(frozen=True)
class Held:
    """The content of a stack's state.

    Attributes:
        keys: Type and name, and type and id, of each resource.
        urns: The URNs of the store and of the provider, by type.
        interrupted: The number of operations that a killed engine left pending.
        buckets: The id of each bucket, by its name in the program.
    """

    keys: frozenset[tuple[str, str]]
    urns: Mapping[str, str]
    interrupted: int
    buckets: Mapping[str, str] = field(default_factory=dict)

    def has(self, one: Adoptable) -> bool:
        """Whether the state has a resource: by id after a rename, by name for the plugin's attachments."""
        return bool({(one.kind, one.name), (one.kind, one.id)} & self.keys)


def held(exported: Mapping[str, Any]) -> Held:
    """Read an exported stack; one that was never deployed holds nothing."""
    resources = [one for one in resources_of(exported) if not one.get("delete")]
    names = {(one["type"], one["urn"].rpartition("::")[2]) for one in resources}
    ids = {(one["type"], one["id"]) for one in resources if one.get("id")}
    parts = {*STORE.values(), *PROVIDER.values()}
    # A default provider has the same type as ours; only ours is named after its cloud.
    urns = {
        one["type"]: one["urn"]
        for one in resources
        if one["type"] in parts and one["urn"].rpartition("::")[2] in (STORE_NAME, *PROVIDER)
    }
    buckets = {
        one["urn"].rpartition("::")[2]: str(one["id"])
        for one in resources
        if about(one["type"]) is About.BUCKET and one.get("id")
    }
    return Held(frozenset(names | ids), urns, len(under_way(exported)), buckets)


def foreign_buckets(possible: Iterable[Adoptable], state: Held) -> list[str]:
    """Existing planned buckets in whose place the state has another one: it is another environment's state."""
    return [
        f"{one.id} exists, and the state has {state.buckets[one.name]} as {one.name}"
        for one in possible
        if one.what is About.BUCKET and state.buckets.get(one.name, one.id) != one.id
    ]


def adoptables(
    plan: StorePlan, cloud: Cloud, account_id: str, live: Iterable[str], admin_api: AdminApiVersion
) -> list[Adoptable]:
    """All resources of a plan that may exist: those of every identity and those of the live buckets.

    Args:
        plan: The plan.
        cloud: The cloud of the stack.
        account_id: The AWS account, which is part of a managed policy's id.
        live: Names of the existing buckets; resources of other buckets cannot exist.
        admin_api: The admin API version that manages AIStor's identities.
    """
    there = frozenset(live)
    found = [one for bucket in plan.buckets if bucket.name in there for one in _of_bucket(bucket, cloud)]
    for identity in plan.identities:
        found += _of_identity(plan, identity, cloud, account_id, admin_api if cloud == "aistor" else "aws")
    return found


def _of_bucket(bucket: BucketPlan, cloud: Cloud) -> list[Adoptable]:
    whats = [About.BUCKET]
    if cloud == "aws":
        whats += [About.PUBLIC_ACCESS, About.OWNERSHIP, About.ENCRYPTION, About.BUCKET_POLICY]
        if bucket.locked:
            whats.append(About.RETENTION)
    if bucket.versioned and not bucket.locked:
        whats.append(About.VERSIONING)
    whats.append(About.LIFECYCLE)
    kinds = TYPES["v3" if cloud == "aistor" else "aws"]
    return [Adoptable(kinds[what], what, logical_name(bucket.domain, what), bucket.name, bucket.name) for what in whats]


def _of_identity(plan: StorePlan, identity: IdentityPlan, cloud: Cloud, account_id: str, by: By) -> list[Adoptable]:
    user = identity.user_name
    # A role has the name that the user would have, and its attachments have ids of the same form.
    has_role = identity.trust is not None
    own, attachment = (About.ROLE, About.ROLE_ATTACHMENT) if has_role else (About.USER, About.ATTACHMENT)
    found = [Adoptable(TYPES[by][own], own, logical_name(identity.name, own), user, user)]
    for number, _ in with_numbers(identity_policies(plan, identity, cloud)):
        name = numbered(user, number)
        policy = name if cloud == "aistor" else f"arn:aws:iam::{account_id}:policy/{name}"
        for what, key in ((About.POLICY, policy), (attachment, f"{user}/{policy}")):
            found.append(Adoptable(TYPES[by][what], what, logical_name(identity.name, what, number), key, user))
    return found


def lock_refusals(plan: StorePlan, cloud: Cloud, live: Mapping[str, LiveBucket]) -> list[str]:
    """Buckets whose object lock is not as planned, each with what to do; they cannot be imported in this state."""
    return [
        _lock_refusal(bucket, cloud)
        for bucket in plan.buckets
        if bucket.name in live and live[bucket.name].locked != bucket.locked
    ]


def _lock_refusal(bucket: BucketPlan, cloud: Cloud) -> str:
    name, domain = bucket.name, bucket.domain
    if not bucket.locked:
        return (
            f"{name}: it has object lock, which can never be removed; the plan says {bucket.band.value}, without lock."
            f"\n  Either give {domain} the band cold; or copy what you need to another bucket, remove this one "
            "when its retention has ended, and let `pulumi up` create it."
        )
    wrong = f"{name}: it has no object lock; the plan says {bucket.band.value}, with lock."
    if cloud == "aws":
        return (
            f"{wrong}\n  Enable it, then run this command again:\n"
            f"    aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled\n"
            f"    aws s3api put-object-lock-configuration --bucket {name} "
            "--object-lock-configuration ObjectLockEnabled=Enabled"
        )
    return (
        f"{wrong}\n  A bucket gets object lock only at creation. Move its objects away, let `pulumi up` create it, and "
        f"move them back (first `mc alias set store …`):\n"
        f"    mc mb store/{name}-moved && mc mirror store/{name} store/{name}-moved\n"
        f"    mc rb --force store/{name}    # then run this command again, `pulumi up`, and\n"
        f"    mc mirror store/{name}-moved store/{name}\n"
        f"  Or give {domain} the band warm or hot."
    )


def retention_changes(plan: StorePlan, live: Mapping[str, LiveBucket]) -> list[str]:
    """Default retentions that `pulumi up` would change, with the old and the new value."""
    return [
        f"{bucket.name}: {live[bucket.name].retention or 'no default retention'} becomes {_said(bucket.retention)}"
        for bucket in plan.buckets
        if bucket.name in live
        and bucket.retention is not None
        and live[bucket.name].retention != _said(bucket.retention)
    ]


def policies_removed(cloud: Cloud, live: Mapping[str, LiveBucket]) -> list[str]:
    """Buckets whose own policy `pulumi up` removes: the plan has no bucket policies on AIStor."""
    return [name for name, bucket in live.items() if bucket.policy and cloud == "aistor"]


def _said(retention: Retention) -> str:
    return f"{retention.mode.value} {retention.days} d"


def import_file(adopted: Iterable[Adoptable], state: Held, cloud: Cloud, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The file for `pulumi import --file`, with the store and the provider if the state lacks them.

    Args:
        adopted: The resources to import.
        state: The stack's state.
        cloud: The cloud of the stack.
        inputs: The provider's inputs.
    """
    table: dict[str, str] = {}
    resources: list[dict[str, Any]] = []
    if urn := state.urns.get(STORE[cloud]):
        table[_STORE_LINE] = urn
    else:
        resources.append({"type": STORE[cloud], "name": _STORE_LINE, "logicalName": STORE_NAME, "component": True})
    if urn := state.urns.get(PROVIDER[cloud]):
        table[_PROVIDER_LINE] = urn
    else:
        resources.append(
            {
                "type": PROVIDER[cloud],
                "name": _PROVIDER_LINE,
                "logicalName": cloud,
                "version": provider_version(cloud),
                "inputs": dict(inputs),
            }
        )
    resources += [
        {"type": one.kind, "name": one.name, "id": one.id, "parent": _STORE_LINE, "provider": _PROVIDER_LINE}
        for one in adopted
    ]
    return {"nameTable": table, "resources": resources}
