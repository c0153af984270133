"""What a stack has, bucket by bucket and identity by identity, independent of the cloud.

The rule: None means "unknown" and is not compared. A shape comes from a plan (`of_plan`) or from the engine's steps
(`ops.preview.steps`); `ops.preview.explain` compares both kinds in the same way.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from model.plan import BucketPlan, IdentityPlan, LifecycleRule, Retention, StorePlan
from model.policies import Cloud, identity_policy, trust_policy
from ops.preview.access import Allowed, Denied, allowed, denied, refuses_plain_http
from ops.preview.trusted import trusted


@dataclass(frozen=True)
class BucketShape:
    """One bucket.

    Attributes:
        domain: Its domain.
        name: Its name on the server.
        rules: Its lifecycle rules, as far as the backend supports them.
        retention: Default retention; None without object lock.
        locked: It was created with object lock; its default retention may be missing.
        versioned: Versions are kept.
        protected: The engine refuses to delete it.
        emptied: It is emptied when it is destroyed.
        public_blocked: All four public-access blocks are on.
        public_policy: Its bucket policy allows public access.
        policy_by_hand: It has a bucket policy, and the plan has none for its cloud.
        tls_only: Its bucket policy refuses plain http.
        encryption: Default encryption, by its algorithm.
    """

    domain: str
    name: str
    rules: tuple[LifecycleRule, ...] = ()
    retention: Retention | None = None
    locked: bool = False
    versioned: bool = False
    protected: bool | None = None
    emptied: bool | None = None
    public_blocked: bool | None = None
    public_policy: bool | None = None
    policy_by_hand: bool | None = None
    tls_only: bool | None = None
    encryption: str | None = None


@dataclass(frozen=True)
class IdentityShape:
    """One identity.

    Attributes:
        name: Its name in the taxonomy.
        user_name: Its name on the server.
        access: Its permissions; None if one of its policies is not known before the update.
        denied: What its policies deny.
        tls_only: Its policy refuses plain http; None if the user's policy does not decide that.
        keys: Its keys, by the end of their logical name (`key-1`).
        off: Its parts that are switched off: `user`, or a key.
        trusted: Who may assume its role, in words; None if it has a user.
    """

    name: str
    user_name: str
    access: frozenset[Allowed] | None = frozenset()
    denied: frozenset[Denied] = frozenset()
    tls_only: bool | None = None
    keys: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    trusted: frozenset[str] | None = None


@dataclass(frozen=True)
class StoreShape:
    """A whole stack."""

    buckets: Mapping[str, BucketShape] = field(default_factory=dict)
    identities: Mapping[str, IdentityShape] = field(default_factory=dict)


def of_plan(
    plan: StorePlan,
    cloud: Cloud,
    unsupported: Collection[str],
    *,
    protected: bool | None = None,
    empty_on_destroy: bool | None = None,
    encryption: str | None = None,
) -> StoreShape:
    """The shape of a plan on a cloud.

    Args:
        plan: The plan.
        cloud: aistor or aws.
        unsupported: Features that the backend lacks (`model.deployment`) and that change nothing there.
        protected: Whether buckets are protected; None if unknown.
        empty_on_destroy: Whether all buckets except cold ones are emptied when destroyed; None if unknown.
        encryption: Default encryption; None if there is none or if it is unknown.
    """
    return StoreShape(
        {
            bucket.domain: _bucket(bucket, cloud, unsupported, protected, empty_on_destroy, encryption)
            for bucket in plan.buckets
        },
        {identity.name: _identity(plan, identity, cloud) for identity in plan.identities},
    )


def _bucket(
    bucket: BucketPlan,
    cloud: Cloud,
    unsupported: Collection[str],
    protected: bool | None,  # noqa: FBT001 - as above
    empty_on_destroy: bool | None,  # noqa: FBT001 - as above
    encryption: str | None,
) -> BucketShape:
    left_out = {"abort_multipart": "abort_multipart_after_days", "transition": "transition"}
    dropped: dict[str, None] = {name: None for feature, name in left_out.items() if feature in unsupported}
    on_aws = True if cloud == "aws" else None
    return BucketShape(
        domain=bucket.domain,
        name=bucket.name,
        rules=tuple(rule.model_copy(update=dropped) for rule in bucket.rules),
        retention=bucket.retention,
        locked=bucket.locked,
        versioned=bucket.versioned,
        protected=protected,
        emptied=None if empty_on_destroy is None else empty_on_destroy and not bucket.locked,
        public_blocked=on_aws,
        public_policy=None if on_aws is None else False,
        tls_only=on_aws,
        encryption=encryption,
    )


def _identity(plan: StorePlan, identity: IdentityPlan, cloud: Cloud) -> IdentityShape:
    document = identity_policy(plan, identity, cloud)
    return IdentityShape(
        name=identity.name,
        user_name=identity.user_name,
        access=allowed([document]),
        denied=denied([document]),
        tls_only=refuses_plain_http([document]) if cloud == "aistor" else None,
        keys=frozenset(f"key-{number}" for number in identity.credential.live if identity.trust is None),
        trusted=None if identity.trust is None else trusted(trust_policy(identity.trust, "")),
    )
