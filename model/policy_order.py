"""The order in which an identity's policies change, so that it never lacks what it has before and after an update.

A policy of limited size holds a part of an identity's domains (`model.policies.identity_policies`). If a domain is
added or removed before the last one, others move to a neighbouring policy. The engine changes policies at the same
time, so for seconds such a domain could be in neither.

The rule: a policy that gains a domain from another one changes first. This is always possible while the domains keep
their order: then each boundary between two policies moves in one direction, so the domains that cross it do, too, and
no cycle arises. Domains in another order can need a cycle; then something is left out, and the order says so. Pure.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from model.policies import PolicyDocument
from model.resources import with_numbers

#: A policy's number in the program; the first has none.
Number = int | None
Grant = tuple[str, str, str]
#: The JSON text of the policies in a state, by identity and number.
FormerPolicies = Mapping[str, Mapping[Number, str]]


@dataclass(frozen=True)
class Step:
    """A policy to declare.

    Attributes:
        number: Its number.
        document: Its document.
        after: The numbers of the policies that must be changed and attached before it changes.
    """

    number: Number
    document: PolicyDocument
    after: tuple[Number, ...]


@dataclass(frozen=True)
class Order:
    """The policies of an identity.

    Attributes:
        steps: Each after the ones that it waits for.
        is_complete: Whether no moment lacks a grant; false after a change of the domains' order.
    """

    steps: tuple[Step, ...]
    is_complete: bool


def update_order(former: Mapping[Number, str], documents: Sequence[PolicyDocument]) -> Order:
    """The order for an identity's policies.

    Args:
        former: The JSON text of each policy in the state, by number; a text that is not a policy counts as empty.
        documents: The planned documents.
    """
    new = dict(with_numbers(documents))
    after: dict[Number, list[Number]] = {number: [] for number in new}
    complete = True
    if len(new) > 1 and former:
        gained, lost = _changes({number: _grants_of_text(text) for number, text in former.items()}, new)
        for source, target in product(new, new):
            if lost[source] & gained[target]:
                if _waits_for(after, target, source):
                    complete = False
                else:
                    after[source].append(target)
    return Order(tuple(Step(number, new[number], tuple(after[number])) for number in _sorted(after)), complete)


def grants(document: PolicyDocument) -> frozenset[Grant]:
    """What a document allows: each action on each resource, with its condition."""
    return frozenset(
        (action, resource, json.dumps(statement.get("Condition"), sort_keys=True))
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action, resource in product(_listed(statement["Action"]), _listed(statement.get("Resource", [])))
    )


def _changes(
    before: Mapping[Number, frozenset[Grant]], new: Mapping[Number, PolicyDocument]
) -> tuple[dict[Number, frozenset[Grant]], dict[Number, frozenset[Grant]]]:
    """What each planned policy gains and loses."""
    planned = {number: grants(document) for number, document in new.items()}
    nothing: frozenset[Grant] = frozenset()
    gained = {number: held - before.get(number, nothing) for number, held in planned.items()}
    lost = {number: before.get(number, nothing) - held for number, held in planned.items()}
    return gained, lost


def _grants_of_text(text: str) -> frozenset[Grant]:
    try:
        return grants(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError):
        return frozenset()


def _listed(value: Collection[str]) -> Collection[str]:
    """A server may write one value without its list."""
    return [value] if isinstance(value, str) else value


def _waits_for(after: Mapping[Number, Sequence[Number]], one: Number, other: Number) -> bool:
    """Whether one policy waits for another, directly or not."""
    return one == other or any(_waits_for(after, earlier, other) for earlier in after[one])


def _sorted(after: Mapping[Number, Sequence[Number]]) -> list[Number]:
    """Each number after those that it waits for."""
    found: list[Number] = []
    while len(found) < len(after):
        found += [number for number in after if number not in found and set(after[number]) <= set(found)]
    return found
