"""Faults on the way: nothing partial is presented as whole, nothing is left, and a second run completes."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import object_store
from object_store import PART_SIZE, AsyncObjectStore, DualWriteFailed, DualWriter, ObjectStore, StoreConfig
from object_store.partials import PARTIAL_PREFIX
from trials.faults import Fault, Gone, On, ResetAnswer, ResetRequest, SlowDown, TruncateAnswer, WrongEtag
from trials.faulty_proxy import FaultyProxy
from trials.servers import Server, keys_of, made_bucket, uploads_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

BODY = os.urandom(3 * PART_SIZE + 99)
TWO_PARTS = BODY[: PART_SIZE + 99]
FOREVER = None


@pytest.fixture(name="place", scope="module")
def _place(server: Server, witness: S3Client) -> Iterator[str]:
    with made_bucket(server, witness) as name:
        yield name


@pytest.fixture(name="proxy")
def _proxy(server: Server) -> Iterator[FaultyProxy]:
    with FaultyProxy(str(server.config.endpoint), str(server.config.ca_bundle)) as proxy:
        yield proxy


@pytest.fixture(name="through")
def _through(server: Server, proxy: FaultyProxy) -> Iterator[ObjectStore]:
    """Open a store that talks to the server through the proxy."""
    config = StoreConfig(
        endpoint=proxy.endpoint,
        region=server.config.region,
        access_key_id=server.config.access_key_id,
        secret_access_key=server.config.secret_access_key,
        ca_bundle=proxy.ca_bundle,
        stall_timeout=timedelta(seconds=10),
    )
    with ObjectStore(config) as store:
        yield store


def _part_3(times: int | None) -> On:
    return On("PUT", query="partNumber=3", times=times)


def _nothing_is_left(witness: S3Client, place: str, key: str) -> None:
    assert keys_of(witness, place, key) == []
    assert uploads_of(witness, place, key) == []


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("kind", [ResetRequest, ResetAnswer, SlowDown], ids=lambda kind: kind.__name__)
def test_one_fault_in_the_middle_of_part_3_is_mended(
    proxy: FaultyProxy, through: ObjectStore, witness: S3Client, place: str, kind: type[Fault], *, if_absent: bool
) -> None:
    """The part is sent again, and the object is whole."""
    key = f"mended-{kind.__name__}-{if_absent}"
    proxy.faults = (kind(when=_part_3(2)),)

    ref = through.upload(place, key, BODY, if_absent=if_absent)

    assert ref.size == len(BODY)
    assert witness.get_object(Bucket=place, Key=key)["Body"].read() == BODY
    assert uploads_of(witness, place, key) == []


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (ResetRequest, object_store.EndpointUnreachable),
        (ResetAnswer, object_store.EndpointUnreachable),
        (SlowDown, object_store.Unavailable),
    ],
)
def test_part_3_that_never_arrives_leaves_nothing(  # fixtures
    proxy: FaultyProxy,
    through: ObjectStore,
    witness: S3Client,
    place: str,
    kind: type[Fault],
    error: type[Exception],
    *,
    if_absent: bool,
) -> None:
    """The error is typed. No object and no upload with parts is left. A second run completes."""
    key = f"never-{kind.__name__}-{if_absent}"
    proxy.faults = (kind(when=_part_3(FOREVER)),)

    with pytest.raises(error):
        through.upload(place, key, BODY, if_absent=if_absent)

    _nothing_is_left(witness, place, key)
    proxy.faults = ()
    through.upload(place, key, BODY, if_absent=if_absent)
    assert witness.get_object(Bucket=place, Key=key)["Body"].read() == BODY


@pytest.mark.parametrize("kind", ["bytes", "iterator", "asynchronous iterator"])
@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("query", ["partNumber=3", "^uploadId=[^&]*$"], ids=["part 3", "join"])
def test_server_that_goes_away_midway_is_a_typed_error(  # fixtures
    server: Server, proxy: FaultyProxy, through: ObjectStore, place: str, query: str, kind: str, *, if_absent: bool
) -> None:
    """EndpointUnreachable for any form of body, and no object; when the server is back, a second run completes."""
    key = f"gone-{query[:3]}-{kind}-{if_absent}"
    proxy.faults = (Gone(when=On("PUT|POST", query=query)),)

    async def blocks() -> AsyncIterator[bytes]:
        yield BODY

    async def asynchronously() -> None:
        async with AsyncObjectStore(through.config) as store:
            await store.upload(place, key, blocks(), if_absent=if_absent)

    uploads: dict[str, Callable[[], object]] = {
        "bytes": lambda: through.upload(place, key, BODY, if_absent=if_absent),
        "iterator": lambda: through.upload(place, key, iter([BODY]), if_absent=if_absent),
        "asynchronous iterator": lambda: asyncio.run(asynchronously()),
    }
    with pytest.raises(object_store.EndpointUnreachable) as caught:
        uploads[kind]()

    assert "TLS" not in str(caught.value)
    with ObjectStore(server.config) as direct:
        with pytest.raises(object_store.NotFound):
            direct.head(place, key)
        assert direct.upload(place, key, BODY, if_absent=if_absent).size == len(BODY)


@pytest.mark.parametrize("if_absent", [False, True])
def test_lost_answer_to_the_join_says_that_nobody_knows(
    proxy: FaultyProxy, through: ObjectStore, place: str, *, if_absent: bool
) -> None:
    """The object is stored whole, and the error says that it may be; a second run settles it.

    A part of the answer may have arrived; the adapter then takes it for an answer that is not S3's.
    """
    key = f"joined-{if_absent}"
    proxy.faults = (ResetAnswer(when=On("POST", query="^uploadId=[^&]*$")),)

    errors = (object_store.EndpointUnreachable, object_store.AlreadyExists, object_store.UnexpectedAnswer)
    with pytest.raises(errors):
        through.upload(place, key, BODY, if_absent=if_absent)

    proxy.faults = ()
    assert through.head(place, key).size == len(BODY)
    if not if_absent:
        assert through.upload(place, key, BODY).size == len(BODY)


def test_old_object_stays_while_the_new_one_fails(proxy: FaultyProxy, through: ObjectStore, place: str) -> None:
    """Readers see the whole old object, and never a part of the new one."""
    through.upload(place, "kept", b"old")
    proxy.faults = (SlowDown(when=_part_3(FOREVER)),)

    with pytest.raises(object_store.Unavailable):
        through.upload(place, "kept", BODY)

    assert through.download(place, "kept") == b"old"


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE", "HEAD"])
def test_a_burst_of_503_is_outlasted(proxy: FaultyProxy, through: ObjectStore, place: str, method: str) -> None:
    """After two refusals in a row every operation succeeds."""
    proxy.faults = (SlowDown(when=On(method, times=2)),)

    ref = through.upload(place, f"burst-{method}", b"body")

    assert through.head(place, ref.key) == ref
    assert through.download(place, ref.key) == b"body"
    assert [found.key for found in through.list(place, ref.key)] == [ref.key]
    through.delete_object(place, ref.key)


def _downloaded(store: ObjectStore, place: str, path: Path) -> bytes:
    store.download_file(place, "cut", path)
    return path.read_bytes()


@pytest.mark.parametrize("kind", [TruncateAnswer, ResetAnswer], ids=lambda kind: kind.__name__)
class TestDownload:
    """A body that breaks off."""

    def test_once_is_mended(
        self, proxy: FaultyProxy, through: ObjectStore, place: str, tmp_path: Path, kind: type[Fault]
    ) -> None:
        """Every way of reading requests the missing rest or raises a typed error; none returns a part."""
        through.upload(place, "cut", TWO_PARTS)
        reads: dict[str, Callable[[], bytes]] = {
            "download": lambda: through.download(place, "cut"),
            "stream": lambda: b"".join(through.stream(place, "cut")),
            "download_file": lambda: _downloaded(through, place, tmp_path / "f"),
        }
        for name, read in reads.items():
            proxy.faults = (kind(when=On("GET", times=1)),)
            try:
                assert read() == TWO_PARTS, name
            except (object_store.IncompleteTransfer, object_store.EndpointUnreachable):
                assert read() == TWO_PARTS, name

    def test_always_is_told_and_leaves_nothing(
        self, proxy: FaultyProxy, through: ObjectStore, place: str, tmp_path: Path, kind: type[Fault]
    ) -> None:
        """The error is typed, the file is unchanged, there is no other file, and a second run completes."""
        through.upload(place, "cut", TWO_PARTS)
        (tmp_path / "f").write_bytes(b"old")
        proxy.faults = (kind(when=On("GET")),)

        for read in (
            lambda: through.download(place, "cut"),
            lambda: b"".join(through.stream(place, "cut")),
            lambda: through.download_file(place, "cut", tmp_path / "f"),
        ):
            with pytest.raises((object_store.IncompleteTransfer, object_store.EndpointUnreachable)):
                read()

        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}
        proxy.faults = ()
        through.download_file(place, "cut", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == TWO_PARTS


def test_wrong_etag_on_the_way_down_is_stale(
    proxy: FaultyProxy, through: ObjectStore, place: str, tmp_path: Path
) -> None:
    """Bytes with another etag than the reference's are not accepted as the object."""
    ref = through.upload(place, "tagged", b"body")
    proxy.faults = (WrongEtag(when=On("GET")),)

    with pytest.raises(object_store.StaleReference, match=ref.etag):
        through.download_file(place, "tagged", tmp_path / "f", etag=ref.etag)

    assert list(tmp_path.iterdir()) == []


