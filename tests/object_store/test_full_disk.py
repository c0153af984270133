"""A disk that is full, read-only or gone under each writer of files: one sentence, the old file, nothing half."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import object_store
from model.whole_file import write_whole
from object_store import DualWriter, ObjectStore, parity
from tests.object_store.conftest import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.object_store.conftest import MakeStore, Request, ScriptedServer

BODY = os.urandom(300_000)
ETAG = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
LISTING = (
    "<ListBucketResult><IsTruncated>false</IsTruncated>"
    f"<Contents><Key>p/old</Key><ETag>{ETAG}</ETag><Size>{len(BODY)}</Size></Contents></ListBucketResult>"
)


def _mount(*arguments: str) -> bool:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True)  # noqa: S603, S607  # fixed words
    return done.returncode == 0


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB with an old file."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not _mount("-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)):
        pytest.skip("only root can mount a small disk")
    (disk / "old").write_bytes(b"old")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=False, capture_output=True)  # noqa: S603, S607  # fixed words


@pytest.fixture(name="served")
def _served(scripted: ScriptedServer, store_at: MakeStore) -> ObjectStore:
    def reply(request: Request) -> Answer:
        if "list-type" in request.path:
            return Answer(body=LISTING.encode())
        return Answer(body=BODY, headers={"ETag": f'"{ETAG}"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"})

    scripted.answer = reply
    return store_at(scripted.endpoint)


WRITERS: dict[str, Callable[[ObjectStore, Path], object]] = {
    "a report": lambda _, disk: write_whole(disk / "old", "x" * 300_000),
    "a secret": lambda _, disk: write_whole(disk / "old", "x" * 300_000, 0o600),
    "an object": lambda store, disk: store.download_file("probe", "p/old", disk / "old"),
    "a folder": lambda store, disk: store.download_dir("probe", "p", disk),
    "both sides": lambda store, disk: DualWriter(disk, store).write("probe", "new", BODY),
}


SMALL_WRITERS: dict[str, Callable[[ObjectStore, Path], object]] = {
    "a report": lambda _, disk: write_whole(disk / "old", "new"),
    "a secret": lambda _, disk: write_whole(disk / "old", "new", 0o600),
}


def _faulty(write: Callable[[ObjectStore, Path], object], store: ObjectStore, disk: Path) -> str:
    with pytest.raises((OSError, object_store.LocalFileError, object_store.DualWriteFailed)) as caught:
        write(store, disk)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("writer", WRITERS)
def test_full_disk(served: ObjectStore, disk: Path, writer: str) -> None:
    """The system's own reason; the old file is whole, and nothing else is left that would keep the disk full."""
    assert "No space left on device" in _faulty(WRITERS[writer], served, disk)

    assert {path.name: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == {"old": b"old"}


@pytest.mark.parametrize("writer", WRITERS)
def test_read_only_disk(served: ObjectStore, disk: Path, writer: str) -> None:
    """The same on a disk that takes no write."""
    assert _mount("-o", "remount,ro", str(disk))

    assert "Read-only file system" in _faulty(WRITERS[writer], served, disk)

    assert (disk / "old").read_bytes() == b"old"


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
@pytest.mark.parametrize("writer", WRITERS)
def test_fault_of_a_disk(
    served: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, number: int
) -> None:
    """A quota, a broken disk, a NAS that forgot its files: as a full disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "old").write_bytes(b"old")

    def failing(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        for call in ("write", "pwrite", "fsync"):
            patch.setattr(os, call, failing)
        assert os.strerror(number) in _faulty(WRITERS[writer], served, disk)

    assert {path.name: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == {"old": b"old"}


@pytest.mark.parametrize("writer", WRITERS)
def test_disk_that_goes(served: ObjectStore, disk: Path, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    """While a file is written: that is said, and nothing is written to the folder below the mount."""
    gone = False

    def going(call: Callable[..., Any], *arguments: object) -> object:
        nonlocal gone
        if not gone:
            gone = True
            subprocess.run(["umount", "-l", str(disk)], check=True)  # noqa: S603, S607  # fixed words
        return call(*arguments)

    with monkeypatch.context() as patch:
        for call in ("write", "pwrite", "fsync"):
            patch.setattr(os, call, partial(going, getattr(os, call)))
        _faulty(SMALL_WRITERS.get(writer, WRITERS[writer]), served, disk)

    assert gone
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES], ids=errno.errorcode.get)
def test_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Network file systems may not know it, and a folder may be unreadable: the report is written all the same."""
    sync = os.fsync

    def failing(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    write_whole(tmp_path / "report", "new")
    assert (tmp_path / "report").read_text("utf-8") == "new"


def test_disk_that_goes_while_an_object_is_written(scripted: ScriptedServer, served: ObjectStore, disk: Path) -> None:
    """Nothing is written to the folder below it, and no success is told."""
    before = scripted.answer

    def going(request: Request) -> Answer:
        subprocess.run(["umount", "-l", str(disk)], check=True)  # noqa: S603, S607  # fixed words
        answer = before(request)
        return Answer(body=b"new", headers={**answer.headers, "ETag": '"e"'})

    (disk / "old").unlink()
    # The partial file is made after the answer has begun, so the disk goes at the request for the rest.
    scripted.answer = lambda _: Answer(
        body=b"n", headers={"ETag": '"e"', "Last-Modified": "Mon, 24 Nov 2025 10:00:00 GMT"}, declared_length=3
    )
    first = scripted.answer

    def replies(request: Request) -> Answer:
        return first(request) if "range" not in request.headers else going(request)

    scripted.answer = replies

    with pytest.raises(object_store.ObjectStoreError):
        served.download_file("probe", "k", disk / "new")

    assert list(disk.iterdir()) == []


def test_journal_on_a_full_disk(served: ObjectStore, disk: Path, tmp_path: Path) -> None:
    """A comparison whose journal cannot be written ends with the reason, and not as if it had compared."""
    (disk / "rest").write_bytes(bytes(100_000))
    with pytest.raises(OSError, match="No space left"):
        (disk / "more").write_bytes(bytes(100_000))
    folder = tmp_path / "nas"
    folder.mkdir()

    with pytest.raises(object_store.LocalFileError, match="No space left on device"):
        parity.parity(folder, served, "probe", "p", journal=disk / "journal")
