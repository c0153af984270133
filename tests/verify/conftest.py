"""The running stores that all tests of the suite share, and what was gathered from one of them."""

from collections.abc import Iterator

import pytest

from tests.verify.stores import Store, running_store
from verify.facts import Facts
from verify.gather import gather_facts

__all__ = ["Store"]


@pytest.fixture(scope="session", name="store")
def _store() -> Iterator[Store]:
    """On AIStor."""
    with running_store("aistor") as store:
        yield store


@pytest.fixture(scope="session", name="aws_store")
def _aws_store() -> Iterator[Store]:
    """On AWS."""
    with running_store("aws") as store:
        yield store


@pytest.fixture(scope="session", name="any_store", params=["aistor", "aws"])
def _any_store(request: pytest.FixtureRequest) -> Store:
    """Each of the two in turn."""
    store: Store = request.getfixturevalue("store" if request.param == "aistor" else "aws_store")
    return store


@pytest.fixture(scope="session", name="facts")
def _facts(store: Store) -> Facts:
    return gather_facts(store.target)


@pytest.fixture(scope="session", name="aws_facts")
def _aws_facts(aws_store: Store) -> Facts:
    return gather_facts(aws_store.target)
