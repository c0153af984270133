"""The `minio` stand-in without recorded calls: overlapping writes, certificates, refused logins, keys."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from sandbox.server.minio_iam_client import MinioIamClient
from sandbox.server.temporary import running_server
from sandbox.standin.minio import MinioConnection, minio_stand_in
from sandbox.standin.minio.lost_update import BucketWrites
from sandbox.standin.rpc import ProviderError, StandIn
from sandbox.standin.values import Secret, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sandbox.server.temporary import RunningServer

BUCKET = "minio:index/s3Bucket:S3Bucket"
VERSIONING = "minio:index/s3BucketVersioning:S3BucketVersioning"
LIFECYCLE = "minio:index/ilmPolicy:IlmPolicy"
POLICY = "minio:index/iamPolicy:IamPolicy"
ATTACHMENT = "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment"
USER = "minio:index/iamUser:IamUser"
ACCOUNT = "minio:index/iamServiceAccount:IamServiceAccount"
ENABLED: dict[str, Any] = {"versioningConfiguration": {"status": "Enabled"}}
RULES: dict[str, Any] = {"rules": [{"id": "all", "expiration": "7d"}]}


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server("aistor", tmp_path_factory.mktemp("faults"), plugin=False) as server:
        yield server


def _inputs(server: RunningServer) -> dict[str, Any]:
    return {
        "minioServer": server.endpoint.removeprefix("https://"),
        "minioUser": server.admin.user,
        "minioPassword": server.admin.password,
        "minioRegion": server.region,
        "minioSsl": "true",
        "minioCacertFile": server.ca_bundle,
    }


@pytest.fixture(name="stand_in")
def _stand_in(server: RunningServer) -> StandIn[MinioConnection]:
    stand_in = minio_stand_in()
    stand_in.configure(_inputs(server))
    return stand_in


def _at_once(stand_in: StandIn[MinioConnection], wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Create these concurrently; return the errors by type."""

    def create(token: str) -> str:
        try:
            stand_in.create(token, wanted[token], logical_name="x")
        except ProviderError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(wanted)) as pool:
        return dict(zip(wanted, pool.map(create, wanted), strict=True))


def test_overlapping_writes_lose_one(stand_in: StandIn[MinioConnection]) -> None:
    """Of concurrent writes of versioning and lifecycle to one bucket, one fails every time."""
    for attempt in range(3):
        bucket = f"overlap-{attempt}"
        stand_in.create(BUCKET, {"bucket": bucket}, logical_name="x")
        errors = _at_once(stand_in, {VERSIONING: {"bucket": bucket, **ENABLED}, LIFECYCLE: {"bucket": bucket, **RULES}})
        lost = [token for token, error in errors.items() if error]

        assert len(lost) == 1
        assert errors[lost[0]].startswith("expected non-nil error with nil state during Create of urn:")


def test_writes_to_two_buckets_may_overlap(stand_in: StandIn[MinioConnection]) -> None:
    """Writes to different buckets do not disturb each other."""
    for bucket in ("apart-1", "apart-2"):
        stand_in.create(BUCKET, {"bucket": bucket}, logical_name="x")
    wanted = {VERSIONING: {"bucket": "apart-1", **ENABLED}, LIFECYCLE: {"bucket": "apart-2", **RULES}}

    assert _at_once(stand_in, wanted) == {VERSIONING: "", LIFECYCLE: ""}


def test_chained_writes_are_kept(stand_in: StandIn[MinioConnection]) -> None:
    """Two writes one after the other both succeed."""
    stand_in.create(BUCKET, {"bucket": "chained"}, logical_name="x")
    stand_in.create(VERSIONING, {"bucket": "chained", **ENABLED}, logical_name="x")
    stand_in.create(LIFECYCLE, {"bucket": "chained", **RULES}, logical_name="x")
    s3 = stand_in.connection.s3

    assert s3.get_bucket_versioning(Bucket="chained")["Status"] == "Enabled"
    assert [one["ID"] for one in s3.get_bucket_lifecycle_configuration(Bucket="chained")["Rules"]] == ["all"]


