"""One running server of each cloud for all tests of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.server.temporary import running_server
from tests.sandbox.serving import Aistor, Aws, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", name="aistor")
def _aistor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aistor]:
    """A running server that imitates AIStor."""
    with running_server("aistor", tmp_path_factory.mktemp("aistor")) as server:
        stack = Aistor(server)
        with stack.cleanup:
            yield stack


@pytest.fixture(scope="session", name="aws")
def _aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """A running server that imitates AWS."""
    with running_server("aws", tmp_path_factory.mktemp("aws")) as server:
        stack = Aws(server)
        with stack.cleanup:
            yield stack


@pytest.fixture(name="stack", params=["aistor", "aws"])
def _stack(request: pytest.FixtureRequest) -> Stack:
    """Each of the two in turn."""
    stack: Stack = request.getfixturevalue(request.param)
    return stack
