"""The taxonomy's model: lifecycle bands as types with limits, storage domains, identities and their grants.

The rule: a band's limits are part of its type (decision record ADR-0209: hot 7-30 days, warm 90-365, cold at least
365), so a value out of limits cannot be constructed, in `taxonomy.yaml` or in a stack's additions. What the bands
come to as rules on a bucket is `model.plan`'s; this module knows no cloud and reads no config.
"""

import difflib
import re
from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum, unique
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from model.problems import InvalidInputError, Problem
from model.trust import EXAMPLE, OidcTrust, Trust, one_or_more

TAXONOMY_FILE = Path(__file__).parents[1] / "infra" / "taxonomy.yaml"

HOT_EXPIRE_DAYS = (7, 30)
WARM_EXPIRE_DAYS = (90, 365)
COLD_RETENTION_DAYS_MINIMUM = 365
# S3 refuses a move to an infrequent-access class before 30 days:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
TRANSITION_DAYS_MINIMUM = 30
# Retention beyond 100 years: AWS refuses it (MaxRetentionDays, 36500).
RETENTION_DAYS_MAXIMUM = 36500

NAME_FORM = "lower case letters, digits and single hyphens, beginning with a letter (media-raw)"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

EVERY_DOMAIN = "*"
# What a stack may say of an identity that is declared already.
_ADDED = frozenset({"grants", "trust"})


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


class Domain(Declared):
    """What one bucket is for.

    Attributes:
        band: hot, warm or cold.
        purpose: One line for people.
        expire_after_days: Current versions go after this many days; absent means the band's default.
        retention_days: Cold only: default Object Lock retention in days.
        retention_mode: Cold only.
        renamed_from: Names that the domain had, the oldest first (one may stand without brackets): its bucket, which
            cannot be renamed, keeps the oldest.
    """

    band: BandName
    purpose: str = ""
    expire_after_days: Annotated[int, Field(strict=True)] | None = None
    retention_days: Annotated[int, Field(strict=True)] | None = None
    retention_mode: RetentionMode | None = None
    renamed_from: Annotated[tuple[str, ...], BeforeValidator(one_or_more)] = ()


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


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice; YAML 1.2 forbids it, PyYAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load(path: Path = TAXONOMY_FILE) -> Taxonomy:
    """Read and check a taxonomy file.

    Raises:
        InvalidInputError: The file is missing, is not YAML, or breaks a rule; it names every problem.
    """
    where = f"infra/{path.name}" if path == TAXONOMY_FILE else path.name
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise InvalidInputError(
            [
                Problem(
                    where,
                    f"cannot be read: {error.strerror}",
                    "a readable file",
                    "git checkout infra/taxonomy.yaml",
                )
            ]
        ) from error
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InvalidInputError(
            [
                Problem(
                    f"{where}:{line}",
                    str(error.problem),
                    "YAML in which each key is given once",
                    "remove or rename one of the two",
                )
            ]
        ) from error
    return parse(content, where)


def parse(content: object, where: str) -> Taxonomy:
    """Check the content of a taxonomy file.

    Raises:
        InvalidInputError: A rule is broken; it names every problem.
    """
    if not isinstance(content, Mapping):
        raise InvalidInputError(
            [Problem(where, "is not a mapping", "the keys bands, domains, identities", "domains: {}")]
        )
    try:
        taxonomy = Taxonomy.model_validate(content)
    except ValidationError as error:
        raise InvalidInputError([_problem(detail, where) for detail in error.errors()]) from None
    _check(taxonomy, where)
    return taxonomy


