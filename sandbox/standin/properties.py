"""The table that describes a resource type: one `Property` per input or output, nested where the type nests.

The one rule: a table states facts of the real provider's schema (required, computed, default, forces a
replacement, secret, what is valid, what is equivalent) and holds no behaviour; `checking`, `planning` and
`differing` read it. Left out: Terraform's state upgraders, timeouts and custom diffs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sandbox.standin.values import UNKNOWN

Kind: TypeAlias = Literal["string", "number", "integer", "boolean", "list", "set", "map", "object"]
Validator: TypeAlias = "Callable[[Any, str], str | None]"

_ZERO: dict[str, Any] = {"string": "", "number": 0, "integer": 0, "boolean": False, "list": [], "set": [], "map": {}}


@dataclass(frozen=True)
class Property:
    """One property of a resource type or of a nested block.

    Attributes:
        kind: the shape of the value. An `object` is a block that Terraform allows once (its list flattened).
        required: the program must give it. With neither `required` nor `optional` it is only an output.
        optional: the program may give it.
        computed: the provider fills it if the program does not; unknown in a preview of a creation.
        default: Terraform's default. A truthy one is added to the inputs and named in `__defaults`; a falsy one
            appears only in the outputs (as in the bridge since its #2618).
        force_new: a change means a replacement.
        secret: marked in every answer.
        autonamed: without a value the bridge generates `<logical name>-<7 hex digits>`.
        fields: the block's own properties, for `object`, or for `list` and `set` of blocks.
        valid: given the value and its Terraform path, the reason why it is invalid, or None.
        equivalent: returns whether an old and a new value mean the same, so that nothing changes.
        conflicts_with: the other property (Pulumi name) that must not be given with this one.
        terraform_name: the name, if it is not the snake case of the Pulumi name (plurals of blocks).
        description: shown where the real provider shows it.
    """

    kind: Kind
    required: bool = False
    optional: bool = False
    computed: bool = False
    default: Any = None
    force_new: bool = False
    secret: bool = False
    autonamed: bool = False
    fields: Mapping[str, Property] | None = None
    valid: Validator | None = None
    equivalent: Callable[[Any, Any], bool] | None = None
    conflicts_with: str | None = None
    terraform_name: str | None = None
    description: str = ""

    @property
    def settable(self) -> bool:
        """Return whether a program may give the property."""
        return self.required or self.optional

    @property
    def zero(self) -> Any:  # noqa: ANN401 - the zero of any kind
        """Terraform's zero value of the kind, which its SDK does not distinguish from an absent value."""
        zero = _ZERO.get(self.kind)
        return type(zero)(zero) if isinstance(zero, list | dict) else zero


Table: TypeAlias = Mapping[str, Property]


def string(**facts: Any) -> Property:  # noqa: ANN401 - the fields of Property
    """Describe a string."""
    return Property("string", **facts)


def integer(**facts: Any) -> Property:  # noqa: ANN401 - the fields of Property
    """Describe a whole number."""
    return Property("integer", **facts)


def boolean(**facts: Any) -> Property:  # noqa: ANN401 - the fields of Property
    """Describe a boolean."""
    return Property("boolean", **facts)


def string_map(**facts: Any) -> Property:  # noqa: ANN401 - the fields of Property
    """Describe a map of strings."""
    return Property("map", **facts)


def block(fields: Table, **facts: Any) -> Property:  # noqa: ANN401 - the fields of Property
    """Describe a nested object that may be given once."""
    return Property("object", fields=fields, **facts)


def blocks(fields: Table, **facts: Any) -> Property:  # noqa: ANN401 - the fields of Property
    """Describe a list of nested objects."""
    return Property("list", fields=fields, **facts)


def terraform_name(name: str, prop: Property | None) -> str:
    """Return the name that Terraform's messages use for a Pulumi property."""
    if prop is not None and prop.terraform_name is not None:
        return prop.terraform_name
    return re.sub(r"[A-Z]", lambda letter: "_" + letter.group().lower(), name)


def is_zero(value: object) -> bool:
    """Return whether Terraform's SDK treats the value as absent."""
    return value is not UNKNOWN and (value is None or value in ("", 0, False, [], {}))
