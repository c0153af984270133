"""The values that a condition key can have in a request, divided into finitely many states.

The rule: two requests whose key is in the same state pass the same conditions. A state is the truth of every condition
on the key, with values that show it. All states that a request can have are there; where this cannot be computed (an
unknown operator, kinds of values that mix), the condition becomes a key of its own that holds or not, so there are more
states than requests, never fewer. The vendors differ in keys that are absent, in negation and in how many values a key
has.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html;
MinIO: condition/*.go of github.com/minio/pkg v3.1.3, package policy, and getConditionValues (cmd/bucket-policy.go),
where any header or query parameter with the name of a key is a value of it.
"""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from model.allowed.statements import Cloud, Known, Test, key_name
from model.allowed.strings import Pattern, classes, ignoring_case, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_STRINGS = {
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "ArnEquals",
    "ArnLike",
    "Bool",
    "BinaryEquals",
}
_ORDERS = ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
# Not shared with the sandbox's engine, which judges this module in tests.
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
_OF_MINIO = {
    *(f"String{name}{case}" for name in ("Equals", "NotEquals") for case in ("", "IgnoreCase")),
    *("StringLike", "StringNotLike", "BinaryEquals", "IpAddress", "NotIpAddress", "Null", "Bool"),
    *(f"{kind}{order}" for kind in ("Numeric", "Date") for order in ("NotEquals", *_ORDERS)),
    "NumericGreaterThanIfExists",
}
#: Keys that each request has, and for AWS those of them with only two values.
_ALWAYS: Mapping[Cloud, frozenset[str]] = {
    "aistor": frozenset(
        (
            *("CurrentTime", "EpochTime", "SecureTransport", "SourceIp", "UserAgent", "Referer", "principaltype"),
            *("userid", "username", "versionid", "signatureversion", "authType"),
        )
    ),
    "aws": frozenset(("aws:securetransport", "aws:currenttime", "aws:epochtime")),
}
_BOOLEANS = frozenset(
    (
        *("aws:securetransport", "aws:viaawsservice", "aws:multifactorauthpresent", "aws:principalisawsservice"),
        *("s3:objectcreationoperation",),
    )
)
_SEVERAL_VALUES = frozenset(("s3:requestobjecttagkeys", "aws:tagkeys", "aws:principalorgpaths", "aws:calledvia"))
#: MinIO compares only the first value of a key by these.
_OF_FIRST_VALUE = ("Bool", "Numeric", "Date")
#: The states of a key at most; beyond it, each condition on the key holds or not as it likes.
_MOST_STATES = 2048

#: Seconds since 1970, some of the last that `datetime` can show.
_LATEST = 1e11
#: Values that a server accepts, for keys of which only the presence counts.
_USUAL = {"x-amz-storage-class": "REDUCED_REDUNDANCY", "x-amz-server-side-encryption-customer-algorithm": "AES256"}
#: The name of a key that stands for something unknown, before the unknown's text.
UNKNOWN = "unknown: "


class State(NamedTuple):
    """What a key can be in a request.

    Attributes:
        truths: Bit n is set if the condition n on the key holds.
        values: Values that show it; None for an absent key.
    """

    truths: int
    values: tuple[str, ...] | None


@dataclass(frozen=True)
class Key:
    """One condition key with its states."""

    name: str
    states: tuple[State, ...]
    #: By condition, the states in which it holds, as a mask.
    holds: Mapping[Test, int]


class _Rule(NamedTuple):
    """How a condition combines the values of a key: `hit` says whether one value passes."""

    family: str
    base: str
    negated: bool
    #: Whether all values must pass, or one.
    every: bool
    when_absent: bool


def keys(tests: Iterable[Test], cloud: Cloud, known: Known) -> list[Key]:
    """The keys of all conditions. Conditions that cannot be computed become keys that hold or not."""
    by_key: dict[str, list[Test]] = {}
    found: list[Key] = []
    for test in dict.fromkeys(tests):
        by_key.setdefault(test.key, []).append(test)
    certain = {key_name(name, cloud): values for name, values in known.items()} if cloud == "aws" else {}
    for name, own in by_key.items():
        rules = {test: rule for test in own if (rule := _rule(test, cloud)) is not None}
        rules = _of_one_family(rules, cloud)
        key = _key(name, rules, cloud, certain.get(name)) if rules else None
        if key is not None:
            found.append(key)
        found += [unknown(test) for test in own if key is None or test not in key.holds]
    return found


def unknown(what: Test | str) -> Key:
    """A key that holds or not: a condition that is not understood, or an unknown in words."""
    test = Test("", what, (), None) if isinstance(what, str) else what
    text = what if isinstance(what, str) else f"{what.operator} {what.key}: {', '.join(what.values)}"
    return Key(f"{UNKNOWN}{text}", (State(0, None), State(1, ())), {test: 0b10})


