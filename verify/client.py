"""The boto3 clients of the suite, for what the adapter has no words for: configuration, versions, retention.

The rule: a client is made for one identity of a target and never falls back to the machine's own credentials.
"""

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from verify.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

CONNECTIONS = 32


@contextmanager
def s3_client(target: Target, identity: str) -> "Iterator[S3Client]":
    """A client that signs with an identity's key; usable from several threads."""
    pair = target.credentials[identity]
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        ca_file.write_text(target.deployment.ca_pem or "", encoding="ascii")
        yield boto3.session.Session().client(
            "s3",
            endpoint_url=target.endpoint,
            region_name=target.deployment.region,
            aws_access_key_id=pair.access_key_id,
            aws_secret_access_key=pair.secret_access_key.get_secret_value(),
            verify=str(ca_file) if target.deployment.ca_pem else None,
            config=Config(
                s3={"addressing_style": "path"} if target.endpoint else {},
                retries={"mode": "standard", "max_attempts": 4},
                connect_timeout=5,
                read_timeout=30,
                max_pool_connections=CONNECTIONS,
            ),
        )
