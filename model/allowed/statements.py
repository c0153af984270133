"""Policy documents as statements: what each element matches, with every element that is not understood.

The rule: nothing is ignored. What this module does not understand (an element, an operator, a variable, a value of
another type) becomes an *unknown*, a condition that may hold or not; the same text is the same unknown in every
document. So two equal documents stay equal, and any other difference counts as one. It leaves out which strings an
action or a resource can be (`model.allowed.requests`).

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html; for MinIO statement.go,
actionset.go, resource.go and principal.go of github.com/minio/pkg v3.1.3, package policy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from model.allowed.actions import MINIO_OF_ADMINISTRATION, MINIO_OF_KMS, MINIO_OF_STS
from model.allowed.strings import Pattern, Token, Wild, glob, joined, literal
from model.written import WrittenError
from model.written_json import parse_json

Cloud = Literal["aistor", "aws"]
Document = str | Mapping[str, Any]
Known = Mapping[str, tuple[str, ...]]
S3 = "arn:aws:s3:::"
_KMS = "arn:minio:kms:::"
EVERYBODY = "*"
_ELEMENTS = frozenset(("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"))
_OF_RESOURCES = _ELEMENTS | {"Principal", "NotPrincipal"}
_DOCUMENT_ELEMENTS = frozenset(("Version", "Id", "ID", "Statement"))
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_COLONS_OF_AN_ARN = 5
_MINIO_ADMIN = frozenset((*MINIO_OF_ADMINISTRATION, "admin:*"))
#: For MinIO, `*` alone is an action of its STS (sts-action.go), so such a statement, too, matches any resource.
_MINIO_STS = frozenset((*MINIO_OF_STS, "*"))
_MINIO_KMS = frozenset((*MINIO_OF_KMS, "kms:*"))


@dataclass(frozen=True)
class Test:
    """One condition: an operator on one key.

    Attributes:
        operator: As written.
        key: The key as it is compared (`key_name`).
        values: As written.
        patterns: The values as patterns; None where a variable's value is not known.
        shown: The key as written.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    patterns: tuple[Pattern, ...] | None
    shown: str = field(default="", compare=False)


