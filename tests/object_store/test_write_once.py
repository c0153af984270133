"""Buckets in which every upload is `if_absent`: a server that refuses a put without the condition takes them all."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from model.handover import handovers
from object_store import AlreadyExists, AsyncObjectStore, ConfigurationError, ObjectStore, StoreConfig
from object_store.errors import AccessDenied
from trials.stores import Store, credentials_json, running_store
from verify.target import Target

LARGE = 9 << 20


@pytest.fixture(scope="module", name="store")
def _store() -> Iterator[Store]:
    with running_store("aws") as made:
        yield made


@pytest.fixture(name="config")
def _config(store: Store) -> StoreConfig:
    return store.target.config("worker")


@pytest.mark.parametrize("domain", ["replay", "archive"])
@pytest.mark.parametrize("size", [10, LARGE])
def test_object_is_written_once(store: Store, config: StoreConfig, domain: str, size: int) -> None:
    """The first upload is stored, at once or in parts; the second raises AlreadyExists and changes nothing."""
    bucket, key = store.plan.bucket(domain).name, f"once-{size}"
    with ObjectStore(config) as adapter:
        ref = adapter.upload(bucket, key, b"a" * size)
        with pytest.raises(AlreadyExists):
            adapter.upload(bucket, key, b"b" * size)

        assert adapter.head(bucket, key).etag == ref.etag


@pytest.mark.parametrize("size", [10, LARGE])
def test_asynchronous_upload_is_written_once(store: Store, config: StoreConfig, size: int) -> None:
    """The same without waiting."""
    bucket, key = store.plan.bucket("replay").name, f"async-{size}"

    async def twice() -> None:
        async with AsyncObjectStore(config) as adapter:
            await adapter.upload(bucket, key, b"a" * size)
            with pytest.raises(AlreadyExists):
                await adapter.upload(bucket, key, b"b" * size)

    asyncio.run(twice())


def test_folder_is_written_once(store: Store, config: StoreConfig, tmp_path: Path) -> None:
    """Each file of a folder goes up with the condition."""
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    bucket = store.plan.bucket("replay").name
    with ObjectStore(config) as adapter:
        assert adapter.upload_dir(tmp_path, bucket, "folder/").copied == 1


def test_server_refuses_a_put_without_the_condition(store: Store, config: StoreConfig) -> None:
    """Without the variable the server refuses the put, over an object or not; with `write` it asks for nothing."""
    with ObjectStore(replace(config, write_once=frozenset())) as adapter:
        with pytest.raises(AccessDenied):
            adapter.upload(store.plan.bucket("replay").name, "without", b"a")

        adapter.upload(store.plan.bucket("scratch").name, "twice", b"a")
        adapter.upload(store.plan.bucket("scratch").name, "twice", b"b")


def test_all_ways_to_a_configuration_agree(store: Store) -> None:
    """The delivered variables, the published deployment and the suite name the same buckets: the append grants."""
    wanted = frozenset(store.plan.bucket(domain).name for domain in ("replay", "archive", "ledger"))
    deployment, credentials = store.deployment, store.target.credentials
    (given,) = handovers(deployment, credentials, ["worker"], "host")
    variables = {**given.settings(None), **given.keys()}
    published = StoreConfig.from_deployment(
        deployment.model_dump(mode="json"), json.loads(credentials_json(store)), "worker"
    )

    assert StoreConfig.from_environment(variables).write_once == wanted
    assert published.write_once == wanted
    assert Target(deployment, credentials).config("worker").write_once == wanted


@pytest.mark.parametrize("listed", ["a,b", "bucket-one, bucket-two", "bucket-one,", "s3://bucket-one", "Bucket"])
def test_what_is_no_list_of_buckets_is_refused(listed: str) -> None:
    """A bucket that is not recognised would be written as any other, so a malformed list is an error."""
    environ = {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}

    with pytest.raises(ConfigurationError, match="S3_WRITE_ONCE"):
        StoreConfig.from_environment({**environ, "S3_WRITE_ONCE": listed})
