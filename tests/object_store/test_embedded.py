"""The adapter on the sandbox's two servers: TLS with its own CA, checked signatures, enforced policies."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

import object_store
from object_store import MULTIPART_THRESHOLD, Download, ObjectRef, ObjectStore, StoreConfig
from object_store.keys import check_key
from sandbox.server.minio_iam_client import MinioIamClient
from sandbox.server.temporary import RunningServer, running_server
from tests.sizes import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

BUCKET = "joelclaw-test-usw2-media-raw"
LOCKED = "joelclaw-test-usw2-vault-backups"

OPERATIONS: dict[str, Callable[[ObjectStore], object]] = {
    "upload": lambda store: store.upload(BUCKET, "k", b""),
    "download": lambda store: store.download(BUCKET, "k"),
    "head": lambda store: store.head(BUCKET, "k"),
    "list": lambda store: next(store.list(BUCKET)),
}


@dataclass(frozen=True)
class Cloud:
    """A running server with two stores: the administrator's, and that of an identity that may only read."""

    server: RunningServer
    admin: ObjectStore
    reader: ObjectStore

    def as_admin(self, **changes: str) -> ObjectStore:
        """Return a new store with the administrator's configuration changed."""
        return ObjectStore(replace(self.admin.config, **changes))  # type: ignore[arg-type]  # text fields only


def _reader_policy() -> dict[str, object]:
    actions = {"s3:GetObject": f"arn:aws:s3:::{BUCKET}/*", "s3:ListBucket": f"arn:aws:s3:::{BUCKET}"}
    statements = [{"Effect": "Allow", "Action": [action], "Resource": [on]} for action, on in actions.items()]
    return {"Version": "2012-10-17", "Statement": statements}


def _reader_of_aistor(server: RunningServer) -> tuple[str, str]:
    iam = MinioIamClient(server.endpoint, server.admin.user, server.admin.password, server.ca_bundle)
    iam.add_user("reader", "made-up-for-the-test")
    iam.add_canned_policy("reader", _reader_policy())
    iam.attach_policy("reader", ["reader"])
    return "reader", "made-up-for-the-test"


def _reader_of_aws(server: RunningServer) -> tuple[str, str]:
    iam = boto3.client(
        "iam",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=server.admin.user,
        aws_secret_access_key=server.admin.password,
        verify=server.ca_bundle,
    )
    iam.create_user(UserName="reader")
    iam.put_user_policy(UserName="reader", PolicyName="reader", PolicyDocument=json.dumps(_reader_policy()))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    iam.close()
    return key["AccessKeyId"], key["SecretAccessKey"]


def _make_buckets(client: S3Client, region: str) -> None:
    for bucket in (BUCKET, LOCKED):
        client.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]  # a plain str
            ObjectLockEnabledForBucket=bucket == LOCKED,
        )
    client.put_object_lock_configuration(
        Bucket=LOCKED,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )


@pytest.fixture(name="cloud", scope="module", params=["aistor", "aws"])
def _cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with ExitStack() as stack:
        server = stack.enter_context(running_server(request.param, tmp_path_factory.mktemp(request.param)))
        config = StoreConfig(
            endpoint=server.endpoint,
            region=server.region,
            access_key_id=server.admin.user,
            secret_access_key=server.admin.password,
            ca_bundle=server.ca_bundle,
        )
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=server.region,
            aws_access_key_id=server.admin.user,
            aws_secret_access_key=server.admin.password,
            verify=server.ca_bundle,
        )
        _make_buckets(client, server.region)
        client.close()
        key, secret = (_reader_of_aistor if request.param == "aistor" else _reader_of_aws)(server)
        reader = replace(config, access_key_id=key, secret_access_key=secret)
        yield Cloud(server, stack.enter_context(ObjectStore(config)), stack.enter_context(ObjectStore(reader)))


def _get(cloud: Cloud, url: str) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=cloud.server.ca_bundle)
    try:
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:  # noqa: S310  # the server's own
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


@example_settings(max_examples=sized(20, 1000))
@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), body=st.binary(max_size=100))
def test_any_legal_key_comes_back_as_given(cloud: Cloud, key: str, body: bytes) -> None:
    """Any signed and escaped key is the same for server and client."""
    try:
        check_key(BUCKET, key)
    except object_store.InvalidKey:
        return
    ref = cloud.admin.upload(BUCKET, key, body)

    assert cloud.reader.fetch(BUCKET, key) == Download(ref=ref, body=body)
    assert cloud.reader.head(BUCKET, key) == ref
    assert [found.key for found in cloud.reader.list(BUCKET)] == [key]
    assert _get(cloud, cloud.reader.presign(BUCKET, key, 60)) == (200, body)

    cloud.admin.delete_object(BUCKET, key)
    assert list(cloud.reader.list(BUCKET)) == []


