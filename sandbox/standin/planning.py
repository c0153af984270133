"""Plan and outcome: from prior state and inputs to the state that a preview shows, and to the state after an apply.

The one rule: Terraform's SDK does not distinguish "absent" from the zero value, and the value that it writes (null,
empty or zero) differs between a creation, an update and a read. This module keeps these three forms apart, because
Pulumi stores them and the next diff sees them. The forms were measured on the real plugin (the recorded calls in
tests/sandbox/standin/data). Left out: custom diffs, and unknown list lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.standin.checking import DEFAULTS
from sandbox.standin.properties import Property, Table, is_zero
from sandbox.standin.values import UNKNOWN, Bag, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTAINERS = ("list", "set", "map")


def plan_creation(table: Table, inputs: Mapping[str, object]) -> Bag:
    """Return the state that a creation will leave, as far as it is known in advance."""
    return {name: _planned(prop, inputs.get(name), None, creating=True) for name, prop in table.items()}


def plan_update(table: Table, prior: Mapping[str, object], inputs: Mapping[str, object]) -> Bag:
    """Return the state that an update will leave; the prior state itself when nothing changes."""
    before = {name: prior.get(name) for name in table}
    filled = {name: _zero_filled(prop, before[name]) for name, prop in table.items()}
    planned = {name: _planned(prop, inputs.get(name), filled[name], creating=False) for name, prop in table.items()}
    return before if _means_the_same(filled, planned) else planned


def applied(table: Table, planned: Mapping[str, object], values: Mapping[str, object]) -> Bag:
    """Return the state after an apply.

    Args:
        table: the resource type's properties.
        planned: the result of `plan_creation` or `plan_update`.
        values: the properties that the resource type set from the server's answer.
    """
    return {
        name: _settled(prop, values[name] if name in values else planned.get(name), planned.get(name), nested=False)
        for name, prop in table.items()
    }


def refreshed(table: Table, prior: Mapping[str, object], values: Mapping[str, object]) -> Bag:
    """Return the state after a read: the properties that the resource type set, and the prior state for all others."""
    return {name: values[name] if name in values else prior.get(name) for name in table}


def mark_secrets(table: Table, state: Mapping[str, object]) -> Bag:
    """Wrap the values that the table marks as secret."""
    return {name: Secret(value) if name in table and table[name].secret else value for name, value in state.items()}


def _planned(prop: Property, given: Any, prior: Any, *, creating: bool) -> Any:  # noqa: ANN401 - any JSON value
    if given is UNKNOWN:
        return UNKNOWN
    if given is None:
        return _planned_absent(prop, prior, creating=creating)
    if prop.equivalent is not None and prior is not None and prop.equivalent(prior, given):
        return prior
    if prop.fields is None:
        return _planned_plain(prop, given)
    if prop.kind == "object":
        return _planned_block(prop.fields, given, prior, creating=creating)
    priors = prior if isinstance(prior, list) else []
    return [
        _planned_block(prop.fields, item, priors[place] if place < len(priors) else None, creating=creating)
        for place, item in enumerate(given)
    ]


def _planned_absent(prop: Property, prior: Any, *, creating: bool) -> Any:  # noqa: ANN401 - any JSON value
    if prop.computed:
        return UNKNOWN if creating else prior
    if prop.default is not None:
        return prop.default
    if is_zero(prior):
        return prior
    return {} if prop.kind == "map" else None


def _planned_plain(prop: Property, given: Any) -> Any:  # noqa: ANN401 - any JSON value
    if prop.kind == "map":
        return {key: item for key, item in given.items() if key != DEFAULTS}
    return UNKNOWN if isinstance(given, list) and UNKNOWN in given else given


def _planned_block(fields: Table, given: Any, prior: Any, *, creating: bool) -> Any:  # noqa: ANN401 - a block, or unknown
    if not isinstance(given, dict):
        return given
    known = prior if isinstance(prior, dict) else {}
    return {name: _planned(prop, given.get(name), known.get(name), creating=creating) for name, prop in fields.items()}


def _zero_filled(prop: Property, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Fill absent values inside blocks, as the SDK does when it reads a state in order to change it."""
    if prop.fields is None or value is None:
        return value
    fields = prop.fields

    def filled(item: Bag) -> Bag:
        return {
            name: _zero_filled(inner, item[name]) if item.get(name) is not None else inner.zero
            for name, inner in fields.items()
        }

    if isinstance(value, dict):
        return filled(value)
    return [filled(item) if isinstance(item, dict) else item for item in value]


def _means_the_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON values
    if is_zero(one) and is_zero(other):
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_means_the_same(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_means_the_same, one, other))
    return bool(one == other)


def _settled(prop: Property, value: Any, planned: Any, *, nested: bool) -> Any:  # noqa: ANN401 - any JSON values
    if value is UNKNOWN:
        value = None
    if prop.kind in _CONTAINERS and is_zero(value) and planned is not UNKNOWN and is_zero(planned):
        return planned
    if value is None:
        return prop.zero if nested and prop.kind not in _CONTAINERS else None
    if prop.fields is None:
        return value
    if isinstance(value, dict):
        return _settled_block(prop.fields, value, planned)
    plans = planned if isinstance(planned, list) else []
    return [
        _settled_block(prop.fields, item, plans[place] if place < len(plans) else None)
        for place, item in enumerate(value)
    ]


def _settled_block(fields: Table, item: Bag, planned: Any) -> Bag:  # noqa: ANN401 - a block, unknown or absent
    if not isinstance(planned, dict):  # it has no plan, so it stays as the server returned it
        return item
    return {name: _settled(prop, item.get(name), planned.get(name), nested=True) for name, prop in fields.items()}
