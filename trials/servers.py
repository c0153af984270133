"""The servers of the contract tests, each only an endpoint with credentials.

The rule: this module knows how to start a server and how to reach it. Only `test_contract` and `observations` know what
a server does. The sandbox is imported only when one of its servers is started, so that a run against another endpoint
needs neither the sandbox nor Go.
"""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from model.loaded_cas import load_cas_once
from object_store import StoreConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_s3 import S3Client

GIVEN: Final = "given"
_ENVIRONMENT = ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "S3_CA_BUNDLE")


class UnreachableError(Exception):
    """No S3 server answers at an endpoint; the message is one line."""


class LeftBehindError(Exception):
    """A bucket of a test could not be removed; the message names it and the server's reason."""


@dataclass(frozen=True)
class Server:
    """A running S3 server.

    Attributes:
        name: `local`, `aws`, `versitygw` or `given`.
        title: The heading of its column in the table of differences.
        config: The adapter's configuration for it.
        bucket: An existing bucket to use; None to create one and remove it.
        most_keys: How many keys a listing test puts, except with `make long`; moto accepts about 300 a second.
    """

    name: str
    title: str
    config: StoreConfig = field(repr=False)
    bucket: str | None = None
    most_keys: int = 10_000

    def client(self, **changes: Any) -> S3Client:  # noqa: ANN401 - what boto3 takes
        """A client that shares nothing with the adapter; it adds no checksums and does not retry."""
        config = self.config
        values: dict[str, Any] = {
            "endpoint_url": config.endpoint,
            "region_name": config.region,
            "aws_access_key_id": config.access_key_id,
            "aws_secret_access_key": config.secret_access_key,
            "aws_session_token": config.session_token,
            "verify": str(config.ca_bundle) if config.ca_bundle else None,
            "config": Config(
                s3={"addressing_style": "path"},
                signature_version="s3v4",
                retries={"total_max_attempts": 1},
                request_checksum_calculation="when_required",
            ),
        }
        return load_cas_once(boto3.session.Session()).client("s3", **values | changes)

    def open(self, url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        """The server's answer to a request with only the URL: status code and body."""
        trusted = ssl.create_default_context(cafile=str(self.config.ca_bundle) if self.config.ca_bundle else None)
        request = urllib.request.Request(url, body, {"Content-Type": "text/plain"}, method=method)  # noqa: S310 - a URL of the server
        try:
            with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:  # noqa: S310 - likewise
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read()


def check_reachable(server: Server) -> None:
    """Check that an S3 server answers; a refusal is an answer.

    Raises:
        UnreachableError: None does.
    """
    client = server.client()
    try:
        client.list_buckets()
    except ClientError:
        pass  # a server that refuses this answers
    except (BotoCoreError, ValueError) as error:
        raise UnreachableError(
            f"no S3 server answers at {server.config.endpoint}: {' '.join(str(error).split())}"
        ) from None
    finally:
        client.close()


@contextmanager
def made_bucket(server: Server, client: S3Client, *, locked: bool = False) -> Iterator[str]:
    """A new bucket, removed at the end with its contents; a locked one has a default retention of one day."""
    name = f"contract-{uuid.uuid4().hex[:16]}"
    _make(client, name, server.config.region, locked=locked)
    try:
        if locked:
            retention: Any = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
            client.put_object_lock_configuration(
                Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
            )
        yield name
    except BaseException as error:
        try:
            remove_bucket(client, name, locked=locked)
        except LeftBehindError as left:
            error.add_note(str(left))
        raise
    remove_bucket(client, name, locked=locked)


def _make(client: S3Client, name: str, region: str, *, locked: bool) -> None:
    options: dict[str, Any] = {"ObjectLockEnabledForBucket": True} if locked else {}
    if region != "us-east-1":  # AWS accepts no constraint for it
        options["CreateBucketConfiguration"] = {"LocationConstraint": region}
    try:
        client.create_bucket(Bucket=name, **options)
    except ClientError as refusal:
        if "LocationConstraint" not in refusal.response["Error"].get("Code", ""):
            raise
        # Ceph RGW takes only the name of its zone group, which no client knows.
        del options["CreateBucketConfiguration"]
        client.create_bucket(Bucket=name, **options)


def remove_bucket(client: S3Client, name: str, *, locked: bool = False) -> None:
    """Remove a bucket with its uploads, versions and objects; a bucket that is not there is no error.

    Not every server knows every listing, so a step that fails does not end the removal.

    Raises:
        LeftBehindError: The bucket is still there.
    """
    steps: list[Callable[[], None]] = [
        lambda: remove_uploads(client, name),
        lambda: remove_objects(client, name, versions=True, bypass=locked),
        lambda: remove_objects(client, name, bypass=locked),
        lambda: _remove_folders(client, name),
    ]
    for remove in steps:
        with suppress(ClientError, BotoCoreError):
            remove()
    try:
        client.delete_bucket(Bucket=name)
    except (ClientError, BotoCoreError) as refusal:
        code = refusal.response["Error"].get("Code") if isinstance(refusal, ClientError) else type(refusal).__name__
        if code != "NoSuchBucket":
            raise LeftBehindError(f"bucket {name} is left behind: its removal answers {code}") from None


def _remove_folders(client: S3Client, bucket: str, prefix: str = "") -> None:
    """Remove the empty folders that a server of files goes on listing when their objects are gone."""
    page = client.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
    for folder in (one["Prefix"] for one in page.get("CommonPrefixes", ())):
        if len(folder) > len(prefix):
            _remove_folders(client, bucket, folder)
            client.delete_object(Bucket=bucket, Key=folder)


def keys_of(client: S3Client, bucket: str, prefix: str = "") -> list[str]:
    """The keys under a prefix, in the server's order."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


def uploads_of(client: S3Client, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
    """Key and upload id of each unfinished upload."""
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    begun = [one for page in pages for one in page.get("Uploads", ())]
    return [(one["Key"], one["UploadId"]) for one in begun if one["Key"].startswith(prefix)]


def remove_objects(
    client: S3Client, bucket: str, prefix: str = "", *, versions: bool = False, bypass: bool = False
) -> None:
    """Remove all objects under a prefix, or with `versions` all versions; `bypass` passes governance retention."""
    removed: list[dict[str, str]] = []
    options: dict[str, Any] = {"BypassGovernanceRetention": True} if bypass else {}
    if not versions:
        removed = [{"Key": key} for key in keys_of(client, bucket, prefix)]
    else:
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        removed = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for page in pages
            for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]
    for start in range(0, len(removed), 1000):
        batch: Any = removed[start : start + 1000]
        client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}, **options)


def remove_uploads(client: S3Client, bucket: str) -> None:
    """Abort unfinished uploads."""
    for key, upload in uploads_of(client, bucket):
        with suppress(ClientError):
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def given_server(endpoint: str, bucket: str | None, environ: Mapping[str, str]) -> Server:
    """The server of `--endpoint`; ConfigurationError if a variable is missing from the environment."""
    chosen = {name: environ[name] for name in _ENVIRONMENT if name in environ}
    config = StoreConfig.from_environment({"AWS_REGION": "us-west-2", **chosen, "S3_ENDPOINT": endpoint})
    return Server(GIVEN, endpoint, config, bucket)


@contextmanager
def _embedded(name: str, cloud: str) -> Iterator[Server]:
    from sandbox.server.temporary import running_server  # noqa: PLC0415 - only where this server is started

    with TemporaryDirectory() as folder, running_server(cloud, Path(folder)) as running:
        config = StoreConfig(
            endpoint=running.endpoint,
            region=running.region,
            access_key_id=running.admin.user,
            secret_access_key=running.admin.password,
            ca_bundle=running.ca_bundle,
        )
        yield Server(name, f"sandbox `{name}`", config, most_keys=1001)


@contextmanager
def _local() -> Iterator[Server]:
    with _embedded("local", "aistor") as server:
        yield server


@contextmanager
def _aws() -> Iterator[Server]:
    with _embedded("aws", "aws") as server:
        yield server


@contextmanager
def _versitygw() -> Iterator[Server]:
    from sandbox.engine.gateway import VERSION, running_gateway  # noqa: PLC0415 - likewise

    with TemporaryDirectory() as folder, running_gateway(Path(folder)) as running:
        config = StoreConfig(
            endpoint=running.endpoint,
            region=running.region,
            access_key_id=running.access_key_id,
            secret_access_key=running.secret_access_key,
        )
        yield Server("versitygw", f"versitygw {VERSION}", config)


OWN: Final[dict[str, Callable[[], Any]]] = {"local": _local, "aws": _aws, "versitygw": _versitygw}
"""Context managers of the servers that run without `--endpoint`; `versitygw` raises NoGatewayError without Go."""
