"""The values between engine and plugin: plain Python, the unknown, and the secret.

The one rule: inside the stand-ins a property bag is a plain `dict`. `UNKNOWN` means a value that only an apply can
provide; `Secret(x)` means a value that must be encrypted in the state. The signatures of the wire form appear only in
this module. Left out: assets, archives and resource references, which no type of the stand-ins accepts.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from google.protobuf import struct_pb2

Bag: TypeAlias = dict[str, Any]

# The constants are Pulumi's own, from sdk/go/common/resource and sdk/go/common/resource/plugin.
_UNKNOWN_TOKENS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # without a declared type; the only one in use
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # a boolean
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an array
        "e48ece36-62e2-4504-bad9-02848725956a",  # an asset
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)
_UNKNOWN_TOKEN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # noqa: S105 - Pulumi's name for an unknown, no credential
_SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - marks a secret, is none
_OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


class Unknown(enum.Enum):
    """The type of `UNKNOWN`; an enum, so that identity survives copying and mypy can narrow on it."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        """Show the form that the recorded calls use."""
        return "<unknown>"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that the engine must encrypt in the state and hide in its output."""

    value: Any = field(repr=False)


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value, and secrets at any depth
    """Return the value with every `Secret` opened, for the server."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def has_unknown(value: object) -> bool:
    """Return whether the value contains an unknown."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


def from_wire(struct: struct_pb2.Struct) -> Bag:
    """Decode a property bag as the engine sends it."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def to_wire(bag: Mapping[str, object]) -> struct_pb2.Struct:
    """Encode a property bag as the engine expects it."""
    return struct_pb2.Struct(fields={key: _encode(value) for key, value in bag.items()})


def _decode(value: struct_pb2.Value) -> Any:  # noqa: ANN401 - any JSON value
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_object(value.struct_value)
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWN_TOKENS else value.string_value
    return value.bool_value if kind == "bool_value" else None


def _decode_object(struct: struct_pb2.Struct) -> Any:  # noqa: ANN401 - a bag, or what a marked object wraps
    signature = struct.fields[_SIGNATURE_KEY].string_value if _SIGNATURE_KEY in struct.fields else None
    if signature == _SECRET_SIGNATURE:
        return Secret(_decode(struct.fields["value"]))
    if signature == _OUTPUT_SIGNATURE:
        inner = _decode(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        return Secret(inner) if "secret" in struct.fields and struct.fields["secret"].bool_value else inner
    return from_wire(struct)


def _encode(value: object) -> struct_pb2.Value:
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=to_wire(value))
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(item) for item in value]))
    if isinstance(value, Secret):
        return struct_pb2.Value(struct_value=to_wire({_SIGNATURE_KEY: _SECRET_SIGNATURE, "value": value.value}))
    return _encode_scalar(value)


def _encode_scalar(value: object) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=_UNKNOWN_TOKEN)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    raise TypeError(
        f"a {type(value).__name__} cannot be sent to the engine; a property is a string, number, boolean, list, "
        "dict, None, UNKNOWN or Secret: convert it in the resource type's hook"
    )
