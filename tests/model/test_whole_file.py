"""model.whole_file: a file is written whole or not at all, keeps its mode, and a failed write leaves the old one."""

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from model.whole_file import write_whole


def mode_of(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    """The mask of the process decides, or the mode that was asked for, and the mask stays as it was."""
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "report", "é")
        write_whole(tmp_path / "secret", "x", 0o600)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)

    assert (mode_of(tmp_path / "report"), mode_of(tmp_path / "secret")) == (0o640, 0o600)
    assert (tmp_path / "report").read_text("utf-8") == "é"


def test_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    """A report that others may not read stays so; one with a secret gets the mode that was asked for."""
    path = tmp_path / "report"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o604)
    write_whole(path, "new")
    assert (path.read_text("utf-8"), mode_of(path)) == ("new", 0o604)

    write_whole(path, "newer", 0o600)
    assert (path.read_text("utf-8"), mode_of(path)) == ("newer", 0o600)


@pytest.mark.parametrize(("mode", "kept"), [(None, True), (0o600, False)])
def test_owner_stays_except_of_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int | None, *, kept: bool
) -> None:
    """A report stays its owner's where root writes it; a secret is not handed to whoever made the old file."""
    path = tmp_path / "report"
    path.write_text("old", encoding="utf-8")
    given: list[tuple[int, int]] = []
    monkeypatch.setattr("os.fchown", lambda _, user, group: given.append((user, group)))
    old = path.stat()
    write_whole(path, "new", mode)

    assert given == ([(old.st_uid, old.st_gid)] if kept else [])


def test_link_stays(tmp_path: Path) -> None:
    """The file that it leads to is replaced; a secret replaces the link instead and leaves that file alone."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old", encoding="utf-8")
    link.symlink_to(file)
    write_whole(link, "new")
    assert (link.is_symlink(), file.read_text("utf-8")) == (True, "new")

    write_whole(link, "secret", 0o600)
    assert (link.is_symlink(), file.read_text("utf-8"), link.read_text("utf-8")) == (False, "new", "secret")


def test_pipe_gets_the_text_as_it_is(tmp_path: Path) -> None:
    """Nothing takes its place."""
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")))
    reader.start()
    write_whole(pipe, "report")
    reader.join(10)

    assert (read, stat.S_ISFIFO(pipe.stat().st_mode)) == (["report"], True)


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """A full disk, a quota, a broken disk: the old file is whole, and nothing else is left in the folder."""
    path = tmp_path / "report"
    path.write_text("old", encoding="utf-8")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(f"os.{call}" if call == "fsync" else f"pathlib.Path.{call}", fail)
    with pytest.raises(OSError, match=os.strerror(code)):
        write_whole(path, "new")

    assert [(one.name, one.read_text("utf-8")) for one in tmp_path.iterdir()] == [("report", "old")]


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """The limit of a file's size is met in the middle of the text, as a full disk is."""
    import resource  # noqa: PLC0415 - Unix alone has it, as the limit
    import signal  # noqa: PLC0415 - likewise

    path = tmp_path / "report"
    path.write_text("old", encoding="utf-8")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(OSError, match="File too large"):
            write_whole(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    assert [(one.name, one.read_text("utf-8")) for one in tmp_path.iterdir()] == [("report", "old")]


def test_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder would allow it, but its owner wants it to stay; root may write everything, so it is asked here."""
    path = tmp_path / "report"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError):
        write_whole(path, "new")

    assert path.read_text("utf-8") == "old"


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    """No folder is made."""
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "report", "x")
