"""The running stores that all tests of the suite share, and the facts gathered from them."""

from pathlib import Path

import pytest

from tests.running_stores import any_store, aws_store, store
from trials.stores import Store, credentials_json
from verify.facts import Facts
from verify.gather import gather_facts

__all__ = ["any_store", "aws_store", "store"]


@pytest.fixture(scope="session", name="facts")
def _facts(store: Store) -> Facts:
    return gather_facts(store.target)


@pytest.fixture(scope="session", name="aws_facts")
def _aws_facts(aws_store: Store) -> Facts:
    return gather_facts(aws_store.target)


@pytest.fixture(name="files")
def _files(store: Store, tmp_path: Path) -> list[str]:
    """The options that name the store."""
    deployment, credentials = tmp_path / "deployment.json", tmp_path / "credentials.json"
    deployment.write_text(store.deployment.model_dump_json(), encoding="utf-8")
    credentials.write_text(credentials_json(store), encoding="utf-8")
    credentials.chmod(0o600)
    return ["--deployment", str(deployment), "--credentials", str(credentials)]
