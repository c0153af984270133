"""Large downloads over several connections return the whole object, of one etag, or nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import object_store
from object_store import ObjectStore, ranges
from object_store.partials import PARTIAL_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from tests.object_store.conftest import Answer, MakeStore, Request, ScriptedServer

BODY = os.urandom(5_000_123)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "RANGES_THRESHOLD", 1_000_000)
    monkeypatch.setattr(ranges, "RANGE_SIZE", 300_000)


@pytest.mark.parametrize("streams", [1, 2, 4, 16])
def test_file_is_the_object_however_many_connections(
    store: ObjectStore, bucket: str, tmp_path: Path, streams: int
) -> None:
    """Every byte is at its offset, and progress adds up to the length."""
    ref = store.upload(bucket, "large", BODY)
    told: list[int] = []

    assert store.download_file(bucket, "large", tmp_path / "f", streams=streams, progress=told.append) == ref

    assert (tmp_path / "f").read_bytes() == BODY
    assert sum(told) == len(BODY)


@pytest.mark.parametrize(("large", "jobs", "streams"), [(1, 8, 4), (1, 2, 2), (2, 8, 4), (3, 8, 2), (3, 2, None)])
def test_few_large_objects_of_a_folder_share_the_jobs(
    store: ObjectStore,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    large: int,
    jobs: int,
    streams: int | None,
) -> None:
    """A folder never uses more connections than its jobs, and one large object uses several of them."""
    used: list[int] = []
    in_ranges = ranges.in_ranges

    def noted(*arguments: Any, streams: int, range_size: int) -> None:  # noqa: ANN401 - as it is called
        used.append(streams)
        in_ranges(*arguments, streams=streams, range_size=range_size)

    monkeypatch.setattr(ranges, "in_ranges", noted)
    for number in range(large):
        store.upload(bucket, f"folder/large{number}", BODY)
    store.upload(bucket, "folder/small", b"small")

    store.download_dir(bucket, "folder", tmp_path / "to", jobs=jobs)

    assert used == ([] if streams is None else [streams] * large)
    assert all((tmp_path / "to" / f"large{number}").read_bytes() == BODY for number in range(large))


def _ranged(answer: type[Answer], *, etag: str = '"e"', cut: int = 0, status: int = 206) -> object:
    """A server that answers the whole object slowly, and ranges with a fault."""

    def reply(request: Request) -> Answer:
        dated = {"Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"}
        wanted = request.headers.get("range")
        if wanted is None:
            return answer(200, BODY, {"ETag": '"e"', **dated})
        start, end = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        if status != 206:
            return answer.refusal(status, "PreconditionFailed")
        body = BODY[start : end + 1 - cut]
        span = {"Content-Range": f"bytes {start}-{end - cut}/{len(BODY)}"}
        return answer(206, body, {"ETag": etag, **dated, **span})

    return reply


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"etag": '"other"'}, object_store.StaleReference),
        ({"status": 412}, object_store.StaleReference),
        ({"cut": 1}, (object_store.IncompleteTransfer, object_store.UnexpectedAnswer)),
    ],
    ids=["another object", "stored anew", "too short"],
)
def test_fault_of_one_range_fails_the_download(  # fixtures
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    tmp_path: Path,
    fault: dict[str, str | int],
    error: type[Exception],
) -> None:
    """The error is typed, the file is unchanged, and there is no other file."""
    scripted.answer = _ranged(answer, **fault)  # type: ignore[arg-type, assignment]  # the faults' own types
    (tmp_path / "f").write_bytes(b"old")

    with pytest.raises(error):
        store_at(scripted.endpoint).download_file("probe", "k", tmp_path / "f", streams=8)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}


def test_ranges_are_asked_for_under_the_first_etag(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, tmp_path: Path
) -> None:
    """A replaced object cannot be mixed with the old one."""
    scripted.answer = _ranged(answer)  # type: ignore[assignment]  # a function of a request

    store_at(scripted.endpoint).download_file("probe", "k", tmp_path / "f", streams=8)

    asked = [request for request in scripted.seen if "range" in request.headers]
    assert asked
    assert {request.headers["if-match"] for request in asked} == {'"e"'}
    assert (tmp_path / "f").read_bytes() == BODY


def test_file_that_cannot_be_written_fails_once(
    store: ObjectStore, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk under several writers is one LocalFileError, and nothing is left."""
    store.upload(bucket, "large", BODY)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("object_store.files.os.pwrite", full)
    with pytest.raises(object_store.LocalFileError, match="No space left"):
        store.download_file(bucket, "large", tmp_path / "f")

    assert not [path for path in tmp_path.iterdir() if PARTIAL_PREFIX in path.name]