def _rule(test: Test, cloud: Cloud) -> _Rule | None:
    """How the condition is judged; None if it is not understood."""
    qualifier, colon, name = test.operator.rpartition(":")
    if (colon and qualifier not in ("ForAllValues", "ForAnyValue")) or test.patterns is None:
        return None
    if cloud == "aistor" and name not in _OF_MINIO:
        return None
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if name == "Null":
        return None if if_exists else _presence(test)
    base = _NEGATED.get(name, name)
    family = _family(base)
    if family is None or not _is_readable(family, test.values):
        return None
    return (_aws_rule if cloud == "aws" else _minio_rule)(family, base, base != name, qualifier, if_exists)


def _presence(test: Test) -> _Rule | None:
    of_absent = test.values == ("true",)
    rule = _Rule("presence", "Null", negated=not of_absent, every=False, when_absent=of_absent)
    return rule if test.values in (("true",), ("false",)) else None


def _aws_rule(family: str, base: str, negated: bool, qualifier: str, if_exists: bool) -> _Rule:  # noqa: FBT001 - all differ
    for_all = qualifier == "ForAllValues"
    when_absent = if_exists or for_all or (negated and not qualifier)
    return _Rule(family, base, negated, for_all or (negated and not qualifier), when_absent)


def _minio_rule(family: str, base: str, negated: bool, qualifier: str, if_exists: bool) -> _Rule:  # noqa: FBT001 - as above
    if family in ("numeric", "date"):
        return _Rule(family, base, negated, every=False, when_absent=if_exists)
    # MinIO negates the whole result, of absent keys, too; only texts know ForAllValues.
    turned = negated != (qualifier == "ForAllValues" and family == "string")
    return _Rule(family, base, negated, every=turned, when_absent=turned)


def _family(base: str) -> str | None:
    if base in _STRINGS:
        return "string"
    if base == "IpAddress":
        return "ip"
    for kind in ("Numeric", "Date"):
        if base.startswith(kind) and base.removeprefix(kind) in _ORDERS:
            return kind.lower()
    return None


def _of_one_family(rules: Mapping[Test, _Rule], cloud: Cloud) -> dict[Test, _Rule]:
    """The conditions that one kind of values decides: those of the first family, and on presence."""
    families = [rule.family for rule in rules.values() if rule.family != "presence"]
    first = families[0] if families else "presence"
    kept = {test: rule for test, rule in rules.items() if rule.family in (first, "presence")}
    if cloud == "aistor":
        of_first = {test for test in kept if test.operator.rpartition(":")[2].startswith(_OF_FIRST_VALUE)}
        others = {test for test, rule in kept.items() if rule.family != "presence"} - of_first
        if of_first and others:
            kept = {test: rule for test, rule in kept.items() if test not in of_first}
    return kept


def _key(name: str, rules: Mapping[Test, _Rule], cloud: Cloud, certain: tuple[str, ...] | None) -> Key | None:
    """The key with all its states; None if there are too many."""
    tests = list(rules)
    hits = [_hit(test, rule, cloud) for test, rule in rules.items()]
    values = _values(name, rules, cloud) if certain is None else list(certain)
    if values is None:
        return None
    singles = [_single(value, hits, rules, cloud) for value in values]
    absent = State(sum(1 << n for n, rule in enumerate(rules.values()) if rule.when_absent), None)
    if certain is not None:
        states = [_union(singles, rules)] if singles else [absent]
    else:
        states = [] if name in _ALWAYS[cloud] else [absent]
        states += singles
        if _may_have_several(name, tests, cloud):
            closed = _closed(singles, rules)
            if closed is None:
                return None
            states += closed
    unique = tuple({state.truths: state for state in reversed(states)}.values())[::-1]
    holds = {
        test: sum(1 << m for m, state in enumerate(unique) if state.truths >> n & 1) for n, test in enumerate(tests)
    }
    return Key(name, unique, holds)


def _single(value: str, hits: Sequence[Callable[[str], bool]], rules: Mapping[Test, _Rule], cloud: Cloud) -> State:
    """The state of a key with this one value."""
    truths = 0
    for n, (rule, hit) in enumerate(zip(rules.values(), hits, strict=True)):
        try:
            holds = rule.negated if rule.family == "presence" else hit(value) != rule.negated
        except ValueError:  # no number, date or address: MinIO lets it pass only a NotIpAddress
            holds = rule.negated and not (cloud == "aistor" and rule.family in ("numeric", "date"))
        truths |= holds << n
    return State(truths, (value,))


def _hit(test: Test, rule: _Rule, cloud: Cloud) -> Callable[[str], bool]:
    """Whether one value passes the condition's operator, before any negation."""
    if rule.family == "presence":
        return lambda _: True
    if rule.family == "string":
        patterns = test.patterns or ()
        if rule.base == "StringEqualsIgnoreCase" or (rule.base == "Bool" and cloud == "aws"):
            patterns = tuple(ignoring_case(pattern) for pattern in patterns)
        return lambda value: any(matches(pattern, value) for pattern in patterns)
    if rule.family == "ip":
        networks = [network(value) for value in test.values]
        return lambda value: any(ipaddress.ip_address(value) in one for one in networks)
    number = _second if rule.family == "date" else _number
    order = rule.base.removeprefix("Numeric").removeprefix("Date")
    wanted = [number(value) for value in test.values]
    return partial(_is_in_order, order, wanted, number)


