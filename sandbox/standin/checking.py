"""Check: turns the program's inputs into the plugin's inputs, with defaults, names and failures.

The one rule: the words of a failure and the `__defaults` markers are those of pulumi-terraform-bridge (its
check_failures.go and applyDefaults), because a user reads the former and the engine keeps the latter in the
state. Left out: the bridge's experimental type warnings, and deprecation warnings.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sandbox.standin.properties import Property, Table, terraform_name
from sandbox.standin.values import UNKNOWN, Bag, Secret, has_unknown, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULTS = "__defaults"
AutonamingMode: TypeAlias = Literal["propose", "enforce", "disable"]
_NAME_SUFFIX_DIGITS = 7
_SCALARS = ("string", "boolean", "integer", "number")

_GO_BOOLEANS = {
    text: truth
    for truth, texts in ((True, "1 t T TRUE true True"), (False, "0 f F FALSE false False"))
    for text in texts.split()
}


class NamingDisabledError(Exception):
    """The engine forbids generated names, and the program gave no name."""


@dataclass(frozen=True)
class Autonaming:
    """The engine's request for a generated name: its own proposal, or no generated name."""

    proposed: str = ""
    mode: AutonamingMode = "propose"


@dataclass(frozen=True)
class Checked:
    """The completed inputs, and the reasons why they are not acceptable."""

    inputs: Bag
    failures: list[str] = field(default_factory=list)


def check(
    table: Table,
    news: Mapping[str, object],
    olds: Mapping[str, object] | None = None,
    *,
    logical_name: str = "",
    seed: bytes = b"",
    autonaming: Autonaming | None = None,
) -> Checked:
    """Validate the inputs and complete them with defaults.

    Args:
        table: the resource type's properties.
        news: the program's inputs.
        olds: the checked inputs of the last time, whose defaults stay.
        logical_name: the resource's name in the program; failures and generated names begin with it.
        seed: makes a generated name the same in preview and apply.
        autonaming: the engine's request about generated names.
    """
    given = _coerced_bag(table, _without_nulls(plain(news)))
    old = plain(olds) if olds else {}
    named = _invent_names(table, given, old, logical_name, seed, autonaming or Autonaming())
    failures = [
        f"{reason}. Examine values at '{logical_name}.{path}'." for path, reason in _failures(table, {**given, **named})
    ]
    inputs = _with_defaults(table, given, old, named)
    return Checked(_mark_secret_inputs(table, inputs), failures)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _invent_names(table: Table, given: Bag, old: Bag, logical_name: str, seed: bytes, autonaming: Autonaming) -> Bag:
    invented: Bag = {}
    for name, prop in table.items():
        if not prop.autonamed or name in given or prop.conflicts_with in given:
            continue
        if name in old and name in old.get(DEFAULTS, [name]):
            invented[name] = old[name]
        elif autonaming.mode == "disable":
            raise NamingDisabledError("automatic naming is disabled but no explicit name was provided")
        elif autonaming.proposed:
            invented[name] = autonaming.proposed
        else:
            digits = hashlib.sha256(seed or logical_name.encode()).hexdigest()[:_NAME_SUFFIX_DIGITS]
            invented[name] = f"{logical_name}-{digits}"
    return invented


def _with_defaults(table: Table, given: Bag, old: Bag, named: Bag) -> Bag:
    inputs: Bag = {
        name: _nested_defaults(table[name], value, old.get(name)) if name in table else value
        for name, value in given.items()
    }
    defaults: Bag = dict(named)
    for name, prop in table.items():
        if name in inputs or name in defaults or not prop.default or not prop.settable:
            continue
        if prop.conflicts_with in inputs:
            continue
        kept = name in old and name in old.get(DEFAULTS, [name])
        defaults[name] = old[name] if kept else prop.default
    return {**inputs, **defaults, DEFAULTS: sorted(defaults)}


def _nested_defaults(prop: Property, value: Any, old: Any) -> Any:  # noqa: ANN401 - any JSON value
    if prop.fields is None:
        return value
    if prop.kind == "object" and isinstance(value, dict):
        return _with_defaults(prop.fields, value, old if isinstance(old, dict) else {}, {})
    if isinstance(value, list):
        olds = old if isinstance(old, list) else []
        return [
            _with_defaults(prop.fields, item, olds[place] if place < len(olds) else {}, {})
            if isinstance(item, dict)
            else item
            for place, item in enumerate(value)
        ]
    return value


