"""The plan: every bucket, lifecycle rule, retention and grant that must exist, independent of any cloud.

The rule: both clouds implement this one value, the verification compares the live store with it, and documentation is
generated from it. It makes every decision that they must share. Pure: taxonomy in, `StorePlan` out. It leaves out how
an access is written as an IAM policy (`model.policies`) and what a backend cannot do (`model.deployment`).
"""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from model.bucket_names import BUCKET_NAME_MAXIMUM, RESERVED_SUFFIXES, bucket_name, reserved_suffix
from model.generations import Generations
from model.problems import InvalidInputError, Problem
from model.taxonomy import (
    EVERY_DOMAIN,
    Access,
    BandName,
    Bands,
    ColdBand,
    ColdDomain,
    Domain,
    HotBand,
    HotDomain,
    Identity,
    RetentionMode,
    StorageClass,
    Taxonomy,
    WarmBand,
    WarmDomain,
)
from model.trust import OidcTrust
from model.user_names import ENV, REGION_CODE, USER_NAME_MAXIMUM, UserNames, user_name

PROBE_PREFIX = ".verify/"
PROBE_EXPIRE_AFTER_DAYS = 1
ENV_FORM = "1 to 12 lower case letters and digits, starting with a letter (local)"
REGION_CODE_FORM = "2 to 4 lower case letters and a digit (usw2)"


