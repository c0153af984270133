"""The checks that the AWS provider makes before it calls AWS, in its own words.

The one rule: a validator gets a value with its Terraform path, and returns the provider's complaint or None. Left
out: every limit that the provider leaves to AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

Validator = Callable[[object, str], str | None]

_ACCOUNT_ID: Final = re.compile(r"\d{12}")
_ARN_SECTIONS: Final = 6


def one_of(*values: str) -> Validator:
    """Return a validator for an enumeration."""

    def complaint(value: object, path: str) -> str | None:
        if value in values:
            return None
        legal = " ".join(f'"{item}"' for item in values)
        return f"expected {path} to be one of [{legal}], got {value}"

    return complaint


def framework_enum(*values: str) -> Validator:
    """Return a validator for an enumeration of a plugin-framework resource."""

    def complaint(value: object, path: str) -> str | None:
        if value in values:
            return None
        return (
            "Invalid String Enum Value. A string value was provided that is not valid for an enum.\n\n"
            f"Path: {path}\nGiven Value: {value}\nValid Values: {', '.join(values)}"
        )

    return complaint


def length(shortest: int, longest: int) -> Validator:
    """Return a validator for the length of a string."""

    def complaint(value: object, path: str) -> str | None:
        if shortest <= len(str(value)) <= longest:
            return None
        return f"expected length of {path} to be in the range ({shortest} - {longest}), got {value}"

    return complaint


def matching(pattern: str, explanation: str) -> Validator:
    """Return a validator for a regular expression, with the provider's explanation of it."""
    compiled = re.compile(pattern)

    def complaint(value: object, path: str) -> str | None:
        return None if compiled.fullmatch(str(value)) else f"invalid value for {path} ({explanation})"

    return complaint


def at_least(smallest: int) -> Validator:
    """Return a validator for a number's lower bound, as the plugin framework words it."""

    def complaint(value: object, path: str) -> str | None:
        if isinstance(value, int | float) and value < smallest:
            return f"Invalid Attribute Value. Attribute {path} value must be at least {smallest}, got: {value}"
        return None

    return complaint


def account_id(value: object, path: str) -> str | None:
    """Check an AWS account id."""
    if not str(value) or _ACCOUNT_ID.fullmatch(str(value)):
        return None
    return f'"{path}" doesn\'t look like AWS Account ID (exactly 12 digits): "{value}"'


def arn(value: object, path: str) -> str | None:
    """Check an ARN's form."""
    text = str(value)
    if not text.startswith("arn:"):
        return f'"{path}" ({text}) is an invalid ARN: arn: invalid prefix'
    if len(text.split(":", _ARN_SECTIONS - 1)) < _ARN_SECTIONS:
        return f'"{path}" ({text}) is an invalid ARN: arn: not enough sections'
    return None
