"""A running AIStor of each identity's key pair, for all tests of the credentials' life."""

from collections.abc import Iterator

import pytest

from tests.verify.stores import Store, running_store


@pytest.fixture(scope="session", name="store")
def _store() -> Iterator[Store]:
    """A small store on AIStor; no test changes what its keys may do without mending it."""
    with running_store("aistor") as store:
        yield store


@pytest.fixture(scope="session", name="aws_store")
def _aws_store() -> Iterator[Store]:
    """The same on AWS."""
    with running_store("aws") as store:
        yield store
