"""botocore's S3 client for one server: private CA, path style where there is an endpoint, bounded retries.

The rule: keys go straight to botocore and into no message; the CA is a file only while the client is open, as botocore
takes nothing else. Which keys, and whose, is the caller's matter.
"""

import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 5
CONNECT_SECONDS = 5
READ_SECONDS = 30
POOL = 16


def new_session() -> "Session":
    """A session of botocore's that shares its description of the services with all others of the process.

    Parsing that takes five times as long as all the rest of making a client.
    """
    from botocore.session import get_session  # noqa: PLC0415 - see `open_client`

    session = get_session()
    session.register_component("data_loader", _description_of_services())
    return session


@cache
def _description_of_services() -> object:
    from botocore.session import get_session  # noqa: PLC0415 - see `open_client`

    return get_session().get_component("data_loader")


@contextmanager
def open_client(
    *, endpoint: str | None, region: str, ca_pem: str | None, access_key_id: str | None, secret_access_key: str | None
) -> "Iterator[S3Client]":
    """A client, open as long as the context.

    Args:
        endpoint: The server's URL; None for AWS itself.
        region: What requests are signed for.
        ca_pem: Text of a CA bundle; None for the system's.
        access_key_id: With the secret key; both None for the SDK's own chain.
        secret_access_key: The secret key.
    """
    # Imported here: most previews ask nothing by it, and the program and its provider would each pay for it.
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        s3=None if endpoint is None else {"addressing_style": "path"},
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=POOL,
    )
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        ca_file.write_text(ca_pem or "", encoding="ascii")
        client: S3Client = new_session().create_client(  # type: ignore[assignment]  # its types know no service
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            verify=str(ca_file) if ca_pem else None,
            config=config,
        )
        try:
            yield client
        finally:
            client.close()
