"""Messages and classes of the errors."""

from __future__ import annotations

import pickle

import pytest

import object_store
from object_store import errors
from object_store.errors import ObjectStoreError

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ObjectStoreError)]


def test_package_exports_the_whole_tree() -> None:
    """Each class of the tree can be imported from the package."""
    assert {error.__name__ for error in TREE} <= set(object_store.__all__)


def test_docstring_draws_the_whole_tree() -> None:
    """The drawing has every class."""
    assert all(error.__name__ in (errors.__doc__ or "") for error in TREE)


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_message_names_bucket_key_code_and_reason(error: type[ObjectStoreError]) -> None:
    """It does so also after a worker process pickled it."""
    made = error("it is so.", bucket="probe", key="a'b", code="SomeCode", status=418)

    for each in (made, pickle.loads(pickle.dumps(made))):  # noqa: S301  # our own, made in the line itself
        assert str(each).startswith("bucket 'probe', key \"a'b\": it is so. (SomeCode).")
        assert (each.bucket, each.key, each.code, each.status) == ("probe", "a'b", "SomeCode", 418)
        assert str(each) == str(made)
        assert type(each) is error


def test_message_without_place_is_the_reason() -> None:
    """A message without a bucket names none."""
    assert str(ObjectStoreError("It is so")) == "It is so."


def test_kinds_that_callers_rely_on() -> None:
    """A missing bucket is NotFound, a bad certificate EndpointUnreachable, a refused argument a ValueError."""
    assert issubclass(object_store.BucketNotFound, object_store.NotFound)
    assert issubclass(object_store.CertificateNotTrusted, object_store.EndpointUnreachable)
    assert issubclass(object_store.InvalidBody, TypeError)
    assert issubclass(object_store.InvalidArgument, ValueError)
    assert issubclass(object_store.ConfigurationError, ValueError)
    assert not issubclass(object_store.AccessDenied, object_store.NotFound)