def _is_in_order(order: str, wanted: Sequence[float], number: Callable[[str], float], value: str) -> bool:
    given = number(value)
    return any(
        {
            "Equals": given == one,
            "LessThan": given < one,
            "LessThanEquals": given <= one,
            "GreaterThan": given > one,
            "GreaterThanEquals": given >= one,
        }[order]
        for one in wanted
    )


def _values(name: str, rules: Mapping[Test, _Rule], cloud: Cloud) -> list[str] | None:
    """A value of each class that the conditions divide all values into; None if there are too many."""
    family = next((rule.family for rule in rules.values() if rule.family != "presence"), "presence")
    if family == "presence":
        return [_USUAL.get(name.rpartition(":")[2], "x")]
    wanted = [value for test, rule in rules.items() if rule.family == family for value in test.values]
    # A caller of MinIO may send any text as the value of a key.
    others = ["x"] if cloud == "aistor" else []
    if family == "ip":
        return _addresses(wanted) + others
    if family in ("numeric", "date"):
        cuts = sorted({(_second if family == "date" else _number)(value) for value in wanted})
        return _numbers(cuts, family) + others
    if name in _BOOLEANS and cloud == "aws":
        return ["true", "false"]
    patterns: list[Pattern] = []
    for test, rule in rules.items():
        for pattern in test.patterns or () if rule.family == "string" else ():
            is_any_case = rule.base == "StringEqualsIgnoreCase" or (rule.base == "Bool" and cloud == "aws")
            patterns.append(ignoring_case(pattern) if is_any_case else pattern)
    found = classes(tuple(dict.fromkeys(patterns)))
    if found is None:
        return None
    usual = ["true", "false"] if all(rule.base == "Bool" for rule in rules.values()) else []
    return usual + [one.witness for one in found]


def _numbers(cuts: Sequence[float], family: str) -> list[str]:
    """The cuts, and a number before, between and after them: a whole one, because keys have whole values.

    Only `s3:TlsVersion` has others, so between two cuts that are not whole there is a number in any case.
    """
    found = [cuts[0] - 1]
    for one, after in zip(cuts, [*cuts[1:], cuts[-1] + 2], strict=True):
        found.append(one)
        between = float(math.floor(one) + 1)
        if between < after:
            found.append(between)
        elif not one.is_integer() or not after.is_integer():
            found.append((one + after) / 2)
    if family == "date":
        return [datetime.fromtimestamp(one, UTC).isoformat().replace("+00:00", "Z") for one in found]
    return [f"{one:.15g}" for one in found]


def _addresses(networks: Iterable[str]) -> list[str]:
    """An address of each interval between the ends of the networks, in both families of addresses."""
    cuts: dict[int, set[int]] = {4: {0}, 6: {0}}
    for one in map(network, networks):
        cuts[one.version] |= {int(one.network_address), int(one.broadcast_address) + 1}
    most = {4: ipaddress.IPV4LENGTH, 6: ipaddress.IPV6LENGTH}
    kind: dict[int, Callable[[int], object]] = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
    return [
        str(kind[version](cut)) for version, found in cuts.items() for cut in sorted(found) if cut < 1 << most[version]
    ]


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A network as policies write it, or one address."""
    return ipaddress.ip_network(text, strict=False)


def _number(text: str) -> float:
    return float(text)


def _second(text: str) -> float:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _is_readable(family: str, values: Iterable[str]) -> bool:
    readers: dict[str, Callable[[str], object]] = {"ip": network, "numeric": _number, "date": _second}
    if family not in readers:
        return True
    try:
        found = [readers[family](value) for value in values]
    except (ValueError, OverflowError):
        return False
    return all(not isinstance(one, float) or abs(one) < _LATEST for one in found)


def _may_have_several(name: str, tests: Iterable[Test], cloud: Cloud) -> bool:
    if cloud == "aistor":
        return not all(test.operator.startswith((*_OF_FIRST_VALUE, "Null")) for test in tests)
    return name.partition("/")[0] in _SEVERAL_VALUES or any(":" in test.operator for test in tests)


def _union(states: Sequence[State], rules: Mapping[Test, _Rule]) -> State:
    """The state of a key that has the values of all these states."""
    every = sum(1 << n for n, rule in enumerate(rules.values()) if rule.every)
    one, all_of = 0, -1
    for state in states:
        one |= state.truths
        all_of &= state.truths
    values = dict.fromkeys(value for state in states for value in state.values or ())
    return State((one & ~every) | (all_of & every), tuple(values))


def _closed(singles: Sequence[State], rules: Mapping[Test, _Rule]) -> list[State] | None:
    """The states of several values; None if there are too many."""
    found = {state.truths: state for state in singles}
    waiting = list(found.values())
    while waiting:
        state = waiting.pop()
        for single in singles:
            more = _union((state, single), rules)
            if more.truths not in found:
                found[more.truths] = more
                waiting.append(more)
            if len(found) > _MOST_STATES:
                return None
    return list(found.values())
