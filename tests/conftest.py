"""Shared by all tests: an environment from which a test cannot reach a real account, and workers (tests.workers)."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model.secrecy.redaction import KEPT
from sandbox.server.one_salt import use_one_salt
from tests.quick_sdk import use_quick_sdk
from tests.sizes import load_examples
from tests.warm import warm_environment
from tests.workers import LONG, Groups, file_of

load_examples()
use_one_salt()
use_quick_sdk()

# A shell's background job, or nohup, ignores signals, and every process that a test starts would inherit that.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

#: Tests without coverage, because tracing makes them a third slower: tests of other processes or of the sandbox, and
#: tests that repeat code which other tests cover already.
UNCOUNTED = (
    "clients/",
    "contract/",
    "e2e/",
    "fuzz/",
    "infra/components/test_admin_policy.py",
    "install/",
    "leaks/",
    "model/allowed/test_random.py",
    "model/allowed/test_widenings.py",
    "object_store/test_faults.py",
    "repository/",
    "sandbox/",
    "trials/",
    "typescript/",
    "verify/test_faults.py",
    "verify/test_interrupt.py",
    "verify/test_mutations.py",
    "verify/test_repeated.py",
    "workflows/",
)
_REACHING = ("AWS_", "AISTOR_", "S3_", "MINIO_", "PULUMI_", "OBJECTSTORE_")


@pytest.fixture(autouse=True, name="clean_environment")
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment variable of the caller leads a test to a real store."""
    for name in list(os.environ):
        if name.startswith(_REACHING):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True, name="nothing_kept")
def _nothing_kept() -> Iterator[None]:
    """A text that one test has read as a secret is an ordinary text in the next test."""
    yield
    KEPT.forget()


@pytest.fixture(autouse=True, name="signals_stay")
def _signals_stay() -> Iterator[None]:
    """No test leaves a signal handled otherwise: every process that a later test starts would inherit it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    changed = {number: held for number, held in before.items() if signal.getsignal(number) is not held}
    for number, held in changed.items():
        signal.signal(number, held)
    assert not changed


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Python that has loaded the packages (tests.warm)."""
    with warm_environment(tmp_path_factory.mktemp("warm") / "venv") as python:
        yield python


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three workers more than cores, because the tests often wait for other processes."""
    return (os.cpu_count() or 1) + 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:  # noqa: ANN401 - a logger of xdist's own
    """Distribute the tests in groups, for every value of `--dist`."""
    return Groups(config, log)


def pytest_collection_finish() -> None:
    """Leave what is there by now out of each later collection of garbage, which would look at all of it each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Do not trace tests without coverage. With workers, put the long files first; without workers, keep the order."""
    for item in items:
        if file_of(item.nodeid).startswith(UNCOUNTED):
            item.add_marker("no_cover")  # pytest-cov's own
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -LONG.get(file_of(item.nodeid), 0))
