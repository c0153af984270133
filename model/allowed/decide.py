"""Whether the documents that govern one principal allow more than the planned ones: proven, or one request as witness.

The rule: an answer of None is a proof for all requests. A request is an operation, a resource and a state of each
condition key; the documents of both sides divide each of these into finitely many classes, and every combination that
can make a difference is decided. What is not understood, and what would take too long, counts as "may allow more", and
the request says so (`Request.unknown`). Pure.

How documents combine: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html (one
account: a bucket's policy alone may let a principal in, past its boundary and session policy); MinIO: IsAllowed in
cmd/iam.go, where a bucket's policy holds for anonymous callers only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from model.allowed.conditions import UNKNOWN, Key, keys, unknown
from model.allowed.requests import A_VERSION, Kind, Operation, domains, operations, place, unlisted
from model.allowed.statements import EVERYBODY, S3, Cloud, Document, Matcher, Statement, Test, statements
from model.allowed.strings import Pattern, StringClass, Wild, classes, glob, matches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

_A_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
#: Steps of one decision at most; some hundred are usual.
_MOST_STEPS = 20_000
_TOO_MUCH = "more conditions than can be decided in time"


@dataclass(frozen=True)
class Access:
    """All that governs one principal.

    Attributes:
        principal: Its name, for the sentence.
        cloud: Whose rules hold.
        layers: Groups of documents; the documents of one group allow together, and each group must allow. The first
            are the principal's own, with those of its groups; then its permission boundary; then its key's own policy.
            None for an anonymous caller, and for a principal of another account.
        of_resources: By bucket, its policy; by the empty name, a document without a bucket, such as a role's trust
            policy.
        names: Its ARNs as documents name principals, others with their kind (`Federated arn:…`); none if anonymous.
        accounts: ARNs of its account's root, which a Deny may name.
        known: The values of condition keys that each of its requests has, such as `aws:username`.
    """

    principal: str
    cloud: Cloud
    layers: tuple[tuple[Document, ...], ...] = ()
    of_resources: Mapping[str, Document] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        """Whether its requests have no signature."""
        return not self.names and not self.layers


@dataclass(frozen=True)
class Request:
    """A request that is allowed, but not by the plan.

    Attributes:
        principal: Who asks.
        action: The action that is asked for, as its service spells it.
        resource: The resource as documents name it.
        bucket: Its bucket; empty if it has none.
        key: Its key; empty if it has none.
        conditions: The values of condition keys that the request must have; empty for a key that must be absent.
        areas: The patterns of the live documents that let it in.
        says: What it does, if the action's name alone does not say it.
        unknown: What was not understood, and must hold (or not hold) so that the request is allowed; empty if it is
            certain.
    """

    principal: str
    action: str
    resource: str
    bucket: str
    key: str
    conditions: Mapping[str, tuple[str, ...]]
    areas: tuple[str, ...] = ()
    says: str = ""
    unknown: tuple[str, ...] = ()


def more_allowed(live: Access, planned: Access) -> Request | None:
    """A request that the live documents allow and the planned ones do not; None if there is none."""
    return next(differences(live, planned), None)


def differences(live: Access, planned: Access) -> Iterator[Request]:
    """One such request for each operation on each kind of resource that the documents tell apart."""
    if not _is_contained(live, planned):
        yield from _Comparison(live, planned).differences()


@dataclass(frozen=True)
class _Held:
    """A statement with what it needs of each key, as masks of states."""

    statement: Statement
    number: int
    needs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Side:
    """The statements of one side."""

    layers: tuple[tuple[_Held, ...], ...]
    of_resources: tuple[_Held, ...]

    def all(self) -> list[_Held]:
        """Every statement."""
        return [*(held for layer in self.layers for held in layer), *self.of_resources]


@dataclass(frozen=True)
class _Resource:
    """Resources that are alike to all statements."""

    witness: str
    kinds: frozenset[Kind]
    statements: int


class Right(NamedTuple):
    """One operation on resources of one class, and a statement that allows it."""

    operation: Operation
    resource: str
    statement: Statement


def rights(access: Access, actions: Collection[str], buckets: Iterable[str]) -> Iterator[Right]:
    """What the documents allow, with each of the buckets in a class of its own."""
    nothing = replace(access, layers=(), of_resources={})
    yield from _Comparison(access, nothing, buckets).rights(actions)


class _TooMuchError(Exception):
    """A decision takes too many steps."""


#: True, False, or None where it depends on conditions that are still open.
_Truth = bool | None


class _Comparison:
    """One comparison of two sides."""

    def __init__(self, live: Access, planned: Access, buckets: Iterable[str] = ()) -> None:
        self._buckets = [glob(f"{S3}{name}{end}") for name in buckets for end in ("", "/", "/*")]
        self._principal, self._cloud = live.principal, live.cloud
        self._domains = domains(live.cloud, anonymous=live.is_anonymous)
        sides = [_read(one) for one in (live, planned)]
        self._resources, self._actions, sides = self._divided(sides)
        read = _flat(sides)
        self._keys = _all_keys(read, live)
        self._shown = {test.key: test.shown for one in reversed(read) for test in (A_VERSION, *one.tests)}
        self._masks = masks = {test: (n, mask) for n, key in enumerate(self._keys) for test, mask in key.holds.items()}
        numbers = iter(range(len(read)))

        def held(group: Iterable[Statement]) -> tuple[_Held, ...]:
            return tuple(_Held(one, next(numbers), _needs(one, masks)) for one in group)

        self._live, self._planned = (_Side(tuple(map(held, layers)), held(own)) for layers, own in sides)
        self._all = [*self._live.all(), *self._planned.all()]
        self._action_masks = [
            (1 << held.number, _masks(held.statement.actions, self._actions[0])) for held in self._all
        ]
        self._known_actions: dict[str, int] = {}
        self._steps = 0

    def _divided(self, sides: list[_Read]) -> tuple[_Classes, _Classes, list[_Read]]:
        """The classes of resources and of actions, after what has too many wildcards for them became unknown."""
        of_domains = [pattern for domain in self._domains.values() for pattern in domain.patterns()] + self._buckets
        for most in (None, 1, 0, -1):
            simpler = sides if most is None else [_simplified(side, most) for side in sides]
            read = _flat(simpler)
            resources = _divide((one.resources for one in read), of_domains)
            actions = _divide((one.actions for one in read), [_AN_ACTION])
            if resources is not None and actions is not None:
                return resources, actions, simpler
        raise AssertionError  # without any pattern of a document there are few classes

    def differences(self) -> Iterator[Request]:
        """One request for each operation on each kind of resource."""
        resources = self._kinds_of_resources()
        known: dict[tuple[object, ...], list[int] | None] = {}
        for operation in self._operations():
            of_actions = self._of_actions(operation)
            said: set[int] = set()
            for resource in resources:
                if operation.kind not in resource.kinds or resource.statements in said:
                    continue
                cell = {action: mask & resource.statements for action, mask in of_actions.items()}
                ways = tuple(tuple((cell[need.action], need.unless_denied) for need in way) for way in operation.ways)
                question = (ways, operation.version)
                if question not in known:
                    known[question] = self._decided(operation, cell)
                states = known[question]
                if states is not None:
                    said.add(resource.statements)
                    yield self._request(operation, resource, cell, states)
                    if self._steps > _MOST_STEPS:
                        return

    def rights(self, actions: Collection[str]) -> Iterator[Right]:
        """What the live side allows, for each class of resources."""
        numbers, found = self._resources
        matchers = [(1 << held.number, _masks(held.statement.resources, numbers)) for held in self._all]
        known: dict[tuple[str, str, int], list[int] | None] = {}
        for operation in operations(self._cloud):
            if operation.action not in actions:
                continue
            of_actions = self._of_actions(operation)
            for mask, witness in found:
                if not self._domains[operation.kind].has(mask, numbers):
                    continue
                hit = sum(bit for bit, matcher in matchers if _hits(matcher, mask))
                question = (operation.action, operation.says, hit)
                cell = {action: own & hit for action, own in of_actions.items()}
                if question not in known:
                    known[question] = self._decided(operation, cell)
                if (states := known[question]) is None:
                    continue
                for held in (*(self._live.layers or ((),))[0], *self._live.of_resources):
                    named = any(own >> held.number & 1 for own in cell.values())
                    if named and held.statement.allow and _holds(held, states) is not False:
                        yield Right(operation, witness, held.statement)

    def _plainer(self, resource: str) -> str:
        """A resource of the same class whose bucket has a valid name, if there is one near."""
        patterns = tuple(self._resources[0])
        bucket, _ = place(resource)
        if not bucket or _A_BUCKET.fullmatch(bucket):
            return resource
        rest = resource.removeprefix(f"{S3}{bucket}")
        mask = _mask(patterns, resource)
        tried = [f"{S3}{bucket}{end}{rest}" for end in _ENDS if _A_BUCKET.fullmatch(f"{bucket}{end}")]
        return next((one for one in tried if _mask(patterns, one) == mask), resource)

    def _operations(self) -> list[Operation]:
        """The listed operations, and an action that no list has for each class that has one.

        A listed action of the same class does not stand for it: the other may be for another kind of resource.
        """
        numbers, found = self._actions
        listed = list(operations(self._cloud))
        names = {one.action.lower() if self._cloud == "aws" else one.action for one in listed}
        others = []
        for mask, witness in found:
            if mask >> numbers[_AN_ACTION] & 1:
                tried = (one for one in (witness, f"{witness}x") if one not in names and self._mask_of(one) == mask)
                others += [unlisted(one, self._cloud) for one in tried][:1]
        return [*listed, *others]

    def _of_actions(self, operation: Operation) -> dict[str, int]:
        """By action that the operation needs, the statements that match it."""
        found = {}
        for action in {need.action for way in operation.ways for need in way}:
            mask = self._mask_of(action)
            found[action] = sum(bit for bit, matcher in self._action_masks if _hits(matcher, mask))
        return found

    def _mask_of(self, action: str) -> int:
        """The patterns of actions that match an action."""
        if action not in self._known_actions:
            spelled = action.lower() if self._cloud == "aws" else action
            self._known_actions[action] = _mask(tuple(self._actions[0]), spelled)
        return self._known_actions[action]

    def _kinds_of_resources(self) -> list[_Resource]:
        """The classes of resources, those of S3 first, and each set of statements once for each kind."""
        numbers, found = self._resources
        matchers = [(1 << held.number, _masks(held.statement.resources, numbers)) for held in self._all]
        resources: dict[tuple[frozenset[Kind], int], str] = {}
        for mask, witness in sorted(found, key=lambda one: not one.witness.startswith(S3)):
            kinds = frozenset(kind for kind, domain in self._domains.items() if domain.has(mask, numbers))
            hit = 0
            for bit, matcher in matchers:
                if _hits(matcher, mask):
                    hit |= bit
            resources.setdefault((kinds, hit), witness)
        return [_Resource(witness, kinds, hit) for (kinds, hit), witness in resources.items()]

    def _decided(self, operation: Operation, cell: Mapping[str, int]) -> list[int] | None:
        """The states in which only the live side lets the request in, by key; None if there are none."""
        every = [(1 << len(key.states)) - 1 for key in self._keys]
        if operation.version is not None:
            n, mask = self._masks[A_VERSION]
            every[n] &= mask if operation.version else ~mask
        try:
            return self._search(operation, cell, every)
        except _TooMuchError:
            return every

    def _search(self, operation: Operation, cell: Mapping[str, int], states: list[int]) -> list[int] | None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise _TooMuchError
        live = _lets_in(self._live, operation, cell, states)
        if live is False:
            return None
        planned = _lets_in(self._planned, operation, cell, states)
        if planned is True:
            return None
        if live and planned is False:
            return states
        side = self._live if live is None else self._planned
        key, mask = _open(side, cell, states)
        for part in (states[key] & mask, states[key] & ~mask):
            found = self._search(operation, cell, [*states[:key], part, *states[key + 1 :]])
            if found is not None:
                return found
        return None

    def _request(
        self, operation: Operation, resource: _Resource, cell: Mapping[str, int], states: Sequence[int]
    ) -> Request:
        matched = 0
        for mask in cell.values():
            matched |= mask
        own = [held for held in self._all if matched >> held.number & 1]
        conditions: dict[str, tuple[str, ...]] = {}
        unknowns = [_TOO_MUCH] if self._steps > _MOST_STEPS else []
        of_version = () if operation.version is None else (self._masks[A_VERSION][0],)
        for n in sorted({*of_version, *(n for held in own for n, _ in held.needs)}):
            key, left = self._keys[n], states[n]
            may_be_absent = any(state.values is None for state in key.states)
            if left == (1 << len(key.states)) - 1 and may_be_absent:
                continue  # it does not matter
            state = key.states[(left & -left).bit_length() - 1]
            if key.name.startswith(UNKNOWN):
                holds = "" if state.values is not None else "not "
                unknowns.append(f"{holds}{key.name.removeprefix(UNKNOWN)}")
            else:
                conditions[self._shown[key.name]] = state.values or ()
        areas = [
            area
            for held in self._live.all()
            if matched >> held.number & 1 and held.statement.allow
            for area in held.statement.areas
            if area == "*" or matches(glob(area), resource.witness)
        ]
        shown = self._plainer(resource.witness)
        bucket, key_of_object = place(shown)
        return Request(
            principal=self._principal,
            action=operation.action,
            resource=shown,
            bucket=bucket,
            key=key_of_object,
            conditions=conditions,
            areas=tuple(dict.fromkeys(areas)),
            says=operation.says,
            unknown=tuple(unknowns),
        )


#: The statements of the layers of one side, and those of resources.
_Read = tuple[list[list[Statement]], list[Statement]]
#: Patterns with their numbers, and the classes into which they divide.
_Classes = tuple[dict[Pattern, int], tuple[StringClass, ...]]
_AN_ACTION = glob("?*:?*")


def _flat(sides: Iterable[_Read]) -> list[Statement]:
    return [one for layers, own in sides for group in (*layers, own) for one in group]


def _divide(matchers: Iterable[Matcher], more: Iterable[Pattern]) -> _Classes | None:
    own = [pattern for one in matchers for pattern in (*(one.some or ()), *one.none, *(one.within or ()))]
    patterns = tuple(dict.fromkeys((*own, *more)))
    found = classes(patterns)
    return None if found is None else ({pattern: n for n, pattern in enumerate(patterns)}, found)


def _simplified(side: _Read, most: int) -> _Read:
    """A side in which an element with a pattern of more than `most` inner `*` is an unknown, and matches anything."""

    def too_wild(matcher: Matcher) -> bool:
        patterns = (*(matcher.some or ()), *matcher.none)
        return any(pattern[:-1].count(Wild.MANY) > most for pattern in patterns)

    def simple(one: Statement) -> Statement:
        unknowns, found = [*one.unknowns], [one.actions, one.resources]
        for n, matcher in enumerate(found):
            if too_wild(matcher):
                unknowns.append(f"many wildcards: {written(matcher.some)}, not {written(matcher.none)}")
                found[n] = Matcher(within=matcher.within)
        return replace(one, unknowns=tuple(unknowns), actions=found[0], resources=found[1])

    layers, own = side
    return [[simple(one) for one in layer] for layer in layers], [simple(one) for one in own]


def written(patterns: Sequence[Pattern] | None) -> str:
    """Patterns as text."""
    return ", ".join("".join(t.value if isinstance(t, Wild) else t for t in one) for one in patterns or ())


#: What makes the shortest bucket of a class a name that a server accepts: one of three characters, or of more.
_ENDS = (*("x" * missing for missing in (1, 2, 3)), "0", "a0x")


def _read(access: Access) -> _Read:
    """The statements of each layer, and those of resources that concern the principal."""
    layers = [
        [one for document in layer for one in statements(document, access.cloud, access.known)]
        for layer in access.layers
    ]
    if access.cloud == "aistor" and not access.is_anonymous:
        return layers, []
    own = [
        _within(one, bucket)
        for bucket, document in access.of_resources.items()
        for one in statements(document, access.cloud, access.known, of_resource=True)
        if _concerns(one, access)
    ]
    return layers, own


def _is_contained(live: Access, planned: Access) -> bool:
    """Whether the live statements are planned ones, with all planned Denys: then nothing is left to decide."""
    (layers, own), (planned_layers, planned_own) = _read(live), _read(planned)

    def effect(statements_of: Iterable[Statement], *, allow: bool) -> set[Statement]:
        return {one for one in statements_of if one.allow is allow}

    if live.known != planned.known or live.names != planned.names or len(layers) < len(planned_layers):
        return False
    if layers and (not planned_layers or bool(layers[0]) != bool(planned_layers[0])):
        return False
    pairs = [*zip(layers, planned_layers, strict=False), (own, planned_own)]
    allows = all(effect(one, allow=True) <= effect(other, allow=True) for one, other in pairs)
    denies = (effect(_flat([side]), allow=False) for side in ((planned_layers, planned_own), (layers, own)))
    return allows and next(denies) <= next(denies)


def _within(statement: Statement, bucket: str) -> Statement:
    if not bucket:
        return statement
    within = (glob(f"{S3}{bucket}"), glob(f"{S3}{bucket}/*"))
    return replace(
        statement,
        resources=replace(statement.resources, within=within),
        actions=replace(statement.actions, within=(glob("s3:*"),)),
    )


def _concerns(statement: Statement, access: Access) -> bool:
    """Whether a statement of a resource names the principal. A Deny for its account holds, an Allow delegates only."""
    names = access.names if statement.allow else access.names | access.accounts
    if statement.principals is not None and not _named(statement.principals, names, access):
        return False
    return not (statement.not_principals and _named(statement.not_principals, access.names | access.accounts, access))


def _named(principals: Sequence[str], names: frozenset[str], access: Access) -> bool:
    if access.cloud == "aistor":  # anonymous: the empty name, which a `?` at the end of a pattern matches, too
        return any(not (rest := one.lstrip("*")) or rest.startswith("?") for one in principals)
    return EVERYBODY in principals or not names.isdisjoint(principals)


def _all_keys(read: Iterable[Statement], live: Access) -> list[Key]:
    read = list(read)
    tests = [test for one in read for test in one.tests]
    if live.cloud == "aistor":
        tests.append(A_VERSION)
    unknowns = dict.fromkeys(text for one in read for text in one.unknowns)
    return [*keys(tests, live.cloud, live.known), *map(unknown, unknowns)]


def _needs(statement: Statement, masks: Mapping[Test, tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    tests = [*statement.tests, *(Test("", text, (), None) for text in statement.unknowns)]
    found: dict[int, int] = {}
    for test in tests:
        number, mask = masks[test]
        found[number] = found.get(number, -1) & mask
    return tuple(found.items())


def _mask(patterns: Sequence[Pattern], text: str) -> int:
    return sum(1 << n for n, pattern in enumerate(patterns) if matches(pattern, text))


#: A `Matcher` as masks of the numbers of its patterns.
_MatcherMask = tuple[int | None, int, int | None]


def _masks(matcher: Matcher, numbers: Mapping[Pattern, int]) -> _MatcherMask:
    some, none, within = (
        None if patterns is None else sum(1 << number for number in {numbers[pattern] for pattern in patterns})
        for patterns in (matcher.some, matcher.none, matcher.within)
    )
    return some, none or 0, within


def _hits(matcher: _MatcherMask, mask: int) -> bool:
    """Whether an element matches the strings of a class."""
    some, none, within = matcher
    return (some is None or bool(mask & some)) and not mask & none and (within is None or bool(mask & within))


def _lets_in(side: _Side, operation: Operation, cell: Mapping[str, int], states: Sequence[int]) -> _Truth:
    return _any(
        _all(_has(side, cell[need.action], states, unless_denied=need.unless_denied) for need in way)
        for way in operation.ways
    )


def _has(side: _Side, cell: int, states: Sequence[int], *, unless_denied: bool) -> _Truth:
    """Whether a side gives one permission."""
    denied = _any(_holds(held, states) for held in side.all() if cell >> held.number & 1 and not held.statement.allow)
    if denied is True:
        return False
    by_identity = bool(side.layers) and _all(
        True
        if unless_denied and n == 0 and layer
        else _any(_holds(held, states) for held in layer if cell >> held.number & 1 and held.statement.allow)
        for n, layer in enumerate(side.layers)
    )
    by_resource = _any(
        _holds(held, states) for held in side.of_resources if cell >> held.number & 1 and held.statement.allow
    )
    allowed = _any((by_identity, by_resource))
    return False if allowed is False else (None if denied is None else allowed)


def _holds(held: _Held, states: Sequence[int]) -> _Truth:
    found: _Truth = True
    for key, mask in held.needs:
        if not states[key] & mask:
            return False
        if states[key] & ~mask:
            found = None
    return found


def _any(truths: Iterable[_Truth]) -> _Truth:
    found: _Truth = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            found = None
    return found


def _all(truths: Iterable[_Truth]) -> _Truth:
    found: _Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def _open(side: _Side, cell: Mapping[str, int], states: Sequence[int]) -> tuple[int, int]:
    """A key that is still open for a statement of a side, with the states that the statement needs."""
    matched = 0
    for mask in cell.values():
        matched |= mask
    for held in side.all():
        if matched >> held.number & 1 and _holds(held, states) is None:
            for key, mask in held.needs:
                if states[key] & mask and states[key] & ~mask:
                    return key, mask
    raise AssertionError("a side is open only if a statement is")