def test_no_connection_is_refused(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """At least one connection is needed."""
    with pytest.raises(object_store.InvalidArgument, match="legal: 1 or more"):
        store.download_file(bucket, "large", tmp_path / "f", streams=0)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (5, 4), (False, 5)])
def test_range_without_bytes_is_refused(store: ObjectStore, bucket: str, start: int, end: int) -> None:
    """A range that cannot be asked for is refused before anything is sent."""
    with pytest.raises(object_store.InvalidArgument, match="legal"):
        store.read_range(bucket, "k", start, end, etag="e")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"etag": '"other"'}, object_store.StaleReference),
        ({"status": 412}, object_store.StaleReference),
        ({"cut": 1}, object_store.UnexpectedAnswer),
    ],
    ids=["another object", "stored anew", "too short"],
)
def test_fault_of_a_range_is_an_error(
    scripted: ScriptedServer,
    answer: type[Answer],
    store_at: MakeStore,
    fault: dict[str, str | int],
    error: type[Exception],
) -> None:
    """No caller gets other or fewer bytes than it asked for."""
    scripted.answer = _ranged(answer, **fault)  # type: ignore[arg-type, assignment]  # the faults' own types

    with pytest.raises(error):
        store_at(scripted.endpoint).read_range("probe", "k", 10, 20, etag="e")


def test_server_without_ranges(scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore) -> None:
    """A server that answers with the whole body has not answered a range."""
    dated = {"Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT", "ETag": '"e"'}
    scripted.always(answer(200, b"0123456789", dated))

    with pytest.raises(object_store.UnexpectedAnswer, match="bytes 3 to 4"):
        store_at(scripted.endpoint).read_range("probe", "k", 3, 5, etag="e")


def test_range_whose_connection_breaks_is_read_to_its_end(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore
) -> None:
    """The rest is asked for again, under the same etag; without an end it is IncompleteTransfer."""
    body, asked = b"0123456789", []

    def reply(request: Request) -> Answer:
        start, last = (int(part) for part in request.headers["range"].removeprefix("bytes=").split("-"))
        asked.append((start, last, request.headers["if-match"]))
        headers = {
            "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT",
            "ETag": '"e"',
            "Content-Range": f"bytes {start}-{last}/10",
        }
        sent = body[start : last + 1]
        return answer(206, sent[:2] if len(asked) == 1 else sent, headers, declared_length=len(sent))

    scripted.answer = reply

    assert b"".join(store_at(scripted.endpoint).read_range("probe", "k", 2, 8, etag="e")) == body[2:8]
    assert asked == [(2, 7, '"e"'), (4, 7, '"e"')]


def test_length_that_no_object_has(
    scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, tmp_path: Path
) -> None:
    """It takes no memory: the download ends where the body does."""
    headers = {"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"}
    scripted.always(answer(200, b"x", headers, declared_length=10**18))

    with pytest.raises(object_store.ObjectStoreError):
        store_at(scripted.endpoint, max_retries=0).download_file("probe", "k", tmp_path / "f")

    assert list(tmp_path.iterdir()) == []
