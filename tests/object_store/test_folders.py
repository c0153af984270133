"""Folders up and down: only differences are transferred, and nothing is written outside of the folder."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import object_store
from object_store import MULTIPART_THRESHOLD, ObjectStore, Transfer
from object_store.checksums import etag_of_file, same_content
from object_store.files import replacing
from object_store.folders import LARGE_AT_ONCE, LeftOut
from object_store.partials import PARTIAL_PREFIX, write_all
from object_store.paths import path_of_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

FILES = {"a.txt": b"a", "b/c.bin": bytes(MULTIPART_THRESHOLD + 9), "b/d/e f+é.md": b"deep", "empty": b""}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "up"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def _empty(admin: S3Client, bucket: str) -> Iterator[None]:
    yield
    for entry in admin.list_objects_v2(Bucket=bucket).get("Contents", []):
        admin.delete_object(Bucket=bucket, Key=entry["Key"])


def _held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("prefix", ["", "to/here", "to/here/"])
def test_folder_comes_back_as_it_went(
    store: ObjectStore, bucket: str, folder: Path, tmp_path: Path, prefix: str
) -> None:
    """Every file keeps its path; the second time nothing is transferred in either direction."""
    size = sum(map(len, FILES.values()))
    told: list[int] = []

    up = store.upload_dir(folder, bucket, prefix, progress=told.append)
    down = store.download_dir(bucket, prefix, tmp_path / "down", progress=told.append)

    assert up == down == Transfer(copied=4, skipped=0, transferred_bytes=size)
    assert sum(told) == 2 * size
    assert _held(tmp_path / "down") == FILES
    start = f"{prefix.rstrip('/')}/" if prefix else ""
    assert {ref.key for ref in store.list(bucket)} == {start + name for name in FILES}
    assert store.upload_dir(folder, bucket, prefix) == Transfer(skipped=4)
    assert store.download_dir(bucket, prefix, tmp_path / "down") == Transfer(skipped=4)


def test_only_what_differs_is_moved(store: ObjectStore, bucket: str, folder: Path, tmp_path: Path) -> None:
    """Other content of the same length and time counts as different: the checksum decides."""
    store.upload_dir(folder, bucket)
    store.download_dir(bucket, "", tmp_path / "down")
    times = (folder / "a.txt").stat()
    (folder / "a.txt").write_bytes(b"X")
    os.utime(folder / "a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))

    assert store.upload_dir(folder, bucket) == Transfer(copied=1, skipped=3, transferred_bytes=1)
    assert store.download_dir(bucket, "", tmp_path / "down") == Transfer(copied=1, skipped=3, transferred_bytes=1)
    assert (tmp_path / "down" / "a.txt").read_bytes() == b"X"
    assert store.upload_dir(folder, bucket, skip_same=False).copied == 4
    assert store.download_dir(bucket, "", tmp_path / "down", skip_same=False).copied == 4


def test_not_many_large_files_go_up_at_a_time(
    store: ObjectStore, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most two uploads in parts run at the same time, for any number of jobs, because parts take memory."""
    for number in range(6):
        (tmp_path / f"{number}").write_bytes(bytes([number]) * (MULTIPART_THRESHOLD + 1))
    under_way, most = [0], [0]
    lock, real = threading.Lock(), store.upload

    def counted(*given: Any, **named: Any) -> object_store.ObjectRef:  # noqa: ANN401  # as the operation takes it
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        try:
            return real(*given, **named)
        finally:
            with lock:
                under_way[0] -= 1

    monkeypatch.setattr(store, "upload", counted)

    assert store.upload_dir(tmp_path, bucket, "large", jobs=6).copied == 6
    assert most[0] == LARGE_AT_ONCE


def test_an_etag_that_is_no_checksum_proves_nothing(tmp_path: Path) -> None:
    """With SSE-KMS the etag can be anything: such a file never counts as the same."""
    path = tmp_path / "f"
    path.write_bytes(b"x")

    assert etag_of_file(path, "anything") is None
    assert etag_of_file(path, "9dd4e461268c8034f5c8564e155c67a6") == "9dd4e461268c8034f5c8564e155c67a6"
    for etag, same in (("anything", False), ("0" * 32, False), ("9dd4e461268c8034f5c8564e155c67a6", True)):
        assert same_content(path, object_store.ObjectRef(bucket="b", key="k", etag=etag, size=1)) is same


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/etc/x", "a//b", "./a", "a/..", "a\\..\\b", " .. /x"])
def test_key_that_leads_out_of_the_folder_is_refused(
    store: ObjectStore, admin: S3Client, bucket: str, tmp_path: Path, key: str
) -> None:
    """It is UnsafePath before anything is written, even if the store holds good keys beside it."""
    admin.put_object(Bucket=bucket, Key="p/good", Body=b"good")
    try:
        admin.put_object(Bucket=bucket, Key=f"p/{key}", Body=b"bad")
        with pytest.raises(object_store.UnsafePath, match="outside of its folder"):
            store.download_dir(bucket, "p", tmp_path / "down")
    finally:
        admin.delete_object(Bucket=bucket, Key=f"p/{key}")

    assert not (tmp_path / "down").exists()
    assert _held(tmp_path) == {}