@dataclass(frozen=True)
class Matcher:
    """What strings an element matches: one of `some` (None: any), none of `none`, and one of `within` (None: any)."""

    some: tuple[Pattern, ...] | None = None
    none: tuple[Pattern, ...] = ()
    within: tuple[Pattern, ...] | None = None


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        allow: Whether it allows.
        actions: The actions that it matches.
        resources: The resources that it matches.
        areas: Each pattern of `resources.some` as the document has it, to be shown.
        principals: Named principals, `*` for everybody; None if it names none.
        not_principals: Those that it does not match.
        tests: All must hold.
        unknowns: What is not understood; the statement matches only if all of it holds.
    """

    allow: bool
    actions: Matcher
    resources: Matcher
    areas: tuple[str, ...]
    principals: tuple[str, ...] | None
    not_principals: tuple[str, ...]
    tests: tuple[Test, ...]
    unknowns: tuple[str, ...]


def statements(document: Document, cloud: Cloud, known: Known, *, of_resource: bool = False) -> list[Statement]:
    """The statements of one document.

    Args:
        document: JSON, or what was decoded from it. Any other text may allow anything.
        cloud: Whose rules hold.
        known: The values of condition keys that are certain, for variables.
        of_resource: Whether the document belongs to a bucket or a role, so that it names principals.
    """
    decoded: Any = document
    if isinstance(document, str):
        try:
            decoded = parse_json(document, "policy")
        except WrittenError:
            return [_anything(f"a document that is not JSON: {document}")]
    if not isinstance(decoded, Mapping):
        return [_anything(f"a document, but not an object: {_text(decoded)}")]
    listed = decoded.get("Statement", [])
    listed = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(listed, list):
        return [_anything(f"Statement: {_text(listed)}")]
    more = [f"element {name}: {_text(decoded[name])}" for name in sorted(decoded) if name not in _DOCUMENT_ELEMENTS]
    reader = _Reader(cloud, known, decoded.get("Version") or "", of_resource=of_resource)
    found = []
    for one in listed:
        statement = reader.statement(one) if isinstance(one, Mapping) else _anything(f"a statement: {_text(one)}")
        found.append(replace(statement, unknowns=(*statement.unknowns, *more)))
    return found


def _anything(unknown: str) -> Statement:
    return Statement(
        allow=True,
        actions=Matcher(),
        resources=Matcher(),
        areas=(),
        principals=None,
        not_principals=(),
        tests=(),
        unknowns=(unknown,),
    )


def principals_of(raw: object) -> tuple[str, ...] | None:
    """Principals as names: ARNs, `*` for everybody, and others with their kind (`Service s3.amazonaws.com`).

    None if the element has another form.
    """
    if isinstance(raw, str):
        return (EVERYBODY,) if raw == EVERYBODY else None
    if not isinstance(raw, Mapping):
        return None
    found: list[str] = []
    for kind, value in raw.items():
        names = _strings(value)
        if kind not in ("AWS", "Federated", "Service", "CanonicalUser") or names is None:
            return None
        for name in names:
            if kind != "AWS":
                found.append(f"{kind} {name}")
            else:
                found.append(f"arn:aws:iam::{name}:root" if _ACCOUNT.fullmatch(name) else name)
    return tuple(found)


class _Reader:
    """Reads statements by the rules of one cloud."""

    def __init__(self, cloud: Cloud, known: Known, version: object, *, of_resource: bool) -> None:
        self._minio = cloud == "aistor"
        self._known = {self._key(name): values for name, values in known.items()}
        # AWS replaces variables only in documents of this version.
        self._has_variables = self._minio or version == "2012-10-17"
        self._of_resource = of_resource

    def statement(self, raw: Mapping[str, Any]) -> Statement:
        """One statement."""
        elements = _OF_RESOURCES if self._of_resource else _ELEMENTS
        unknowns = [f"element {name}: {_text(raw[name])}" for name in sorted(raw) if name not in elements]
        effect = raw.get("Effect")
        if effect not in ("Allow", "Deny"):
            unknowns.append(f"Effect: {_text(effect)}")
        actions = self._matcher(raw, "Action", unknowns)
        resources = self._matcher(raw, "Resource", unknowns)
        if self._minio and isinstance(named := _strings(raw.get("Action")), list):
            resources = _minio_resources(resources, frozenset(named))
        principals, not_principals = self._principals(raw, unknowns)
        return Statement(
            allow=effect != "Deny",
            actions=actions,
            resources=resources,
            areas=tuple(_strings(raw.get("Resource")) or ()),
            principals=principals,
            not_principals=not_principals,
            tests=self._tests(raw.get("Condition"), unknowns),
            unknowns=tuple(unknowns),
        )

    def _matcher(self, raw: Mapping[str, Any], name: str, unknowns: list[str]) -> Matcher:
        some, none = (self._patterns(raw, element, unknowns) for element in (name, f"Not{name}"))
        return Matcher(some, none or ())

    def _patterns(self, raw: Mapping[str, Any], element: str, unknowns: list[str]) -> tuple[Pattern, ...] | None:
        """The patterns of an element; None if it is absent, or is an unknown as a whole."""
        if element not in raw or raw[element] is None:
            return None
        texts = _strings(raw[element])
        if not texts:
            unknowns.append(f"{element}: {_text(raw[element])}")
            return None
        if element.endswith("Action"):
            return tuple(pattern for text in texts for pattern in self._action(text))
        found: list[Pattern] = []
        for text in texts:
            patterns = self._resource(text)
            if patterns is None:
                unknowns.append(f"{element}: {_text(texts)}")
                return None
            found += patterns
        return tuple(found)

    def _action(self, text: str) -> tuple[Pattern, ...]:
        if not self._minio:
            return (glob(text.lower()),)
        # GetObjectVersion, spelled so, implies GetObject (actionset.go).
        more = (literal("s3:GetObject"),) if text == "s3:GetObjectVersion" else ()
        return (glob(text), *more)

    def _resource(self, text: str) -> tuple[Pattern, ...] | None:
        """A resource's patterns; None if it has a variable whose value is not known, or is not an ARN."""
        if text == "*":
            return (glob(text),)
        if text.count(":") < _COLONS_OF_AN_ARN:
            return None
        pattern = self._filled(text, wild=True)
        if pattern is None:
            return None
        if not self._minio:
            return (pattern,)
        if text.startswith(_KMS):  # the server compares what is behind the prefix
            return self._resource(S3 + text.removeprefix(_KMS))
        # MinIO first compares the cleaned path, which has no slash at its end, with the pattern's own text.
        return pattern, (*literal(text), "/")

    def _filled(self, text: str, *, wild: bool) -> Pattern | None:
        """The text as a pattern, with its variables replaced; None if a value is not known."""
        if "${" not in text or not self._has_variables:
            return glob(text) if wild else literal(text)
        tokens: list[Token] = []
        end = 0
        for found in _VARIABLE.finditer(text):
            value = self._variable(found[1])
            if value is None:
                return None
            tokens += [*(glob(text[end : found.start()]) if wild else text[end : found.start()]), *value]
            end = found.end()
        rest = text[end:]
        return joined((*tokens, *(glob(rest) if wild else rest)))

    def _variable(self, name: str) -> Pattern | None:
        if name in ("*", "?", "$") and not self._minio:
            return literal(name)
        values = self._known.get(self._key(name), ())
        return literal(values[0]) if len(values) == 1 and values[0] else None

    def _key(self, name: str) -> str:
        return key_name(name, "aistor" if self._minio else "aws")

    def _principals(
        self, raw: Mapping[str, Any], unknowns: list[str]
    ) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        found = []
        for element in ("Principal", "NotPrincipal"):
            named = principals_of(raw[element]) if self._of_resource and element in raw else None
            if named is None and element in raw and self._of_resource:
                unknowns.append(f"{element}: {_text(raw[element])}")
            found.append(named)
        return found[0], found[1] or ()

    def _tests(self, raw: object, unknowns: list[str]) -> tuple[Test, ...]:
        if raw is None:
            return ()
        if not isinstance(raw, Mapping):
            unknowns.append(f"Condition: {_text(raw)}")
            return ()
        found: list[Test] = []
        for operator, keys in raw.items():
            if not isinstance(keys, Mapping):
                unknowns.append(f"{operator}: {_text(keys)}")
                continue
            for key, value in keys.items():
                if (values := _values(value)) is None:
                    unknowns.append(f"{operator} {key}: {_text(value)}")
                else:
                    found.append(self._test(operator, key, tuple(sorted(set(values)))))
        return tuple(found)

    def _test(self, operator: str, shown: str, values: tuple[str, ...]) -> Test:
        key = self._key(shown)
        wild = "Like" in operator or "Arn" in operator
        patterns: list[Pattern] = []
        for value in values:
            pattern = self._filled(value, wild=wild)
            if pattern is None or ("Arn" in operator and _is_wild_before_its_end(pattern)):
                return Test(operator, key, values, None, shown)
            patterns.append(pattern)
        return Test(operator, key, values, tuple(patterns), shown)


