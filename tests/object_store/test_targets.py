"""A target that is not a plain file is written through or refused, and a file keeps what is its own."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import object_store
from object_store import ObjectStore, ranges
from object_store.files import replacing
from object_store.partials import PARTIAL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b"the new body"
OLD = b"the old one"


@pytest.fixture(name="key")
def _key(store: ObjectStore, bucket: str) -> Iterator[str]:
    store.upload(bucket, "k", BODY)
    yield "k"
    store.delete_object(bucket, "k")


@pytest.fixture(name="old")
def _old(tmp_path: Path) -> Path:
    path = tmp_path / "old"
    path.write_bytes(OLD)
    return path


def _leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if PARTIAL_PREFIX in path.name]


@pytest.mark.parametrize("large", [False, True])
def test_pipe_is_written_through(
    store: ObjectStore, bucket: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, large: bool
) -> None:
    """Its reader gets the body in order, also where a file would be read in ranges; the pipe stays."""
    if large:
        monkeypatch.setattr(ranges, "RANGES_THRESHOLD", 1)
    pipe, read = tmp_path / "pipe", bytearray()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.extend(pipe.read_bytes()))
    reader.start()

    store.download_file(bucket, key, pipe)
    reader.join()

    assert bytes(read) == BODY
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_reader_that_goes_away_is_said(tmp_path: Path) -> None:
    """A pipe without a reader is LocalFileError, and no traceback."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(pipe) as partial:
        os.close(reader)
        with pytest.raises(object_store.LocalFileError, match="pipe cannot be written: Broken pipe"):
            partial.write(BODY)


def _device(folder: Path, name: str) -> Path:
    """A device that the test may lose: root would lose the machine's own to a program that replaces it."""
    machine = Path("/dev", name)
    if os.geteuid() != 0:
        return machine
    own = folder / name
    try:
        os.mknod(own, machine.stat().st_mode, machine.stat().st_rdev)
        own.open("rb").close()
    except PermissionError:
        pytest.skip("root makes no devices here")
    return own


@pytest.mark.parametrize("name", ["null", "full"])
def test_device_is_written_through_and_stays(
    store: ObjectStore, bucket: str, key: str, tmp_path: Path, name: str
) -> None:
    """A device is never replaced, whoever runs it; a full one is told. A link to it counts as the device."""
    device, link = _device(tmp_path, name), tmp_path / "link"
    before = device.stat()
    link.symlink_to(device)

    for path in (device, link):
        if name == "full":
            with pytest.raises(object_store.LocalFileError, match="No space left"):
                store.download_file(bucket, key, path)
        else:
            store.download_file(bucket, key, path)

    assert (device.stat().st_ino, device.stat().st_rdev) == (before.st_ino, before.st_rdev)
    assert link.is_symlink()


