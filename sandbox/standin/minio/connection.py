"""The connection of the `minio` stand-in: an S3 client and an IAM client for one server, and the words of its errors.

The one rule: an error has the words of minio-go and terraform-provider-minio 1.20.1,
`[FATAL] <what> (<which>): <the server's message>`, and never holds a credential. Left out: signature version 2,
session tokens and client certificates, which the program does not use.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, SSLError

from infra.s3_client import new_session
from sandbox.server.minio_iam_client import MinioIamClient, MinioIamError
from sandbox.server.minio_iam_commands import PREFIX
from sandbox.standin.properties import boolean, string
from sandbox.standin.resource import ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from sandbox.standin.minio.lost_update import BucketWrites
    from sandbox.standin.properties import Table

# terraform-provider-minio 1.20.1, minio/provider.go. None of them is sensitive there. The program's secret stays a
# secret, because the engine keeps the program's mark.
CONFIG: Table = {
    "minioServer": string(required=True, description="Minio Host and Port"),
    "minioRegion": string(optional=True, default="us-east-1"),
    "minioAccessKey": string(optional=True),
    "minioSecretKey": string(optional=True),
    "minioUser": string(optional=True),
    "minioPassword": string(optional=True),
    "minioSessionToken": string(optional=True),
    "minioApiVersion": string(optional=True, default="v4"),
    "minioSsl": boolean(optional=True),
    "minioInsecure": boolean(optional=True),
    "minioCacertFile": string(optional=True),
    "minioCertFile": string(optional=True),
    "minioKeyFile": string(optional=True),
}

_NO_SUCH_BUCKET = frozenset({"NoSuchBucket", "404"})
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class MinioConnection:
    """One server, with the credentials of its administrator.

    Attributes:
        url: the server's address as minio-go prints it, without a default port.
        region: the region of new buckets.
        s3: the S3 client, path style.
        iam: the client of users, policies and service accounts.
        writes: the guard that detects overlapping writes to one bucket.
    """

    def __init__(self, config: Mapping[str, Any], writes: BucketWrites) -> None:
        """Create the clients; like the real plugin, contact nothing yet."""
        server = config["minioServer"]
        scheme = "https" if config["minioSsl"] else "http"
        with fatal("client creation failed", "client"):
            _check_address(scheme, server)
            ca_bundle = _ca_bundle(config["minioCacertFile"]) if config["minioSsl"] else None
            if config["minioApiVersion"] not in ("v2", "v4"):
                raise ProviderError(f"unknown S3 API signature: {config['minioApiVersion']}, must be v2 or v4")
        user = config["minioUser"] or config["minioAccessKey"] or ""
        password = config["minioPassword"] or config["minioSecretKey"] or ""
        self.url = f"{scheme}://{server.removesuffix(':' + _DEFAULT_PORTS[scheme])}"
        self.region: str = config["minioRegion"]
        self.s3: S3Client = new_session(own_keys=True).create_client(  # type: ignore[assignment]  # its types know no service
            "s3",
            endpoint_url=f"{scheme}://{server}",
            region_name=self.region,
            aws_access_key_id=user,
            aws_secret_access_key=password,
            verify=False if config["minioInsecure"] else ca_bundle or True,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5),
        )
        self.iam = MinioIamClient(f"{scheme}://{server}", user, password, ca_bundle)
        self.writes = writes

    def bucket_exists(self, bucket: str) -> bool:
        """Read the bucket's location first, as minio-go does, because its errors have a body with the reason."""
        try:
            self.s3.get_bucket_location(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NO_SUCH_BUCKET:
                return False
            raise
        return True


def connect(config: Mapping[str, Any], writes: BucketWrites) -> MinioConnection:
    """Connect with decoded provider inputs."""
    return MinioConnection(config, writes)


@contextmanager
def fatal(what: str, which: str) -> Iterator[None]:
    """Turn every exception of a client in the block into the provider's own sentence."""
    try:
        yield
    except (ClientError, MinioIamError, BotoCoreError, ProviderError) as error:
        raise ProviderError(f"[FATAL] {what} ({which}): {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """Return the server's message, or Go's message about the network."""
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return told.get("Message") or f"Error response code {told.get('Code', 'unknown')}."
    if isinstance(error, MinioIamError):
        return error.message
    if isinstance(error, EndpointConnectionError | SSLError):
        url = urlsplit(str(error.kwargs["endpoint_url"]))
        trouble = (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
            if isinstance(error, SSLError)
            else f"dial tcp {url.netloc}: connect: connection refused"
        )
        return f'Get "{url.scheme}://{url.netloc}{_first_asked(url.path)}": {trouble}'
    return str(error)


def _first_asked(path: str) -> str:
    """Return the first request of the Go clients: of minio-go a bucket's location, of madmin its own command."""
    if path.startswith(PREFIX):
        return path.replace(PREFIX, "/minio/admin/v3/", 1)
    return f"/{path.split('/')[1]}/?location="


def _check_address(scheme: str, server: str) -> None:
    if "/" in server:
        raise ProviderError("Endpoint url cannot have fully qualified paths.")
    host, _, port = server.partition(":")
    if port and not port.isdecimal():
        last = server.rpartition(":")[2]
        raise ProviderError(f'parse "{scheme}://{server}": invalid port ":{last}" after host')
    if not _is_address(host) and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?", host):
        raise ProviderError(f"Endpoint: {server} does not follow ip address or domain name standards.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ca_bundle(name: str | None) -> str | None:
    """Resolve against `infra/`, the working directory of the real plugin, and refuse a file without a certificate.

    The server runs in the folder of its checkout, whose code may be another's.
    """
    if not name:
        return None
    path = Path.cwd() / "infra" / name
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise ProviderError(f"open {name}: no such file or directory") from None
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            raise ProviderError("minio CA Cert is not a valid x509 certificate") from None
        raise ProviderError(f"read {name}: {(error.strerror or 'cannot be read').lower()}") from None
    except ValueError:
        raise ProviderError("minio CA Cert is not a valid x509 certificate") from None
    return str(path)
