"""Keys that a file system takes for one are found before anything is written, and no file is reached by another's name.

The file systems here are the machine's own with the names of one that ignores case, or that ignores and changes the
Unicode form (as HFS+ does): each path is led to the name that is there. Everything else is real.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import pytest

import object_store
from object_store import ObjectStore
from object_store.dual_write import DualWriter
from object_store.parity import parity
from object_store.twins import check_twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

NFC, NFD = "caf\u00e9.txt", "cafe\u0301.txt"
_OF_ONE_PATH = ("stat", "lstat", "open", "mkdir", "rmdir", "unlink", "listdir", "scandir", "access", "readlink")
_OF_TWO_PATHS = ("replace", "rename")
Mount = Any


@pytest.fixture(autouse=True)
def _empty(admin: S3Client, bucket: str) -> Iterator[None]:
    yield
    for entry in admin.list_objects_v2(Bucket=bucket).get("Contents", []):
        admin.delete_object(Bucket=bucket, Key=entry["Key"])


@pytest.fixture(name="mount")
def _mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make a folder that takes names for one as a file system does that ignores "case" or the Unicode "form"."""
    top = tmp_path / "mount"
    top.mkdir()
    reals = {name: getattr(os, name) for name in (*_OF_ONE_PATH, *_OF_TWO_PATHS)}
    real_open = io.open

    def mounted(kind: str) -> Path:
        def alike(name: str) -> str:
            return name.casefold() if kind == "case" else normalize("NFD", name)

        def led(path: Any) -> Any:  # noqa: ANN401  # all that os takes for a path
            text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
            if not str(text).startswith(f"{top}/"):
                return path
            place = str(top)
            for part in str(text).removeprefix(f"{top}/").split("/"):
                try:
                    names = reals["listdir"](place)
                except OSError:
                    names = []
                new = normalize("NFD", part) if kind == "form" else part
                place += "/" + next((name for name in names if alike(name) == alike(part)), new)
            return place

        def of_one(real: Any) -> Any:  # noqa: ANN401  # a function of os
            return lambda path=".", *rest, **named: real(led(path), *rest, **named)

        def of_two(real: Any) -> Any:  # noqa: ANN401  # likewise
            return lambda one, other, **named: real(led(one), led(other), **named)

        for name, real in reals.items():
            monkeypatch.setattr(os, name, of_one(real) if name in _OF_ONE_PATH else of_two(real))
        monkeypatch.setattr(io, "open", of_one(real_open))
        return top

    return mounted


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


CASE = [("Report.pdf", "report.pdf"), ("CI/a", "ci/a"), ("CI/a", "ci/b"), ("\u00c9", "\u00e9")]
FORM = [(NFC, NFD), (f"{NFC}/a", f"{NFD}/b")]
TWINS = [("case", *pair) for pair in CASE] + [("form", *pair) for pair in FORM]


@pytest.mark.parametrize(("kind", "one", "other"), TWINS)
def test_keys_that_share_a_name_are_not_downloaded(
    mount: Mount, store: ObjectStore, bucket: str, kind: str, one: str, other: str
) -> None:
    """The error names both, and nothing was written."""
    down = mount(kind) / "down"
    for key in ("p/0", f"p/{one}", f"p/{other}"):
        store.upload(bucket, key, key.encode())

    with pytest.raises(object_store.UnsafePath, match=r"takes '.*' and '.*' for one name"):
        store.download_dir(bucket, "p", down)

    assert not down.exists()
    assert list(down.parent.iterdir()) == []


@pytest.mark.parametrize(("one", "other"), [*CASE, *FORM])
def test_folder_that_tells_them_apart_takes_both(
    store: ObjectStore, bucket: str, tmp_path: Path, one: str, other: str
) -> None:
    """On Linux they are two files, also the second time."""
    for key in (one, other):
        store.upload(bucket, f"p/{key}", key.encode())

    for copied in (2, 0):
        assert store.download_dir(bucket, "p", tmp_path / "down").copied == copied

    assert _names(tmp_path / "down") == {one, other}
    assert len(list((tmp_path / "down").rglob("*"))) in {2, 4}


@pytest.mark.parametrize(("there", "key"), [("Report.pdf", "report.pdf"), ("CI/a", "ci/a")])
def test_download_never_reaches_a_file_by_another_name(
    mount: Mount, store: ObjectStore, bucket: str, there: str, key: str
) -> None:
    """The file that is there stays, and is named."""
    down = mount("case")
    (down / there).parent.mkdir(exist_ok=True)
    (down / there).write_bytes(b"mine")
    store.upload(bucket, f"p/{key}", b"theirs")

    with pytest.raises(object_store.UnsafePath, match=f"reaches '{there.partition('/')[0]}', which is there"):
        store.download_dir(bucket, "p", down)

    assert (down / there).read_bytes() == b"mine"
    assert _names(down) == {there}


def test_second_download_finds_its_own_file_in_the_other_form(mount: Mount, store: ObjectStore, bucket: str) -> None:
    """HFS+ lists what was written as NFC as NFD; that is the same file, and nothing is moved."""
    down = mount("form")
    store.upload(bucket, f"p/{NFC}", b"x")

    for copied in (1, 0):
        assert store.download_dir(bucket, "p", down).copied == copied

    assert _names(down) == {NFD}


@pytest.mark.parametrize(("kind", "one", "other"), TWINS[:-1])
def test_second_of_two_dual_writes_to_one_file_is_refused(
    mount: Mount, store: ObjectStore, bucket: str, kind: str, one: str, other: str
) -> None:
    """The first stays on both sides; each may be written again."""
    nas = mount(kind)
    writer = DualWriter(nas, store)
    writer.write(bucket, one, b"first")

    with pytest.raises(object_store.UnsafePath, match=r"another name to the store|is also the file of the object"):
        writer.write(bucket, other, b"second")

    assert (nas / one).read_bytes() == b"first"
    assert [ref.key for ref in store.list(bucket)] == [one]
    writer.write(bucket, one, b"again")
    assert store.download(bucket, one) == b"again"


def test_parity_knows_its_own_write_in_the_other_form(mount: Mount, store: ObjectStore, bucket: str) -> None:
    """A file that the NAS lists as NFD is compared with the object of its NFC key; a difference is one finding."""
    nas = mount("form")
    writer = DualWriter(nas, store)
    for name in (NFC, f"{NFC[:4]}/sub", "ascii"):
        writer.write(bucket, f"p/{name}", b"body")

    report = parity(nas / "p", store, bucket, "p")

    assert (report.ok, report.same, report.same_bytes) == (True, 3, 12)
    store.upload(bucket, f"p/{NFC}", b"BODY")
    report = parity(nas / "p", store, bucket, "p")
    assert (report.same, report.different) == (2, (f"p/{NFC}",))
    assert report.missing == report.extra == ()


def test_parity_of_two_real_names_finds_both(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """Where the forms are two names, one is missing and the other extra."""
    (tmp_path / NFD).write_bytes(b"x")
    store.upload(bucket, f"p/{NFC}", b"x")

    report = parity(tmp_path, store, bucket, "p")

    assert (report.missing, report.extra) == ((f"p/{NFD}",), (f"p/{NFC}",))


def test_trial_of_names_leaves_nothing(tmp_path: Path) -> None:
    """A folder that tells names apart holds nothing after they were tried."""
    check_twins(tmp_path, tmp_path / "down", {key: (key,) for key in ("a", "A", "b.", "b")}, "probe")

    assert list(tmp_path.iterdir()) == []