def key_name(name: str, cloud: Cloud) -> str:
    """A condition key as it is compared: AWS ignores case; MinIO takes `s3:prefix` and `aws:prefix` for one key."""
    if cloud == "aws":
        service, slash, rest = name.partition("/")
        return service.lower() + slash + rest.lower()
    return name.partition(":")[2] if name.partition(":")[0] in ("aws", "s3", "jwt", "ldap", "sts", "svc") else name


def _minio_resources(resources: Matcher, actions: frozenset[str]) -> Matcher:
    """MinIO ignores the resources of a statement that names an admin or STS action; one of KMS needs none."""
    if actions & (_MINIO_ADMIN | _MINIO_STS):
        return Matcher()
    if actions & _MINIO_KMS:
        some = None if resources.some is None else (*resources.some, literal(f"{S3}/"))
        return replace(resources, some=some)
    return resources


def _is_wild_before_its_end(pattern: Pattern) -> bool:
    """Whether an ARN has a wildcard before its sixth part; the parts are compared one by one."""
    colons = 0
    for sign in pattern:
        colons += sign == ":"
        if isinstance(sign, Wild) and colons < _COLONS_OF_AN_ARN:
            return True
    return False


def _strings(value: object) -> list[str] | None:
    listed = value if isinstance(value, list) else [value]
    found = [one for one in listed if isinstance(one, str)]
    return found if len(found) == len(listed) else None


def _values(value: object) -> list[str] | None:
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | bool | int | float) for one in listed):
        return None
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in listed]


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