def test_attachments_at_once_are_all_kept(stand_in: StandIn[MinioConnection], server: RunningServer) -> None:
    """The plugin writes a user's list of policies as a whole, one attachment at a time (its lock for each user)."""
    stand_in.create(USER, {"name": "many"}, logical_name="x")
    names = [f"many-{number}" for number in range(8)]
    for name in names:
        stand_in.create(POLICY, {"name": name, "policy": _policy(100)}, logical_name="x")

    with ThreadPoolExecutor(len(names)) as pool:
        attaching = [
            pool.submit(stand_in.create, ATTACHMENT, {"userName": "many", "policyName": name}, logical_name=name)
            for name in names
        ]
        for one in attaching:
            one.result()

    iam = MinioIamClient(server.endpoint, server.admin.user, server.admin.password, server.ca_bundle)
    assert sorted(iam.user_info("many")["policyName"].split(",")) == names


def test_policy_that_is_too_large_is_refused_by_the_server(stand_in: StandIn[MinioConnection]) -> None:
    """The plugin sends the document's text as it is, and MinIO takes 20 KiB."""
    stand_in.create(POLICY, {"name": "large", "policy": _policy(20480)}, logical_name="x")

    with pytest.raises(ProviderError, match=r"unable to create policy.* maximum allowed object size"):
        stand_in.create(POLICY, {"name": "larger", "policy": _policy(20481)}, logical_name="x")


def _policy(size: int) -> str:
    """A policy of this many bytes, filled up with white space, which MinIO counts, too."""
    statement = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::*"]}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return text + " " * (size - len(text))


