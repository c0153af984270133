"""Inputs from outputs: a refresh or an import returns the inputs that would give the state just read.

The one rule: a refresh returns only inputs that existed before; an import returns every input that is neither zero
nor Terraform's default (pulumi-terraform-bridge, ExtractInputsFromOutputs). Neither invents a secret that the
server does not return. Left out: the matching of reordered set elements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.standin.checking import DEFAULTS
from sandbox.standin.properties import Property, Table, is_zero
from sandbox.standin.values import Bag, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping


def refreshed_inputs(old_inputs: Mapping[str, object], state: Mapping[str, object]) -> Bag:
    """Return the old inputs with the read values, and without the markers of defaults."""
    return {
        name: _refreshed(value, state[name]) for name, value in old_inputs.items() if name != DEFAULTS and name in state
    }


def imported_inputs(table: Table, state: Mapping[str, object]) -> Bag:
    """Return the inputs with which a program would get the state."""
    inputs: Bag = {}
    for name, prop in table.items():
        if not prop.settable:
            continue
        value = _imported(prop, state.get(name))
        if not prop.required and _is_default(prop, value):
            continue
        inputs[name] = value
    return {**inputs, DEFAULTS: []}


def _refreshed(old: Any, new: Any) -> Any:  # noqa: ANN401 - any JSON values
    if isinstance(old, list) and isinstance(new, list):
        return [_refreshed(one, other) for one, other in zip(old, new, strict=False)]
    if isinstance(old, dict) and isinstance(new, dict):
        return refreshed_inputs(old, new)
    return new


def _imported(prop: Property, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return imported_inputs(prop.fields, value) if prop.fields is not None else {**value, DEFAULTS: []}
    if isinstance(value, list) and prop.fields is not None:
        return [imported_inputs(prop.fields, item) if isinstance(item, dict) else item for item in value]
    return value


def _is_default(prop: Property, value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether an import omits the value; it keeps an unread property with a default (a null)."""
    opened = value.value if isinstance(value, Secret) else value
    if prop.default is not None:
        return bool(opened == prop.default)
    return is_zero(opened) or opened == {DEFAULTS: []}
