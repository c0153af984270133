"""A stack that was deployed before the code moved: the present code sees no change in it, and makes none.

`data/stacks-of-c231e13.tar.gz` holds both sandbox stacks of commit c231e13: state, config, passphrase, administrator
and CA. Their servers no longer exist. To create such a file for another commit, deploy it with `make up`, stop it with
`object-store sandbox down --keep`, and pack `.sandbox/{local,aws}` without server certificates, logs, history and
store.
"""

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model.resources import TYPES, About, subject_of
from model.taxonomy_file import load
from sandbox.folder import StackName
from sandbox.server.process import running_server
from tests.sizes import on
from trials.checkout import copy_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trials.checkout import Checkout

pytestmark = pytest.mark.e2e

STACKS = Path(__file__).parent / "data" / "stacks-of-c231e13.tar.gz"


@pytest.fixture(scope="module", name="old")
def _old(engine: None, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Checkout]":
    """The present checkout with the old stacks; if a port is taken, the state gets the new one."""
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


def domain_of(step: "Mapping[str, Any]") -> str:
    """The domain of a step's resource."""
    return subject_of(step["newState"]["type"], step["urn"].rpartition("::")[2])[0]


def test_preview_sees_only_what_is_new(old: "Checkout", stack: str) -> None:
    """Names, types, inputs and pickled providers equal the old ones; on AIStor each bucket gets its policy guard.

    The hot bucket's rule gets an end for the versions of a bucket that was warm, and on AIStor the rule of a warm
    bucket with an `append` grant a later one. Each policy tightens; no key is made again.
    """
    state = json.loads(old.pulumi(stack, "stack", "export", "--stack", stack).output)
    assert len(state["deployment"]["resources"]) > 50

    done = old.pulumi(stack, "preview", "--json", "--stack", stack)

    assert done.status == 0, done.output
    steps = json.loads(done.output[done.output.index("{") :])["steps"]
    types = TYPES["aws" if stack == "aws" else "v3"]
    guards = {("create", types[About.BUCKET_POLICY], name) for name in load().domains} if stack == "local" else set()
    found = {(one["op"], one["newState"]["type"], domain_of(one)) for one in steps if one["op"] != "same"}
    longer = ("session-archive", "discovery-raw") if stack == "local" else ()
    # On AIStor each key's own policy repeats its user's.
    tightened = (types[About.POLICY], *([types[About.KEY]] if stack == "local" else []))
    names = [name for name, identity in load().identities.items() if stack == "aws" or not identity.verifies]
    assert found == {
        *guards,
        *(("update", types[About.LIFECYCLE], name) for name in ("agent-loop-artifacts", *longer)),
        *(("update", kind, name) for kind in tightened for name in names),
    }


@on("stack", ["aws"], left=["local"])
def test_preview_says_what_tightens(old: "Checkout", stack: str) -> None:
    """Each workload learns what is refused from now on; on AWS the condition of a put is a danger."""
    done = old.python("cli", "preview", "--stack", stack, "--format", "json", stack=stack)

    changes = json.loads(done.output[done.output.index("{") :])["changes"]
    said = {one["sentence"]: one["risk"] for one in changes if " is now refused: " in one["sentence"]}
    dangers = {sentence for sentence, risk in said.items() if risk == "danger"}
    assert {sentence.partition(":")[0] for sentence in said} == {
        name for name, identity in load().identities.items() if not identity.verifies
    }
    assert dangers == {sentence for sentence in said if "If-None-Match" in sentence}
    assert bool(dangers) == (stack == "aws")


def test_update_stops_at_an_empty_server(old: "Checkout", stack: str) -> None:
    """The server beside the old state holds none of its buckets and gets none."""
    before = old.client(stack).list_buckets()["Buckets"]

    done = old.up(stack, "--stack", stack)

    assert done.status != 0
    assert f"object-store recover --stack {stack} --all-gone" in done.output
    assert old.client(stack).list_buckets()["Buckets"] == before == []


@on("stack", ["local"], left=["aws"])
def test_what_was_published_is_read(old: "Checkout", stack: str) -> None:
    """The present commands show the old keys."""
    done = old.python("cli", "keys", "deliver", "--stack", stack, "--to", "json", "--identity", "worker", stack=stack)

    assert '"AWS_ACCESS_KEY_ID"' in done.output, done.output