def test_a_write_that_failed_is_over() -> None:
    """After an error inside a write, the next write can proceed."""
    writes = BucketWrites(hold_seconds=0)
    with pytest.raises(ValueError, match="inside"), writes.write("b"):
        raise ValueError("inside")
    with writes.write("b") as kept, writes.write("b") as second:
        assert (kept, second) == (True, False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file or directory"),
        ("hello", "minio CA Cert is not a valid x509 certificate"),
        ("", "minio CA Cert is not a valid x509 certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "minio CA Cert is not a valid x509 certificate",
        ),
        ("schlüssel", "minio CA Cert is not a valid x509 certificate"),
    ],
    ids=["missing", "text", "empty", "broken", "not-ascii"],
)
def test_refuses_a_bad_ca_file(server: RunningServer, tmp_path: Path, content: str | None, reason: str) -> None:
    """Configure refuses a CA file that is missing or holds no certificate."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ProviderError, match=rf"^1 error occurred:\n\t\* \[FATAL\] client creation failed.*{reason}"):
        minio_stand_in().configure({**_inputs(server), "minioCacertFile": str(path)})


def test_without_the_ca_the_server_is_not_trusted(server: RunningServer) -> None:
    """Without the private CA no bucket is created, and the error names the certificate."""
    stand_in = minio_stand_in()
    stand_in.configure({**_inputs(server), "minioCacertFile": ""})
    with pytest.raises(ProviderError, match="certificate signed by unknown authority"):
        stand_in.create(BUCKET, {"bucket": "untrusted"}, logical_name="x")


def test_errors_hold_no_password(server: RunningServer) -> None:
    """No error of a refused login, for buckets or users, repeats the password."""
    stand_in = minio_stand_in()
    stand_in.configure({**_inputs(server), "minioPassword": "a-wrong-password"})
    for token, inputs in ((BUCKET, {"bucket": "refused"}), (USER, {"name": "refused"})):
        with pytest.raises(ProviderError, match="signature we calculated does not match") as caught:
            stand_in.create(token, inputs, logical_name="x")

        assert "a-wrong-password" not in str(caught.value)


def test_made_secrets_work(stand_in: StandIn[MinioConnection], server: RunningServer) -> None:
    """The generated keys of a user and its service account work, and are secrets."""
    stand_in.create(BUCKET, {"bucket": "with-keys"}, logical_name="x")
    user = stand_in.create(USER, {"name": "keyholder"}, logical_name="x")
    stand_in.connection.iam.set_user_or_group_policy("keyholder", "readwrite")
    account = stand_in.create(ACCOUNT, {"targetUser": "keyholder"}, logical_name="x")

    assert isinstance(user.properties["secret"], Secret)
    assert isinstance(account.properties["secretKey"], Secret)
    opened = plain(account.properties)
    for access_key, secret in (
        ("keyholder", plain(user.properties)["secret"]),
        (opened["accessKey"], opened["secretKey"]),
    ):
        s3 = boto3.session.Session().client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=server.region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            verify=server.ca_bundle,
            config=Config(s3={"addressing_style": "path"}),
        )
        s3.put_object(Bucket="with-keys", Key="k", Body=b"x")


def test_user_switched_off_gets_nothing_and_goes(stand_in: StandIn[MinioConnection]) -> None:
    """An attachment and a key of such a user are refused as if it did not exist; its detached policy and itself go.

    Not in the recordings: terraform-provider-minio 1.20.1, resource_minio_iam_user_policy_attachment.go and
    resource_minio_service_account.go, with MinIO's cmd/iam.go (CheckKey). Recorded is only the refused detachment.
    """
    name, iam = "off", stand_in.connection.iam
    user = stand_in.create(USER, {"name": name}, logical_name="x")
    iam.set_user_status(name, "disabled")
    wanted = {
        ATTACHMENT: ({"userName": name, "policyName": "readonly"}, "unable to Set User policy (off readonly)"),
        ACCOUNT: ({"targetUser": name}, "error creating service account (off)"),
    }
    for token, (inputs, words) in wanted.items():
        with pytest.raises(ProviderError, match=rf"{re.escape(words)}: .*user .*does not exist"):
            stand_in.create(token, inputs, logical_name="x")
    never_attached = {"id": "off-1", "userName": name, "policyName": "readonly"}
    stand_in.type_of(ATTACHMENT).delete(stand_in.connection, "off-1", never_attached)
    stand_in.type_of(USER).delete(stand_in.connection, user.id, user.properties)

    assert name not in iam.list_users()


def test_suspended_versioning_of_a_gone_bucket_goes(stand_in: StandIn[MinioConnection]) -> None:
    """Deletion sends nothing if the state says Suspended, so that a gone bucket is no error; with Enabled it is one.

    Not in the recordings: terraform-provider-minio 1.20.1, resource_minio_s3_bucket_versioning.go.
    """
    kind, connection = stand_in.type_of(VERSIONING), stand_in.connection
    kind.delete(connection, "gone", {"bucket": "gone", "versioningConfiguration": {"status": "Suspended"}})
    with pytest.raises(ProviderError, match="The specified bucket does not exist"):
        kind.delete(connection, "gone", {"bucket": "gone", **ENABLED})


def test_service_account_without_policy_never_converges(stand_in: StandIn[MinioConnection]) -> None:
    """Without its own policy a service account reports its user's, which is a change at every preview."""
    stand_in.create(USER, {"name": "implied"}, logical_name="x")
    stand_in.connection.iam.set_user_or_group_policy("implied", "readonly")
    kind = stand_in.type_of(ACCOUNT)
    made = stand_in.create(ACCOUNT, {"targetUser": "implied"}, logical_name="x")

    assert kind.diff(made.properties, made.inputs).detailed == {"policy": "DELETE"}


def test_force_destroy_does_not_remove_a_locked_object(stand_in: StandIn[MinioConnection]) -> None:
    """`forceDestroy` of a bucket with a locked object fails at once (the real plugin tries forever)."""
    made = stand_in.create(
        BUCKET, {"bucket": "locked-in", "objectLocking": True, "forceDestroy": True}, logical_name="x"
    )
    s3 = stand_in.connection.s3
    s3.put_object_lock_configuration(
        Bucket="locked-in",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )
    s3.put_object(Bucket="locked-in", Key="k", Body=b"x")
    with pytest.raises(ProviderError, match=r"unable to remove bucket \(locked-in\).*object k"):
        stand_in.type_of(BUCKET).delete(stand_in.connection, made.id, made.properties)

    assert s3.get_object(Bucket="locked-in", Key="k")["Body"].read() == b"x"
