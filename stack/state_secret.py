"""A secret in the form that Pulumi's exported deployments use.

The rule: a clear-text value goes to the engine only on standard input, and the engine encrypts it. A value that is read
in clear text is redacted from all output (`model.secrecy.redaction`).

Source: https://www.pulumi.com/docs/iac/concepts/secrets/
"""

import json
from typing import Any

from model.secrecy.redaction import keep_secret

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_MARK = {_SIGNATURE: "1b47061264138c4ac30d75fd1eb44270"}


def secret(value: str) -> dict[str, str]:
    """A secret for the engine to encrypt."""
    return {**_MARK, "plaintext": json.dumps(value)}


def is_secret(value: object) -> bool:
    """Whether a property of a state is marked as a secret."""
    return isinstance(value, dict) and _SIGNATURE in value


def revealed(value: Any) -> Any:  # noqa: ANN401 - any property
    """A property of an export with secrets, in clear text; a value that is still encrypted becomes an empty text."""
    if not is_secret(value):
        return value
    plain = json.loads(value.get("plaintext", '""'))
    return keep_secret(plain) if isinstance(plain, str) else plain
