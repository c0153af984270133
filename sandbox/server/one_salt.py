"""One salt for all messages of MinIO's admin API that a process encrypts, so that it derives each key once.

The rule: for the sandbox and tests alone. A key of this API takes a tenth of a second and 64 MiB, by design, and each
message has a key of its own because its salt is random. Nonces stay random, and any client reads the messages.
"""

import os
from functools import cache
from types import SimpleNamespace

from minio import crypto


def use_one_salt() -> None:
    """Let this process encrypt with one salt, and remember the keys that it has derived."""
    salt = os.urandom(crypto._SALT_LEN)  # noqa: SLF001 - the package has no setting for it
    crypto._generate_key = cache(crypto._generate_key)  # noqa: SLF001 - likewise
    crypto.os = SimpleNamespace(urandom=lambda size: salt if size == len(salt) else os.urandom(size))  # type: ignore[assignment,attr-defined]  # all that it uses