def extended(
    taxonomy: Taxonomy,
    *,
    domains: Mapping[str, object],
    identities: Mapping[str, object],
    where: str,
) -> Taxonomy:
    """Add a stack's own domains and identities, and override days of declared domains within their band.

    Args:
        taxonomy: What `taxonomy.yaml` declares.
        domains: Name to a whole new domain (with `band`), or to days of a declared one (without).
        identities: Name to a new identity, or to a declared one's `grants` on domains that this stack adds and its
            `trust`, which is each stack's own.
        where: How a problem names the source, such as `Pulumi.local.yaml: object-store:`.

    Raises:
        InvalidInputError: A rule is broken; it names every problem.
    """
    problems: list[Problem] = []
    merged_domains = {name: domain.model_dump(exclude_none=True) for name, domain in taxonomy.domains.items()}
    for name, value in domains.items():
        place = f"{where}domains.{name}"
        if not isinstance(value, Mapping):
            problems.append(Problem(place, "is not a mapping", "a mapping", f"{name}: {{band: hot}}"))
        elif name not in merged_domains:
            merged_domains[name] = dict(value)
        elif "band" in value:
            problems.append(
                Problem(
                    place,
                    "the same domain twice: infra/taxonomy.yaml declares it already",
                    "days of a declared domain (expire_after_days, retention_days), without band, or a new name",
                    f"{name}: {{expire_after_days: {_default_days(taxonomy, name)}}}",
                )
            )
        else:
            merged_domains[name] = {**merged_domains[name], **value}
    merged_identities = {name: identity.model_dump() for name, identity in taxonomy.identities.items()}
    for name, value in identities.items():
        place = f"{where}identities.{name}"
        if not isinstance(value, Mapping):
            problems.append(Problem(place, "is not a mapping", "a mapping", f"{name}: {{grants: {{media-raw: read}}}}"))
        elif name not in merged_identities:
            merged_identities[name] = dict(value)
        else:
            grants = value.get("grants")
            grants = grants if isinstance(grants, Mapping) else {}
            again = [domain for domain in grants if domain in taxonomy.domains]
            if not set(value) <= _ADDED or again:
                problems.append(
                    Problem(
                        place,
                        "the same identity twice: infra/taxonomy.yaml declares it already, with "
                        + (", ".join(again) or "all but grants and trust"),
                        "for a declared identity: grants on domains that this stack adds, trust, and nothing else",
                        f"{name}: {{grants: {{build-cache: write}}}}",
                    )
                )
            else:
                merged_identities[name] |= {
                    **value,
                    "grants": {**merged_identities[name]["grants"], **grants},
                }
    if problems:
        raise InvalidInputError(problems)
    return parse(
        {"bands": taxonomy.bands.model_dump(), "domains": merged_domains, "identities": merged_identities}, where
    )


def _default_days(taxonomy: Taxonomy, name: str) -> int:
    band = taxonomy.domains[name].band
    return {BandName.HOT: HOT_EXPIRE_DAYS[0], BandName.WARM: WARM_EXPIRE_DAYS[0]}.get(
        band, taxonomy.bands.cold.retention_days
    )


def key_path(where: str, path: str) -> str:
    """Join a file and a key: a stack's prefix ends in `:` (`Pulumi.local.yaml: object-store:`) and joins tightly."""
    return f"{where}{path}" if where.endswith(":") else f"{where}: {path}"


def _check(taxonomy: Taxonomy, where: str) -> None:
    problems: list[Problem] = []
    for name, domain in taxonomy.domains.items():
        problems += _name_problems(name, key_path(where, f"domains.{name}"))
        problems += _days_problems(name, domain, taxonomy.bands, where)
    now_named = {former: name for name, domain in taxonomy.domains.items() for former in domain.renamed_from}
    problems += _rename_problems(taxonomy.domains, where)
    for name, identity in taxonomy.identities.items():
        problems += _name_problems(name, key_path(where, f"identities.{name}"))
        known = (*taxonomy.domains, EVERY_DOMAIN)
        problems += [
            Problem(
                key_path(where, f"identities.{name}.grants.{domain}"),
                f"a grant on an unknown domain, {domain!r}",
                ", ".join(known),
                f"{now_named.get(domain) or nearest(domain, tuple(taxonomy.domains))}: {access.value}",
            )
            for domain, access in identity.grants.items()
            if domain not in known
        ]
    if problems:
        raise InvalidInputError(problems)


def nearest(name: str, names: tuple[str, ...]) -> str:
    """The declared name most like a mistaken one, for the line to paste."""
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.0)), names[0])


def _name_problems(name: str, place: str) -> list[Problem]:
    if _NAME.fullmatch(name):
        return []
    better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "media-raw"
    return [Problem(place, f"the name {name!r} is malformed", NAME_FORM, f"{better}:")]


def _rename_problems(domains: Mapping[str, Domain], where: str) -> list[Problem]:
    problems: list[Problem] = []
    claimed: dict[str, str] = {}
    for name, domain in domains.items():
        place = key_path(where, f"domains.{name}.renamed_from")
        for former in domain.renamed_from:
            problems += _name_problems(former, place)
            # Its own name is one where it was renamed back.
            if (former in domains and former != name) or former in claimed:
                holder = "declared itself" if former in domains else f"a former name of {claimed[former]}"
                problems.append(
                    Problem(
                        place,
                        f"{former!r} is {holder}",
                        "a name that no other domain has or had",
                        "(remove the line, or the other domain)",
                    )
                )
            claimed[former] = name
    return problems


