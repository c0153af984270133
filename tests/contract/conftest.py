"""Selects the servers for the contract: the sandbox's and versitygw, or only the one of `--endpoint`.

    pytest tests/contract --endpoint https://s3.example.net [--bucket NAME]

takes the credential from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the region from AWS_REGION (default us-west-2)
and the CA from S3_CA_BUNDLE. Without `--bucket` it makes two buckets and removes them. With `--bucket` it writes only
below its own prefixes in that bucket. A fact that does not hold there is one sentence; `--tb=long` shows the traceback.
"""

from __future__ import annotations

import os
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from object_store import MULTIPART_THRESHOLD, ConfigurationError, ObjectStore
from tests.sizes import ELSEWHERE
from tests.typescript.fixtures import typescript
from trials.servers import (
    GIVEN,
    OWN,
    Server,
    UnreachableError,
    check_reachable,
    given_server,
    made_bucket,
    remove_objects,
)

__all__ = ["typescript"]

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mypy_boto3_s3 import S3Client

_REASON_CHARACTERS = 400
_FOLDER = Path(__file__).parent
_SANDBOX = ("local", "aws")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options. A run of all tests comes here too late for them and uses their defaults."""
    group = parser.getgroup("contract")
    group.addoption("--endpoint", metavar="URL", help="test the contract on this S3 server only")
    group.addoption("--bucket", metavar="NAME", help="with --endpoint: use this bucket and make none")


def _given(config: pytest.Config) -> Server | None:
    endpoint, bucket = config.getoption("--endpoint", None), config.getoption("--bucket", None)
    if endpoint is None:
        if bucket is not None:
            raise pytest.UsageError("--bucket goes with --endpoint URL")
        return None
    try:
        return given_server(endpoint, bucket, os.environ)
    except ConfigurationError as fault:
        raise pytest.UsageError(f"--endpoint: {fault}") from None


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot work before anything is collected."""
    given = _given(config)
    if given is not None:
        try:
            check_reachable(given)
        except UnreachableError as fault:
            raise pytest.UsageError(f"--endpoint: {fault}") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A fact that does not hold on a given server is that server's lack: one sentence, not a traceback of ours."""
    report = yield
    endpoint = item.config.getoption("--endpoint", None)
    if report.failed and endpoint and call.excinfo and item.config.option.tbstyle == "auto":
        fact = " ".join((getattr(item, "function", item).__doc__ or item.name).split())
        error = call.excinfo.value
        reason = " ".join([type(error).__name__ + ":", *str(error).split(), *getattr(error, "__notes__", ())])
        report.longrepr = f"{endpoint} does not hold this: {fact} ({reason[:_REASON_CHARACTERS]})"
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on each server."""
    if "server" in metafunc.fixturenames:
        marks = {"versitygw": pytest.mark.versitygw}
        own = [pytest.param(name, marks=marks.get(name, ())) for name in OWN]
        names = own if _given(metafunc.config) is None else [GIVEN]
        metafunc.parametrize("server", names, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For a change, a large body goes to one of the sandbox's two servers in turn: each takes a second for it."""
    turns: dict[str, str] = {}
    for item in items:
        if not isinstance(item, pytest.Function) or item.path.parent != _FOLDER or not hasattr(item, "callspec"):
            continue
        params = item.callspec.params
        is_large = any(isinstance(value, int) and value >= MULTIPART_THRESHOLD for value in params.values())
        if is_large and (server := params.get("server")) in _SANDBOX:
            turn = turns.setdefault(item.name.replace(server, ""), _SANDBOX[len(turns) % 2])
            if server != turn:
                item.add_marker(ELSEWHERE)


@pytest.fixture(scope="session", name="server")
def _server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server, running."""
    with ExitStack() as running:
        if request.param == GIVEN:
            given = _given(request.config)
            assert given is not None
            yield given
            return
        from sandbox.engine.gateway import NoGatewayError  # noqa: PLC0415 - not needed for another endpoint

        try:
            server: Server = running.enter_context(OWN[request.param]())
        except NoGatewayError as reason:
            pytest.skip(str(reason))
        yield server


@pytest.fixture(scope="session", name="client")
def _client(server: Server) -> Iterator[S3Client]:
    """A client other than the adapter; it makes and inspects what the adapter does not."""
    client = server.client()
    yield client
    client.close()


@pytest.fixture(scope="session", name="store")
def _store(server: Server) -> Iterator[ObjectStore]:
    """The adapter."""
    with ObjectStore(server.config) as store:
        yield store


@pytest.fixture(scope="session", name="bucket")
def _bucket(server: Server, client: S3Client) -> Iterator[str]:
    """A bucket without versions; the given bucket, if there is one."""
    if server.bucket is not None:
        yield server.bucket
        return
    with made_bucket(server, client) as name:
        yield name


@pytest.fixture(name="prefix")
def _prefix(client: S3Client, bucket: str) -> Iterator[str]:
    """The test's own prefix, empty before and after it."""
    prefix = f"contract/{uuid.uuid4().hex}/"
    yield prefix
    remove_objects(client, bucket, prefix)
