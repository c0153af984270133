"""infra.standing: which of the new buckets already exist on the server."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from infra import standing
from infra.settings import AwsSettings, Settings, settings_from
from model.problems import InvalidInputError
from sandbox.server.embedded import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server.embedded import RunningServer


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RunningServer]":
    with running_server("aistor", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(name="settings")
def _settings(server: "RunningServer", tmp_path: Path) -> Settings:
    (tmp_path / "ca.pem").write_bytes(Path(server.ca_bundle).read_bytes())
    values = {
        "cloud": "aistor",
        "env": "local",
        "region": server.region,
        "endpoint": server.endpoint,
        "caBundle": "ca.pem",
        "adminUser": server.admin.user,
        "adminPassword": server.admin.password,
    }
    return settings_from(values, "local", tmp_path, {})


def test_existing_buckets_are_found_and_free_names_are_not(settings: Settings) -> None:
    """Of three names the two existing buckets are returned; without new buckets no request is sent."""
    with standing._admin_client(settings) as client:
        for name in ("joelclaw-a", "joelclaw-b"):
            client.create_bucket(Bucket=name)

    assert standing.existing_buckets(["joelclaw-a", "joelclaw-free", "joelclaw-b"], settings) == {
        "joelclaw-a",
        "joelclaw-b",
    }
    assert standing.existing_buckets([], settings) == set()


def test_wrong_keys_and_a_wrong_region_are_said_and_nothing_is_taken_for_free(settings: Settings) -> None:
    """A refusal is a problem that names the bucket and the keys to check."""
    assert settings.aistor is not None
    wrong = replace(settings, aistor=replace(settings.aistor, admin_password="not-the-password"))
    for refused, answer in ((wrong, "HTTP 403"), (replace(settings, region="eu-north-1"), "HTTP 400")):
        with pytest.raises(InvalidInputError) as caught:
            standing.existing_buckets(["joelclaw-free"], refused)

        assert f"cannot tell whether joelclaw-free exists: {answer}" in str(caught.value)
        assert "object-store:adminUser" in str(caught.value)
        assert "object-store preflight --stack local" in str(caught.value)
        assert "not-the-password" not in str(caught.value)


@pytest.mark.parametrize(("status", "exists"), [(404, False), (403, False), (301, True)])
def test_answer_of_aws_is_read_by_its_status(settings: Settings, status: int, exists: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """404 means free, 403 may be another account's bucket, 301 is this account's bucket in another region."""

    class Client:
        def head_bucket(self, **_: str) -> None:
            raise ClientError({"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}, "HeadBucket")  # type: ignore[typeddict-item]  # what is read of it

    on_aws = replace(settings, aistor=None, cloud="aws", aws=AwsSettings((), None))
    assert standing._exists(Client(), "joelclaw-a", on_aws) is exists  # type: ignore[arg-type]  # the one call that is made


def test_no_credentials_on_aws_are_said(settings: Settings) -> None:
    """The SDK's own error becomes an input problem, without a stack trace."""

    class Client:
        def head_bucket(self, **_: str) -> None:
            raise NoCredentialsError

    on_aws = replace(settings, aistor=None, cloud="aws", aws=AwsSettings((), None))
    with pytest.raises(InvalidInputError, match="Unable to locate credentials"):
        standing._exists(Client(), "joelclaw-a", on_aws)  # type: ignore[arg-type]  # the one call that is made