def _days_problems(name: str, domain: Domain, bands: Bands, where: str) -> list[Problem]:
    def problem(key: str, wrong: str, legal: str, value: object) -> Problem:
        return Problem(key_path(where, f"domains.{name}.{key}"), wrong, legal, f"{key}: {value}")

    problems: list[Problem] = []
    expire = domain.expire_after_days
    if domain.band is BandName.COLD:
        retention = domain.retention_days if domain.retention_days is not None else bands.cold.retention_days
        if not COLD_RETENTION_DAYS_MINIMUM <= retention <= RETENTION_DAYS_MAXIMUM:
            problems.append(
                problem(
                    "retention_days",
                    f"{retention} d is out of the limits of the cold band",
                    f"{COLD_RETENTION_DAYS_MINIMUM} to {RETENTION_DAYS_MAXIMUM} d",
                    COLD_RETENTION_DAYS_MINIMUM,
                )
            )
        elif expire is not None and expire < retention:
            problems.append(
                problem(
                    "expire_after_days",
                    f"{expire} d ends before the retention of {retention} d",
                    f"at least {retention} d, or no expire_after_days: kept for ever",
                    retention,
                )
            )
        return problems
    least, most = HOT_EXPIRE_DAYS if domain.band is BandName.HOT else WARM_EXPIRE_DAYS
    if expire is not None and not least <= expire <= most:
        problems.append(
            problem(
                "expire_after_days",
                f"{expire} d is out of the limits of the {domain.band} band",
                f"{least} to {most} d",
                min(max(expire, least), most),
            )
        )
    problems += [
        problem(key, f"the {domain.band} band has no object lock", "only in the cold band", "(remove the line)")
        for key in ("retention_days", "retention_mode")
        if getattr(domain, key) is not None
    ]
    return problems


_LEGAL_BY_KEY: dict[str, str] = {
    "band": ", ".join(BandName),
    "grants": ", ".join(Access),
    "retention_mode": ", ".join(RetentionMode),
}


def _legal_keys(path: tuple[int | str, ...]) -> str:
    """The keys that may stand at the place of an unknown one."""
    by_depth: dict[str, Callable[[], type[BaseModel]]] = {
        "domains": lambda: Domain,
        "identities": lambda: Identity,
    }
    if len(path) == 1:
        return ", ".join(Taxonomy.model_fields)
    if path[0] == "bands":
        bands: dict[int | str, type[BaseModel]] = {"hot": HotBand, "warm": WarmBand, "cold": ColdBand}
        model = bands.get(path[1], Bands) if len(path) > 2 else Bands  # noqa: PLR2004 - depth of a band's key
        return ", ".join(model.model_fields)
    if "trust" in path[2:-1]:
        return ", ".join((OidcTrust if path[-2] == "oidc" else Trust).model_fields)
    return ", ".join(by_depth[str(path[0])]().model_fields)


def _problem(detail: ErrorDetails, where: str) -> Problem:
    path = tuple(detail["loc"])
    place = key_path(where, ".".join(map(str, path)))
    key = str(path[-1]) if path else ""
    if "trust" in path[2:] and detail["type"] != "extra_forbidden":
        return _trust_problem(detail, place)
    if detail["type"] == "extra_forbidden":
        legal = _legal_keys(path)
        return Problem(place, f"unknown key {key!r}", legal, f"{nearest(key, tuple(legal.split(', ')))}: …")
    if detail["type"] == "missing":
        return Problem(place, "is missing", _LEGAL_BY_KEY.get(key, "a value"), f"{key}: …")
    if detail["type"] == "enum":
        legal = str(detail.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ")
        return Problem(place, f"{detail['input']!r} is not legal here", legal, f"{key}: {legal.split(', ')[0]}")
    message = detail["msg"].removeprefix("Value error, ")
    legal = message[0].lower() + message[1:]
    shown = "the entry" if isinstance(detail["input"], Mapping) else repr(detail["input"])
    return Problem(place, f"{shown} is not legal here", legal, f"{key}: (a legal value)")


def _trust_problem(detail: ErrorDetails, place: str) -> Problem:
    if detail["type"] == "missing":
        return Problem(place, "is missing", "a value", EXAMPLE)
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return Problem(place, "this trust is not legal", message, EXAMPLE)