@pytest.mark.parametrize("size", [0, 5, MULTIPART_THRESHOLD + 1])
def test_bucket_with_object_lock_takes_uploads(cloud: Cloud, size: int) -> None:
    """Whole bodies and parts are accepted, with the checksum that default retention requires on AWS."""
    ref = cloud.admin.upload(LOCKED, f"snapshot-{size}.tar", bytes(size), content_type="application/x-tar")

    assert ref == cloud.admin.head(LOCKED, f"snapshot-{size}.tar")
    assert cloud.admin.download(LOCKED, f"snapshot-{size}.tar") == bytes(size)


def test_identity_is_held_to_its_grants(cloud: Cloud) -> None:
    """What the reader may not do is AccessDenied with place and code, and changes nothing."""
    cloud.admin.upload(BUCKET, "kept", b"1")
    calls: dict[str, Callable[[], object]] = {
        "upload": lambda: cloud.reader.upload(BUCKET, "kept", b"2"),
        "multipart": lambda: cloud.reader.upload(BUCKET, "kept", bytes(MULTIPART_THRESHOLD + 1)),
        "delete": lambda: cloud.reader.delete_object(BUCKET, "kept"),
        "download elsewhere": lambda: cloud.reader.download(LOCKED, "kept"),
        "head elsewhere": lambda: cloud.reader.head(LOCKED, "kept"),
        "list elsewhere": lambda: next(cloud.reader.list(LOCKED)),
    }
    for name, call in calls.items():
        with pytest.raises(object_store.AccessDenied) as denied:
            call()

        assert denied.value.code == "AccessDenied", name

    assert cloud.reader.download(BUCKET, "kept") == b"1"
    cloud.admin.delete_object(BUCKET, "kept")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_unknown_key_and_wrong_secret_are_bad_credentials(cloud: Cloud, operation: str) -> None:
    """They differ from a missing grant, for HEAD too."""
    for changes, code in (
        ({"access_key_id": "AKIANOBODYNOBODYNOBO"}, "InvalidAccessKeyId"),
        ({"secret_access_key": "not-the-secret"}, "SignatureDoesNotMatch"),
    ):
        with cloud.as_admin(**changes) as store, pytest.raises(object_store.BadCredentials) as refused:
            OPERATIONS[operation](store)

        assert refused.value.code == code


@pytest.mark.parametrize("operation", OPERATIONS)
def test_wrong_region_names_the_variable(cloud: Cloud, operation: str) -> None:
    """A signature for another region is not a bad credential, and no half of the adapter signs for another one."""
    with cloud.as_admin(region="eu-west-1") as store, pytest.raises(object_store.WrongRegion, match="AWS_REGION"):
        OPERATIONS[operation](store)


def test_url_is_good_for_what_was_signed_only(cloud: Cloud) -> None:
    """It is valid neither for another key nor for longer, nor beyond its signer's grants."""
    cloud.admin.upload(BUCKET, "one", b"1")
    url = cloud.reader.presign(BUCKET, "one", 60)

    assert _get(cloud, url) == (200, b"1")
    assert _get(cloud, url.replace("/one?", "/two?"))[0] == 403
    assert _get(cloud, url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))[0] == 403
    assert _get(cloud, cloud.reader.presign(LOCKED, "one", 60))[0] == 403
    cloud.admin.delete_object(BUCKET, "one")


def test_environment_is_all_that_differs_between_the_clouds(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    """The same calls work with S3_ENDPOINT and S3_CA_BUNDLE and with the variables of AWS's SDKs."""
    on_aws = "aws" in request.node.callspec.id
    where = (
        {"AWS_ENDPOINT_URL": cloud.server.endpoint, "AWS_CA_BUNDLE": cloud.server.ca_bundle}
        if on_aws
        else {"S3_ENDPOINT": cloud.server.endpoint, "S3_CA_BUNDLE": cloud.server.ca_bundle}
    )
    credential = {
        "AWS_REGION": cloud.server.region,
        "AWS_ACCESS_KEY_ID": cloud.server.admin.user,
        "AWS_SECRET_ACCESS_KEY": cloud.server.admin.password,
    }
    with ObjectStore.from_environment(where | credential) as store:
        ref = store.upload(BUCKET, "from/environment", b"x")

        assert ref == ObjectRef.model_validate_json(ref.model_dump_json())
        assert [found.etag for found in store.list(BUCKET, "from/")] == [ref.etag]
        store.delete_object(BUCKET, "from/environment")
