"""A tree of documents is stored whole, by any shards, and what cannot be is named."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest

from model.exit_codes import ExitCode
from object_store import PART_SIZE, EndpointUnreachable, ObjectStore, resolve
from tests.workloads.documents.ending import begun, joined
from workloads.documents import backfill as backfills
from workloads.documents import original
from workloads.documents.backfill import BackfillOptions
from workloads.documents.identity import document_id
from workloads.documents.shard import Shard

if TYPE_CHECKING:
    from tests.workloads.documents.conftest import Library

LEFTOVERS = (
    "@eaDir/x.pdf/SYNOFILE_THUMB_M.png",
    "2026/@eaDir/x.pdf@SynoEAStream",
    "#recycle/old.pdf",
    ".DS_Store",
    "Thumbs.db",
    "~$x.docx",
    "x.pdf.crdownload",
    "._x.pdf",
    ".stfolder/marker",
)
POINTS = (("put", 2), ("put", 5), ("read back", 1), ("document", 1), ("document", 7), ("stored", 1), ("receipt", 2))


def all_names(library: Library) -> list[str]:
    """The names of all files in the tree."""
    return sorted(path.name for path in library.root.rglob("*") if path.is_file())


def check_whole(library: Library) -> None:
    """Each document of the tree is stored once, under its content and its name, and nothing else is."""
    wanted = set()
    for path in library.root.rglob("*"):
        if path.is_file():
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            wanted.add(f"docs/{sha256[:2]}/{sha256}/{path.name}")
    assert set(library.stored()) == wanted


class TestTree:
    """A whole tree."""

    def test_is_stored_and_comes_back(self, library: Library) -> None:
        """Each line has the identity by the path; its reference gives the same bytes under the same name."""
        files = [library.add(f"{year}/Book {number}.pdf") for year in (2024, 2025) for number in range(3)]
        assert library.backfill() == ExitCode.DONE, library.errors
        check_whole(library)
        assert {one["nasPath"] for one in library.printed} == {str(path) for path in files}
        with library.world.store() as store:
            for one in library.printed:
                with resolve(one, store) as copy:
                    path = library.root / one["nasPath"]
                    assert (copy.source, copy.path.name) == ("objectRef", path.name)
                    content = copy.path.read_bytes()
                    assert content == path.read_bytes()
                    assert one["docId"] == document_id(path.name, hashlib.sha256(content).hexdigest())
        assert "6 identities are proven unchanged, 0 differ" in library.errors

        before = library.stored()
        printed = sorted(map(str, library.printed))
        assert library.backfill() == ExitCode.DONE
        assert (library.stored(), sorted(map(str, library.printed))) == (before, printed)

    def test_leftovers(self, library: Library, capsys: pytest.CaptureFixture[str]) -> None:
        """What the NAS and programs leave, links, and empty files are left out by name, and counted by reason."""
        library.add("x.pdf")
        for path in LEFTOVERS:
            library.add(path)
        (library.root / "link.pdf").symlink_to(library.root / "x.pdf")
        (library.root / "folder").symlink_to(library.root)
        os.mkfifo(library.root / "pipe.pdf")
        (library.root / "empty.pdf").touch()
        dry = backfills.run(BackfillOptions(library.config(), root=library.root, dry_run=True))
        out = capsys.readouterr().out
        assert dry == ExitCode.DONE
        assert "@eaDir: the NAS's own\n" in out
        assert not library.stored()

        assert library.backfill() == ExitCode.DONE, library.errors

        assert library.names() == ["x.pdf"]
        left = library.source()["left_out"]
        assert len(left) == len(LEFTOVERS) + 4
        assert "empty.pdf: it is empty" in left
        assert "2 left out: the NAS's own" in library.errors
        assert "2 left out: a link, which is not followed" in library.errors

    def test_names_and_contents(self, library: Library) -> None:
        """Each name comes back byte for byte; one name with other bytes, and one content with two names, are two."""
        names = [
            "包天宇 72  2026.pdf",
            "Silk road  Self driving.txt",
            "ß.md",
            " lead.pdf",
            "a%20b.pdf",
            "#?&+.pdf",
            "Résumé.pdf",
            unicodedata.normalize("NFD", "Résumé.pdf"),
            "日" * 80 + ".pdf",
            "trail.pdf ",
        ]
        for name in names:
            library.add(name, b"the same bytes")
        library.add("a/Report.pdf", b"one")
        library.add("b/Report.pdf", b"two")
        library.add("c/Report.pdf", b"two")
        assert library.backfill() == ExitCode.DONE, library.problems()
        assert library.names() == sorted([*names, "Report.pdf", "Report.pdf"])
        check_whole(library)

    def test_names_that_no_key_holds(self, library: Library) -> None:
        """They are named, the others are stored, and the exit status is 1."""
        library.add("good.pdf")
        for name in (b"latin-\xfc.pdf", b"a\\b.pdf", b"a\nb.pdf"):
            with open(os.path.join(os.fsencode(library.root), name), "wb") as file:  # noqa: PTH123, PTH118 - bytes
                file.write(b"x")
        assert library.backfill() == ExitCode.WRONG
        assert library.names() == ["good.pdf"]
        assert sorted(library.problems()) == [
            "a\\b.pdf: its name has a backslash or a control character, which no key can hold",
            "a\\nb.pdf: its name has a backslash or a control character, which no key can hold",
            "latin-\\xfc.pdf: its name is not UTF-8, which a key must be",
        ]

    @pytest.mark.parametrize("size", [100, 20_000_000])
    def test_that_changes(self, library: Library, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        """A file that is written while it is read is named, and neither half nor mixed bytes are stored."""
        file = library.add("x.pdf", b"a" * size)
        pread, reads = os.pread, []

        def read(descriptor: int, length: int, at: int) -> bytes:
            reads.append(at)
            if len(reads) == (2 if size < PART_SIZE else 5):  # of the large one, in its second reading
                with file.open("r+b") as written:
                    written.seek(size - 10)
                    written.write(b"new")
            return pread(descriptor, length, at)

        with monkeypatch.context() as patched:
            patched.setattr(os, "pread", read)
            assert library.backfill() == ExitCode.WRONG
        assert library.problems()[0] == "x.pdf: it changed while it was read"
        assert not library.stored()
        assert not library.world.client.list_multipart_uploads(Bucket=library.world.bucket).get("Uploads")
        assert library.backfill() == ExitCode.DONE
        check_whole(library)

    def test_that_is_written_after_it_was_stored(self, library: Library) -> None:
        """The store has what it was: a run that says that all is stored would be wrong, so it says it is not."""
        file = library.add("x.pdf", b"first")

        def write(stage: str) -> None:
            if stage == "stored":
                file.write_bytes(b"other")

        assert library.backfill(stage=write) == ExitCode.WRONG
        (problem,) = library.problems()
        assert "not just the same" in problem
        assert library.backfill() == ExitCode.DONE
        assert len(library.stored()) == 2

    def test_that_grows_without_an_end(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        """A small file that is written faster than it is read is given up at once, and does not fill the memory."""
        file = library.add("x.txt", b"a")
        pread, reads = os.pread, []

        def read(descriptor: int, length: int, at: int) -> bytes:
            reads.append(at)
            if len(reads) < 100:  # so that the test ends without the rule, too
                with file.open("ab") as written:
                    written.write(b"more")
            return pread(descriptor, length, at)

        with monkeypatch.context() as patched:
            patched.setattr(os, "pread", read)
            assert library.backfill() == ExitCode.WRONG
        assert library.problems()[0] == "x.txt: it changed while it was read"
        assert len(reads) == 1
        assert not library.stored()

    @pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
    def test_locale(self, library: Library, locale: str) -> None:
        """Two machines with other locales print the same lines, and store the same keys."""
        file = library.add("2026/Résumé 包.pdf")
        words = ("documents", "backfill", "--json", "--config", str(library.config()), str(library.root))
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "cli", *words],
            env={"PATH": os.environ["PATH"], "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == ExitCode.DONE, done.stderr
        assert json.loads(done.stdout)["nasPath"] == str(file)
        assert library.names() == [file.name]

    def test_folder_whose_name_is_not_utf8(self, library: Library) -> None:
        """Only the document's own name must be UTF-8: the printed line is ASCII, and leads to both places."""
        folder = os.path.join(os.fsencode(library.root), b"latin-\xfc \xf0\x9f\x93\x95")  # noqa: PTH118 - bytes
        os.mkdir(folder)  # noqa: PTH102 - likewise
        with open(os.path.join(folder, "Résumé 📕.pdf".encode()), "wb") as file:  # noqa: PTH123, PTH118 - likewise
            file.write(b"x")
        assert library.backfill() == ExitCode.DONE, library.errors
        assert library.out.isascii()
        (one,) = library.printed
        with open(os.fsencode(one["nasPath"]), "rb") as file:  # noqa: PTH123 - likewise
            assert file.read() == b"x"
        assert one["objectRef"]["key"].endswith("/Résumé 📕.pdf")

    def test_that_vanishes_or_cannot_be_read(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both are named, and so is what a second walk does not meet again."""
        for name in ("a.pdf", "b.pdf", "c.pdf"):
            library.add(name)
        opened = os.open

        def open_(path: bytes | str, *more: Any) -> int:  # noqa: ANN401 - of os.open
            if os.fsencode(path).endswith(b"/a.pdf"):
                (library.root / "a.pdf").unlink(missing_ok=True)
            if os.fsencode(path).endswith(b"/b.pdf"):
                raise PermissionError(13, "Permission denied", path)
            return opened(path, *more)

        with monkeypatch.context() as patched:
            patched.setattr(os, "open", open_)
            assert library.backfill() == ExitCode.WRONG
        assert library.problems() == [
            "a.pdf: it went away before it was read",
            "b.pdf: Permission denied",
            (
                "3 documents were met, and a second walk met 2, not just the same: files came, went, changed or were "
                "renamed meanwhile; run it again"
            ),
        ]
        assert library.names() == ["c.pdf"]

    def test_without_documents(self, library: Library) -> None:
        """An empty folder, as of a share that is not mounted, is no success; a missing one cannot run."""
        assert library.backfill() == ExitCode.WRONG
        assert library.problems() == ["there is no document in it: is the NAS mounted?"]
        library.root.rmdir()
        assert library.backfill() == ExitCode.CANNOT

    def test_store_that_goes_away(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        """The run ends with 2 and a receipt; an answer that was lost is settled by the next run."""
        for number in range(20):
            library.add(f"{number}.pdf")
        upload, puts = ObjectStore.upload, []

        def lost(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
            puts.append(upload(*given, **named))
            if len(puts) == 7:
                raise EndpointUnreachable("the connection was lost")
            return puts[-1]

        with monkeypatch.context() as patched:
            patched.setattr(ObjectStore, "upload", lost)
            assert library.backfill() == ExitCode.CANNOT
        before = library.stored()
        assert 0 < len(before) < 20
        assert library.backfill() == ExitCode.DONE
        assert library.stored().items() >= before.items()
        check_whole(library)

    def test_key_with_other_bytes(self, library: Library) -> None:
        """What is at the key is not what it should be: the document stands beside it, with the same identity."""
        library.add("x.pdf", b"right")
        sha256 = hashlib.sha256(b"right").hexdigest()
        key = f"docs/{sha256[:2]}/{sha256}/x.pdf"
        library.world.client.put_object(
            Bucket=library.world.bucket, Key=key, Body=b"wrong", Metadata={"sha256": sha256}
        )
        assert library.backfill() == ExitCode.DONE
        (one,) = library.printed
        assert one["objectRef"]["key"] == f"docs/{sha256[:2]}/{sha256}.2/x.pdf"
        assert one["docId"] == document_id("x.pdf", sha256)

    def test_identity_that_would_change(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is in the table with both identities, and the exit status is 1."""
        library.add("x.pdf", b"x")
        monkeypatch.setattr(original, "document_id", lambda name, sha256: f"{name}-{sha256[:4]}")
        assert library.backfill() == ExitCode.WRONG
        assert library.problems() == ["x.pdf: is x.pdf-2d71 by its path, and x-2d711642b726 by its reference"]


class TestShards:
    """Parts of a tree, and runs that end early."""

    def test_killed_and_other_number(self, library: Library) -> None:
        """3/4 is killed; 50 files come and 10 are renamed; then all of k/3: each file once, and nothing else."""
        for number in range(60):
            library.add(f"{number % 7}/{number}.pdf")
        process = begun(library.config(), library.root, "3/4", "document", 5)
        assert joined(process) == -signal.SIGKILL
        before = library.stored()
        assert before
        for number in range(50):
            library.add(f"new/{number}.txt")
        renamed = sorted(library.root.glob("1/*"))[:5]
        for path in renamed:
            path.rename(path.with_name(f"renamed {path.name}"))
        printed = []
        for shard in ("1/3", "2/3", "3/3"):
            assert library.backfill(shard) == ExitCode.DONE, library.errors
            printed += library.printed
        assert len(printed) == 110
        assert len({one["nasPath"] for one in printed}) == 110
        stored = library.stored()
        assert stored.items() >= before.items()
        gone = {path.name for path in renamed}
        assert sorted(name for name in library.names() if name not in gone) == all_names(library)

    def test_two_at_once(self, library: Library) -> None:
        """Two whole runs at the same time: each document is one object."""
        for number in range(20):
            library.add(f"{number}.pdf")
        processes = [begun(library.config(), library.root, "") for _ in range(2)]
        assert [joined(process) for process in processes] == [0, 0]
        check_whole(library)

    @pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[0]}-{point[1]}")
    def test_killed_at_a_point(self, library: Library, point: tuple[str, int]) -> None:
        """SIGKILL at each stage: what is stored stays, and the same command completes it."""
        for number in range(10):
            library.add(f"{number}.pdf")
        assert joined(begun(library.config(), library.root, "", *point)) == -signal.SIGKILL
        before = library.stored()
        assert library.backfill() == ExitCode.DONE
        assert library.stored().items() >= before.items()
        check_whole(library)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_ended_by_a_signal(self, library: Library, number: signal.Signals) -> None:
        """The receipt says that it was stopped."""
        for name in range(30):
            library.add(f"{name}.pdf")
        assert joined(begun(library.config(), library.root, "", "document", 3, number)) == ExitCode.INTERRUPTED
        assert library.world.receipts()[-1]["status"] == "stopped"

    @pytest.mark.parametrize("text", ["0/4", "5/4", "3", "a/b", "1/1001", "index/4", "-1/4", "03/4"])
    def test_wrong_shard(self, library: Library, text: str) -> None:
        """It is refused before anything is done."""
        assert library.backfill(text) == ExitCode.CANNOT
        assert "--shard" in library.errors

    def test_index_of_a_job(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        """Kubernetes counts from 0."""
        for number in range(9):
            library.add(f"{number}.pdf")
        found = []
        for index in range(3):
            monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
            assert library.backfill("index/3") == ExitCode.DONE
            found.append({one["nasPath"] for one in library.printed})
        assert sum(map(len, found)) == len(set.union(*found)) == 9

    def test_is_that_of_either_spelling(self) -> None:
        """A Mac and Linux show one share's names in other forms of Unicode, and agree on the shard."""
        shards = [Shard(number, 5) for number in range(1, 6)]
        for name in (f"é{number}.pdf" for number in range(20)):
            forms = [unicodedata.normalize(form, name).encode() for form in ("NFC", "NFD")]
            assert len({[shard.has(form) for shard in shards].index(True) for form in forms}) == 1
