"""`events resolve`: the bytes of an event from either form, whole or not at all, and one receipt for each use."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from model.exit_codes import ExitCode
from object_store import AccessDenied, EndpointUnreachable, ObjectStore, ranges
from object_store.partials import PARTIAL_PREFIX
from tests.workloads.conftest import SECRET
from tests.workloads.events.conftest import EXPORTED, REQUESTED
from tests.workloads.events.test_events import golden

if TYPE_CHECKING:
    from tests.workloads.events.conftest import Consumer

BODY = b"%PDF-1.4 tiny"
OTHER = b"other bytes on the NAS"
RECEIVED = "media/received"


def on_nas(consumer: Consumer, body: bytes = OTHER, name: str = "books/A Book.pdf") -> str:
    """A file of the NAS; its name there."""
    file = consumer.nas / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return f"{EXPORTED}/{name}"


def test_by_reference(consumer: Consumer) -> None:
    """The bytes are in the file, and it says what led to them; one small receipt is in the store, and none is here."""
    ref = consumer.store(BODY)

    assert consumer.resolve({"objectRef": ref}) == ExitCode.DONE

    assert consumer.to.read_bytes() == BODY
    assert consumer.left() == ["file"]
    assert consumer.printed == {
        "event": REQUESTED, "field": "objectRef", "form": "reference", "sent": True, "used": "objectRef",
        "file": str(consumer.to), "size": len(BODY), "verified": True, "ref": ref,
    }  # fmt: skip
    ((key, use),) = consumer.uses().items()
    run = use["run"]
    assert key == f"receipts/events/v1/docs.ingest.requested/{run[:4]}/{run[4:6]}/{run[6:8]}/{run}-box.json"
    assert use == {
        "version": 1, "run": run, "machine": "box", "event": REQUESTED, "field": "objectRef",
        "form": "reference", "status": "given", "error": "", "event_id": "e-1",
    }  # fmt: skip
    assert not consumer.unsent()


@pytest.mark.parametrize("text", ["own", "mounted"])
def test_by_path_of_the_nas(consumer: Consumer, text: str) -> None:
    """By the NAS's own name of the file, or by the name that it has where the NAS is mounted."""
    own = on_nas(consumer)
    mounted = str(consumer.nas / "books/A Book.pdf")

    assert consumer.resolve({"nasPath": own if text == "own" else mounted}) == ExitCode.DONE, consumer.errors

    assert consumer.to.read_bytes() == OTHER
    told = {name: consumer.printed[name] for name in ("form", "used", "path", "size", "verified")}
    assert told == {"form": "path", "used": "nasPath", "path": mounted, "size": len(OTHER), "verified": False}
    assert [use["form"] for use in consumer.uses().values()] == ["path"]
    assert not any(mounted in json.dumps(use) for use in consumer.uses().values())
    assert (consumer.nas / "books/A Book.pdf").read_bytes() == OTHER


def test_other_place_of_the_same_files(consumer: Consumer) -> None:
    """What is exported to no machine may be on a mount as well: the setting says where, and nothing is guessed."""
    on_nas(consumer)
    named = {"nasPath": "/volume1/home/joel/books/A Book.pdf"}
    assert consumer.resolve(named) == ExitCode.WRONG
    consumer.more = {"mounts": {"/volume1/home/joel/books": str(consumer.nas / "books")}}

    assert consumer.resolve(named) == ExitCode.DONE, consumer.errors
    assert consumer.to.read_bytes() == OTHER


def test_reference_goes_first(consumer: Consumer) -> None:
    """Of both forms the reference is used, and the file at the path is not even read."""
    data = {"objectRef": consumer.store(BODY), "nasPath": "/volume1/home/nobody/x"}

    assert consumer.resolve(data) == ExitCode.DONE

    assert consumer.to.read_bytes() == BODY
    assert (consumer.printed["form"], consumer.printed["used"]) == ("both", "objectRef")