def _failures(table: Table, given: Bag, path: str = "", terraform_path: str = "") -> Iterator[tuple[str, str]]:
    for name, prop in table.items():
        here, there = path + name, terraform_path + terraform_name(name, prop)
        if name not in given:
            if prop.required:
                yield (
                    here,
                    (f'Missing required argument. The argument "{there}" is required, but no definition was found.'),
                )
            continue
        if not prop.settable:
            yield (
                here,
                (
                    f'Value for unconfigurable attribute. Can\'t configure a value for "{there}": its value will be '
                    "decided automatically based on the result of applying this configuration."
                ),
            )
            continue
        if prop.conflicts_with in given:
            other = terraform_name(str(prop.conflicts_with), table.get(str(prop.conflicts_with)))
            yield here, f'Conflicting configuration arguments. "{there}": conflicts with {other}'
        yield from _value_failures(prop, given[name], here, there)
    for name in given:
        if name not in table:
            yield path + name, "Invalid or unknown key"


def _value_failures(prop: Property, value: Any, path: str, terraform_path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    if value is UNKNOWN:
        return
    misfit = _misfit(prop, value)
    if misfit is not None:
        yield path, misfit
        return
    if prop.fields is not None and prop.kind == "object":
        yield from _block_failures(prop.fields, value, path, f"{terraform_path}.0.")
    elif prop.fields is not None:
        for place, item in enumerate(value):
            yield from _block_failures(prop.fields, item, f"{path}[{place}]", f"{terraform_path}.{place}.")
    if prop.valid is not None and not has_unknown(value):
        reason = prop.valid(value, terraform_path)
        if reason is not None:
            yield path, reason


def _block_failures(fields: Table, item: Any, path: str, terraform_path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    if isinstance(item, dict):
        yield from _failures(fields, item, f"{path}.", terraform_path)
    elif item is not UNKNOWN:
        yield path, f"Expected Object Type. Expected object, got {_go_type(item)}"


def _misfit(prop: Property, value: object) -> str | None:
    """Return why the value does not have the property's kind, in the words of Terraform's SDK."""
    if prop.kind in _SCALARS and isinstance(value, list | dict):
        return f"Attribute must be a single value, not a {'list' if isinstance(value, list) else 'map'}"
    if prop.kind == "boolean" and not isinstance(value, bool):
        return f"cannot parse '' as bool: strconv.ParseBool: parsing \"{value}\": invalid syntax"
    if prop.kind in ("integer", "number") and not isinstance(value, int | float):
        return f"cannot parse '' as int: strconv.ParseInt: parsing \"{value}\": invalid syntax"
    if prop.kind == "map" and not isinstance(value, dict):
        return "Attribute must be a map"
    return None


def _go_type(value: object) -> str:
    return "string" if isinstance(value, str) else "bool" if isinstance(value, bool) else "number"


def _coerced_bag(table: Table, bag: Bag) -> Bag:
    return {name: _coerced(table[name], value) if name in table else value for name, value in bag.items()}


def _coerced(prop: Property, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Convert "5" to 5, 5 to "5", "true" to true, and one value to a list of one, as the bridge does."""
    if value is UNKNOWN:
        return value
    if prop.fields is not None:
        return _coerced_blocks(prop, prop.fields, value)
    if prop.kind in ("list", "set"):
        return value if isinstance(value, list) else [value]
    return _coerced_scalar(prop.kind, value)


def _coerced_scalar(kind: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if kind == "string" and isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if kind == "boolean" and isinstance(value, str):
        return _GO_BOOLEANS.get(value, value)
    if kind in ("integer", "number") and isinstance(value, str):
        return int(value) if re.fullmatch(r"[+-]?\d+", value) else value
    return int(value) if kind == "integer" and isinstance(value, float) else value


def _coerced_blocks(prop: Property, fields: Table, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if prop.kind == "object":
        return _coerced_bag(fields, value) if isinstance(value, dict) else value
    listed = value if isinstance(value, list) else [value]
    return [_coerced_bag(fields, item) if isinstance(item, dict) else item for item in listed]


def _mark_secret_inputs(table: Table, inputs: Bag) -> Bag:
    return {
        name: Secret(value) if name in table and table[name].secret and value is not None else value
        for name, value in inputs.items()
    }
