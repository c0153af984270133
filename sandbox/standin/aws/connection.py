"""The connection to the server: clients for one set of credentials, and AWS's errors in the AWS provider's words.

The one rule: endpoint, CA and credentials come from an explicit `AwsConnection` (the real plugin takes them from
its environment), and no message contains a credential. Left out: profiles, assumed roles, the metadata service.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from model.loaded_cas import load_cas_once
from sandbox.standin.resource import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sts.client import STSClient

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

# The real provider waits two minutes for AWS's copies to agree; the sandbox has one copy.
_PROPAGATION_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.1

# Codes with a type in the Go SDK; it prints every other one as "api error <Code>".
_MODELLED: Final = frozenset(
    {
        "BucketAlreadyExists",
        "BucketAlreadyOwnedByYou",
        "DeleteConflict",
        "EntityAlreadyExists",
        "InvalidInput",
        "LimitExceeded",
        "MalformedPolicyDocument",
        "NoSuchEntity",
    }
)


@dataclass(frozen=True)
class AwsConnection:
    """The endpoint and the credentials; empty credentials represent an environment without credentials.

    Attributes:
        endpoint: the URL that the real plugin takes from AWS_ENDPOINT_URL.
        ca_bundle: the path that it takes from AWS_CA_BUNDLE, or None for a plain-text endpoint.
        access_key_id: the access key, or an empty string.
        secret_access_key: its secret.
        region: the region of a provider without its own region (AWS_REGION), or an empty string.
    """

    endpoint: str
    ca_bundle: str | None
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = ""


@dataclass(frozen=True)
class AwsClients:
    """The clients for one region and one set of credentials, created on first use."""

    connection: AwsConnection
    region: str

    @cached_property
    def _session(self) -> boto3.Session:
        return load_cas_once(
            boto3.Session(
                aws_access_key_id=self.connection.access_key_id,
                aws_secret_access_key=self.connection.secret_access_key,
                region_name=self.region,
            )
        )

    @cached_property
    def _config(self) -> Config:
        return Config(
            connect_timeout=2,
            read_timeout=30,
            max_pool_connections=32,
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path"},
        )

    @cached_property
    def s3(self) -> S3Client:
        """The client for buckets."""
        return self._session.client(
            "s3", endpoint_url=self.connection.endpoint, verify=self.connection.ca_bundle, config=self._config
        )

    @cached_property
    def iam(self) -> IAMClient:
        """The client for users, policies and access keys."""
        return self._session.client(
            "iam", endpoint_url=self.connection.endpoint, verify=self.connection.ca_bundle, config=self._config
        )

    @cached_property
    def sts(self) -> STSClient:
        """The client that identifies the credentials."""
        return self._session.client(
            "sts", endpoint_url=self.connection.endpoint, verify=self.connection.ca_bundle, config=self._config
        )


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return error.response["Error"].get("Code", "")


def described(error: ClientError | BotoCoreError, service: str) -> str:
    """Return an error as the Go SDK prints it."""
    if isinstance(error, BotoCoreError):
        return f"operation error {service}: request send failed, {error}"
    metadata = error.response["ResponseMetadata"]
    host = f" HostID: {metadata.get('HostId', '')}," if service == "S3" else ""
    code = code_of(error)
    kind = code if code in _MODELLED else f"api error {code}"
    return (
        f"operation error {service}: {error.operation_name}, https response error "
        f"StatusCode: {metadata.get('HTTPStatusCode', 0)}, RequestID: {metadata.get('RequestId', '')},{host} "
        f"{kind}: {error.response['Error'].get('Message', '')}"
    )


@contextmanager
def doing(what: str, service: str = "S3") -> Iterator[None]:
    """Turn AWS's refusal into the plugin's failure: `<action>: operation error S3: …`."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ProviderError(f"{what}: {described(error, service)}") from error


def found(
    missing: frozenset[str], call: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Answer | None:
    """Call, and return None if AWS answers with one of the codes for a missing resource."""
    try:
        return call(*args, **kwargs)
    except ClientError as error:
        if code_of(error) in missing:
            return None
        raise


def patiently(
    transient: frozenset[str], call: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Answer:
    """Call again while AWS answers with a code that disappears once its copies agree, for a limited time."""

    def passes(error: BaseException) -> bool:
        return isinstance(error, ClientError) and code_of(error) in transient

    def give_up(state: RetryCallState) -> Answer:
        assert state.outcome is not None  # noqa: S101 - tenacity calls this only with an outcome
        return state.outcome.result()  # type: ignore[no-any-return]  # raises the last error

    retrying = Retrying(
        retry=retry_if_exception(passes),
        stop=stop_after_delay(_PROPAGATION_SECONDS),
        wait=wait_fixed(_POLL_SECONDS),
        retry_error_callback=give_up,
    )
    return retrying(call, *args, **kwargs)