@pytest.mark.parametrize("wrong", ["etag", "size", "gone", "replaced", "bucket"])
def test_reference_that_fails_is_an_error(consumer: Consumer, wrong: str) -> None:
    """The path beside it is not tried; the error has its kind, nothing is written, and the use counts as failed."""
    ref = consumer.store(BODY)
    if wrong == "gone":
        consumer.world.client.delete_object(Bucket=ref["bucket"], Key=ref["key"])
    elif wrong == "replaced":
        consumer.store(OTHER)
    else:
        ref[wrong] = {"etag": "0" * 32, "size": 99, "bucket": "not-there"}[wrong]

    assert consumer.resolve({"objectRef": ref, "nasPath": on_nas(consumer)}) == ExitCode.WRONG

    assert not consumer.left()
    kind = {"gone": "NotFound", "bucket": "BucketNotFound"}.get(wrong, "StaleReference")
    assert (consumer.printed["error"], consumer.printed["form"]) == (kind, "both")
    assert ref["key"] in consumer.errors
    assert [(use["status"], use["error"]) for use in consumer.uses().values()] == [("failed", kind)]


def test_object_in_an_archive_class(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, and what lacks is time and not a right: the message has the line that brings it back."""

    def cold(*_: object, **__: object) -> None:
        raise AccessDenied("denied", bucket="b-b", key="k", code="InvalidObjectState")

    ref = consumer.store(BODY)
    monkeypatch.setattr(ObjectStore, "download_file", cold)
    assert consumer.resolve({"objectRef": ref}) == ExitCode.CANNOT
    assert "aws s3api restore-object" in consumer.errors
    assert consumer.printed["error"] == "ColdError"


def test_large_object_comes_in_ranges(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By several connections at once, into the file and not into memory."""
    body = os.urandom(3_000_000)
    monkeypatch.setattr(ranges, "RANGES_THRESHOLD", 1_000_000)
    monkeypatch.setattr(ranges, "RANGE_SIZE", 500_000)
    asked = []
    ranged = vars(ObjectStore)["_ranged"]

    def counting(*given: Any) -> Any:  # noqa: ANN401 - what the call takes
        asked.append(given)
        return ranged(*given)

    monkeypatch.setattr(ObjectStore, "_ranged", counting)
    assert consumer.resolve({"objectRef": consumer.store(body)}) == ExitCode.DONE, consumer.errors
    assert consumer.to.read_bytes() == body
    assert asked


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "not exported": ({"nasPath": "/volume1/home/joel/books/a.pdf"}, "is not exported"),
    "elsewhere": ({"nasPath": "/etc/passwd"}, "is not in a folder that the NAS exports"),
    "dots": ({"nasPath": f"{EXPORTED}/../../etc/passwd"}, "has '..' in it"),
    "relative": ({"filePath": "books/a.pdf"}, "is not absolute"),
    "not there": ({"nasPath": f"{EXPORTED}/books/none.pdf"}, "does not exist"),
    "folder": ({"nasPath": f"{EXPORTED}/books"}, "is a folder"),
    "root of it": ({"nasPath": EXPORTED}, "is a folder"),
    "link": ({"nasPath": f"{EXPORTED}/out/passwd"}, "leads out of"),
    "link to a file": ({"nasPath": f"{EXPORTED}/secret.pdf"}, "leads out of"),
    "links in a cycle": ({"nasPath": f"{EXPORTED}/cycle/x"}, "cannot be accessed"),
    "pipe": ({"nasPath": f"{EXPORTED}/pipe"}, "is not a regular file"),
    "not finished": ({"nasPath": f"{EXPORTED}/{PARTIAL_PREFIX}x"}, "its writer has not finished"),
    "other folder": ({"filePath": "/proc/self/environ"}, "events: {folders: [/proc/self]}"),
    "both": ({"filePath": "/proc/self/environ", "nasPath": f"{EXPORTED}/books/none.pdf"}, "nasPath '/volume1/joelclaw"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_path_that_leads_to_nothing(consumer: Consumer, tmp_path: Path, case: str) -> None:
    """It is below the folders of the setting, links resolved, or it is refused with the reason; the use counts."""
    on_nas(consumer)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/passwd").write_text("root")
    (consumer.nas / "out").symlink_to(tmp_path / "outside")
    (consumer.nas / "secret.pdf").symlink_to(tmp_path / "outside/passwd")
    (consumer.nas / "cycle").symlink_to(consumer.nas / "cycle")
    os.mkfifo(consumer.nas / "pipe")
    data, says = REFUSED[case]

    assert consumer.resolve(data) == ExitCode.WRONG

    assert says in consumer.errors
    assert consumer.printed["error"] == "PayloadUnresolved"
    assert not consumer.left()
    assert [(use["form"], use["status"]) for use in consumer.uses().values()] == [("path", "failed")]


def test_link_inside_is_followed(consumer: Consumer) -> None:
    """A link that stays below the folder leads to the file, also where the mount itself is a link."""
    on_nas(consumer)
    (consumer.nas / "latest.pdf").symlink_to(consumer.nas / "books/A Book.pdf")
    link = consumer.nas.with_name("nas-link")
    link.symlink_to(consumer.nas)
    consumer.nas = link

    assert consumer.resolve({"nasPath": f"{EXPORTED}/latest.pdf"}) == ExitCode.DONE, consumer.errors
    assert consumer.to.read_bytes() == OTHER


@pytest.mark.parametrize("what", ["folder", "file", "file, earlier"])
def test_link_that_comes_meanwhile(
    consumer: Consumer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Between the check and the opening, a folder or the file becomes a link that leads out: nothing of it is read."""
    named = on_nas(consumer)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/A Book.pdf").write_bytes(b"root:x:0:0")
    real = os.path.realpath

    def swapped(given: Any, **more: Any) -> str:  # noqa: ANN401 - what the call takes
        found = "" if what.endswith("earlier") else real(given, **more)
        if str(given).endswith(".pdf") and not more:  # not for the first check, by pathlib
            if what == "folder":
                (consumer.nas / "books").rename(consumer.nas / "before")
                (consumer.nas / "books").symlink_to(tmp_path / "outside")
            else:
                (consumer.nas / "books/A Book.pdf").unlink()
                (consumer.nas / "books/A Book.pdf").symlink_to(tmp_path / "outside/A Book.pdf")
        return str(found or real(given, **more))

    monkeypatch.setattr(os.path, "realpath", swapped)
    assert consumer.resolve({"nasPath": named}) == ExitCode.WRONG
    says = "leads out of its folder" if what.endswith("earlier") else "by a link that came meanwhile"
    assert says in consumer.errors
    assert not consumer.left()


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written", "shrinks, and has its old time"])
def test_file_that_changes_meanwhile(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """A mixture of two states is not given: what was copied goes."""
    named = on_nas(consumer, bytes(3_000_000))
    file = consumer.nas / "books/A Book.pdf"
    inode, read, calls = file.stat().st_ino, os.read, []

    def changed(descriptor: int, size: int) -> bytes:
        calls.append(os.fstat(descriptor).st_ino == inode)
        if calls[-1] and sum(calls) == 2:
            if change.startswith("shrinks"):
                when = file.stat().st_mtime_ns
                os.truncate(file, 2_000_000)
                if change != "shrinks":
                    os.utime(file, ns=(when, when))
            elif change == "grows":
                with file.open("ab") as more:
                    more.write(b"x")
            else:
                file.write_bytes(b"y" * 3_000_000)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", changed)
    assert consumer.resolve({"nasPath": named}) == ExitCode.WRONG
    assert "changed while it was read" in consumer.errors
    assert not consumer.left()


def test_nas_that_goes_away_meanwhile(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own error, status 2, and no part of the file."""
    named = on_nas(consumer)

    inode, read = (consumer.nas / "books/A Book.pdf").stat().st_ino, os.read

    def stale(descriptor: int, size: int) -> bytes:
        if os.fstat(descriptor).st_ino == inode:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", stale)
    assert consumer.resolve({"nasPath": named}) == ExitCode.CANNOT
    assert os.strerror(errno.ESTALE) in consumer.errors
    assert not consumer.left()
    assert [use["status"] for use in consumer.uses().values()] == ["failed"]


def test_mount_that_is_not_there(consumer: Consumer) -> None:
    """The message asks for the mount."""
    named = on_nas(consumer)
    consumer.nas = consumer.nas.with_name("unmounted")

    assert consumer.resolve({"nasPath": named}) == ExitCode.WRONG
    assert "is the NAS mounted?" in consumer.errors


class TestTarget:
    """The file that gets the bytes."""

    def test_is_not_replaced(self, consumer: Consumer) -> None:
        """What is there stays, by either form, and before anything is read; `--replace` replaces it, mode kept."""
        ref, named = consumer.store(BODY), on_nas(consumer)
        for data in ({"objectRef": ref}, {"nasPath": named}):
            consumer.to.write_bytes(b"mine")
            assert consumer.resolve(data) == ExitCode.CANNOT
            assert "write: --replace" in consumer.errors
            assert consumer.to.read_bytes() == b"mine"
        assert not consumer.uses()
        consumer.to.chmod(0o640)
        for data, body in (({"objectRef": ref}, BODY), ({"nasPath": named}, OTHER)):
            assert consumer.resolve(data, replace=True) == ExitCode.DONE, consumer.errors
            assert (consumer.to.read_bytes(), consumer.to.stat().st_mode & 0o777) == (body, 0o640)

    @pytest.mark.parametrize("form", ["reference", "path"])
    def test_comes_meanwhile(self, consumer: Consumer, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
        """Another program makes the file while the bytes come: its file stays."""
        data = {"objectRef": consumer.store(BODY)} if form == "reference" else {"nasPath": on_nas(consumer)}
        link = os.link

        def late(*given: Any) -> None:  # noqa: ANN401 - what the call takes
            consumer.to.write_bytes(b"mine")
            link(*given)

        monkeypatch.setattr(os, "link", late)
        assert consumer.resolve(data) == ExitCode.CANNOT
        assert "is not replaced" in consumer.errors
        assert consumer.to.read_bytes() == b"mine"
        assert consumer.left() == ["file"]

    @pytest.mark.parametrize("what", ["-", "folder", "no folder", "pipe", "link"])
    def test_cannot_be_written(self, consumer: Consumer, tmp_path: Path, what: str) -> None:
        """It says so before anything is asked or counted."""
        to = tmp_path / "out" / "x"
        if what == "-":
            to = Path("-")
        elif what == "folder":
            to.mkdir()
        elif what == "no folder":
            to /= "y"
        elif what == "pipe":
            os.mkfifo(to)
        else:
            to.symlink_to("/nowhere")
        assert consumer.resolve({"objectRef": consumer.store(BODY)}, to=to) == ExitCode.CANNOT
        assert "--to: " in consumer.errors
        assert not consumer.uses()
        assert not consumer.unsent()

    def test_is_the_file_itself(self, consumer: Consumer) -> None:
        """The file that the event names is not replaced by its own copy."""
        named = on_nas(consumer)
        file = consumer.nas / "books/A Book.pdf"
        before = file.stat()

        assert consumer.resolve({"nasPath": named}, to=file, replace=True) == ExitCode.CANNOT
        assert "is the file that the event names" in consumer.errors
        assert file.stat() == before

    def test_full_disk(self, consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
        """No part of either form stays."""
        ref, named = consumer.store(BODY), on_nas(consumer)

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("object_store.files.write_all", full)
        for data in ({"objectRef": ref}, {"nasPath": named}):
            assert consumer.resolve(data) == ExitCode.CANNOT
            assert os.strerror(errno.ENOSPC) in consumer.errors
            assert not consumer.left()


class TestEvent:
    """What is read as the event."""

    def test_standard_input(self, consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
        """`-` is standard input."""
        event = {"name": REQUESTED, "data": {"objectRef": consumer.store(BODY)}}
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(event).encode())))
        assert consumer.resolve({}, event="-") == ExitCode.DONE, consumer.errors
        assert consumer.to.read_bytes() == BODY

    def test_older_name_counts_for_todays(self, consumer: Consumer) -> None:
        """An alias is one event with its name."""
        data = golden("pipeline/transcript.requested", "before")["data"]
        (consumer.folder / "audio.mp3").write_bytes(BODY)
        data |= {"audioPath": str(consumer.folder / "audio.mp3")}
        assert consumer.resolve(data, name="pipeline/transcript.process") == ExitCode.DONE, consumer.errors
        assert (consumer.printed["event"], consumer.printed["used"]) == ("pipeline/transcript.requested", "audioPath")
        assert consumer.to.read_bytes() == BODY

    def test_path_of_this_machine_goes_first(self, consumer: Consumer) -> None:
        """As in docs-ingest, in whichever order an event has its fields: the NAS may not have the file yet."""
        (consumer.folder / "image.jpg").write_bytes(BODY)
        data = golden("media/processed", "before")["data"]
        data |= {"archivePath": on_nas(consumer), "localPath": str(consumer.folder / "image.jpg")}
        assert consumer.resolve(data, name="media/processed") == ExitCode.DONE, consumer.errors
        assert (consumer.printed["used"], consumer.to.read_bytes()) == ("localPath", BODY)
        data["localPath"] = str(consumer.folder / "gone.jpg")
        assert consumer.resolve(data, name="media/processed", replace=True) == ExitCode.DONE, consumer.errors
        assert (consumer.printed["used"], consumer.to.read_bytes()) == ("archivePath", OTHER)

    @pytest.mark.parametrize(
        ("data", "more", "says"),
        [
            ({}, {}, "docs/ingest.requested: objectRef: nothing leads to bytes"),
            ({"nasPath": "", "filePath": None}, {}, "legal: objectRef, or filePath, nasPath"),
            ({"nasPath": "/x"}, {"field": "infoRef"}, "has no reference 'infoRef'\n  legal: objectRef"),
            ({"objectRef": None, "nasPath": "/x"}, {}, "objectRef: is null"),
            ({"nasPath": "\ud800"}, {}, "the event: is not JSON"),
            ({"nasPath": "/x"}, {"name": "docs/ingest.request"}, 'write: "name": "docs/ingest.requested"'),
        ],
    )
    def test_that_leads_nowhere(
        self, consumer: Consumer, data: dict[str, Any], more: dict[str, Any], says: str
    ) -> None:
        """It is a wrong call, and not a use."""
        assert consumer.resolve(data, **more) == ExitCode.CANNOT
        assert says in consumer.errors
        assert not consumer.uses()

    def test_field(self, consumer: Consumer) -> None:
        """Each reference of an event by its field; without one the main one; a path leads to the main one alone."""
        name = "pipeline/video.downloaded"
        data = golden(name, "before")["data"] | {
            "objectRef": consumer.store(BODY),
            "infoRef": consumer.store(b"{}", "i"),
        }
        for field, body in (("", BODY), ("objectRef", BODY), ("infoRef", b"{}")):
            assert consumer.resolve(data, name=name, field=field, replace=True) == ExitCode.DONE, consumer.errors
            assert consumer.to.read_bytes() == body
        assert consumer.resolve(data, name=name, field="thumbnailRef", replace=True) == ExitCode.CANNOT
        assert "write: --field objectRef" in consumer.errors


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=some.text(some.characters(codec="utf-8", categories=["L", "N", "Zs", "S"]), max_size=40),
    forms=some.sets(some.sampled_from(["objectRef", "filePath", "nasPath"]), min_size=1),
    size=some.integers(0, 3_000_000),
)  # fmt: skip
def test_every_form_gives_its_bytes(consumer: Consumer, name: str, forms: set[str], size: int) -> None:
    """In the order reference, this machine, NAS: the used one's bytes, whole, and a use of its form."""
    bodies = {form: form[:1].encode() * size for form in forms}
    data: dict[str, Any] = {}
    for form, body in bodies.items():
        if form == "objectRef":
            data[form] = consumer.store(body)
        elif form == "nasPath":
            data[form] = on_nas(consumer, body, f"x{name}.bin")
        else:
            (consumer.folder / f"x{name}.bin").write_bytes(body)
            data[form] = str(consumer.folder / f"x{name}.bin")
    used = next(form for form in ("objectRef", "filePath", "nasPath") if form in forms)

    assert consumer.resolve(data, replace=True) == ExitCode.DONE, consumer.errors

    assert consumer.to.read_bytes() == bodies[used]
    form = {True: "both" if len(forms) > 1 else "reference", False: "path"}[used == "objectRef"]
    assert (consumer.printed["used"], consumer.printed["form"]) == (used, form)


class TestReceipts:
    """One for each use, in the store as soon as the store takes it."""

    def test_store_away(self, consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A path gives its bytes; the use waits on this machine, counts there, and goes with the next call."""
        named = on_nas(consumer)

        def away(*_: object, **__: object) -> None:
            raise EndpointUnreachable("no connection")

        with monkeypatch.context() as patched:
            patched.setattr(ObjectStore, "upload", away)
            assert consumer.resolve({"nasPath": named}) == ExitCode.DONE
        assert consumer.printed["sent"] is False
        assert "is counted on this machine until a later call: no connection" in consumer.errors
        assert consumer.to.read_bytes() == OTHER
        assert len(consumer.unsent()) == 1
        assert not consumer.uses()
        assert consumer.shims() == ExitCode.WRONG
        assert consumer.counts() == (0, 1, 0, 0)

        assert consumer.resolve({"nasPath": named}, replace=True) == ExitCode.DONE
        assert len(consumer.uses()) == 2
        assert not consumer.unsent()

    def test_lost_answer(self, consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
        """The store has the receipt and its answer was lost: it is sent again, and is there once."""
        upload = ObjectStore.upload

        def lost(*given: Any, **named: Any) -> None:  # noqa: ANN401 - what the call takes
            upload(*given, **named)
            raise EndpointUnreachable("the connection was lost")

        with monkeypatch.context() as patched:
            patched.setattr(ObjectStore, "upload", lost)
            assert consumer.resolve({"nasPath": on_nas(consumer)}) == ExitCode.DONE
        assert (len(consumer.uses()), len(consumer.unsent())) == (1, 1)
        assert consumer.shims() == ExitCode.WRONG
        assert consumer.counts() == (0, 1, 0, 0)
        assert consumer.resolve({"nasPath": on_nas(consumer)}, replace=True) == ExitCode.DONE
        assert (len(consumer.uses()), len(consumer.unsent())) == (2, 0)

    def test_secret_is_in_none(self, consumer: Consumer) -> None:
        """Not the store's, and no path or id of an event that is none."""
        data = {"nasPath": on_nas(consumer, name=f"{SECRET.replace('/', '-')}.pdf")}
        file = consumer.world.home / "other.json"
        file.write_text(json.dumps({"name": REQUESTED, "data": data, "id": f"<{SECRET}>"}))
        assert consumer.resolve({}, event=str(file)) == ExitCode.DONE, consumer.errors
        text = json.dumps(consumer.uses())
        assert SECRET not in text
        assert ".pdf" not in text
        assert '"event_id": ""' in text
