"""infra.bucket_policy: the dynamic provider on a live server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import Config, ConfigureRequest

from infra.bucket_policy import NoBucketPolicyProvider
from infra.s3_client import open_client
from sandbox.server.temporary import RunningServer, running_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": ["*"]},
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::plain/*"],
        }
    ],
}


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module", name="client")
def _client(server: RunningServer) -> "Iterator[S3Client]":
    with open_client(
        endpoint=server.endpoint,
        region=server.region,
        ca_pem=Path(server.ca_bundle).read_text(encoding="ascii"),
        access_key_id=server.admin.user,
        secret_access_key=server.admin.password,
    ) as client:
        client.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": server.region})  # type: ignore[typeddict-item]  # the server's own region
        yield client


def provider(user: str, password: str) -> NoBucketPolicyProvider:
    """A provider with these keys."""
    found = NoBucketPolicyProvider()
    config = {"object-store:adminUser": user, "object-store:adminPassword": password}
    found.configure(ConfigureRequest(Config(config, "object-store")))
    return found


@pytest.fixture(name="own")
def _own(server: RunningServer) -> NoBucketPolicyProvider:
    return provider(server.admin.user, server.admin.password)


@pytest.fixture(name="props")
def _props(server: RunningServer) -> dict[str, Any]:
    """The inputs of a resource."""
    ca_pem = Path(server.ca_bundle).read_text(encoding="ascii")
    return {"bucket": "plain", "policy": "", "endpoint": server.endpoint, "region": server.region, "ca_pem": ca_pem}


def has_policy(client: "S3Client") -> bool:
    """Whether the bucket has a policy."""
    try:
        client.get_bucket_policy(Bucket="plain")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchBucketPolicy"
        return False
    return True


def test_policy_by_hand_is_read_and_removed(
    own: NoBucketPolicyProvider, props: dict[str, Any], client: "S3Client"
) -> None:
    """Create removes a policy and works without one; read finds a new one, and update removes it."""
    client.put_bucket_policy(Bucket="plain", Policy=json.dumps(PUBLIC))
    for _ in range(2):
        made = own.create(props)
        assert (made.id, made.outs) == ("plain", props)
        assert not has_policy(client)

    assert own.read("plain", props).outs == props
    assert own.diff("plain", props, props).changes is False
    client.put_bucket_policy(Bucket="plain", Policy=json.dumps(PUBLIC))
    seen = own.read("plain", props).outs
    assert seen is not None
    assert json.loads(seen["policy"])["Statement"][0]["Action"] == ["s3:GetObject"]
    assert (own.diff("plain", seen, props).changes, own.diff("plain", seen, props).replaces) == (True, [])

    assert own.update("plain", seen, props).outs == props
    assert not has_policy(client)


def test_deleting_the_resource_leaves_the_bucket(
    own: NoBucketPolicyProvider, props: dict[str, Any], client: "S3Client"
) -> None:
    """The resource's end changes nothing on the server."""
    client.put_bucket_policy(Bucket="plain", Policy=json.dumps(PUBLIC))

    own.delete("plain", props)

    assert has_policy(client)


def test_missing_bucket_is_gone(own: NoBucketPolicyProvider, props: dict[str, Any]) -> None:
    """A read takes it out of the state; there is nothing to create in it."""
    assert own.read("nowhere", props).id == ""
    with pytest.raises(ClientError, match="NoSuchBucket"):
        own.create({**props, "bucket": "nowhere"})


def test_refusal_is_not_taken_for_none(props: dict[str, Any]) -> None:
    """With a wrong key neither read nor removal succeeds."""
    stranger = provider("somebody", "planted-wrong-password")
    for attempt in (lambda: stranger.read("plain", props), lambda: stranger.create(props)):
        with pytest.raises(ClientError) as caught:
            attempt()
        assert "planted-wrong-password" not in str(caught.value)