@given(key=st.text(st.sampled_from("./\\ab ~\0\n"), min_size=1, max_size=12))
def test_no_key_ever_leads_out(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    """For any key the file is below the folder, or the key is refused."""
    folder = tmp_path_factory.getbasetemp() / "target"
    try:
        path = path_of_key(folder, key, "", "probe")
    except object_store.UnsafePath:
        return
    assert Path(os.path.normpath(path)).is_relative_to(folder)
    assert Path(os.path.normpath(path)) != folder


def test_symbolic_link_of_the_folder_leads_nowhere(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A link in the folder is not followed out of it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "link").symlink_to(tmp_path / "outside")
    store.upload(bucket, "link/x", b"x")

    with pytest.raises(object_store.UnsafePath, match="symbolic link"):
        store.download_dir(bucket, "", tmp_path / "down")

    assert _held(tmp_path / "outside") == {}


def test_link_in_a_files_place_leads_nowhere(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A file is written through a link inside of the folder, and never through one that leads out of it."""
    (tmp_path / "down").mkdir()
    (tmp_path / "outside").write_bytes(b"outside")
    link = tmp_path / "down" / "a"
    store.upload(bucket, "a", b"new")
    link.symlink_to("../outside")

    with pytest.raises(object_store.UnsafePath, match="leads out of the folder"):
        store.download_dir(bucket, "", tmp_path / "down")
    link.unlink()
    link.symlink_to("inside")
    store.download_dir(bucket, "", tmp_path / "down")

    assert (tmp_path / "outside").read_bytes() == b"outside"
    assert link.is_symlink()
    assert (tmp_path / "down" / "inside").read_bytes() == b"new"


def test_what_is_no_file_is_left_out_and_named(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """Links to files, to folders and to nothing, pipes and sockets are each named with what they are."""
    folder = tmp_path / "up"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_bytes(b"x")
    (folder / "link").symlink_to("file")
    (folder / "folder link").symlink_to("sub")
    (folder / "dangling").symlink_to("none")
    os.mkfifo(folder / "sub" / "pipe")
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(folder):
        made.bind("socket")  # the whole path may be too long for a socket
    link = "a symbolic link, which is not followed"

    moved = store.upload_dir(folder, bucket, "p")

    assert (moved.copied, [ref.key for ref in store.list(bucket)]) == (1, ["p/file"])
    assert moved.left_out == (
        LeftOut("dangling", link),
        LeftOut("folder link", link),
        LeftOut("link", link),
        LeftOut("socket", "not a regular file but a socket"),
        LeftOut("sub/pipe", "not a regular file but a pipe"),
    )


def test_object_whose_key_ends_in_a_slash_is_left_out_and_named(
    store: ObjectStore, admin: S3Client, bucket: str, tmp_path: Path
) -> None:
    """It has a body and no file can hold it; an empty one is the folder of another writer."""
    admin.put_object(Bucket=bucket, Key="p/data/", Body=b"12")
    admin.put_object(Bucket=bucket, Key="p/folder/", Body=b"")

    moved = store.download_dir(bucket, "p", tmp_path / "down")

    assert moved == Transfer(left_out=(LeftOut("p/data/", "an object of 2 bytes whose key ends in a slash"),))


def test_nothing_is_no_success_unless_it_is_asked_for(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A misspelt prefix, and a folder with nothing that can be stored, are errors that name what is there."""
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "link").symlink_to("x")

    with pytest.raises(object_store.NotFound, match=r"'typo/': no object has this prefix.*allow_empty=True"):
        store.download_dir(bucket, "typo", tmp_path / "down")
    assert not (tmp_path / "down").exists()
    with pytest.raises(object_store.LocalFileError, match=r"up has no file; left out: 'link', a symbolic link"):
        store.upload_dir(tmp_path / "up", bucket, "p")

    assert store.download_dir(bucket, "typo", tmp_path / "down", allow_empty=True) == Transfer()
    assert store.upload_dir(tmp_path / "up", bucket, "p", allow_empty=True).copied == 0


@pytest.mark.parametrize(
    "kind", ["pipe", "folder", "file for a folder", "dangling link for a folder", "target is a file"]
)
def test_what_is_in_the_way_is_found_before_anything_is_written(
    store: ObjectStore, bucket: str, tmp_path: Path, kind: str
) -> None:
    """It is LocalFileError with the path; a pipe does not stop the command for ever."""
    down = tmp_path / "down"
    down.mkdir()
    for key in ("p/a", "p/s/b", "p/z"):
        store.upload(bucket, key, b"x")
    if kind == "pipe":
        os.mkfifo(down / "z")
    elif kind == "folder":
        (down / "z").mkdir()
    elif kind == "file for a folder":
        (down / "s").write_bytes(b"")
    elif kind == "dangling link for a folder":
        (down / "s").symlink_to("none")
    else:
        down.rmdir()
        down.write_bytes(b"mine")

    with pytest.raises(object_store.LocalFileError, match=r"cannot be (written|created)"):
        store.download_dir(bucket, "p", down)

    assert _held(tmp_path) in ({}, {"down/s": b""}, {"down": b"mine"})


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        ("n" * 256, object_store.UnsafePath, "has 256 bytes"),
        ("é" * 128 + "/x", object_store.UnsafePath, "has 256 bytes"),
        ("bell\x07", object_store.InvalidKey, "control character"),
        (f"{PARTIAL_PREFIX}by-x", object_store.UnsafePath, "temporary files"),
        ("link/x", object_store.LocalFileError, "Too many levels of symbolic links|not a folder"),
    ],
)
def test_key_that_no_file_can_have_is_found_before_anything_is_written(
    store: ObjectStore,
    admin: S3Client,
    bucket: str,
    tmp_path: Path,
    key: str,
    error: type[object_store.ObjectStoreError],
    words: str,
) -> None:
    """A name that is too long, that the adapter cannot read, that would be swept, or that goes in a circle."""
    down = tmp_path / "down"
    down.mkdir()
    (down / "link").symlink_to("link")
    for each in ("p/a", f"p/{key}"):
        admin.put_object(Bucket=bucket, Key=each, Body=b"")

    with pytest.raises(error, match=words) as caught:
        store.download_dir(bucket, "p", down)

    assert type(caught.value) is error
    assert _held(down) == {}


