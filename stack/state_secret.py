"""A secret as a deployment writes it.

The rule: what is given here in clear goes to the engine by standard input alone, and the engine encrypts it.

Source: https://www.pulumi.com/docs/iac/concepts/secrets/
"""

import json

_MARK = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def secret(value: str) -> dict[str, str]:
    """A secret that the engine is to encrypt."""
    return {**_MARK, "plaintext": json.dumps(value)}
