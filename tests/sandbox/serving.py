"""Shared by the tests of the embedded server: a server with clients, statements, and refusals."""

from __future__ import annotations

import http.client
import json
import ssl
import uuid
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.server.minio_iam_client import MinioIamClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server.temporary import RunningServer

REGION = "us-west-2"


@dataclass
class Stack(ABC):
    """A server and its clients."""

    server: RunningServer
    cleanup: ExitStack = field(default_factory=ExitStack)

    def client(self, access_key: str = "", secret_key: str = "", service: str = "s3", **config: Any) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """A boto3 client; without a key, with the administrator's."""
        admin = self.server.admin
        made = boto3.client(
            service,  # type: ignore[call-overload]  # a name known at run time only
            endpoint_url=self.server.endpoint,
            verify=self.server.ca_bundle,
            aws_access_key_id=access_key or admin.user,
            aws_secret_access_key=secret_key or admin.password,
            region_name=REGION,
            config=Config(
                s3={"addressing_style": "path"},
                signature_version="v4" if service != "s3" else "s3v4",
                retries={"total_max_attempts": 1},
                **config,
            ),
        )
        self.cleanup.callback(made.close)
        return made

    def bucket(self, **options: Any) -> str:  # noqa: ANN401 - options of create_bucket
        """A new bucket with a unique name."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.admin.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}, **options)
        return name

    @abstractmethod
    def user(self, *statements: dict[str, Any]) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """The client of a new user who has these statements for a policy."""

    def __post_init__(self) -> None:
        """The administrator's client, which most tests use."""
        self.admin = self.client()


@dataclass
class Aistor(Stack):
    """AIStor, with its own IAM."""

    @property
    def iam(self) -> MinioIamClient:
        """The administrator's access to users and policies."""
        server = self.server
        return MinioIamClient(server.endpoint, server.admin.user, server.admin.password, server.ca_bundle)

    def user(self, *statements: dict[str, Any]) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """The client of a new user who has these statements for a policy."""
        name, secret = f"user-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
        self.iam.add_user(name, secret)
        self.iam.add_canned_policy(name, {"Version": "2012-10-17", "Statement": list(statements)})
        self.iam.attach_policy(name, [name])
        return self.client(name, secret)


@dataclass
class Aws(Stack):
    """AWS, with moto's IAM."""

    def user(self, *statements: dict[str, Any]) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """The client of a new user who has these statements for an inline policy."""
        iam = self.client(service="iam")
        name = f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.client(key["AccessKeyId"], key["SecretAccessKey"])


def allow(*actions: str, on: str | list[str], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - further fields of a statement
    """A statement that allows."""
    resources = [on] if isinstance(on, str) else on
    return {
        "Effect": "Allow",
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [f"arn:aws:s3:::{resource}" for resource in resources],
        **more,
    }


def deny(*actions: str, on: str | list[str], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - further fields of a statement
    """A statement that denies."""
    return allow(*actions, on=on, **more) | {"Effect": "Deny"}


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:  # noqa: ANN401 - arguments of the call
    """Status and code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def fetch(
    stack: Stack, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> tuple[int, bytes]:
    """An unchanged request, without a signature or a retry."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=stack.server.ca_bundle)
    connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=20)
    try:
        connection.request(
            method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers or {})
        )
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
