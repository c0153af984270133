"""One running ClickHouse for the tests of a file, with the owner's table; skipped where its engine has no wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.clickhouse.running import RunningClickHouse, is_installed, running_clickhouse
from sandbox.clickhouse.tables import CREATE_DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", name="started")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    """A server in Los Angeles; no request makes it log an error of its own."""
    if not is_installed():
        pytest.skip("chdb-core-lite has no wheel for this Python")
    folder = tmp_path_factory.mktemp("clickhouse")
    with running_clickhouse(folder, time_zone="America/Los_Angeles") as server:
        server.ask(CREATE_DATABASE)
        yield server
    assert (folder / "log").read_text(encoding="utf-8") == ""


@pytest.fixture(name="clickhouse")
def _clickhouse(started: RunningClickHouse) -> Iterator[RunningClickHouse]:
    """The server, without what another test ordered."""
    yield started
    started.order()
