"""What all tests share: an environment from which no real account can be reached, and who runs what beside whom.

With pytest-xdist a worker takes a group of tests at a time, and what a group's tests share (a server, a deployed stack)
is made once in it. Groups are handed out in the order of collection, so the long ones come first.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.redaction import KEPT
from tests.sizes import load_examples

load_examples()

ROOT = Path(__file__).parent
# In seconds, measured on two cores: what must begin early, or a worker ends long after the others.
LONG = {
    "e2e/test_preview.py": 700,
    "e2e/test_admin_api.py": 590,
    "e2e/test_stacks.py": 400,
    "e2e/test_credentials.py": 390,
    "components/test_admin_policy.py": 320,
    "leaks/test_commands.py": 310,
    "verify/test_mutations.py": 180,
    "workflows/test_deploy.py": 140,
    "workflows/test_preview.py": 140,
    "workflows/test_real.py": 140,
    "e2e/test_adopt.py": 130,
    "e2e/test_admin_policy.py": 120,
    "sandbox/test_cli.py": 100,
    "contract/test_contract.py": 100,
}
# Files whose tests share nothing across the values of a parameter.
_BY_PARAMETER = {
    "components/test_admin_policy.py": "cloud",
    "e2e/test_admin_api.py": "deployed",
    "e2e/test_credentials.py": "stack",
    "e2e/test_preview.py": "stack",
}
# Files that share what one of them makes.
_TOGETHER = {"workflows/test_preview.py": "workflows/test_deploy.py"}
_REACHING = ("AWS_", "AISTOR_", "S3_", "MINIO_", "PULUMI_", "OBJECTSTORE_")


@pytest.fixture(autouse=True, name="clean_environment")
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the caller's leads a test to a real store."""
    for name in list(os.environ):
        if name.startswith(_REACHING):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True, name="nothing_kept")
def _nothing_kept() -> Iterator[None]:
    """What one test has read as a secret is an ordinary text to the next."""
    yield
    KEPT.forget()


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: the tests wait for other processes, now and then."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long files first, and each test into its group; without workers the order stays as it is."""
    if not hasattr(config, "workerinput"):
        return
    items.sort(key=lambda item: -LONG.get(_file(item), 0))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _file(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT).as_posix() if item.path.is_relative_to(ROOT) else item.path.name


def _group(item: pytest.Item) -> str:
    file = _TOGETHER.get(_file(item), _file(item))
    parameters = getattr(item, "callspec", None)
    parameter = _BY_PARAMETER.get(file)
    return f"{file}@{parameters.params.get(parameter)}" if parameters and parameter else file
