"""One document with what was made of it: once, whole, and the same event at any time."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from model.exit_codes import ExitCode
from object_store import EndpointUnreachable, ObjectStore, identity_of, resolve
from object_store.payload import IDENTITY_EXPRESSION
from tests.workloads.conftest import SECRET
from tests.workloads.documents.ending import begun, joined
from tests.workloads.events.expression import evaluated
from workloads.archive import clock
from workloads.archive.commit import sha256_of
from workloads.documents.identity import document_id
from workloads.events.event import Event, Form

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workloads.documents.conftest import Library

BODY = b"%PDF-1.4 tiny"
NAME = "A Book.pdf"
ID = document_id(NAME, sha256_of(BODY))
MADE = {"md": b"# A Book\n", "meta.json": b'{"pages": 1}', "chunks.jsonl": b'{"id": 1}\n'}
POINTS = (("put", 2), ("read back", 1), ("original", 1), ("put", 3), ("put", 5), ("put", 6), ("stored", 1))


@pytest.fixture(name="file")
def _file(library: Library) -> Path:
    """A document, and what was made of it in `derived` beside it."""
    for name, body in MADE.items():
        library.add(f"derived/{ID}.{name}", body)
    return library.add(NAME, BODY)


def derived_names(library: Library) -> list[str]:
    """The last segments of what was made of documents."""
    return sorted(key.rpartition("/")[2] for key in library.stored(library.derived))


def test_event_leads_to_the_bytes(library: Library, file: Path) -> None:
    """The original, three files, and a commit that names them all; the second call prints the same, byte for byte."""
    given: dict[str, Any] = {"derived": file.parent / "derived", "nas_path": "/volume1/joelclaw/books/A Book.pdf"}
    assert library.put(file, **given) == ExitCode.DONE, library.errors
    (printed,) = library.printed
    before = library.stored(), library.stored(library.derived)
    assert printed["docId"] == ID
    assert Event.parse(json.dumps(printed["event"])).form() == Form.BOTH
    assert printed["event"]["name"] == "docs/ingest.requested"
    assert printed["event"]["data"] == {"objectRef": printed["objectRef"], "nasPath": given["nas_path"]}
    assert sorted(printed["objectRef"]) == ["bucket", "contentType", "etag", "key", "size"]
    with library.world.store() as store, resolve(printed["event"]["data"], store) as copy:
        assert (copy.path.name, copy.path.read_bytes()) == (NAME, BODY)
        refs = printed["derived"]
        assert {
            name: store.download(ref["bucket"], ref["key"], etag=ref["etag"])
            for name, ref in refs.items()
            if name != "commit"
        } == MADE
        commit = json.loads(store.download(refs["commit"]["bucket"], refs["commit"]["key"]))
    assert commit["original"] == {**printed["objectRef"], "sha256": sha256_of(BODY)}
    assert {name: one["sha256"] for name, one in commit["files"].items()} == {
        name: sha256_of(body) for name, body in MADE.items()
    }

    assert library.put(file, **given) == ExitCode.DONE
    assert library.printed == [printed]
    assert (library.stored(), library.stored(library.derived)) == before


def test_name_of_a_temporary_file(library: Library, tmp_path: Path) -> None:
    """The identity is made of `--name`, and not of where a download happens to lie."""
    for number in range(2):
        file = tmp_path / f"download-{number}.tmp"
        file.write_bytes(BODY)
        assert library.put(file, name=NAME) == ExitCode.DONE, library.errors
        assert library.printed[0]["docId"] == ID
    assert len(library.stored()) == 1


def test_replay_after_a_day(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller knows a repeat for 24 h. Later, on another machine, from another temporary file, it prints the same."""
    (tmp_path / "download-1.tmp").write_bytes(BODY)
    assert library.put(tmp_path / "download-1.tmp", name=NAME) == ExitCode.DONE, library.errors
    first, stored = library.printed, library.stored()
    (tmp_path / "download-1.tmp").rename(tmp_path / "download-2.tmp")
    library.world.folder, library.world.name = tmp_path / "other", "other"
    later = clock.now_utc() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now_utc", lambda: later)

    assert library.put(tmp_path / "download-2.tmp", name=NAME) == ExitCode.DONE, library.errors

    assert library.printed == first
    assert library.stored() == stored
    assert evaluated(IDENTITY_EXPRESSION, first[0]["event"]["data"]) == identity_of(first[0]["event"]["data"])