def test_file_beside_an_object_of_its_folder_is_refused(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A MinIO server does not list `a/b` beside `a`; what both sides hold already is no fault."""
    for name in ("x/child", "y"):
        (tmp_path / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / name).write_bytes(b"local")
    up = tmp_path / "up"
    store.upload(bucket, "p/x", b"")
    with pytest.raises(object_store.InvalidKey, match="key 'p/x/child': beside an object 'p/x' not every server"):
        store.upload_dir(up, bucket, "p")
    store.delete_object(bucket, "p/x")
    store.upload(bucket, "p/y/child", b"")
    with pytest.raises(object_store.InvalidKey, match="key 'p/y/child': beside an object 'p/y'"):
        store.upload_dir(up, bucket, "p")

    store.upload(bucket, "p/y", b"")
    assert store.upload_dir(up, bucket, "p").copied == 2


def test_file_that_cannot_be_read_is_found_before_anything_is_sent(
    store: ObjectStore, bucket: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is LocalFileError with the path, and no object."""
    monkeypatch.setattr("object_store.folders.os.access", lambda path, _: path.name != "empty")

    with pytest.raises(object_store.LocalFileError, match="empty cannot be read: Permission denied"):
        store.upload_dir(folder, bucket)

    assert list(store.list(bucket)) == []


def test_name_that_is_not_utf_8_stops_before_anything_is_sent(store: ObjectStore, bucket: str, folder: Path) -> None:
    """Linux allows it; S3 has no such key."""
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")

    with pytest.raises(object_store.InvalidKey, match="not UTF-8"):
        store.upload_dir(folder, bucket)

    assert list(store.list(bucket)) == []


def test_key_that_is_file_and_folder_is_refused(
    store: ObjectStore, admin: S3Client, bucket: str, tmp_path: Path
) -> None:
    """`a` and `a/b` are two objects but cannot be two files."""
    for key in ("p/a", "p/a/b"):
        admin.put_object(Bucket=bucket, Key=key, Body=b"")

    with pytest.raises(object_store.UnsafePath, match="cannot be a file and a folder"):
        store.download_dir(bucket, "p", tmp_path / "down")


def test_folder_objects_of_other_writers_are_left_out(
    store: ObjectStore, admin: S3Client, bucket: str, tmp_path: Path
) -> None:
    """A key that ends in a slash, as consoles make it, is not a file."""
    admin.put_object(Bucket=bucket, Key="p/folder/", Body=b"")
    admin.put_object(Bucket=bucket, Key="p/folder/x", Body=b"x")

    assert store.download_dir(bucket, "p", tmp_path / "down").copied == 1
    assert _held(tmp_path / "down") == {"folder/x": b"x"}


def test_failure_is_told_and_a_second_run_completes(
    store: ObjectStore, bucket: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is LocalFileError with the path and leaves no partial or temporary file; then the rest is read."""
    store.upload_dir(folder, bucket)

    def full(descriptor: int, block: bytes) -> None:
        if len(block) > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(descriptor, block)

    monkeypatch.setattr("object_store.files.write_all", full)
    with pytest.raises(object_store.LocalFileError, match=r"c\.bin cannot be written: No space left"):
        store.download_dir(bucket, "", tmp_path / "down", jobs=1)
    monkeypatch.undo()

    assert "b/c.bin" not in _held(tmp_path / "down")
    assert not [name for name in _held(tmp_path / "down") if PARTIAL_PREFIX in name]
    store.download_dir(bucket, "", tmp_path / "down")
    assert _held(tmp_path / "down") == FILES


@pytest.mark.parametrize("way", ["download_dir", "download_file"])
def test_what_a_killed_download_has_left_goes_with_the_next(
    store: ObjectStore, bucket: str, tmp_path: Path, way: str
) -> None:
    """After SIGKILL only the temporary file exists; the second run leaves only the file."""
    store.upload(bucket, "p/f", b"body")
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from object_store.files import replacing\n"
        f"with replacing(Path({str(tmp_path / 'f')!r})) as partial:\n"
        "    partial.write(b'bo')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run(  # noqa: S603  # our own interpreter and text
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert [name.startswith(PARTIAL_PREFIX) for name in _held(tmp_path)] == [True]

    if way == "download_dir":
        store.download_dir(bucket, "p", tmp_path)
    else:
        store.download_file(bucket, "p/f", tmp_path / "f")

    assert _held(tmp_path) == {"f": b"body"}


def test_file_name_that_is_no_key_stops_before_anything_is_sent(store: ObjectStore, bucket: str, folder: Path) -> None:
    """A control character in a file's name is InvalidKey, and nothing is stored."""
    (folder / "bad\x01name").write_bytes(b"")

    with pytest.raises(object_store.InvalidKey, match="control character"):
        store.upload_dir(folder, bucket)

    assert list(store.list(bucket)) == []


def test_arguments_that_cannot_be(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """A missing folder, a file in a folder's place, and no job are a typed error each."""
    with pytest.raises(object_store.LocalFileError, match="is not a folder"):
        store.upload_dir(tmp_path / "none", bucket)
    (tmp_path / "file").write_bytes(b"")
    store.upload(bucket, "k", b"")
    with pytest.raises(object_store.LocalFileError, match=r"cannot be created or read|is not a folder"):
        store.download_dir(bucket, "", tmp_path / "file" / "sub")
    with pytest.raises(object_store.InvalidArgument, match="legal: 1 or more"):
        store.upload_dir(tmp_path, bucket, jobs=0)


def test_existing_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """A write that breaks off leaves the old content, and no other file."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def broken() -> None:
        with replacing(path) as partial:
            partial.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()

    assert _held(tmp_path) == {"f": b"old"}
    with replacing(path) as partial:
        partial.write(b"new")
    assert _held(tmp_path) == {"f": b"new"}


@pytest.mark.parametrize("fault", ["no folder", "a folder there", "no right"])
def test_file_that_cannot_be_written_is_told(store: ObjectStore, bucket: str, tmp_path: Path, fault: str) -> None:
    """It is LocalFileError with the path and the reason; nothing is left."""
    path = tmp_path / "sub" / "f"
    if fault != "no folder":
        path.parent.mkdir()
    if fault == "a folder there":
        (path / "x").mkdir(parents=True)
    if fault == "no right":
        if os.geteuid() == 0:
            path = Path("/proc/self/none")  # root cannot write there either
        else:
            path.parent.chmod(0o500)
    store.upload(bucket, "k", b"1")

    with pytest.raises(object_store.LocalFileError, match=f"{path} cannot be written"):
        store.download_file(bucket, "k", path)

    assert not [name for name in _held(tmp_path) if PARTIAL_PREFIX in name]
