"""Names, secrets and their limits, as terraform-provider-minio 1.20.1 generates and checks them.

The one rule: a generated id or secret has the real form and length, so that code that parses or stores it gets a
realistic test. Left out: LDAP distinguished names.
"""

from __future__ import annotations

import base64
import itertools
import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECRET_BYTES = 40
_MOST_POLICY_NAME_CHARACTERS = 96
_counter = itertools.count(1)


def unique_id(prefix: str) -> str:
    """Return the prefix, 18 digits of the time and 8 hexadecimal digits of a counter."""
    now = datetime.now(UTC)
    return f"{prefix}{now:%Y%m%d%H%M%S}{now.microsecond // 100:04d}{next(_counter):08x}"


def new_secret() -> str:
    """Return a fresh secret key: 40 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def length_between(least: int, most: int) -> Callable[[str, str], str | None]:
    """Return a validator of a string's length."""

    def valid(value: str, path: str) -> str | None:
        if least <= len(value) <= most:
            return None
        return f"expected length of {path} to be in the range ({least} - {most}), got {value}"

    return valid


def one_of(*legal: str) -> Callable[[str, str], str | None]:
    """Return a validator of a choice."""

    def valid(value: str, path: str) -> str | None:
        listed = " ".join(f'"{item}"' for item in legal)
        return None if value in legal else f"expected {path} to be one of [{listed}], got {value}"

    return valid


def valid_policy_name(value: str, path: str) -> str | None:
    """Check the name of a policy."""
    if len(value) > _MOST_POLICY_NAME_CHARACTERS:
        return f'"{path}" cannot be longer than {_MOST_POLICY_NAME_CHARACTERS} characters, name is limited to 128'
    return None if re.fullmatch(r"[\w+=,.@:-]*", value, re.ASCII) else f'"{path}" must match [\\w+=,.@:-]'


def valid_user_name(value: str, path: str) -> str | None:
    """Check the name of a user."""
    if re.fullmatch(r"[0-9A-Za-z=,.@\-_+]+", value):
        return None
    return (
        "only alphanumeric characters, hyphens, underscores, commas, periods, @ symbols, plus and equals signs allowed "
        f'or a valid LDAP Distinguished Name (DN) in "{path}": "{value}"'
    )
