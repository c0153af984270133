"""Evaluation of IAM policy documents: whether policies allow one access, deny it, or do not mention it.

The rule: a matching Deny always wins. A condition key that the access does not have counts as absent: positive
operators do not match it, negated ones and `...IfExists` do. MinIO reads a document in its own way (`minio=True`): case
counts in actions, one action implies another, some statements match any resource, and it negates differently. Pure: no
cloud, no server, no clock. Left out: which documents apply to a caller (`sandbox.server.authority`), and which actions
a vendor knows.

Source for MinIO: github.com/minio/pkg v3.1.3, policy/statement.go, actionset.go, resource.go and condition/.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from model.allowed.actions import MINIO_OF_ADMINISTRATION, MINIO_OF_STS


class PolicyError(ValueError):
    """The document is not a policy; the message says where, and what is legal."""


class Verdict(Enum):
    """The verdict of a set of policies on one access."""

    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Access:
    """One requested access."""

    action: str
    resource: str
    #: Condition keys in lower case, each with its values.
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator, one key, and the values to compare with."""

    operator: str
    key: str
    values: tuple[str, ...]
    if_exists: bool
    every_value: bool
    any_value: bool = False
    minio: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; an empty tuple of principals means that it belongs to an identity's own policy."""

    allow: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[str, ...]
    not_principals: tuple[str, ...]
    conditions: tuple[Condition, ...]
    minio: bool = False

    def matches(self, access: Access, principals: frozenset[str]) -> bool:
        """Whether the statement matches this access by a caller with these names."""
        action = access.action if self.minio else access.action.lower()
        outside = (
            (self.principals and not _names(self.principals, principals))
            or (self.not_principals and _names(self.not_principals, principals))
            or (self.actions and not _any_like(self.actions, action, access))
            or (self.not_actions and _any_like(self.not_actions, action, access))
            or (self.resources and not self._names(self.resources, access))
            or (self.not_resources and self._names(self.not_resources, access))
        )
        return not outside and all(_holds(condition, access) for condition in self.conditions)

    def _names(self, resources: tuple[str, ...], access: Access) -> bool:
        """Whether one of the resources is the access's; MinIO also compares its path without a slash at the end."""
        if _any_like(resources, access.resource, access):
            return True
        return self.minio and access.resource.removesuffix("/") in resources


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed document."""

    statements: tuple[Statement, ...]


def evaluate(policies: Iterable[Policy], access: Access, principals: frozenset[str] = frozenset()) -> Verdict:
    """The verdict of all policies; `principals` are the caller's names, for the policies of a bucket."""
    verdict = Verdict.SILENT
    for policy in policies:
        for statement in policy.statements:
            if statement.matches(access, principals):
                if not statement.allow:
                    return Verdict.DENIED
                verdict = Verdict.ALLOWED
    return verdict


