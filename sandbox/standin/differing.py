"""Diff: the properties that change between the prior state and the plan, how, and which force a replacement.

The one rule: paths, kinds and stables are those of pulumi-terraform-bridge's detailed diff (detailed_diff.go). It
compares states, not inputs, so a drift found by a refresh is also a change. Left out: the bridge's guess at which
element of a set was meant.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sandbox.standin.checking import DEFAULTS
from sandbox.standin.properties import Property, Table
from sandbox.standin.values import UNKNOWN, Bag

ChangeKind: TypeAlias = Literal["ADD", "ADD_REPLACE", "DELETE", "DELETE_REPLACE", "UPDATE", "UPDATE_REPLACE"]
_REPLACING: dict[str, ChangeKind] = {"ADD": "ADD_REPLACE", "DELETE": "DELETE_REPLACE", "UPDATE": "UPDATE_REPLACE"}


@dataclass(frozen=True)
class Difference:
    """The answer to a Diff.

    Attributes:
        detailed: property path -> kind of change; empty when nothing changes.
        replaces: top-level properties that force the replacement.
        stables: properties that certainly keep their value.
        delete_before_replace: the new resource cannot exist beside the old one.
    """

    detailed: dict[str, ChangeKind] = field(default_factory=dict)
    replaces: list[str] = field(default_factory=list)
    stables: list[str] = field(default_factory=list)
    delete_before_replace: bool = False

    @property
    def changes(self) -> bool:
        """Return whether something changes."""
        return bool(self.detailed)

    @property
    def diffs(self) -> list[str]:
        """The top-level properties that change."""
        return sorted({_top_level(path) for path in self.detailed})


def difference(
    table: Table, prior: Mapping[str, object], planned: Mapping[str, object], inputs: Mapping[str, object]
) -> Difference:
    """Compare the prior state with the plan for the inputs."""
    detailed: dict[str, ChangeKind] = {}
    for name, prop in table.items():
        detailed |= _changes(prop, prior.get(name), planned.get(name), name, forcing=prop.force_new)
    replaces = sorted({_top_level(path) for path, kind in detailed.items() if kind.endswith("_REPLACE")})
    return Difference(
        detailed,
        replaces,
        sorted(name for name, prop in table.items() if prop.force_new and name not in replaces),
        bool(replaces) and _named_by_the_program(table, inputs),
    )


def without_ignored(prior: Mapping[str, object], inputs: Mapping[str, object], ignored: Sequence[str]) -> Bag:
    """Return the inputs with the prior value for each path in `ignore_changes`."""
    kept: Bag = json.loads(json.dumps(dict(inputs), default=_keep_unknown), object_hook=_restore_unknown)
    for path in ignored:
        source: Any = prior
        target: Any = kept
        steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]\"]+", path)]
        for step in steps[:-1]:
            source, target = _at(source, step), _at(target, step)
        if isinstance(target, dict | list):
            _put(target, steps[-1], _at(source, steps[-1]))
    return kept


def _named_by_the_program(table: Table, inputs: Mapping[str, object]) -> bool:
    """Return whether the program gave a name that is usually generated, so that old and new would clash."""
    defaults = inputs.get(DEFAULTS)
    if not isinstance(defaults, list):
        return False
    return any(prop.autonamed and name in inputs and name not in defaults for name, prop in table.items())


def _changes(prop: Property, old: Any, new: Any, path: str, *, forcing: bool) -> dict[str, ChangeKind]:  # noqa: ANN401 - any JSON values
    if prop.kind in ("list", "set"):  # here an empty list counts as absent, an empty map does not
        old, new = old or None, new or None
    if old is None or new is None or new is UNKNOWN:
        return _short_change(prop, old, new, path, forcing=forcing)
    if prop.kind == "object" and prop.fields is not None:
        return _block_changes(prop.fields, old, new, path, forcing=forcing)
    if prop.kind == "map":
        return _map_changes(old, new, path, forcing=forcing)
    if prop.kind in ("list", "set"):
        compare = _scalar_list_changes if prop.fields is None else _list_changes
        return compare(prop, old, new, path, forcing=forcing)
    return {} if old == new else {path: "UPDATE_REPLACE" if forcing else "UPDATE"}


def _short_change(prop: Property, old: Any, new: Any, path: str, *, forcing: bool) -> dict[str, ChangeKind]:  # noqa: ANN401 - any JSON values
    """Compare if one side is absent or the new one is unknown; the path ends here."""
    if old is None and new is None:
        return {}
    kind: ChangeKind = "ADD" if old is None else "DELETE" if new is None else "UPDATE"
    nested = prop.fields is not None and _forces_inside(prop.fields, old if new in (None, UNKNOWN) else new)
    return {path: _REPLACING[kind] if forcing or nested else kind}


def _block_changes(fields: Table, old: Any, new: Any, path: str, *, forcing: bool) -> dict[str, ChangeKind]:  # noqa: ANN401 - any JSON values
    found: dict[str, ChangeKind] = {}
    for name, prop in fields.items():
        found |= _changes(prop, old.get(name), new.get(name), f"{path}.{name}", forcing=forcing or prop.force_new)
    return found


def _map_changes(old: Bag, new: Bag, path: str, *, forcing: bool) -> dict[str, ChangeKind]:
    found: dict[str, ChangeKind] = {}
    for key in sorted(old.keys() | new.keys()):
        step = f".{key}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", key) else f'["{key}"]'
        found |= _changes(Property("string"), old.get(key), new.get(key), path + step, forcing=forcing)
    return found


def _list_changes(prop: Property, old: list[Any], new: list[Any], path: str, *, forcing: bool) -> dict[str, ChangeKind]:
    if prop.kind == "set":
        shared = [_identity(item) for item in old if _identity(item) in {_identity(one) for one in new}]
        old = [item if _identity(item) not in shared else None for item in old]
        new = [item if _identity(item) not in shared else None for item in new]
    found: dict[str, ChangeKind] = {}
    element = Property("object", fields=prop.fields)
    for place in range(max(len(old), len(new))):
        before = old[place] if place < len(old) else None
        after = new[place] if place < len(new) else None
        found |= _changes(element, before, after, f"{path}[{place}]", forcing=forcing)
    return found


def _scalar_list_changes(
    prop: Property, old: list[Any], new: list[Any], path: str, *, forcing: bool
) -> dict[str, ChangeKind]:
    before, after = [_identity(item) for item in old], [_identity(item) for item in new]
    if prop.kind == "set":
        removed = {place for place, item in enumerate(before) if item not in after}
        added = {place for place, item in enumerate(after) if item not in before}
    else:
        removed, added = set(), set()
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if tag != "equal":
                removed |= set(range(i1, i2))
                added |= set(range(j1, j2))
    found: dict[str, ChangeKind] = {}
    for place in sorted(removed | added):
        kind: ChangeKind = "UPDATE" if place in removed & added else "DELETE" if place in removed else "ADD"
        found[f"{path}[{place}]"] = _REPLACING[kind] if forcing else kind
    return found


def _forces_inside(fields: Table, value: Any) -> bool:  # noqa: ANN401 - any JSON value
    items = value if isinstance(value, list) else [value]
    return any(
        isinstance(item, dict)
        and any(
            item.get(name) is not None
            and (prop.force_new or (prop.fields is not None and _forces_inside(prop.fields, item[name])))
            for name, prop in fields.items()
        )
        for item in items
    )


def _identity(item: object) -> str:
    return json.dumps(item, sort_keys=True, default=_keep_unknown)


def _keep_unknown(value: object) -> dict[str, str]:
    if value is UNKNOWN:
        return {"__unknown__": ""}
    raise TypeError(f"a {type(value).__name__} is not a property value")


def _restore_unknown(value: Bag) -> Any:  # noqa: ANN401 - a bag, or unknown
    return UNKNOWN if "__unknown__" in value else value


def _top_level(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _at(value: Any, step: str | int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return value.get(step) if isinstance(value, Mapping) else None


def _put(target: Any, step: str | int, value: Any) -> None:  # noqa: ANN401 - any JSON value
    if isinstance(target, list) and isinstance(step, int) and step < len(target):
        target[step] = value
    elif isinstance(target, dict) and value is None:
        target.pop(step, None)
    elif isinstance(target, dict):
        target[step] = value
