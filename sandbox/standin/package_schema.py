"""The package schema of a plugin, generated from its tables.

The one rule: it is only as accurate as the tables; programs use the real SDK. Left out: descriptions, languages,
functions and nested type names (nested blocks are plain objects).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.standin.properties import Property, Table
    from sandbox.standin.resource import ResourceType
    from sandbox.standin.values import Bag

_JSON_TYPES = {"string": "string", "number": "number", "integer": "integer", "boolean": "boolean"}


def package_schema(name: str, version: str, config: Table, types: Mapping[str, ResourceType[Any]]) -> Bag:
    """Return the Pulumi package schema."""
    inputs = {key: _property(prop) for key, prop in config.items()}
    required = [key for key, prop in config.items() if prop.required]
    return {
        "name": name,
        "version": version,
        "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},
        "config": {"variables": inputs},
        "provider": {"inputProperties": inputs, "requiredInputs": required},
        "resources": {token: _resource(kind.table) for token, kind in types.items()},
    }


def _resource(table: Table) -> Bag:
    return {
        "properties": {name: _property(prop) for name, prop in table.items()},
        "required": [name for name, prop in table.items() if prop.required or prop.computed],
        "inputProperties": {name: _property(prop) for name, prop in table.items() if prop.settable},
        "requiredInputs": [name for name, prop in table.items() if prop.required and not prop.autonamed],
    }


def _property(prop: Property) -> Bag:
    found: Bag = {"secret": True} if prop.secret else {}
    if prop.kind in _JSON_TYPES:
        return {**found, "type": _JSON_TYPES[prop.kind]}
    if prop.kind in ("list", "set"):
        items = {"type": "string"} if prop.fields is None else {"$ref": "pulumi.json#/Any"}
        return {**found, "type": "array", "items": items}
    if prop.kind == "map":
        return {**found, "type": "object", "additionalProperties": {"type": "string"}}
    return {**found, "$ref": "pulumi.json#/Any"}
