"""The taxonomy's model: lifecycle bands as types with limits, storage domains, identities and their grants.

The rule: a band's limits are part of its type (decision record ADR-0209: hot 7-30 days, warm 90-365, cold at least
365), and the band of a domain says which of the types it is, so a value out of limits cannot be constructed, in
`taxonomy.yaml` or in a stack's additions. `model.taxonomy_file` reads them; what the bands come to as rules on a bucket
is `model.plan`'s; this module knows no cloud and reads no config.
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
# Retention beyond 100 years: AWS refuses it (MaxRetentionDays, 36500).
RETENTION_DAYS_MAXIMUM = 36500

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
    """S3 Object Lock modes. GOVERNANCE can be bypassed with a permission, COMPLIANCE by nobody."""

    GOVERNANCE = "GOVERNANCE"
    COMPLIANCE = "COMPLIANCE"


StorageClass = Literal["STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"]
HotDays = Annotated[int, Field(ge=HOT_EXPIRE_DAYS[0], le=HOT_EXPIRE_DAYS[1], strict=True)]
WarmDays = Annotated[int, Field(ge=WARM_EXPIRE_DAYS[0], le=WARM_EXPIRE_DAYS[1], strict=True)]
RetentionDays = Annotated[int, Field(ge=COLD_RETENTION_DAYS_MINIMUM, le=RETENTION_DAYS_MAXIMUM, strict=True)]
# Current versions that would go while they are locked: the band's default retention may be longer still, see `_check`.
ColdDays = Annotated[int, Field(ge=COLD_RETENTION_DAYS_MINIMUM, strict=True)]
PositiveDays = Annotated[int, Field(ge=1, strict=True)]


class Declared(BaseModel):
    """Strict base of what a person declares: unknown keys forbidden, values frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Transition(Declared):
    """When current versions move to a cheaper storage class, where the backend has one."""

    storage_class: StorageClass
    after_days: Annotated[int, Field(ge=TRANSITION_DAYS_MINIMUM, strict=True)]


class HotBand(Declared):
    """Mutable, unversioned, gone after 7 to 30 days."""

    purpose: str
    expire_after_days: HotDays
    abort_multipart_after_days: PositiveDays


class WarmBand(Declared):
    """Replayable, versioned, gone after 90 to 365 days."""

    purpose: str
    expire_after_days: WarmDays
    expire_noncurrent_after_days: PositiveDays
    abort_multipart_after_days: PositiveDays
    transition: Transition


class ColdBand(Declared):
    """Immutable under Object Lock for at least 365 days, kept for ever unless a domain says otherwise."""

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
    """What one bucket of the hot band is for; absent days are the band's."""

    band: Literal[BandName.HOT]
    expire_after_days: HotDays | None = None


class WarmDomain(_Domain):
    """What one bucket of the warm band is for; absent days are the band's."""

    band: Literal[BandName.WARM]
    expire_after_days: WarmDays | None = None


class ColdDomain(_Domain):
    """What one bucket of the cold band is for; an absent retention is the band's, absent days keep for ever."""

    band: Literal[BandName.COLD]
    expire_after_days: ColdDays | None = None
    retention_days: RetentionDays | None = None
    retention_mode: RetentionMode | None = None


Domain = Annotated[HotDomain | WarmDomain | ColdDomain, Field(discriminator="band")]
"""What one bucket is for. Its `band` says which values it may have.

`purpose` is one line for people. `renamed_from` holds the names that it had, the oldest first (one may stand without
brackets): its bucket, which cannot be renamed, keeps the oldest.
"""


class Identity(Declared):
    """A workload that holds a credential.

    Attributes:
        purpose: One line for people.
        grants: Domain to access; the domain `*` stands for every domain.
        verifies: This is the verification suite's identity: `.verify/` in each bucket and configuration reads.
        trust: On AWS a role that callers with such a token assume, in place of a user with a key.
    """

    purpose: str = ""
    grants: dict[str, Access] = Field(default_factory=dict)
    verifies: bool = False
    trust: Trust | None = None

    @model_validator(mode="after")
    def _grants_or_verifies(self) -> Self:
        if self.verifies and self.grants:
            raise ValueError("an identity that verifies holds no grants: remove `grants` or `verifies`")
        if not self.verifies and not self.grants:
            raise ValueError("an identity needs at least one grant, such as `grants: {media-raw: read}`")
        return self


class Taxonomy(Declared):
    """The whole of `taxonomy.yaml`, with a stack's additions once `extended`."""

    bands: Bands
    domains: Annotated[dict[str, Domain], Field(min_length=1)]
    identities: Annotated[dict[str, Identity], Field(min_length=1)]
