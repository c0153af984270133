"""Reading a taxonomy: the file that is shipped, and what a stack adds to it.

The rule: every mistake is said at once, each with its place, the legal values and the line to paste; nothing of a
taxonomy with a mistake is used. What values a domain of a band may have at all, `model.taxonomy` says.
"""

import re
from collections.abc import Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from model.problems import InvalidInputError, Problem, key_path, nearest
from model.taxonomy import (
    EVERY_DOMAIN,
    HOT_EXPIRE_DAYS,
    WARM_EXPIRE_DAYS,
    BandName,
    Bands,
    ColdDomain,
    Domain,
    Taxonomy,
)
from model.taxonomy_mistakes import is_out_of_limits, key_in_file, mistake

TAXONOMY_FILE = Path(__file__).parents[1] / "infra" / "taxonomy.yaml"

NAME_FORM = "lower case letters, digits and single hyphens, beginning with a letter (media-raw)"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

# What a stack may say of an identity that is declared already.
_ADDED = frozenset({"grants", "trust"})


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


def _problems(error: ValidationError, content: Mapping[str, Any], where: str) -> list[Problem]:
    """Each value that cannot be, and what is wrong with the rest where only limits are passed."""
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
    for name, domain in taxonomy.domains.items():
        problems += _name_problems(name, key_path(where, f"domains.{name}"))
        if isinstance(domain, ColdDomain):
            problems += _kept_problems(name, domain, taxonomy.bands, where)
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


def _kept_problems(name: str, domain: ColdDomain, bands: Bands, where: str) -> list[Problem]:
    retention = domain.retention_days if domain.retention_days is not None else bands.cold.retention_days
    expire = domain.expire_after_days
    if expire is None or expire >= retention:
        return []
    return [
        Problem(
            key_path(where, f"domains.{name}.expire_after_days"),
            f"{expire} d ends before the retention of {retention} d",
            f"at least {retention} d, or no expire_after_days: kept for ever",
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
