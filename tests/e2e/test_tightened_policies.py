"""A standing stack of the commit before takes the new policies in place, while a workload writes.

The commit before is this checkout with its kinds of put and its list of denied actions emptied: the program that
deployed such a stack knew neither.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from model.handover import handovers
from model.resources import About, types_about
from object_store import ObjectStore, StoreConfig
from stack.outputs import read_published
from tests.sizes import on
from trials.checkout import Checkout, copy_checkout

pytestmark = pytest.mark.e2e

DOMAINS = ("session-archive", "vault-backups")
_BEFORE = """
REFUSALS = ()


def refuses_overwrites(cloud):
    return cloud == "aws"


NEVER_ACTIONS = dict.fromkeys(
    NEVER_ACTIONS, ["s3:BypassGovernanceRetention", "s3:DeleteObjectVersion", "s3:PutObjectRetention"]
)
"""


@dataclass
class Writer:
    """A workload that puts a new object again and again.

    Attributes:
        bucket: Its bucket.
        kept: The keys whose put was acknowledged.
        refused: What it met instead.
    """

    store: ObjectStore
    bucket: str
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Write until it is told to end, and once more after that."""
        number = 0
        while True:
            last = self.ended.is_set()
            key = f"written/{number}"
            try:
                self.store.upload(self.bucket, key, key.encode())
                self.kept.append(key)
            except Exception as error:  # noqa: BLE001 - whatever stops a writer is a finding of the test
                self.refused.append(f"{key}: {error}")
            number += 1
            if last:
                return


@contextmanager
def writing(writer: Writer) -> Iterator[None]:
    """A writer beside the block."""
    thread = threading.Thread(target=writer.run)
    thread.start()
    try:
        yield
    finally:
        writer.ended.set()
        thread.join()


def steps(checkout: Checkout, stack: str) -> dict[tuple[str, str], int]:
    """The engine's steps of a preview: how many of each operation on each type."""
    done = checkout.pulumi(stack, "preview", "--json", "--stack", stack)
    assert done.status == 0, done.output
    found: dict[tuple[str, str], int] = {}
    for one in json.loads(done.output[done.output.index("{") :])["steps"]:
        if one["op"] != "same":
            about = (one["op"], one["newState"]["type"])
            found[about] = found.get(about, 0) + 1
    return found


def sentences(checkout: Checkout, stack: str) -> dict[str, str]:
    """What the preview says of the archiver: each sentence with its risk."""
    done = checkout.python("cli", "preview", "--stack", stack, "--format", "json", stack=stack)
    changes: list[dict[str, Any]] = json.loads(done.output[done.output.index("{") :])["changes"]
    return {one["sentence"]: one["risk"] for one in changes if one["sentence"].startswith("session-archiver")}


@on("stack", ["local"], left=["aws"])
def test_new_policies_come_in_place(engine: None, tmp_path: Path, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only policies change, and none of the keys; the preview says what tightens; the writer loses nothing."""
    del engine
    checkout = copy_checkout(tmp_path, DOMAINS)
    policies = checkout.path / "model" / "policies.py"
    now = policies.read_text("utf-8")
    policies.write_text(now + _BEFORE, encoding="utf-8")
    try:
        done = checkout.python("cli", "sandbox", "up", "--stack", stack)
        assert done.status == 0, done.output
        assert checkout.up(stack, "--stack", stack).status == 0
        policies.write_text(now, encoding="utf-8")

        said = sentences(checkout, stack)
        kinds = set(steps(checkout, stack))
        own = types_about(About.POLICY)
        # On AIStor a key's own policy repeats the user's, and changes in place.
        in_place = own if stack == "aws" else own | types_about(About.KEY)

        assert {kind for _, kind in kinds} & own
        assert {(operation, kind in in_place) for operation, kind in kinds} == {("update", True)}
        assert any("is now refused: " in one and "SSE-C" in one for one in said)
        overwrites = [risk for one, risk in said.items() if "If-None-Match" in one]
        assert overwrites == (["danger"] if stack == "aws" else [])

        for name, value in checkout.environment(stack).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(checkout.path)
        published = read_published(stack)
        deployment = published.deployment
        (given,) = handovers(deployment, published.credentials, ["session-archiver"], "host")
        bucket = deployment.plan.bucket("session-archive").name
        server = checkout.server(stack)
        config = StoreConfig(
            endpoint=server.endpoint,
            region=deployment.region,
            access_key_id=given.pair.access_key_id,
            secret_access_key=given.pair.secret_access_key.get_secret_value(),
            ca_bundle=server.ca_bundle,
            write_once=frozenset({bucket} if stack == "aws" else ()),  # as the preview advises
        )
        with ObjectStore(config) as store:
            writer = Writer(store, bucket)
            with writing(writer):
                done = checkout.up(stack, "--stack", stack)
            assert done.status == 0, done.output

            assert writer.refused == []
            assert {ref.key for ref in store.list(bucket, "written/")} == set(writer.kept)
            assert len(writer.kept) > 1
        again = checkout.pulumi(stack, "preview", "--expect-no-changes", "--stack", stack)
        assert again.status == 0, again.output
        published = read_published(stack)
        (same,) = handovers(published.deployment, published.credentials, ["session-archiver"], "host")
        assert same.pair.access_key_id == given.pair.access_key_id
        assert same.write_once == ((bucket,) if stack == "aws" else ())
    finally:
        checkout.python("cli", "sandbox", "down", "--stack", stack)
