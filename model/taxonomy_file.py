"""Reads a taxonomy: the file in this repository, and what a stack adds to it.

The rule: it reports every mistake at once, each with its place, the legal values and the line to paste. It uses nothing
of a taxonomy with a mistake. `model.taxonomy` defines which values a domain of each band may have.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from model.problems import InvalidInputError, Problem, key_path, nearest
from model.taxonomy import (
    ARCHIVE_CLASSES,
    EVERY_DOMAIN,
    HOT_EXPIRE_DAYS,
    READ_DOMAINS,
    TRANSITION_DAYS_MINIMUM,
    WARM_EXPIRE_DAYS,
    BandName,
    Bands,
    ColdDomain,
    Domain,
    HotDomain,
    StorageClass,
    Taxonomy,
)
from model.taxonomy_mistakes import NAME_FORM, is_out_of_limits, key_in_file, mistake
from model.written_yaml import read_yaml_file

TAXONOMY_FILE = Path(__file__).parents[1] / "infra" / "taxonomy.yaml"

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

# The keys that a stack may set for an identity that is already declared.
_ADDED = frozenset({"grants", "trust"})


def load(path: Path = TAXONOMY_FILE) -> Taxonomy:
    """Read and check a taxonomy file.

    Raises:
        InvalidInputError: The file breaks a rule; the error names every problem.
        WrittenError: The file cannot be read, or is not YAML.
    """
    where = f"infra/{path.name}" if path == TAXONOMY_FILE else path.name
    return parse(read_yaml_file(path, where), where)


def parse(content: object, where: str) -> Taxonomy:
    """Check the content of a taxonomy file.

    Raises:
        InvalidInputError: The content breaks a rule; the error names every problem.
    """
    if not isinstance(content, Mapping):
        raise InvalidInputError(
            [Problem(where, "is not a mapping", "the keys bands, domains, identities", "domains: {}")]
        )
    try:
        taxonomy = Taxonomy.model_validate(content)
    except ValidationError as error:
        raise InvalidInputError(_problems(error, content, where)) from None
    _check(taxonomy, where)
    return taxonomy


def extended(
    taxonomy: Taxonomy,
    *,
    domains: Mapping[str, object],
    identities: Mapping[str, object],
    where: str,
) -> Taxonomy:
    """Add a stack's domains and identities, and override days of declared domains within their band's limits.

    Args:
        taxonomy: What `taxonomy.yaml` declares.
        domains: By name, a complete new domain (with `band`), or days of a declared one (without `band`).
        identities: By name, a new identity, or for a declared one `grants` on domains that this stack adds and a
            `trust`, which each stack has for itself.
        where: The name of the source in problems, such as `Pulumi.local.yaml: object-store:`.

    Raises:
        InvalidInputError: The additions break a rule; the error names every problem.
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
                    "the same domain twice: infra/taxonomy.yaml already declares it",
                    "the days of a declared domain (expire_after_days, retention_days), without band; or a new name",
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
                        "the same identity twice: infra/taxonomy.yaml already declares it, and a stack cannot change "
                        + (f"its grant on {', '.join(again)}" if again else "keys other than grants and trust"),
                        "for a declared identity only trust, and grants on domains that this stack adds",
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


def _problems(error: ValidationError, content: Mapping[str, Any], where: str) -> list[Problem]:
    """A problem for each illegal value; if only limits are exceeded, also the problems of all other values."""
    details = error.errors()
    problems = [mistake(detail, where) for detail in details]
    if all(is_out_of_limits(detail) for detail in details):
        for detail in details:
            content = _without(content, key_in_file(detail["loc"]))
        with suppress(ValidationError):
            try:
                _check(Taxonomy.model_validate(content), where)
            except InvalidInputError as others:
                problems += others.problems
    return problems


def _default_days(taxonomy: Taxonomy, name: str) -> int:
    band = taxonomy.domains[name].band
    return {BandName.HOT: HOT_EXPIRE_DAYS[0], BandName.WARM: WARM_EXPIRE_DAYS[0]}.get(
        band, taxonomy.bands.cold.retention_days
    )


