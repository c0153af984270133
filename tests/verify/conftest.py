"""The running stores that all tests of the suite share, and the facts gathered from them."""

import pytest

from tests.running_stores import any_store, aws_store, store
from trials.stores import Store
from verify.facts import Facts
from verify.gather import gather_facts

__all__ = ["any_store", "aws_store", "store"]


@pytest.fixture(scope="session", name="facts")
def _facts(store: Store) -> Facts:
    return gather_facts(store.target)


@pytest.fixture(scope="session", name="aws_facts")
def _aws_facts(aws_store: Store) -> Facts:
    return gather_facts(aws_store.target)