class TestDualWrite:
    """Both sides hold the body, or the error is clear."""

    @pytest.mark.parametrize(
        ("fault", "nas", "store"),
        [
            (SlowDown(when=On("PUT")), "does not", "does not"),
            (WrongEtag(when=On("PUT")), "does not", None),
            (Gone(when=On("PUT")), "does not", None),
        ],
        ids=["503", "wrong etag", "gone"],
    )
    def test_store_that_fails_is_told(  # fixtures
        self,
        server: Server,
        through: ObjectStore,
        proxy: FaultyProxy,
        place: str,
        tmp_path: Path,
        fault: Fault,
        nas: str,
        store: str | None,
    ) -> None:
        """The NAS has no file, also no temporary one, and a second run completes."""
        proxy.faults = (fault,)
        key = f"dual/{nas}-{type(fault).__name__}"

        with pytest.raises(DualWriteFailed) as caught:
            DualWriter(tmp_path, through).write(place, key, b"body")

        assert caught.value.nas == nas
        assert store is None or caught.value.store == store
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        with ObjectStore(server.config) as direct:
            done = DualWriter(tmp_path, direct).write(place, key, b"body")
            assert direct.download(place, key, etag=done.ref.etag) == b"body"
        assert done.path.read_bytes() == b"body"
        assert not [path for path in tmp_path.rglob("*") if path.name.startswith(PARTIAL_PREFIX)]


def test_folder_that_breaks_off_is_completed_by_a_second_run(
    proxy: FaultyProxy, through: ObjectStore, witness: S3Client, place: str, tmp_path: Path
) -> None:
    """Transferred files stay, the rest is transferred, and no file twice."""
    for number in range(6):
        (tmp_path / "up").mkdir(exist_ok=True)
        (tmp_path / "up" / f"{number}").write_bytes(b"%d" % number)
    proxy.faults = (SlowDown(when=On("PUT", path="/folder/4")),)

    with pytest.raises(object_store.Unavailable, match="folder/4"):
        through.upload_dir(tmp_path / "up", place, "folder", jobs=1)

    assert keys_of(witness, place, "folder/") == [f"folder/{number}" for number in range(4)]
    proxy.faults = ()
    assert through.upload_dir(tmp_path / "up", place, "folder").copied == 2
    assert through.download_dir(place, "folder", tmp_path / "down").copied == 6
