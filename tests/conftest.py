"""What all tests share: an environment from which no real account can be reached, and workers (tests.workers)."""

import os
import signal
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from model.secrecy.redaction import KEPT
from tests.sizes import load_examples
from tests.workers import LONG, Groups, file_of

load_examples()

# Each session parses its services' descriptions anew, which takes five times as long as all the rest of a client.
_parsed = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, file_path: _parsed(file_path)  # type: ignore[assignment,method-assign]

# A shell's background job, or nohup, ignores signals, and so would every process that a test starts and interrupts.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

#: What no coverage is counted of, because tracing takes a third longer: tests of other processes or of the sandbox, and
#: those that try again and again what others count already.
UNCOUNTED = (
    "contract/",
    "e2e/",
    "infra/components/test_admin_policy.py",
    "install/",
    "leaks/",
    "repository/",
    "sandbox/",
    "verify/test_faults.py",
    "verify/test_mutations.py",
    "workflows/",
)
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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: the tests wait for other processes, now and then."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:  # noqa: ANN401 - a logger of xdist's own
    """Hand the tests out in groups, whatever `--dist` says."""
    return Groups(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Trace no test that counts for no coverage; with workers, put the long files first, without any keep the order."""
    for item in items:
        if file_of(item.nodeid).startswith(UNCOUNTED):
            item.add_marker("no_cover")  # pytest-cov's own
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -LONG.get(file_of(item.nodeid), 0))
