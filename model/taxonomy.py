"""The taxonomy's types: lifecycle bands with limits, storage domains, identities and their grants.

The rule: a band's limits are part of its type (decision record ADR-0209: hot 7-30 days, warm 90-365, cold at least
365). A domain's band selects the type, so neither `taxonomy.yaml` nor a stack's additions can hold a value outside the
limits. `model.taxonomy_file` reads them; `model.plan` turns bands into rules of a bucket. This module knows no cloud
and reads no config.
"""

from enum import StrEnum, unique
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from model.trust import Trust, one_or_more

HOT_EXPIRE_DAYS = (7, 30)
WARM_EXPIRE_DAYS = (90, 365)
COLD_RETENTION_DAYS_MINIMUM = 365
# S3 refuses a move to an infrequent-access class before 30 days:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
TRANSITION_DAYS_MINIMUM = 30
# AWS refuses retention beyond 100 years (MaxRetentionDays, 36500).
RETENTION_DAYS_MAXIMUM = 36500
# S3 counts the days of a rule in 32 bits, and a noncurrent cold version waits for its retention first.
LIFECYCLE_DAYS_MAXIMUM = 2**31 - 1 - RETENTION_DAYS_MAXIMUM

EVERY_DOMAIN = "*"


@unique
class BandName(StrEnum):
    """The three lifecycle bands of the decision record. A band is a type with limits, not a label."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


@unique
class Access(StrEnum):
    """What a grant allows: `append` is read and put, never delete; `write` is append and delete."""

    READ = "read"
    APPEND = "append"
    WRITE = "write"


@unique
class RetentionMode(StrEnum):
    """S3 Object Lock modes. GOVERNANCE can be bypassed with a permission, COMPLIANCE cannot be bypassed."""

    GOVERNANCE = "GOVERNANCE"
    COMPLIANCE = "COMPLIANCE"


StorageClass = Literal["STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"]
# From these S3 answers a GET with 403 InvalidObjectState until somebody has the object brought back, for hours.
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
# What a program reads without asking anybody: each run of `sessions archive` and `vault snapshot` reads packs back, a
# prune and a drill all of them, a query the days that it is about, and a step what an event leads to.
READ_DOMAINS = frozenset(
    {
        "discovery-raw",
        "docs-derived",
        "docs-raw",
        "media-derived",
        "media-raw",
        "otel-archive",
        "session-archive",
        "vault-backups",
    }
)
HotDays = Annotated[int, Field(ge=HOT_EXPIRE_DAYS[0], le=HOT_EXPIRE_DAYS[1], strict=True)]
WarmDays = Annotated[int, Field(ge=WARM_EXPIRE_DAYS[0], le=WARM_EXPIRE_DAYS[1], strict=True)]
RetentionDays = Annotated[int, Field(ge=COLD_RETENTION_DAYS_MINIMUM, le=RETENTION_DAYS_MAXIMUM, strict=True)]
# A current version must not expire while it is locked. The band's default retention may be longer still:
# `model.taxonomy_file` checks that.
ColdDays = Annotated[int, Field(ge=COLD_RETENTION_DAYS_MINIMUM, le=LIFECYCLE_DAYS_MAXIMUM, strict=True)]
PositiveDays = Annotated[int, Field(ge=1, le=LIFECYCLE_DAYS_MAXIMUM, strict=True)]


class Declared(BaseModel):
    """Strict base of everything that users declare: unknown keys are forbidden, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Transition(Declared):
    """When current versions move to a cheaper storage class, if the backend has one."""

    storage_class: StorageClass
    after_days: Annotated[int, Field(ge=TRANSITION_DAYS_MINIMUM, le=LIFECYCLE_DAYS_MAXIMUM, strict=True)]


class HotBand(Declared):
    """Mutable, unversioned, expires after 7 to 30 days."""

    purpose: str
    expire_after_days: HotDays
    abort_multipart_after_days: PositiveDays


class WarmBand(Declared):
    """Replayable, versioned, expires after 90 to 365 days."""

    purpose: str
    expire_after_days: WarmDays
    expire_noncurrent_after_days: PositiveDays
    abort_multipart_after_days: PositiveDays
    transition: Transition


class ColdBand(Declared):
    """Immutable under Object Lock for at least 365 days, then kept for ever unless a domain sets an expiry."""

    purpose: str
    retention_mode: RetentionMode
    retention_days: RetentionDays
    expire_noncurrent_after_days: PositiveDays
    abort_multipart_after_days: PositiveDays
    transition: Transition


class Bands(Declared):
    """Exactly the three bands."""

    hot: HotBand
    warm: WarmBand
    cold: ColdBand


class _Domain(Declared):
    purpose: str = ""
    renamed_from: Annotated[tuple[str, ...], BeforeValidator(one_or_more)] = ()


class HotDomain(_Domain):
    """A domain in the hot band; without its own days it has the band's."""

    band: Literal[BandName.HOT]
    expire_after_days: HotDays | None = None


class WarmDomain(_Domain):
    """A domain in the warm band; without its own days it has the band's."""

    band: Literal[BandName.WARM]
    expire_after_days: WarmDays | None = None


class ColdDomain(_Domain):
    """A domain in the cold band; it has the band's retention by default, and without days it never expires objects."""

    band: Literal[BandName.COLD]
    expire_after_days: ColdDays | None = None
    retention_days: RetentionDays | None = None
    retention_mode: RetentionMode | None = None


Domain = Annotated[HotDomain | WarmDomain | ColdDomain, Field(discriminator="band")]
"""A domain: what one bucket is for. Its `band` decides which values it may have.

`purpose` is one line for readers. `renamed_from` lists its former names, the oldest first (a single name needs no
brackets): the bucket cannot be renamed, so it keeps the oldest.
"""


class Identity(Declared):
    """A workload that holds a credential.

    Attributes:
        purpose: One line for readers.
        grants: Domain to access; the domain `*` stands for every domain.
        overwrites: On AWS, where the policy refuses it otherwise, an `append` grant may put over an object.
        verifies: Marks the verification suite's identity: it may use `.verify/` in each bucket and read configuration.
        audits: Marks the audit's identity: it reads all that governs buckets and identities, and no object.
        trust: On AWS, a role that callers with a matching token assume, instead of a user with a key.
    """

    purpose: str = ""
    grants: dict[str, Access] = Field(default_factory=dict)
    overwrites: bool = False
    verifies: bool = False
    audits: bool = False
    trust: Trust | None = None

    @model_validator(mode="after")
    def _grants_or_verifies(self) -> Self:
        if self.verifies and self.audits:
            raise ValueError("one identity verifies and another audits: remove `verifies` or `audits`")
        mark = "verifies" if self.verifies else "audits" if self.audits else ""
        if mark and self.grants:
            raise ValueError(f"an identity with `{mark}` cannot hold grants: remove `grants` or `{mark}`")
        if not mark and not self.grants:
            raise ValueError("an identity needs at least one grant, such as `grants: {media-raw: read}`")
        if self.overwrites and Access.APPEND not in self.grants.values():
            raise ValueError("`overwrites` widens only `append`: remove it, or grant `append`")
        return self


class Taxonomy(Declared):
    """The content of `taxonomy.yaml`; after `extended`, also a stack's additions."""

    bands: Bands
    domains: Annotated[dict[str, Domain], Field(min_length=1)]
    identities: Annotated[dict[str, Identity], Field(min_length=1)]
