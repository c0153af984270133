"""infra.retention: the dynamic provider on a live server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import Config, ConfigureRequest

from infra.retention import DefaultRetentionProvider
from model.problems import InvalidInputError
from sandbox.server.temporary import RunningServer, running_server


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(name="provider")
def _provider(server: RunningServer) -> DefaultRetentionProvider:
    provider = DefaultRetentionProvider()
    config = {"object-store:adminUser": server.admin.user, "object-store:adminPassword": server.admin.password}
    provider.configure(ConfigureRequest(Config(config, "object-store")))
    return provider


@pytest.fixture(scope="module", name="client")
def _client(server: RunningServer) -> Any:  # noqa: ANN401 - a boto3 client
    client: Any = boto3.session.Session().client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.admin.user,
        aws_secret_access_key=server.admin.password,
        verify=server.ca_bundle,
    )
    where = {"LocationConstraint": server.region}
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True, CreateBucketConfiguration=where)
    client.create_bucket(Bucket="plain", CreateBucketConfiguration=where)
    return client


def props(server: RunningServer, **changes: object) -> dict[str, Any]:
    """The inputs of a resource."""
    return {
        "bucket": "locked",
        "mode": "GOVERNANCE",
        "days": 365.0,
        "endpoint": server.endpoint,
        "region": server.region,
        "ca_pem": Path(server.ca_bundle).read_text(encoding="ascii"),
        **changes,
    }


def live(client: Any) -> dict[str, Any]:  # noqa: ANN401 - a boto3 client
    """The bucket's default retention."""
    answer = client.get_object_lock_configuration(Bucket="locked")
    retention: dict[str, Any] = answer["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    return retention


def test_life_of_a_retention(server: RunningServer, provider: DefaultRetentionProvider, client: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Create sets the retention, read detects drift, update sets it again, delete leaves it."""
    created = provider.create(props(server))
    assert (created.id, live(client)) == ("locked", {"Mode": "GOVERNANCE", "Days": 365})

    provider.update("locked", props(server), props(server, days=400))
    assert live(client)["Days"] == 400

    seen = provider.read("locked", props(server)).outs
    assert seen is not None
    assert (seen["mode"], seen["days"]) == ("GOVERNANCE", 400)
    assert provider.diff("locked", seen, props(server)).changes is True

    provider.delete("locked", props(server))
    assert live(client)["Days"] == 400


def test_nothing_changed_is_no_difference(server: RunningServer, provider: DefaultRetentionProvider) -> None:
    """Whole numbers and floats of the same days are equal."""
    assert provider.diff("locked", props(server), props(server, days=365)).changes is False


def test_another_bucket_is_a_replacement(server: RunningServer, provider: DefaultRetentionProvider) -> None:
    """A retention cannot move to another bucket."""
    assert provider.diff("locked", props(server), props(server, bucket="other")).replaces == ["bucket"]


def test_missing_bucket_is_gone_and_missing_lock_is_drift(
    server: RunningServer,
    provider: DefaultRetentionProvider,
    client: Any,  # noqa: ANN401 - a boto3 client
) -> None:
    """Only NoSuchBucket removes the resource; a bucket without lock is read as drift."""
    del client
    assert provider.read("nowhere", props(server)).id == ""

    seen = provider.read("plain", props(server))
    assert seen.outs is not None
    assert (seen.id, seen.outs["mode"], seen.outs["days"]) == ("plain", "", 0)


def test_refusal_is_not_taken_for_gone(server: RunningServer) -> None:
    """With a wrong key the state stays unchanged."""
    provider = DefaultRetentionProvider()
    config = {"object-store:adminUser": "somebody", "object-store:adminPassword": "planted-wrong-password"}
    provider.configure(ConfigureRequest(Config(config, "object-store")))

    with pytest.raises(ClientError) as caught:
        provider.read("locked", props(server))
    assert "planted-wrong-password" not in str(caught.value)


def test_keys_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the config has no keys, the environment's are used; without any the provider refuses."""
    request = ConfigureRequest(Config({}, "object-store"))
    with pytest.raises(InvalidInputError, match="no admin credentials"):
        DefaultRetentionProvider().configure(request)

    monkeypatch.setenv("AISTOR_ROOT_USER", "root-user")
    monkeypatch.setenv("AISTOR_ROOT_PASSWORD", "root-password")
    DefaultRetentionProvider().configure(request)