@lru_cache(maxsize=4096)
def parse_text(text: str, *, minio: bool = False) -> Policy:
    """Parse a document; cached, because each request evaluates the same few documents."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PolicyError(f"the policy is not JSON: {error}") from None
    return parse(document, minio=minio)


def parse(document: object, *, minio: bool = False) -> Policy:
    """Parse a decoded document, as AWS reads it or as MinIO does."""
    if not isinstance(document, dict):
        raise PolicyError("the policy must be a JSON object with Version and Statement")
    version = document.get("Version", "2012-10-17")
    if version not in ("2012-10-17", "2008-10-17"):
        raise PolicyError(f"Version {version!r} is unknown; legal: 2012-10-17")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError("Statement must be an object or a list of at least one")
    return Policy(tuple(_statement(number, statement, minio=minio) for number, statement in enumerate(statements)))


def _statement(number: int, raw: object, *, minio: bool) -> Statement:
    where = f"Statement {number}"
    if not isinstance(raw, dict):
        raise PolicyError(f"{where} must be an object")
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"{where}: Effect is {effect!r}; legal: Allow, Deny")
    if ("Action" in raw) == ("NotAction" in raw):
        raise PolicyError(f"{where} needs exactly one of Action and NotAction")
    actions = _strings(raw.get("Action"), f"{where}: Action")
    any_resource = minio and not _OF_ANY_RESOURCE.isdisjoint(actions)
    return Statement(
        allow=effect == "Allow",
        actions=_actions(actions, minio=minio),
        not_actions=_actions(_strings(raw.get("NotAction"), f"{where}: NotAction"), minio=minio),
        resources=() if any_resource else _strings(raw.get("Resource"), f"{where}: Resource"),
        not_resources=() if any_resource else _strings(raw.get("NotResource"), f"{where}: NotResource"),
        principals=_principals(raw.get("Principal"), f"{where}: Principal"),
        not_principals=_principals(raw.get("NotPrincipal"), f"{where}: NotPrincipal"),
        conditions=_conditions(raw.get("Condition"), where, minio=minio),
        minio=minio,
    )


def _actions(names: tuple[str, ...], *, minio: bool) -> tuple[str, ...]:
    if not minio:
        return tuple(name.lower() for name in names)
    return (*names, "s3:GetObject") if "s3:GetObjectVersion" in names else names


def _strings(raw: object, where: str) -> tuple[str, ...]:
    if raw is None:
        return ()
    values = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(value, str) for value in values):
        raise PolicyError(f"{where} must be a string or a list of strings")
    return tuple(values)


def _principals(raw: object, where: str) -> tuple[str, ...]:
    if isinstance(raw, dict):
        return tuple(name for kind in raw for name in _strings(raw[kind], f"{where}.{kind}"))
    return _strings(raw, where)


def _conditions(raw: object, where: str, *, minio: bool) -> tuple[Condition, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, dict):
        raise PolicyError(f"{where}: Condition must be an object of operators")
    conditions = []
    for spelled, keys in raw.items():
        operator, if_exists = spelled, False
        every_value, any_value = operator.startswith("ForAllValues:"), operator.startswith("ForAnyValue:")
        operator = operator.removeprefix("ForAllValues:").removeprefix("ForAnyValue:")
        if operator.endswith("IfExists"):
            operator, if_exists = operator.removesuffix("IfExists"), True
        if operator not in _OPERATORS and operator != "Null":
            raise PolicyError(f"{where}: condition operator {spelled!r} is unknown; legal: {', '.join(_OPERATORS)}")
        if not isinstance(keys, dict):
            raise PolicyError(f"{where}: {spelled} must be an object of condition keys")
        for key, values in keys.items():
            listed = values if isinstance(values, list) else [values]
            texts = tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)
            conditions.append(Condition(operator, key.lower(), texts, if_exists, every_value, any_value, minio))
    return tuple(conditions)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in text)
    return re.compile("".join(parts), re.DOTALL)


@lru_cache(maxsize=4096)
def _any_pattern(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """One pattern for all of them; None where one has a variable."""
    if any("${" in pattern for pattern in patterns):
        return None
    return re.compile("|".join(_pattern(pattern).pattern for pattern in patterns), re.DOTALL)


def _like(pattern: str, value: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


def _any_like(patterns: tuple[str, ...], value: str, access: Access) -> bool:
    if (pattern := _any_pattern(patterns)) is not None:
        return pattern.fullmatch(value) is not None
    return any(_like(_filled(pattern, access), value) for pattern in patterns)


def _filled(text: str, access: Access) -> str:
    """The text with its policy variables, such as ${aws:username}, replaced by the values of the access."""
    if "${" not in text:
        return text
    return re.sub(r"\$\{([^}]*)\}", lambda found: _value_of(found.group(1), access, found.group(0)), text)


def _value_of(key: str, access: Access, otherwise: str) -> str:
    values = access.context.get(key.lower(), ())
    return values[0] if len(values) == 1 else otherwise


def _names(patterns: tuple[str, ...], principals: frozenset[str]) -> bool:
    return "*" in patterns or not principals.isdisjoint(patterns)


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d+", text):
        return datetime.fromtimestamp(int(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_network(value: str, wanted: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


#: Actions of MinIO whose statements match any resource: those of its admin API and its STS, to which `*` belongs.
_OF_ANY_RESOURCE = frozenset(("*", "admin:*", *MINIO_OF_ADMINISTRATION, *MINIO_OF_STS))

Comparison = Callable[[Any, Any], bool]


def _numeric(compare: Comparison) -> Callable[[str, str], bool]:
    return lambda value, wanted: compare(float(value), float(wanted))


def _dated(compare: Comparison) -> Callable[[str, str], bool]:
    return lambda value, wanted: compare(_moment(value), _moment(wanted))


_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": lambda value, wanted: _like(wanted, value),
    "ArnEquals": lambda value, wanted: _like(wanted, value),
    "ArnLike": lambda value, wanted: _like(wanted, value),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "IpAddress": _in_network,
    "NumericEquals": _numeric(lambda value, wanted: value == wanted),
    "NumericLessThan": _numeric(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _numeric(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _numeric(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _numeric(lambda value, wanted: value >= wanted),
    "DateEquals": _dated(lambda value, wanted: value == wanted),
    "DateLessThan": _dated(lambda value, wanted: value < wanted),
    "DateLessThanEquals": _dated(lambda value, wanted: value <= wanted),
    "DateGreaterThan": _dated(lambda value, wanted: value > wanted),
    "DateGreaterThanEquals": _dated(lambda value, wanted: value >= wanted),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
_OPERATORS = (*_POSITIVE, *_NEGATED)


def _holds(condition: Condition, access: Access) -> bool:
    values = access.context.get(condition.key, ())
    wanted = tuple(_filled(value, access) for value in condition.values)
    if condition.operator == "Null":
        return ("true" in wanted) == (not values)
    negated = condition.operator in _NEGATED
    if condition.minio:
        return _holds_on_minio(condition, values, wanted)
    if not values:
        return condition.if_exists or condition.every_value or (negated and not condition.any_value)
    matches = _POSITIVE[_NEGATED.get(condition.operator, condition.operator)]
    hits = [any(_compared(matches, value, one) for one in wanted) for value in values]
    if negated:
        return not (all(hits) if condition.any_value else any(hits))
    return all(hits) if condition.every_value else any(hits)


def _holds_on_minio(condition: Condition, values: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """MinIO compares the first value of numbers, dates and booleans, and else negates the whole result."""
    negated = condition.operator in _NEGATED
    base = _NEGATED.get(condition.operator, condition.operator)
    if base.startswith(("Numeric", "Date", "Bool")):
        if not values:
            return condition.if_exists
        if base == "Bool":
            return values[0] in wanted
        try:
            _moment(values[0]) if base.startswith("Date") else float(values[0])
        except ValueError:
            return False
        return _compared(_POSITIVE[base], values[0], wanted[0]) != negated
    hits = [any(_compared(_POSITIVE[base], value, one) for one in wanted) for value in values]
    every = condition.every_value and not base.startswith("IpAddress")
    return (all(hits) if every else any(hits)) != negated


def _compared(matches: Callable[[str, str], bool], value: str, wanted: str) -> bool:
    try:
        return matches(value, wanted)
    except ValueError:  # an invalid number, date or network matches nothing
        return False
