"""The test stores: each identity holds its own key and may do what its policy says, which a test can change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from trials.stores import Store


@contextmanager
def client_of(store: Store, identity: str) -> Iterator[Any]:
    """An S3 client with an identity's own key."""
    pair = store.target.credentials[identity]
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=store.server.endpoint,
        region_name=store.server.region,
        aws_access_key_id=pair.access_key_id,
        aws_secret_access_key=pair.secret_access_key.get_secret_value(),
        verify=store.server.ca_bundle,
        config=Config(signature_version="s3v4"),  # for forms too, where botocore's default is the older one
    )
    try:
        yield client
    finally:
        client.close()


def refusal(client: Any, operation: str, **arguments: Any) -> str:  # noqa: ANN401 - boto3's client and arguments
    """The code of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_identities_are_bound_to_their_grants(any_store: Store) -> None:
    """The worker puts where it may write, the reader only reads, and the verifier is confined to its prefix."""
    scratch, orphan = (any_store.plan.bucket(domain).name for domain in ("scratch", "orphan"))
    with client_of(any_store, "worker") as worker, client_of(any_store, "reader") as reader:
        worker.put_object(Bucket=scratch, Key="a", Body=b"a")

        assert reader.get_object(Bucket=scratch, Key="a")["Body"].read() == b"a"
        assert refusal(reader, "put_object", Bucket=scratch, Key="b", Body=b"b") == "AccessDenied"
        assert refusal(worker, "list_objects_v2", Bucket=orphan) == "AccessDenied"
        with client_of(any_store, "verifier") as verifier:
            assert refusal(verifier, "get_object", Bucket=scratch, Key="a") == "AccessDenied"
            names = {bucket["Name"] for bucket in verifier.list_buckets()["Buckets"]}
        worker.delete_object(Bucket=scratch, Key="a")
    assert names == {bucket.name for bucket in any_store.plan.buckets}


def test_policy_is_replaced_and_restored(any_store: Store) -> None:
    """A widened policy takes effect at once, and is removed again."""
    orphan = any_store.plan.bucket("orphan").name
    more = {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"arn:aws:s3:::{orphan}/*"]}
    with client_of(any_store, "reader") as reader:
        any_store.set_user_policy("reader", [*any_store.planned_policy("reader")["Statement"], more])
        try:
            reader.put_object(Bucket=orphan, Key="widened", Body=b"")
        finally:
            any_store.restore_user_policy("reader")
            any_store.client.delete_object(Bucket=orphan, Key="widened")

        assert refusal(reader, "put_object", Bucket=orphan, Key="b", Body=b"") == "AccessDenied"
        listed = reader.list_objects_v2(Bucket=orphan).get("Contents", [])
        assert not {"widened", "b"} & {found["Key"] for found in listed}  # probes of other tests may exist