def test_other_derived_files(library: Library, file: Path) -> None:
    """A better extraction stands beside the first one, which stays as it was committed."""
    assert library.put(file, derived=file.parent / "derived") == ExitCode.DONE
    before = library.stored(library.derived)
    (file.parent / "derived" / f"{ID}.md").write_bytes(b"# better\n")
    assert library.put(file, derived=file.parent / "derived") == ExitCode.DONE
    after = library.stored(library.derived)
    assert after.items() >= before.items()
    assert len(after) == 2 * len(before) == 8


@pytest.mark.parametrize("case", ["missing", "empty", "folder", "sidecar", "slash", "body", "bytes", "no derived"])
def test_refused(library: Library, file: Path, case: str) -> None:
    """It says why, and nothing is printed; what needs the whole of it is not stored in part."""
    more: dict[str, Any] = {}
    if case == "missing":
        file.unlink()
    elif case == "empty":
        file.write_bytes(b"")
    elif case == "folder":
        file = file.parent
    elif case == "sidecar":
        more = {"name": "._A Book.pdf"}
    elif case == "slash":
        more = {"name": "a/b.pdf"}
    elif case == "body":
        more = {"nas_path": "data:text/plain;base64,aGk="}
    elif case == "bytes":
        more = {"nas_path": os.fsdecode(b"/volume1/\xfc.pdf")}
    else:
        (file.parent / "derived" / f"{ID}.chunks.jsonl").unlink()
        more = {"derived": file.parent / "derived"}
    assert library.put(file, **more) == ExitCode.CANNOT
    assert not library.printed
    says = {"missing": "No such file", "empty": "it is empty", "folder": "it is not a file"}
    says |= {
        "body": "'nasPath' holds a body",
        "bytes": "--nas-path: '/volume1/\\\\xfc.pdf' is not UTF-8",
        "sidecar": "the Mac's own",
        "slash": "has a slash",
        "no derived": "chunks.jsonl cannot be used",
    }
    assert says[case] in library.errors
    assert not derived_names(library)
    assert SECRET not in library.errors


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[0]}-{point[1]}")
def test_killed_at_a_point(library: Library, file: Path, point: tuple[str, int]) -> None:
    """SIGKILL at each stage: no commit before all is there; the same command completes it, once."""
    assert joined(begun(library.config(), file, None, *point)) == -signal.SIGKILL
    assert ("commit.json" in derived_names(library)) == (point == ("stored", 1))
    before = library.stored()
    assert library.put(file, derived=file.parent / "derived") == ExitCode.DONE
    assert library.stored().items() >= before.items()
    assert library.names() == [NAME]
    assert derived_names(library) == ["chunks.jsonl", "commit.json", "md", "meta.json"]


def test_two_at_once(library: Library, file: Path) -> None:
    """Both end well, and each object is there once."""
    processes = [begun(library.config(), file, None) for _ in range(2)]
    assert [joined(process) for process in processes] == [0, 0]
    assert library.names() == [NAME]
    assert derived_names(library) == ["chunks.jsonl", "commit.json", "md", "meta.json"]


@pytest.mark.parametrize("number", [2, 3, 6])
def test_lost_answer(library: Library, file: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The store took an object and its answer was lost: the step fails, and the next call stores nothing twice."""
    upload, puts = ObjectStore.upload, []

    def lost(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
        puts.append(upload(*given, **named))
        if len(puts) == number:
            raise EndpointUnreachable("the connection was lost")
        return puts[-1]

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "upload", lost)
        assert library.put(file, derived=file.parent / "derived") == ExitCode.CANNOT
    assert not library.printed
    assert library.put(file, derived=file.parent / "derived") == ExitCode.DONE
    assert library.names() == [NAME]
    assert derived_names(library) == ["chunks.jsonl", "commit.json", "md", "meta.json"]


def test_file_that_grows_for_ever(library: Library, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is written faster than it is read is refused, and does not hold the run."""
    pread = os.pread

    def grown(descriptor: int, size: int, at: int) -> bytes:
        with file.open("ab") as more:
            more.write(bytes(size))
        return pread(descriptor, size, at)

    monkeypatch.setattr(os, "pread", grown)
    assert library.put(file) == ExitCode.CANNOT
    assert "it changed while it was read" in library.errors
    assert library.stored() == {}
