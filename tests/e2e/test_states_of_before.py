"""A stack that was deployed before the code moved: the code of today sees no change in it, and makes none.

`data/stacks-of-c231e13.tar.gz` holds both sandbox stacks as commit c231e13 left them: state, config, passphrase,
administrator and CA, all of them of servers that are no more. How to make such a file of another commit: deploy it by
`make up`, stop it by `object-store sandbox down --keep`, and pack `.sandbox/{local,aws}` without server certificates,
logs, history and store.
"""

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.folder import StackName
from sandbox.server.process import running_server
from tests.e2e.conftest import copy_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Checkout

pytestmark = pytest.mark.e2e

STACKS = Path(__file__).parent / "data" / "stacks-of-c231e13.tar.gz"


@pytest.fixture(scope="module", name="old")
def _old(engine: None, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Checkout]":
    """A checkout of today with the stacks of then; where a port is taken meanwhile, the state tells the new one."""
    del engine
    checkout = copy_checkout(tmp_path_factory.mktemp("old"))
    with tarfile.open(STACKS) as packed:
        packed.extractall(checkout.path / ".sandbox", filter="data")
    before = {
        name: json.loads((checkout.folder(name).server_log.parent / "ports.json").read_text())["endpoint"]
        for name in StackName
    }
    try:
        done = checkout.python("cli", "sandbox", "up")
        assert done.status == 0, done.output
        for name in StackName:
            server = running_server(checkout.folder(name))
            assert server is not None
            (state,) = checkout.folder(name).state.glob(f".pulumi/stacks/*/{name}.json")
            old, new = (url.removeprefix("https://") for url in (before[name], server.endpoint))
            state.write_text(state.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        yield checkout
    finally:
        checkout.python("cli", "sandbox", "down")


def test_preview_sees_no_change(old: "Checkout", stack: str) -> None:
    """Names, types, inputs and pickled providers are those of then; what is asked of no server cannot differ by it."""
    state = json.loads(old.pulumi(stack, "stack", "export", "--stack", stack).output)
    assert len(state["deployment"]["resources"]) > 50

    done = old.pulumi(stack, "preview", "--expect-no-changes", "--stack", stack)

    assert done.status == 0, done.output


def test_update_changes_nothing(old: "Checkout", stack: str) -> None:
    """Not one request for a resource is made: the server that it stands beside has none."""
    before = old.client(stack).list_buckets()["Buckets"]

    done = old.up(stack, "--expect-no-changes", "--stack", stack)

    assert done.status == 0, done.output
    assert old.client(stack).list_buckets()["Buckets"] == before == []


def test_what_was_published_is_read(old: "Checkout", stack: str) -> None:
    """The keys of then are told by the commands of today."""
    done = old.python("cli", "keys", "deliver", "--stack", stack, "--to", "json", "--identity", "worker", stack=stack)

    assert '"AWS_ACCESS_KEY_ID"' in done.output, done.output
