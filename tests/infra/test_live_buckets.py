"""infra.live_buckets: which buckets exist on the server, and how a refused key pair is told from that."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from infra.live_buckets import _exists, admin_client, existing_buckets
from infra.settings import AwsSettings, Settings, settings_from
from model.problems import InvalidInputError
from sandbox.server.temporary import running_server
from tests.running_stores import config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from sandbox.server.temporary import RunningServer


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RunningServer]":
    with running_server("aistor", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(name="settings")
def _settings(server: "RunningServer", tmp_path: Path) -> Settings:
    return settings_of(server, tmp_path)


def settings_of(server: "RunningServer", tmp_path: Path) -> Settings:
    """The settings of a stack on a server; its CA bundle is in the folder."""
    (tmp_path / "ca.pem").write_bytes(Path(server.ca_bundle).read_bytes())
    return settings_from(config_of(server, caBundle="ca.pem"), "local", tmp_path, {})


def requests_of(settings: Settings, names: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], list[str]]:
    """The existing buckets, and the operations that were sent for the answer."""
    sent: list[str] = []

    @contextmanager
    def counting(*_: object) -> "Iterator[S3Client]":
        with admin_client(settings) as client:
            client.meta.events.register("before-call.s3", lambda model, **_: sent.append(model.name))
            yield client

    monkeypatch.setattr("infra.live_buckets.admin_client", counting)
    return existing_buckets(names, settings), sent


@pytest.fixture(scope="module", name="buckets")
def _buckets(server: "RunningServer", tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    names = ["joelclaw-a", "joelclaw-b"]
    with admin_client(settings_of(server, tmp_path_factory.mktemp("buckets"))) as client:
        for name in names:
            client.create_bucket(Bucket=name)
    return names


def test_one_listing_tells_what_exists(settings: Settings, buckets: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Existing buckets cost two requests together, and each other name costs one more."""
    both = ["ListBuckets", "HeadBucket"]
    assert requests_of(settings, buckets, monkeypatch) == (set(buckets), both)
    assert requests_of(settings, [*buckets, "joelclaw-free"], monkeypatch) == (set(buckets), [*both, "HeadBucket"])
    assert requests_of(settings, [], monkeypatch) == (set(), ["ListBuckets"])


def test_bucket_that_the_admin_may_not_list_exists(
    settings: Settings, buckets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing that shows nothing, or is not allowed, does not make a bucket gone."""
    monkeypatch.setattr("infra.live_buckets._listed", lambda *_: set())

    assert existing_buckets([*buckets, "joelclaw-free"], settings) == set(buckets)


@pytest.mark.parametrize(
    ("changes", "where", "wrong", "write"),
    [
        (
            {"admin_password": "planted-wrong-one"},
            "adminUser, adminPassword: ",
            "the secret key does not belong to this access key (SignatureDoesNotMatch)",
            "pulumi config set --secret object-store:adminPassword",
        ),
        (
            {"admin_user": "somebody"},
            "adminUser, adminPassword: ",
            "refuses somebody: it does not know this access key (InvalidAccessKeyId)",
            "pulumi config set object-store:adminUser NAME",
        ),
    ],
)
def test_refused_pair_is_said(settings: Settings, changes: dict[str, str], where: str, wrong: str, write: str) -> None:
    """A wrong password and an unknown user are told apart, with the keys to set; no message holds the password."""
    assert settings.aistor is not None
    refused = replace(settings, aistor=replace(settings.aistor, **changes))  # type: ignore[arg-type]  # texts, all of them

    with pytest.raises(InvalidInputError) as caught:
        existing_buckets(["joelclaw-free"], refused)

    said = str(caught.value)
    assert f"Pulumi.local.yaml: object-store:{where}{settings.aistor.endpoint.url} refuses" in said
    assert wrong in said
    assert write in said
    assert "planted-wrong-one" not in said


def test_other_region_is_said(settings: Settings) -> None:
    """The server names its region, which is the line to write."""
    with pytest.raises(InvalidInputError) as caught:
        existing_buckets(["joelclaw-free"], replace(settings, region="eu-north-1"))

    assert "object-store:region: the server is not in eu-north-1" in str(caught.value)
    assert f"write: object-store:region: {settings.region}" in str(caught.value)


def on_aws(settings: Settings) -> Settings:
    """The same stack on AWS."""
    return replace(settings, aistor=None, cloud="aws", aws=AwsSettings((), None))


class Answering:
    """A client whose every answer is this refusal."""

    def __init__(self, status: int, code: str = "") -> None:
        """Set the status and the code of the refusal."""
        self._error: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def head_bucket(self, **_: str) -> None:
        """Refuse."""
        raise ClientError(self._error, "HeadBucket")

    list_buckets = head_bucket


@pytest.mark.parametrize(("status", "exists"), [(404, False), (403, False), (301, True)])
def test_answer_of_aws_is_read_by_its_status(settings: Settings, status: int, exists: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """404 means free, 403 may be another account's bucket, 301 is this account's bucket in another region."""
    client: Any = Answering(status)

    assert _exists(client, "joelclaw-a", on_aws(settings), free_if_forbidden=True) is exists


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("ExpiredToken", "AWS answers ExpiredToken: the credentials have expired"),
        ("InvalidAccessKeyId", "it does not know this access key"),
        ("SlowDown", "AWS answers SlowDown"),
    ],
)
def test_credentials_that_aws_refuses_are_said(
    settings: Settings, code: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain that they come from is named, not a config key."""
    monkeypatch.setattr("infra.live_buckets.admin_client", lambda _: nullcontext(Answering(403, code)))

    with pytest.raises(InvalidInputError, match=f"the SDK's credential chain: .*{wrong}"):
        existing_buckets(["joelclaw-a"], on_aws(settings))


def test_own_bucket_that_is_forbidden_on_aws_is_not_gone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the stack does not have is free or another account's; of its own bucket nothing is known."""
    monkeypatch.setattr("infra.live_buckets.admin_client", lambda _: nullcontext(Answering(403, "AccessDenied")))

    assert existing_buckets(["joelclaw-a"], on_aws(settings)) == set()
    with pytest.raises(InvalidInputError, match="HTTP 403 for joelclaw-a"):
        existing_buckets(["joelclaw-a"], on_aws(settings), ours=["joelclaw-a"])


def test_no_credentials_on_aws_are_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own error becomes an input problem, without a stack trace."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(InvalidInputError, match="Unable to locate credentials"):
        existing_buckets([], on_aws(settings))