@pytest.mark.parametrize("name", ["stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_descriptor_of_this_process_is_written_where_it_stands(
    store: ObjectStore, bucket: str, key: str, old: Path, name: str
) -> None:
    """`get … /dev/stdout >> log` adds to the log; it neither replaces it nor writes over its start."""
    (old.parent / "stdout").symlink_to("/proc/self/fd/1")  # as /dev/stdout, which root could lose
    path = old.parent / name
    if not path.exists():
        pytest.skip(f"this system has no {path}")
    saved = os.dup(1)
    log = os.open(old, os.O_WRONLY | os.O_APPEND)
    try:
        os.dup2(log, 1)
        store.download_file(bucket, key, path)
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(log)

    assert old.read_bytes() == OLD + BODY


@pytest.mark.parametrize("what", ["file", "nothing"])
def test_link_stays_and_what_it_leads_to_is_written(
    store: ObjectStore, bucket: str, key: str, tmp_path: Path, what: str
) -> None:
    """The file is replaced in its own folder, or made there."""
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    link, file = tmp_path / "near" / "link", tmp_path / "far" / "file"
    link.symlink_to("../far/file")
    if what == "file":
        file.write_bytes(OLD)

    store.download_file(bucket, key, link)

    assert link.is_symlink()
    assert not file.is_symlink()
    assert file.read_bytes() == BODY
    assert _leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "kind", ["cycle", "link into nowhere", "socket", "folder", "hard link", "parent is a dangling link"]
)
def test_what_can_be_neither_is_refused_and_stays(
    store: ObjectStore, bucket: str, key: str, old: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is LocalFileError with the path; nothing is replaced, and no temporary file is left."""
    path = target = old.parent / "target"
    monkeypatch.chdir(old.parent)
    if kind == "cycle":
        path.symlink_to(path)
    elif kind == "link into nowhere":
        path.symlink_to(old.parent / "none" / "x")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("target")  # the whole path may be too long for a socket
    elif kind == "folder":
        (path / "x").mkdir(parents=True)
    elif kind == "hard link":
        path.hardlink_to(old)
    else:
        path.symlink_to("none")
        target = path / "x"
    before = path.lstat()

    with pytest.raises(object_store.LocalFileError, match=f"{target} cannot be written: "):
        store.download_file(bucket, key, target)

    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_nlink) == (before.st_ino, before.st_mode, before.st_nlink)
    assert old.read_bytes() == OLD
    assert _leftovers(old.parent) == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
def test_mode_of_a_file_that_is_there_is_kept(store: ObjectStore, bucket: str, key: str, old: Path, mode: int) -> None:
    """A private file stays private under any umask, and its temporary file is never more open than it."""
    old.chmod(mode)
    before = os.umask(0o022)
    try:
        with replacing(old) as partial:
            partial.write(b"between")
            (name,) = _leftovers(old.parent)
            assert (old.parent / name).stat().st_mode & 0o777 == mode
        store.download_file(bucket, key, old)
    finally:
        os.umask(before)

    assert old.read_bytes() == BODY
    assert old.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_new_file_has_the_mode_of_any_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    """It is 0666 without the umask."""
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "new") as partial:
            partial.write(BODY)
    finally:
        os.umask(before)

    assert (tmp_path / "new").stat().st_mode & 0o7777 == mode


def test_read_only_file_is_not_replaced_by_who_may_not_write_it(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user is refused, as by `cp`; root may write it, and its mode is kept."""
    old.chmod(0o400)
    if os.geteuid() == 0:
        with replacing(old) as partial:
            partial.write(BODY)
        assert (old.read_bytes(), old.stat().st_mode & 0o777) == (BODY, 0o400)
        old.write_bytes(OLD)
        monkeypatch.setattr("object_store.targets.os.access", lambda *_: False)

    with pytest.raises(object_store.LocalFileError, match=r"read-only: run chmod u\+w"), replacing(old):
        pytest.fail("it gave a file")

    assert old.read_bytes() == OLD


@pytest.mark.parametrize("may", [True, False])
def test_owner_is_kept_or_the_file_is_not_replaced(old: Path, monkeypatch: pytest.MonkeyPatch, *, may: bool) -> None:
    """Where another user's file cannot stay theirs, it stays as it is."""
    given: list[tuple[int, int]] = []
    real = os.fstat

    def theirs(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[4], found[5] = 12345, 54321  # the new file's owner and group are others
        return os.stat_result(found)

    def fchown(_: int, owner: int, group: int) -> None:
        if not may:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        given.append((owner, group))

    monkeypatch.setattr("object_store.partials.os.fstat", theirs)
    monkeypatch.setattr("object_store.partials.os.fchown", fchown)
    if may:
        with replacing(old) as partial:
            partial.write(BODY)
    else:
        with pytest.raises(object_store.LocalFileError, match=r"belongs to user .* cannot keep"), replacing(old):
            pytest.fail("it gave a file")

    assert given == ([(old.stat().st_uid, old.stat().st_gid)] if may else [])
    assert old.read_bytes() == (BODY if may else OLD)
    assert _leftovers(old.parent) == []


def test_disk_that_is_full_only_at_the_end_keeps_the_old_file(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS tells of a full disk when a file is closed; that comes before the rename."""
    real = os.dup

    def full(descriptor: int) -> int:
        copy = real(descriptor)
        os.close(copy)
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr("object_store.files.os.dup", full)
    with (
        pytest.raises(object_store.LocalFileError, match="old cannot be written: Disk quota"),
        replacing(old) as partial,
    ):
        partial.write(BODY)

    assert old.read_bytes() == OLD
    assert _leftovers(old.parent) == []


def test_file_that_is_a_mount_is_told(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may mount a single file, which no rename replaces; the message says what works."""

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr("object_store.files.os.replace", busy)
    with pytest.raises(object_store.LocalFileError, match="it is a mount of its own: use -"), replacing(old) as partial:
        partial.write(BODY)

    assert old.read_bytes() == OLD
    assert _leftovers(old.parent) == []


@pytest.mark.parametrize("there", ["before", "meanwhile", "dangling link", "meanwhile, without hard links"])
def test_what_is_there_stays_if_it_is_not_to_be_replaced(
    store: ObjectStore, bucket: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    """Also what comes while the body is written, and where the file system knows no second name for a file."""
    path = tmp_path / "f"
    if there == "before":
        path.write_bytes(OLD)
    elif there == "dangling link":
        path.symlink_to(tmp_path / "nowhere")

    def meanwhile(_: int) -> None:
        if there.startswith("meanwhile"):
            path.write_bytes(OLD)

    if there.endswith("without hard links"):
        monkeypatch.setattr(os, "link", _no_links)
    with pytest.raises(object_store.LocalFileError, match="f cannot be written: something is there, and is not"):
        store.download_file(bucket, key, path, replace=False, progress=meanwhile)

    assert path.is_symlink() if there == "dangling link" else path.read_bytes() == OLD
    assert not (tmp_path / "nowhere").exists()
    assert not _leftovers(tmp_path)


@pytest.mark.parametrize("links", [True, False])
def test_new_file_is_whole(
    store: ObjectStore, bucket: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    """Without anything in its place, it has one name, also on a file system without hard links."""
    if not links:
        monkeypatch.setattr(os, "link", _no_links)

    store.download_file(bucket, key, tmp_path / "f", replace=False)

    assert (tmp_path / "f").read_bytes() == BODY
    assert (tmp_path / "f").stat().st_nlink == 1
    assert not _leftovers(tmp_path)


def _no_links(*_: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
