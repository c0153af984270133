"""The findings of a comparison are true and complete, and an interrupted comparison resumes."""

from __future__ import annotations

import fcntl
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

import object_store
from object_store import MULTIPART_THRESHOLD, ObjectRef, ObjectStore
from object_store import parity as module
from object_store.parity import parity
from object_store.parity_report import ParityReport
from object_store.partials import PARTIAL_PREFIX
from object_store.sides import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

FILES = {"a.txt": b"a", "a/b.txt": b"ab", "a/c/d": b"", "a0": b"0", "b/e": b"be", "é": b"e", "z z": b"zz"}


@pytest.fixture(name="nas")
def _nas(tmp_path: Path, store: ObjectStore, bucket: str) -> Iterator[Path]:
    """Return a folder that is the same as the bucket under p/."""
    nas = tmp_path / "nas"
    for name, content in FILES.items():
        (nas / name).parent.mkdir(parents=True, exist_ok=True)
        (nas / name).write_bytes(content)
    store.upload_dir(nas, bucket, "p")
    yield nas
    for ref in list(store.list(bucket)):
        store.delete_object(bucket, ref.key)


@pytest.fixture(name="often")
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after every key."""
    monkeypatch.setattr(module, "CHECKPOINT_KEYS", 1)


def _lines(journal: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


class TestFindings:
    """Missing, extra, different, undecided."""

    def test_same_sides_are_ok(self, nas: Path, store: ObjectStore, bucket: str) -> None:
        """They are the same by checksum; progress counts each byte once."""
        told: list[int] = []

        report = parity(nas, store, bucket, "p", progress=told.append)

        assert report.ok
        assert (report.same, report.same_bytes) == (len(FILES), sum(map(len, FILES.values())))
        assert sum(told) == report.same_bytes
        assert report == parity(nas, store, bucket, "p/")
        assert (
            report.as_text()
            == "7 the same (9 bytes), 0 missing in the store, 0 extra in the store, 0 different, 0 undecided\n"
        )

    def test_each_difference_is_found(self, nas: Path, store: ObjectStore, bucket: str) -> None:
        """A difference of equal length and time is found too."""
        store.delete_object(bucket, "p/a/b.txt")
        times = (nas / "a0").stat()
        (nas / "a0").write_bytes(b"1")
        os.utime(nas / "a0", ns=(times.st_atime_ns, times.st_mtime_ns))
        (nas / "b" / "e").write_bytes(b"longer")
        for key in ("p/a", "p/a/c", "p/zz"):
            store.upload(bucket, key, b"x")
        store.upload(bucket, "q/not-compared", b"x")

        report = parity(nas, store, bucket, "p")

        assert not report.ok
        assert report.missing == ("p/a/b.txt",)
        assert report.extra == ("p/a", "p/a/c", "p/zz")
        assert report.different == ("p/a0", "p/b/e")
        assert report.undecided == ()
        assert report.same == len(FILES) - 3
        content = json.loads(report.as_json())
        assert content["ok"] is False
        assert (content["missing"], content["nasDir"]) == (["p/a/b.txt"], str(nas))
        assert "missing    p/a/b.txt\nextra      p/a\n" in report.as_text()

    def test_empty_sides(self, tmp_path: Path, nas: Path, store: ObjectStore, bucket: str) -> None:
        """Two empty sides prove nothing, unless that is right; otherwise all is missing, or extra."""
        (tmp_path / "empty").mkdir()

        with pytest.raises(object_store.NotFound, match=r"empty has no file, and no object .*allow_empty"):
            parity(tmp_path / "empty", store, bucket, "none")
        assert parity(tmp_path / "empty", store, bucket, "none", allow_empty=True).ok
        assert len(parity(tmp_path / "empty", store, bucket, "p").extra) == len(FILES)
        assert len(parity(nas, store, bucket, "none").missing) == len(FILES)
        assert len(parity(nas, store, bucket).missing) == len(parity(nas, store, bucket).extra) == len(FILES)

    def test_etag_that_is_no_checksum_has_the_bytes_read(
        self, nas: Path, store: ObjectStore, bucket: str, admin: S3Client
    ) -> None:
        """Another writer may send parts of another length than ours."""
        body = os.urandom(MULTIPART_THRESHOLD + 5)
        for key, sent in (("p/same", body), ("p/other", body[:-1] + b"?")):
            upload = admin.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
            parts = []
            for number, part in enumerate((sent[: 6 * 2**20], sent[6 * 2**20 :]), 1):
                etag = admin.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)["ETag"]
                parts.append({"ETag": etag, "PartNumber": number})
            admin.complete_multipart_upload(
                Bucket=bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]  # built above
            )
            (nas / key.removeprefix("p/")).write_bytes(body if sent == body else body[:-1] + b"!")

        report = parity(nas, store, bucket, "p")

        assert report.different == ("p/other",)
        assert report.same == len(FILES) + 1

    def test_own_partial_files_and_folder_objects_are_left_out(
        self, nas: Path, store: ObjectStore, bucket: str, admin: S3Client
    ) -> None:
        """An empty object with a slash at its end is a folder of another tool; one that holds bytes is extra."""
        (nas / "a" / f"{PARTIAL_PREFIX}nas-1").write_bytes(b"x")
        for key, body in (("p/", b""), ("p/a/", b""), ("p/b/", b"bytes")):
            admin.put_object(Bucket=bucket, Key=key, Body=body)
        try:
            assert parity(nas, store, bucket, "p").extra == ("p/b/",)
        finally:
            for key in ("p/", "p/a/", "p/b/"):
                admin.delete_object(Bucket=bucket, Key=key)

    def test_what_cannot_be_compared_is_undecided(self, nas: Path, store: ObjectStore, bucket: str) -> None:
        """Links, pipes and names that are not keys are undecided, with or without an object."""
        (nas / "link").symlink_to(nas / "a0")
        (nas / "folder-link").symlink_to(nas / "a")
        os.mkfifo(nas / "pipe")
        (nas / os.fsdecode(b"\xff")).write_bytes(b"x")
        store.upload(bucket, "p/link", b"0")

        report = parity(nas, store, bucket, "p")

        assert {each.key: each.reason for each in report.undecided} == {
            "p/folder-link": "a symbolic link, which is not followed",
            "p/link": "a symbolic link, which is not followed",
            "p/pipe": "not a regular file but a pipe",
            "p/\\xff": "its name is not UTF-8, so it is not a key",
        }
        assert (report.ok, report.same, report.extra, report.missing) == (False, len(FILES), (), ())
        assert "undecided  p/pipe: not a regular file but a pipe\n" in report.as_text()
        assert json.loads(report.as_json())["undecided"][0] == {
            "key": "p/folder-link",
            "reason": "a symbolic link, which is not followed",
        }

    def test_folder_that_cannot_be_read_is_undecided_as_a_whole(
        self, nas: Path, store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its objects do not count as extra."""
        real = os.scandir

        def scandir(folder: Path) -> object:
            if Path(folder) == nas / "a":
                raise PermissionError(13, "Permission denied")
            return real(folder)

        monkeypatch.setattr(os, "scandir", scandir)

        report = parity(nas, store, bucket, "p")

        assert [(each.key, each.reason) for each in report.undecided] == [
            ("p/a/", "the folder cannot be read: Permission denied")
        ]
        assert (report.extra, report.same) == ((), len(FILES) - 2)

    def test_file_that_cannot_be_read_is_undecided(
        self, nas: Path, store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rest is compared."""

        def etag(path: Path, like: str) -> str | None:
            if path.name == "a0":
                raise OSError(5, "Input/output error")
            return like

        monkeypatch.setattr(module, "etag_of_file", etag)

        report = parity(nas, store, bucket, "p")

        assert [(each.key, each.reason) for each in report.undecided] == [
            ("p/a0", "the file cannot be read: Input/output error")
        ]
        assert report.same == len(FILES) - 1

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda path, *_: path.write_bytes(b"more"), "the file changed while it was compared"),
            (lambda path, *_: path.unlink(), "the file cannot be read: No such file"),
            (lambda _, store, bucket: store.delete_object(bucket, "p/a0"), "the object cannot be read: "),
            (lambda _, store, bucket: store.upload(bucket, "p/a0", b"?"), "the object cannot be read: "),
        ],
        ids=["file written", "file removed", "object removed", "object stored anew"],
    )
    def test_change_during_the_comparison_is_undecided(
        self,
        nas: Path,
        store: ObjectStore,
        bucket: str,
        monkeypatch: pytest.MonkeyPatch,
        change: Callable[[Path, ObjectStore, str], object],
        reason: str,
    ) -> None:
        """This holds for changes on either side."""

        def etag(path: Path, like: str) -> str | None:
            if path.name != "a0":
                return like
            change(path, store, bucket)
            return like if reason.startswith("the file") else None

        monkeypatch.setattr(module, "etag_of_file", etag)

        report = parity(nas, store, bucket, "p")

        assert [each.key for each in report.undecided] == ["p/a0"]
        assert report.undecided[0].reason.startswith(reason)
        assert report.same == len(FILES) - 1

    def test_key_that_a_terminal_would_obey_is_quoted(self) -> None:
        """The text quotes it; JSON escapes by itself."""
        report = ParityReport(
            nas_dir="/n", bucket="b", prefix="", same=0, same_bytes=0, missing=("\x1b[2J",), extra=(), different=(),
            undecided=(),
        )  # fmt: skip

        assert "'\\x1b[2J'" in report.as_text()


class TestOrder:
    """Both sides are walked in the same order."""

    @example_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        names=st.sets(
            st.lists(
                st.text(st.sampled_from("a.0/- é\U0001f600\uffff"), min_size=1, max_size=3), min_size=1, max_size=3
            )
            .map("/".join)
            .filter(lambda name: all(part not in {"", ".", ".."} for part in name.split("/"))),
            max_size=8,
        )
    )
    def test_walk_is_in_the_order_of_the_keys_bytes(
        self, tmp_path_factory: pytest.TempPathFactory, names: set[str]
    ) -> None:
        """The order holds from the beginning and after any key."""
        folder = tmp_path_factory.mktemp("walked")
        made = set()
        for name in sorted(names):
            path = folder / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            except OSError:  # a file is in the place of the folder, or the reverse
                continue
            if path.is_file():
                made.add(name.encode())

        expected = sorted(made)
        assert [entry.name for entry in walk(folder)] == expected
        for after in expected:
            assert [entry.name for entry in walk(folder, after)] == [name for name in expected if name > after]

    def test_server_that_lists_in_another_order_is_refused(
        self, nas: Path, store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A comparison side by side would be wrong."""
        refs = [ObjectRef(bucket=bucket, key=key, etag="e", size=1) for key in ("p/b", "p/a")]
        monkeypatch.setattr(ObjectStore, "list", lambda *_, **__: iter(refs))

        with pytest.raises(object_store.UnexpectedAnswer, match="order"):
            parity(nas, store, bucket, "p")


class TestNasGone:
    """A missing NAS is an error, never a finding."""

    def test_folder_that_is_not_there_is_an_error(self, store: ObjectStore, bucket: str, tmp_path: Path) -> None:
        """The folder is not created."""
        with pytest.raises(object_store.LocalFileError, match="is the NAS mounted"):
            parity(tmp_path / "gone", store, bucket)
        assert not (tmp_path / "gone").exists()

    def test_nas_that_fails_is_an_error(
        self, nas: Path, store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stale handle, for example."""

        def is_dir(_: Path) -> bool:
            raise OSError(116, "Stale file handle")

        monkeypatch.setattr(Path, "is_dir", is_dir)
        with pytest.raises(object_store.LocalFileError, match="is the NAS mounted"):
            parity(nas, store, bucket, "p")

    @pytest.mark.usefixtures("often")
    def test_nas_that_goes_away_ends_the_comparison(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path
    ) -> None:
        """The content of the journal is from the time before."""
        journal = tmp_path / "journal"
        seen: list[int] = []

        def leave(size: int) -> None:
            seen.append(size)
            if len(seen) == 2:
                nas.rename(tmp_path / "away")

        with pytest.raises(object_store.LocalFileError, match="is the NAS mounted"):
            parity(nas, store, bucket, "p", journal=journal, progress=leave)
        assert [line for line in _lines(journal) if "finding" in line and line["finding"] != "undecided"] == []

        (tmp_path / "away").rename(nas)
        report = parity(nas, store, bucket, "p", journal=journal)
        assert report.ok
        assert report.same == len(FILES)


class _Stop(Exception):  # noqa: N818  # an interrupt
    """Interrupts a comparison."""


class TestJournal:
    """An interrupted comparison resumes; nothing is done twice or left out."""

    def _interrupted(self, nas: Path, store: ObjectStore, bucket: str, journal: Path, after: int) -> None:
        seen: list[int] = []

        def stop(size: int) -> None:
            seen.append(size)
            if len(seen) == after:
                raise _Stop

        with pytest.raises(_Stop):
            parity(nas, store, bucket, "p", journal=journal, progress=stop)

    @pytest.mark.parametrize("after", range(1, 6))
    @pytest.mark.parametrize("checkpoints", [1, 2, 1000])
    def test_interrupted_comparison_goes_on_to_the_same_report(
        self,
        nas: Path,
        store: ObjectStore,
        bucket: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        after: int,
        checkpoints: int,
    ) -> None:
        """This holds for any point of interruption, with findings on both sides of it."""
        monkeypatch.setattr(module, "CHECKPOINT_KEYS", checkpoints)
        (nas / "b" / "e").write_bytes(b"other")
        (nas / "a" / "new").write_bytes(b"new")
        (nas / "a" / "link").symlink_to(nas)
        store.delete_object(bucket, "p/é")
        store.upload(bucket, "p/a1", b"x")
        whole = parity(nas, store, bucket, "p")
        self._interrupted(nas, store, bucket, tmp_path / "journal", after)
        told: list[int] = []

        resumed = parity(nas, store, bucket, "p", journal=tmp_path / "journal", progress=told.append)

        assert resumed == whole
        assert len(told) < 7
        assert _lines(tmp_path / "journal")[-1] == {"done": True}

    def test_comparison_goes_on_after_its_last_key(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path
    ) -> None:
        """Compared keys are not compared again, even if they changed."""
        self._interrupted(nas, store, bucket, tmp_path / "journal", 4)
        done = _lines(tmp_path / "journal")[-1]["through"]
        assert isinstance(done, str)
        (nas / "a.txt").write_bytes(b"?")
        (nas / "z z").write_bytes(b"??")

        report = parity(nas, store, bucket, "p", journal=tmp_path / "journal")

        assert done > "p/a.txt"
        assert report.different == ("p/z z",)
        assert report.same == len(FILES) - 1

    def test_finished_comparison_starts_anew(self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path) -> None:
        """Its findings are not kept."""
        (nas / "a0").write_bytes(b"?")
        assert not parity(nas, store, bucket, "p", journal=tmp_path / "journal").ok
        (nas / "a0").write_bytes(FILES["a0"])

        assert parity(nas, store, bucket, "p", journal=tmp_path / "journal").ok
        assert sum("journal" in line for line in _lines(tmp_path / "journal")) == 1

    @pytest.mark.usefixtures("often")
    def test_journal_torn_anywhere_leads_to_the_same_report(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path
    ) -> None:
        """After a crash the file may be cut at any byte."""
        journal = tmp_path / "journal"
        (nas / "a" / "new").write_bytes(b"new")
        (nas / "b" / "e").write_bytes(b"other")
        whole = parity(nas, store, bucket, "p", journal=journal)
        content = journal.read_bytes()

        for length in {*range(0, len(content), 37), len(content) - 1, *(i for i, b in enumerate(content) if b == 10)}:
            journal.write_bytes(content[:length])
            assert parity(nas, store, bucket, "p", journal=journal) == whole, content[:length]
            assert journal.read_bytes() == content

    @pytest.mark.usefixtures("often")
    def test_what_comes_after_a_broken_line_is_done_again(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path
    ) -> None:
        """A disk that lost power may leave such a line."""
        journal = tmp_path / "journal"
        whole = parity(nas, store, bucket, "p", journal=journal)
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join([*lines[:3], b"\0\0\0\n", *lines[3:]]))

        assert parity(nas, store, bucket, "p", journal=journal) == whole

    @pytest.mark.parametrize("change", ["folder", "bucket", "prefix"])
    def test_journal_of_another_comparison_is_refused(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path, change: str
    ) -> None:
        """The file is unchanged."""
        journal = tmp_path / "journal"
        self._interrupted(nas, store, bucket, journal, 2)
        before = journal.read_bytes()

        with pytest.raises(object_store.InvalidArgument, match="of another comparison"):
            parity(
                nas / "a" if change == "folder" else nas,
                store,
                "other-bucket" if change == "bucket" else bucket,
                "q" if change == "prefix" else "p",
                journal=journal,
            )
        assert journal.read_bytes() == before

    @pytest.mark.parametrize("content", [b"something else", b"{}\n", b"\xff\n\n", b'{"journal": "x"}\n', b"[]\n"])
    def test_file_that_is_no_journal_is_refused(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path, content: bytes
    ) -> None:
        """It may be a user's data."""
        (tmp_path / "journal").write_bytes(content)

        with pytest.raises(object_store.InvalidArgument, match="is not a journal"):
            parity(nas, store, bucket, "p", journal=tmp_path / "journal")
        assert (tmp_path / "journal").read_bytes() == content

    def test_journal_inside_of_the_folder_is_refused(self, nas: Path, store: ObjectStore, bucket: str) -> None:
        """The journal itself would be compared."""
        with pytest.raises(object_store.InvalidArgument, match="outside"):
            parity(nas, store, bucket, "p", journal=nas / "journal")
        assert not (nas / "journal").exists()

    def test_journal_that_is_a_pipe_is_refused(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path
    ) -> None:
        """Reading it back would never end."""
        os.mkfifo(tmp_path / "pipe")

        with pytest.raises(object_store.InvalidArgument, match="pipe is not a regular file"):
            parity(nas, store, bucket, "p", journal=tmp_path / "pipe")

    def test_journal_that_cannot_be_opened_is_said(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path
    ) -> None:
        """The folder does not exist, the journal is in use, or a link that leads to itself."""
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(object_store.LocalFileError, match="cannot be opened: Too many levels of symbolic links"):
            parity(nas, store, bucket, "p", journal=tmp_path / "loop")
        with pytest.raises(object_store.LocalFileError, match="cannot be opened: No such file"):
            parity(nas, store, bucket, "p", journal=tmp_path / "none" / "journal")
        with (tmp_path / "journal").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(object_store.LocalFileError, match="in use by another comparison"):
                parity(nas, store, bucket, "p", journal=tmp_path / "journal")

    def test_journal_that_cannot_be_written_is_said(
        self, nas: Path, store: ObjectStore, bucket: str, tmp_path: Path
    ) -> None:
        """The disk is full; with free space the comparison starts."""

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("object_store.journal.write_all", full)
            with pytest.raises(object_store.LocalFileError, match="cannot be written: No space left"):
                parity(nas, store, bucket, "p", journal=tmp_path / "journal")

        assert parity(nas, store, bucket, "p", journal=tmp_path / "journal").ok

    def test_checkpoints_follow_one_another(
        self,
        nas: Path,
        store: ObjectStore,
        bucket: str,
        tmp_path: Path,
        often: None,  # noqa: ARG002  # a fixture
    ) -> None:
        """They are in the order of the keys' bytes."""
        parity(nas, store, bucket, "p", journal=tmp_path / "journal")

        keys = [str(line["through"]).encode() for line in _lines(tmp_path / "journal") if "through" in line]
        assert len(keys) == len(FILES)
        assert all(one < other for one, other in pairwise(keys))
