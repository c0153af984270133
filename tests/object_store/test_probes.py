"""Keys under `.verify/` belong to the verification suite: no upload of anybody else gets there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from model.plan import PROBE_PREFIX as PROBE_PREFIX_OF_THE_PLAN
from object_store import AsyncObjectStore, DualWriter, InvalidKey, ObjectStore, StoreConfig
from object_store.keys import PROBE_PREFIX, check_key_of_put
from tests.object_store.conftest import Answer, scripted_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.object_store.conftest import ScriptedServer

KEY = ".verify/20260101T000000Z-aaaaaa/x"


@pytest.fixture(name="server")
def _server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


def config_of(server: ScriptedServer) -> StoreConfig:
    """A configuration for the scripted server."""
    return StoreConfig(endpoint=server.endpoint, region="us-east-1", access_key_id="k", secret_access_key="s")


def dual_written(store: ObjectStore, folder: Path) -> object:
    """Write to both sides."""
    return DualWriter(folder, store).write("bucket", KEY, b"x")


def put_folder(store: ObjectStore, folder: Path) -> object:
    """Copy a folder that has such a file, beside a good one."""
    for name in ("a", KEY):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return store.upload_dir(folder, "bucket", "")


def put_under(store: ObjectStore, folder: Path) -> object:
    """Copy a folder to such a prefix."""
    (folder / "a").write_bytes(b"x")
    return store.upload_dir(folder, "bucket", ".verify/kept/")


def put_by_event_loop(store: ObjectStore, folder: Path) -> object:
    """Upload with the asynchronous store, in one request."""
    del folder

    async def put() -> object:
        async with AsyncObjectStore(store.config) as both:
            return await both.upload("bucket", KEY, b"x")

    return asyncio.run(put())


@pytest.mark.parametrize(
    "put",
    [
        lambda store, _: store.upload("bucket", KEY, b"x"),
        lambda store, _: store.upload("bucket", KEY, b"x", if_absent=True),
        lambda store, _: store.presign("bucket", KEY, 60, "PUT"),
        dual_written,
        put_folder,
        put_under,
        put_by_event_loop,
    ],
    ids=["upload", "if_absent", "presign", "dual_write", "folder", "prefix", "async"],
)
def test_upload_is_refused_before_anything_is_sent(
    server: ScriptedServer, tmp_path: Path, put: Callable[[ObjectStore, Path], object]
) -> None:
    """The error says whose the prefix is; of a folder nothing is copied, and no file appears on the NAS."""
    with ObjectStore(config_of(server)) as store, pytest.raises(InvalidKey, match="only `object-store verify` puts"):
        put(store, tmp_path)

    assert server.seen == []
    assert put in (put_folder, put_under) or list(tmp_path.iterdir()) == []


def test_reading_and_removing_are_allowed(server: ScriptedServer) -> None:
    """What is there by mistake can be read and taken away."""
    server.always(Answer(204))
    with ObjectStore(config_of(server)) as store:
        store.presign("bucket", KEY, 60)
        store.delete_object("bucket", KEY)

    assert [(request.method, request.path) for request in server.seen] == [("DELETE", f"/bucket/{KEY}")]


def test_the_suite_puts_there(server: ScriptedServer) -> None:
    """A store that is made for it, and for keys of that prefix alone no other is changed."""
    with ObjectStore(config_of(server), probes=True) as store:
        store.upload("bucket", KEY, b"x")

    assert [request.method for request in server.seen] == ["PUT"]
    assert PROBE_PREFIX == PROBE_PREFIX_OF_THE_PLAN


@pytest.mark.parametrize("key", [".verify", ".verifying/x", "a/.verify/x", ".Verify/x"])
def test_neighbours_are_free(key: str) -> None:
    """Only the first segment counts, as the lifecycle rule has it."""
    check_key_of_put("bucket", key)
