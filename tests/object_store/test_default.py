"""The plain functions use the store of the environment, made once, when it is needed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import object_store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _fresh_default() -> Iterator[None]:
    object_store.default_store.cache_clear()
    yield
    object_store.default_store.cache_clear()


def test_a_worker_needs_the_environment_only(monkeypatch: pytest.MonkeyPatch, moto_endpoint: str, bucket: str) -> None:
    """Every operation works on the one store that the variables describe."""
    monkeypatch.setenv("S3_ENDPOINT", moto_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")

    ref = object_store.upload(bucket, "a/b.txt", b"body", content_type="text/plain")

    assert object_store.download(bucket, "a/b.txt") == b"body"
    assert object_store.fetch(bucket, "a/b.txt") == object_store.Download(ref=ref, body=b"body")
    assert object_store.head(bucket, "a/b.txt") == ref
    assert [found.key for found in object_store.list(bucket, "a/")] == ["a/b.txt"]
    assert object_store.presign(bucket, "a/b.txt", timedelta(hours=1)).startswith(f"{moto_endpoint}/{bucket}/a/b.txt?")
    object_store.delete_object(bucket, "a/b.txt")
    assert list(object_store.list(bucket)) == []
    assert object_store.default_store() is object_store.default_store()
    object_store.default_store().close()


def test_import_needs_no_environment_and_a_call_names_what_is_missing() -> None:
    """The package was imported without any variable; the first call says which one to set."""
    with pytest.raises(object_store.ConfigurationError, match="AWS_REGION is not set: export AWS_REGION="):
        object_store.download("probe", "k")


def test_every_public_name_exists_and_is_documented() -> None:
    """__all__ holds only existing names, and each class and function has a docstring."""
    for name in object_store.__all__:
        value = getattr(object_store, name)
        if callable(value):
            assert value.__doc__, name
