"""botocore's clients of AWS's own services for identities, with the SDK's credential chain and bounded retries.

The rule: botocore is imported when a client is opened, because it is slow to import, and a stack on AIStor needs none
of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from botocore.session import Session

AT_ONCE = 8
"""Requests that may run at the same time."""
ABSENT = "NoSuchEntity"
"""IAM's code for what does not exist."""


def chain_session() -> "Session":
    """A session of the SDK's own credential chain."""
    from infra.s3_client import new_session  # noqa: PLC0415 - as the module says

    return new_session(own_keys=False)


@contextmanager
def open_aws(session: "Session", service: Literal["iam", "sts"], region: str) -> Iterator[Any]:
    """A client that is open as long as the context; threads may share it."""
    from botocore.config import Config  # noqa: PLC0415 - as the module says

    from infra.s3_client import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS  # noqa: PLC0415 - likewise

    config = Config(
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=AT_ONCE,
    )
    client = session.create_client(service, region_name=region, config=config)
    try:
        yield client
    finally:
        client.close()
