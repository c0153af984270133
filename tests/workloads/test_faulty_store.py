"""Each fault of the proxy's table, on each request of an archive and of a restore: no loss, no success that is none."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from object_store import ObjectStore, StoreConfig, wire
from sandbox.transcripts import truth_of
from tests.sizes import sized
from trials.faults import On
from trials.faulty_answers import LIST, READ, READ_RANGES, STORE, TABLE, FaultyAnswer
from trials.faulty_proxy import FaultyProxy
from workloads import context
from workloads.sessions.restoring import RestoreOptions, run_restore

PACK, MANIFEST, COMMIT = r"\.tar\.zst$", r"\.manifest\.ndjson\.zst$", r"\.commit\.json$"
#: Each request of an archive, with the operation of the adapter that sends it.
REQUESTS = {
    "listing": (LIST, On("GET", query="list-type")),
    "put of a pack": (STORE, On("PUT", PACK)),
    "read-back of a pack": (READ, On("GET", PACK)),
    "put of a manifest": (STORE, On("PUT", MANIFEST)),
    "read-back of a manifest": (READ, On("GET", MANIFEST)),
    "put of a commit": (STORE, On("PUT", COMMIT)),
    "read-back of a commit": (READ, On("GET", COMMIT)),
    "put of a receipt": (STORE, On("PUT", "receipts/")),
}
#: Likewise of a restore on a machine that knows nothing.
READS = {
    "listing": (LIST, On("GET", query="list-type")),
    "commit": (READ, On("GET", COMMIT)),
    "manifest": (READ, On("GET", MANIFEST)),
    "range of a pack": (READ_RANGES, On("GET", PACK)),
}


def rows(operation: str, name: str, names: Sequence[str]) -> list[FaultyAnswer]:
    """The faults of an operation: for a change a few, others for each request."""
    fitting = [row for row in TABLE if operation in row.happens or (operation == READ_RANGES and READ in row.happens)]
    few = sized(2, len(fitting))
    if few < len(fitting):
        fitting = [row for row in fitting if row.name != "a stall"]  # it takes half a minute
    at = list(names).index(name) * 5 % len(fitting)
    return (fitting + fitting)[at : at + few]


@pytest.fixture(name="proxied")
def _proxied(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - the fixture's own class
    """A machine with a few files; between tries, and for an answer that stalls, it does not wait for long."""
    monkeypatch.setattr(wire, "_FIRST_BACKOFF_SECONDS", 0.001)

    def hasty(config: StoreConfig) -> ObjectStore:
        return ObjectStore(replace(config, max_retries=1, stall_timeout=timedelta(seconds=1)))

    monkeypatch.setattr(context, "ObjectStore", hasty)
    for number in range(3):
        path = world.home / f"s/{number}.jsonl"
        path.write_bytes(os.urandom(3000).hex().encode() + b"\n")
        os.utime(path, (time.time() - 86400 * 3,) * 2)
    return world


@pytest.mark.parametrize("name", REQUESTS)
def test_archive(proxied: Any, name: str) -> None:  # noqa: ANN401 - the fixture's own class
    """The run ends with an exit status; 0 is true; without the fault the same command completes it with one commit."""
    world, truth = proxied, truth_of(proxied.home / "s")
    operation, when = REQUESTS[name]
    upstream = world.endpoint
    with FaultyProxy(upstream, None, plain=True) as proxy:
        for number, row in enumerate(rows(operation, name, list(REQUESTS))):
            box = replace(world, folder=world.folder.with_name(f"box{number}"), name=f"box{number}")
            fault = row.make(operation)
            fault.when = replace(when)
            proxy.faults = (fault,)
            box.endpoint = proxy.endpoint_plain
            status = box.archive()
            proxy.faults = ()
            assert status in (0, 1, 2), row.name
            commits = [key for key in world.keys(".commit.json") if f"/{box.name}/" in key]
            assert status != 0 or len(commits) == 1, row.name

            assert box.archive() == 0, row.name

            to = box.folder / "back"
            assert run_restore(RestoreOptions(config=box.write(), quiet=True, to=to)) == 0, row.name
            assert truth_of(to / "s") == truth, row.name
            assert len([key for key in world.keys(".commit.json") if f"/{box.name}/" in key]) == 1, row.name


@pytest.mark.parametrize("name", READS)
def test_restore(proxied: Any, name: str) -> None:  # noqa: ANN401 - the fixture's own class
    """The whole comes back, or nothing does, with exit status 2 and without a folder."""
    world, truth = proxied, truth_of(proxied.home / "s")
    operation, when = READS[name]
    assert world.archive() == 0
    upstream = world.endpoint
    with FaultyProxy(upstream, None, plain=True) as proxy:
        for number, row in enumerate(rows(operation, name, list(READS))):
            box = replace(world, folder=world.folder.with_name(f"new{number}"), endpoint=proxy.endpoint_plain)
            fault = row.make(operation)
            fault.when = replace(when)
            proxy.faults = (fault,)
            to = box.folder / "back"
            status = run_restore(RestoreOptions(config=box.write(), quiet=True, to=to))
            proxy.faults = ()

            assert status in (0, 2), row.name
            assert (truth_of(to / "s") == truth) if status == 0 else not to.exists(), row.name
            assert [path.name for path in box.folder.iterdir() if path.name.startswith(".back")] == []