def _check(taxonomy: Taxonomy, where: str) -> None:
    problems: list[Problem] = []
    warm = taxonomy.bands.warm
    if warm.transition.after_days >= warm.expire_after_days:
        problems.append(
            Problem(
                key_path(where, "bands.warm.transition.after_days"),
                f"objects move after {warm.transition.after_days} d, but they expire after {warm.expire_after_days} d",
                f"{TRANSITION_DAYS_MINIMUM} to {warm.expire_after_days - 1} d: S3 wants the move before the expiry",
                f"transition: {{ storage_class: {warm.transition.storage_class}, after_days: 30 }}",
            )
        )
    for name, domain in taxonomy.domains.items():
        problems += _name_problems(name, key_path(where, f"domains.{name}"))
        problems += _moved_problems(name, domain, taxonomy.bands, where)
        problems += _archived_problems(name, domain, taxonomy.bands, where)
        if isinstance(domain, ColdDomain):
            problems += _kept_problems(name, domain, taxonomy.bands, where)
    for mark in ("verifies", "audits"):
        marked = [name for name, identity in taxonomy.identities.items() if getattr(identity, mark)]
        problems += [
            Problem(
                key_path(where, f"identities.{name}.{mark}"),
                f"{marked[0]} {mark} already, and one identity {mark} a store",
                f"{mark}: true on one identity ({marked[0]})",
                f"{name}: {{ grants: {{ {next(iter(taxonomy.domains))}: read }} }}",
            )
            for name in marked[1:]
        ]
    now_named = {former: name for name, domain in taxonomy.domains.items() for former in domain.renamed_from}
    problems += _rename_problems(taxonomy.domains, where)
    for name, identity in taxonomy.identities.items():
        problems += _name_problems(name, key_path(where, f"identities.{name}"))
        known = (*taxonomy.domains, EVERY_DOMAIN)
        problems += [
            Problem(
                key_path(where, f"identities.{name}.grants.{domain}"),
                f"the grant names an unknown domain, {domain!r}",
                ", ".join(known),
                f"{now_named.get(domain) or nearest(domain, tuple(taxonomy.domains))}: {access.value}",
            )
            for domain, access in identity.grants.items()
            if domain not in known
        ]
    if problems:
        raise InvalidInputError(problems)


def _name_problems(name: str, place: str) -> list[Problem]:
    if _NAME.fullmatch(name):
        return []
    better = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789").rstrip("-") or "media-raw"
    return [Problem(place, f"the name {name!r} is malformed", NAME_FORM, f"{better}:")]


def _rename_problems(domains: Mapping[str, Domain], where: str) -> list[Problem]:
    problems: list[Problem] = []
    claimed: dict[str, str] = {}
    for name, domain in domains.items():
        place = key_path(where, f"domains.{name}.renamed_from")
        for former in domain.renamed_from:
            problems += _name_problems(former, place)
            # A domain that was renamed back has its current name among its former names.
            if (former in domains and former != name) or former in claimed:
                holder = "a declared domain" if former in domains else f"a former name of {claimed[former]}"
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


def _moved_problems(name: str, domain: Domain, bands: Bands, where: str) -> list[Problem]:
    """Whether a domain's own expiry comes after the move to a cheaper storage class of its band, as S3 demands."""
    if isinstance(domain, HotDomain) or domain.expire_after_days is None:
        return []
    after = (bands.warm if domain.band is BandName.WARM else bands.cold).transition.after_days
    if domain.expire_after_days > after:
        return []
    return [
        Problem(
            key_path(where, f"domains.{name}.expire_after_days"),
            f"objects expire after {domain.expire_after_days} d, but bands.{domain.band}.transition moves them after "
            f"{after} d",
            f"at least {after + 1} d: S3 wants the move before the expiry",
            f"expire_after_days: {after + 1}",
        )
    ]


def _archived_problems(name: str, domain: Domain, bands: Bands, where: str) -> list[Problem]:
    """Whether a domain that programs read moves to a class from which nothing is read before it is brought back."""
    if isinstance(domain, HotDomain) or name not in READ_DOMAINS:
        return []
    transition = (bands.warm if domain.band is BandName.WARM else bands.cold).transition
    if transition.storage_class not in ARCHIVE_CLASSES:
        return []
    return [
        Problem(
            key_path(where, f"bands.{domain.band}.transition.storage_class"),
            f"from {transition.storage_class} nothing is read before it is brought back, and {name} is read every day",
            ", ".join(one for one in get_args(StorageClass) if one not in ARCHIVE_CLASSES),
            f"transition: {{ storage_class: STANDARD_IA, after_days: {transition.after_days} }}",
        )
    ]


def _kept_problems(name: str, domain: ColdDomain, bands: Bands, where: str) -> list[Problem]:
    retention = domain.retention_days if domain.retention_days is not None else bands.cold.retention_days
    expire = domain.expire_after_days
    if expire is None or expire >= retention:
        return []
    return [
        Problem(
            key_path(where, f"domains.{name}.expire_after_days"),
            f"{expire} d is shorter than the retention of {retention} d",
            f"at least {retention} d, or no expire_after_days to keep objects for ever",
            f"expire_after_days: {retention}",
        )
    ]


def _without(content: Mapping[str, Any], path: tuple[int | str, ...]) -> dict[str, Any]:
    rest = dict(content)
    if len(path) == 1:
        del rest[str(path[0])]
    else:
        rest[str(path[0])] = _without(rest[str(path[0])], path[1:])
    return rest