class _Planned(BaseModel):
    """A frozen value that round-trips through JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Retention(_Planned):
    """Default Object Lock retention of a bucket, in days."""

    mode: RetentionMode
    days: Annotated[int, Field(ge=1)]


class StorageClassChange(_Planned):
    """A move of current versions to a cheaper storage class after some days."""

    storage_class: StorageClass
    after_days: Annotated[int, Field(ge=1)]


class LifecycleRule(_Planned):
    """One rule of a bucket; where days are absent, the rule does nothing of that kind.

    Attributes:
        id: The rule's id on the server.
        prefix: The prefix of the keys that it applies to; empty for all.
        expire_after_days: Days until current versions expire.
        expire_noncurrent_after_days: Days until noncurrent versions are removed, from when they became noncurrent.
        abort_multipart_after_days: Days until parts of unfinished uploads are removed.
        transition: The storage class that current versions move to, and when.
    """

    id: str
    prefix: str = ""
    expire_after_days: int | None = None
    expire_noncurrent_after_days: int | None = None
    abort_multipart_after_days: int | None = None
    transition: StorageClassChange | None = None


class BucketPlan(_Planned):
    """One bucket and all its required settings.

    Attributes:
        domain: The domain that it stores.
        name: `joelclaw-{env}-{region code}-{domain}`, with the domain's oldest name if the domain was renamed.
        band: Its lifecycle band.
        versioned: The bucket keeps versions. Object lock alone makes a bucket versioned.
        retention: Default retention; present exactly on buckets with object lock.
        rules: Its lifecycle rules, in order.
        renamed_from: The domain's former names, oldest first; the bucket's name contains the oldest.
    """

    domain: str
    name: str
    band: BandName
    versioned: bool
    retention: Retention | None
    rules: tuple[LifecycleRule, ...]
    renamed_from: tuple[str, ...] = ()

    @property
    def named_after(self) -> str:
        """The domain's oldest name, which the bucket's name contains."""
        return next(iter(self.renamed_from), self.domain)

    @property
    def locked(self) -> bool:
        """Whether the bucket must be created with Object Lock."""
        return self.retention is not None


class Grant(_Planned):
    """One identity's access to one bucket.

    Attributes:
        domain: The bucket's domain.
        bucket: The bucket's name.
        access: What it may do.
        write_once: The server refuses its puts over an object: a put must carry `If-None-Match: *`.
    """

    domain: str
    bucket: str
    access: Access
    write_once: bool = False


class IdentityPlan(_Planned):
    """A workload's user, or role, and what it may do.

    Attributes:
        name: The identity's name in the taxonomy.
        user_name: The name of the user or role on the server.
        grants: One grant for each domain, in the order of the taxonomy; none for the verifier and the auditor.
        verifies: It may do everything under `.verify/` in every bucket, and read every bucket's configuration.
        audits: It may read all that governs buckets and identities, and no object.
        credential: The valid generations of its key.
        trust: Who may assume its role; an identity with a trust has neither a user nor a key.
    """

    name: str
    user_name: str
    grants: tuple[Grant, ...]
    verifies: bool = False
    audits: bool = False
    credential: Generations = Generations()
    trust: OidcTrust | None = None


class StorePlan(_Planned):
    """Everything that must exist in one environment."""

    env: str
    region_code: str
    bucket_prefix: str
    tls_only: bool
    buckets: tuple[BucketPlan, ...]
    identities: tuple[IdentityPlan, ...]

    def bucket(self, domain: str) -> BucketPlan:
        """The bucket of a domain; KeyError if there is none."""
        return {bucket.domain: bucket for bucket in self.buckets}[domain]

    @property
    def names(self) -> UserNames:
        """The form of the names of its users and policies."""
        by_env = [user_name(UserNames.BY_ENV, self.env, self.region_code, one.name) for one in self.identities]
        is_by_env = by_env == [identity.user_name for identity in self.identities]
        return UserNames.BY_ENV if is_by_env else UserNames.BY_REGION

    @property
    def verifier(self) -> IdentityPlan | None:
        """The identity of the verification suite, if one is declared."""
        return next((identity for identity in self.identities if identity.verifies), None)

    @property
    def auditor(self) -> IdentityPlan | None:
        """The identity of the audit, if one is declared."""
        return next((identity for identity in self.identities if identity.audits), None)


def build_plan(
    taxonomy: Taxonomy,
    *,
    env: str,
    region_code: str,
    tls_only: bool,
    where: str,
    refuses_overwrites: bool = False,
    generations: Mapping[str, Generations] | None = None,
    names: UserNames = UserNames.BY_REGION,
) -> StorePlan:
    """Turn a taxonomy into the plan of one environment.

    Args:
        taxonomy: The taxonomy with the stack's additions (`model.taxonomy_file.extended`).
        env: Environment code, the first variable part of each name.
        region_code: Region code, the second variable part.
        tls_only: The store must refuse plain http requests from every identity.
        where: The name of the config in problems, such as `Pulumi.local.yaml: object-store:`.
        refuses_overwrites: The store's server can refuse to overwrite an object. If it cannot, a warm domain with an
            `append` grant keeps an overwritten version for as many days as a new object would live.
        generations: The valid key generations, by identity; only the first for an identity that is not named.
        names: The form of the names of users and policies; the state of a standing stack decides it.

    Raises:
        InvalidInputError: A code is malformed, or a name is too long, or S3 reserves its end.
    """
    problems = _code_problems(env, region_code, where)
    if problems:
        raise InvalidInputError(problems)
    buckets = tuple(
        BucketPlan(
            domain=name,
            name=bucket_name(env, region_code, next(iter(domain.renamed_from), name)),
            band=domain.band,
            versioned=domain.band is not BandName.HOT,
            retention=_retention(domain, taxonomy.bands.cold),
            rules=_rules(
                domain,
                taxonomy.bands,
                overwritten=_is_overwritten(name, taxonomy, refuses_overwrites=refuses_overwrites),
            ),
            renamed_from=domain.renamed_from,
        )
        for name, domain in taxonomy.domains.items()
    )
    identities = tuple(
        IdentityPlan(
            name=name,
            user_name=user_name(names, env, region_code, name),
            grants=_grants(identity, buckets, refuses_overwrites=refuses_overwrites),
            verifies=identity.verifies,
            audits=identity.audits,
            credential=(generations or {}).get(name, Generations()),
            trust=identity.trust.oidc if identity.trust else None,
        )
        for name, identity in taxonomy.identities.items()
    )
    problems = [
        Problem(
            f"domains.{bucket.domain}",
            f"the bucket name {bucket.name!r} has {len(bucket.name)} characters",
            f"at most {BUCKET_NAME_MAXIMUM} (S3), so at most "
            f"{BUCKET_NAME_MAXIMUM - len(bucket_name(env, region_code, ''))} for the domain",
            "a shorter domain name, or a shorter object-store:env",
        )
        for bucket in buckets
        if len(bucket.name) > BUCKET_NAME_MAXIMUM
    ]
    problems += [
        Problem(
            f"domains.{bucket.domain}",
            f"the bucket name {bucket.name!r} ends with {suffix}, which S3 reserves for names that it makes itself",
            f"a domain that does not end with {' or '.join(one.lstrip('-') for one in RESERVED_SUFFIXES)}",
            f"{bucket.domain}-data: (the domain's lines)",
        )
        for bucket in buckets
        if (suffix := reserved_suffix(bucket.name))
    ]
    problems += [
        Problem(
            f"identities.{identity.name}",
            f"the user name {identity.user_name!r} has {len(identity.user_name)} characters",
            f"at most {USER_NAME_MAXIMUM} (IAM), so at most "
            f"{USER_NAME_MAXIMUM - len(identity.user_name) + len(identity.name)} for the identity",
            "a shorter identity name, or a shorter object-store:env",
        )
        for identity in identities
        if len(identity.user_name) > USER_NAME_MAXIMUM
    ]
    if problems:
        raise InvalidInputError(problems)
    return StorePlan(
        env=env,
        region_code=region_code,
        bucket_prefix=bucket_name(env, region_code, ""),
        tls_only=tls_only,
        buckets=buckets,
        identities=identities,
    )


def _code_problems(env: str, region_code: str, where: str) -> list[Problem]:
    problems = []
    if not re.fullmatch(ENV, env):
        problems.append(Problem(f"{where}env", f"{env!r} is malformed", ENV_FORM, "object-store:env: local"))
    if not re.fullmatch(REGION_CODE, region_code):
        problems.append(
            Problem(
                f"{where}regionCode",
                f"{region_code!r} is malformed",
                REGION_CODE_FORM,
                "object-store:regionCode: usw2",
            )
        )
    return problems


def _retention(domain: Domain, cold: ColdBand) -> Retention | None:
    if not isinstance(domain, ColdDomain):
        return None
    return Retention(
        mode=domain.retention_mode or cold.retention_mode, days=domain.retention_days or cold.retention_days
    )


def check_appends(plan: StorePlan) -> None:
    """Check that no `append` grant can lose an object at once.

    Raises:
        InvalidInputError: A hot domain has an `append` grant whose overwrites the server does not refuse.
    """
    hot = {bucket.domain for bucket in plan.buckets if bucket.band is BandName.HOT}
    problems = [
        Problem(
            f"identities.{identity.name}.grants.{grant.domain}",
            "`append` on a hot domain: the server lets this identity put over an object, and a hot bucket keeps no old "
            "version",
            "`write`, which says that the identity may remove what is there; `read`; or a warm domain, which keeps the "
            "overwritten version. On AWS also `append` without `overwrites`: there the server refuses the overwrite",
            f"{grant.domain}: write",
        )
        for identity in plan.identities
        for grant in identity.grants
        if grant.access is Access.APPEND and grant.domain in hot and not grant.write_once
    ]
    if problems:
        raise InvalidInputError(problems)


def _is_overwritten(name: str, taxonomy: Taxonomy, *, refuses_overwrites: bool) -> bool:
    """Whether an `append` grant lets an identity put over an object of a domain."""
    return any(
        identity.grants.get(name, identity.grants.get(EVERY_DOMAIN)) is Access.APPEND
        and (identity.overwrites or not refuses_overwrites)
        for identity in taxonomy.identities.values()
    )


def _rules(domain: Domain, bands: Bands, *, overwritten: bool) -> tuple[LifecycleRule, ...]:
    probes = LifecycleRule(
        id="verify-probes",
        prefix=PROBE_PREFIX,
        expire_after_days=PROBE_EXPIRE_AFTER_DAYS,
        expire_noncurrent_after_days=PROBE_EXPIRE_AFTER_DAYS,
    )
    return (probes, _band_rule(domain, bands, overwritten=overwritten))


def _band_rule(domain: Domain, bands: Bands, *, overwritten: bool) -> LifecycleRule:
    band: HotBand | WarmBand | ColdBand
    expire: int | None
    match domain:
        case HotDomain():
            band = bands.hot
            expire, transition = domain.expire_after_days or band.expire_after_days, None
            # A bucket that was warm keeps its old versions, and only this rule ends them; in any other hot bucket there
            # are none. Delete markers need no rule: S3 and MinIO remove one that is alone when `expire` has passed
            # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html, and
            # `Lifecycle.eval` in MinIO's internal/bucket/lifecycle/lifecycle.go).
            noncurrent = bands.warm.expire_noncurrent_after_days
        case WarmDomain():
            band = bands.warm
            expire, noncurrent = domain.expire_after_days or band.expire_after_days, band.expire_noncurrent_after_days
            if overwritten:
                # An overwrite must not end an object before a new one would end.
                noncurrent = max(noncurrent, expire)
            transition = band.transition
        case ColdDomain():
            band = bands.cold
            expire = domain.expire_after_days
            # A noncurrent version may be removed when its retention ends; the band adds some days.
            noncurrent = (domain.retention_days or band.retention_days) + band.expire_noncurrent_after_days
            transition = band.transition
    return LifecycleRule(
        id=f"band-{domain.band}",
        expire_after_days=expire,
        expire_noncurrent_after_days=noncurrent,
        abort_multipart_after_days=band.abort_multipart_after_days,
        transition=transition and StorageClassChange(**transition.model_dump()),
    )


def _grants(identity: Identity, buckets: tuple[BucketPlan, ...], *, refuses_overwrites: bool) -> tuple[Grant, ...]:
    found = []
    for bucket in buckets:
        access = identity.grants.get(bucket.domain, identity.grants.get(EVERY_DOMAIN))
        if access is not None:
            once = access is Access.APPEND and refuses_overwrites and not identity.overwrites
            found.append(Grant(domain=bucket.domain, bucket=bucket.name, access=access, write_once=once))
    return tuple(found)
