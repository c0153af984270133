"""Events lead to bytes by their reference or by the shim, and never to anything else."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import object_store
from object_store import ObjectRef, ObjectStore
from object_store.mounts import DEFAULT_MOUNTS
from object_store.payload import IDENTITY_EXPRESSION, Payload, identity_of, json_schema, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer

REF = {"bucket": "b-b", "key": "a/k.pdf", "etag": "e-1", "size": 3, "contentType": "application/pdf"}
LEGAL: dict[str, dict[str, Any]] = {
    "reference": {"objectRef": REF},
    "reference without a type": {"objectRef": {**REF, "contentType": None}},
    "both": {"objectRef": REF, "nasPath": "/volume1/joelclaw/x", "title": "of the event"},
    "nasPath": {"nasPath": "/volume1/joelclaw/x", "idempotencyKey": "i", "tags": ["a"]},
    "filePath": {"filePath": "/x", "nasPath": ""},
    "null for a path": {"filePath": "/x", "nasPath": None},
}
ILLEGAL: dict[str, tuple[dict[str, Any], type[object_store.ObjectStoreError], str]] = {
    "nothing": ({"title": "t"}, object_store.PayloadUnresolved, "no field leads to bytes"),
    "empty paths": ({"nasPath": "", "filePath": ""}, object_store.PayloadUnresolved, "no field leads to bytes"),
    "path of another type": ({"nasPath": 5}, object_store.PayloadUnresolved, "nasPath: Input should be a valid string"),
    "key of another type": ({"nasPath": "/x", "idempotencyKey": 5}, object_store.PayloadUnresolved, "idempotencyKey"),
    "null for a reference": ({"objectRef": None, "nasPath": "/x"}, object_store.InvalidReference, "NoneType"),
    "text for a reference": ({"objectRef": "s3://b/k", "nasPath": "/x"}, object_store.InvalidReference, "objectRef is"),
    "extra field": ({"objectRef": {**REF, "url": "u"}}, object_store.InvalidReference, "url: Extra inputs"),
    "python's name": ({"objectRef": {**REF, "content_type": "t"}}, object_store.InvalidReference, "content_type"),
    "missing field": ({"objectRef": {"bucket": "b", "key": "k", "size": 1}}, object_store.InvalidReference, "etag: "),
    "size of another type": ({"objectRef": {**REF, "size": "3"}}, object_store.InvalidReference, "size: "),
}


@pytest.fixture(name="nas")
def _nas(tmp_path: Path) -> dict[str, Path]:
    mount = tmp_path / "three-body"
    (mount / "books").mkdir(parents=True)
    (mount / "books" / "b.pdf").write_bytes(b"on the NAS")
    return {"/volume1/joelclaw": mount}


@pytest.fixture(name="temporary")
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(name="ref")
def _ref(store: ObjectStore, bucket: str) -> Iterator[ObjectRef]:
    yield store.upload(bucket, "books/b.pdf", b"in the store")
    store.delete_object(bucket, "books/b.pdf")


def _event(ref: ObjectRef, **other: object) -> dict[str, Any]:
    return {"objectRef": ref.model_dump(mode="json"), **other}


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "object_store.payload"]


class TestSchema:
    """Which events are accepted."""

    @pytest.mark.parametrize("name", LEGAL)
    def test_legal_event_is_taken_by_schema_and_parser(self, name: str) -> None:
        """Other fields of the event are not checked."""
        jsonschema.validate(LEGAL[name], json_schema())

        assert (Payload.parse(LEGAL[name]).object_ref is not None) == ("objectRef" in LEGAL[name])

    @pytest.mark.parametrize("name", ILLEGAL)
    def test_illegal_event_is_refused_by_schema_and_parser(self, name: str) -> None:
        """The typed error names the field."""
        event, error, words = ILLEGAL[name]

        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(event, json_schema())
        with pytest.raises(error, match=words) as caught:
            Payload.parse(event)
        assert type(caught.value) is error

    def test_event_that_is_no_object_is_refused(self) -> None:
        """A list of events, for example."""
        with pytest.raises(object_store.PayloadUnresolved, match="is list"):
            Payload.parse([])  # type: ignore[arg-type]  # what a JSON reader may give


class TestReference:
    """The reference goes first."""

    def test_bytes_come_from_the_reference_and_go_with_the_context(
        self,
        store: ObjectStore,
        ref: ObjectRef,
        nas: dict[str, Path],
        temporary: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """This holds also with a shim beside it; the use is counted and logged."""
        counted: list[str] = []
        caplog.set_level(logging.INFO, "object_store.payload")
        event = _event(ref, nasPath="/volume1/joelclaw/books/b.pdf")

        with resolve(event, store, mounts=nas, count=counted.append) as local:
            assert (local.path.read_bytes(), local.path.name) == (b"in the store", "b.pdf")
            assert (local.source, local.temporary, local.ref) == ("objectRef", True, ref)
            assert local.path.is_relative_to(temporary)
            assert local.path.parent.stat().st_mode & 0o777 == 0o700

        assert list(temporary.iterdir()) == []
        assert counted == ["objectRef"]
        assert _said(caplog) == [f"payload by objectRef: {ref.uri!r}"]

    def test_copy_that_a_consumer_removed_is_no_error(
        self, store: ObjectStore, ref: ObjectRef, temporary: Path
    ) -> None:
        """docs-ingest's clean-up would remove it."""
        with resolve(_event(ref), store) as local:
            local.path.unlink()

        assert list(temporary.iterdir()) == []

    def test_error_of_the_consumer_removes_the_copy(self, store: ObjectStore, ref: ObjectRef, temporary: Path) -> None:
        """The error is raised unchanged."""
        with pytest.raises(ZeroDivisionError), resolve(_event(ref), store):
            raise ZeroDivisionError

        assert list(temporary.iterdir()) == []

    @pytest.mark.parametrize(
        ("change", "error", "words"),
        [
            ({"etag": "0" * 32}, object_store.StaleReference, "get a new reference"),
            ({"size": 11}, object_store.StaleReference, "has 12 bytes, but the reference says 11"),
            ({"key": "books/none"}, object_store.NotFound, "NoSuchKey"),
            ({"bucket": "no-such-bucket"}, object_store.BucketNotFound, "no-such-bucket"),
            ({"key": "../out"}, object_store.InvalidKey, "segment"),
        ],
    )
    def test_failing_reference_is_an_error_and_never_the_shim(
        self,
        store: ObjectStore,
        ref: ObjectRef,
        nas: dict[str, Path],
        temporary: Path,
        change: dict[str, object],
        error: type[Exception],
        words: str,
    ) -> None:
        """The NAS may hold something else."""
        counted: list[str] = []
        event = {"objectRef": ref.model_dump(mode="json") | change, "nasPath": "/volume1/joelclaw/books/b.pdf"}

        with (
            pytest.raises(error, match=words),
            resolve(event, store, mounts=nas, count=counted.append),
        ):
            pytest.fail("it gave a file")

        assert list(temporary.iterdir()) == []
        assert counted == []

    def test_truncated_download_is_no_file(
        self, scripted: ScriptedServer, answer: type[Answer], store_at: MakeStore, temporary: Path
    ) -> None:
        """The connection ends before the announced length."""
        scripted.always(answer(body=b"123", headers={"ETag": '"e"', "Last-Modified": _DATE}, declared_length=12))
        event = {"objectRef": {"bucket": "probe", "key": "k", "etag": "e", "size": 12}}

        with (
            pytest.raises((object_store.IncompleteTransfer, object_store.EndpointUnreachable)),
            resolve(event, store_at(scripted.endpoint, max_retries=0)),
        ):
            pytest.fail("it gave a file")

        assert list(temporary.iterdir()) == []

    def test_long_key_keeps_its_suffix(self, store: ObjectStore, bucket: str, temporary: Path) -> None:
        """A file system allows 255 bytes, S3 1024."""
        ref = store.upload(bucket, "é" * 300 + ".md", b"x")

        with resolve(_event(ref), store) as local:
            assert local.path.name == "object.md"
            assert local.path.is_relative_to(temporary)
        store.delete_object(bucket, ref.key)

    def test_no_temporary_folder_is_said(
        self, store: ObjectStore, ref: ObjectRef, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The error is LocalFileError."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))

        with (
            pytest.raises(object_store.LocalFileError, match="cannot create a temporary folder"),
            resolve(_event(ref), store),
        ):
            pytest.fail("it gave a file")

    def test_reference_object_is_taken_as_its_json(self, store: ObjectStore, ref: ObjectRef) -> None:
        """Code in the same process may pass an `ObjectRef`."""
        with resolve({"objectRef": ref}, store) as local:
            assert local.ref == ref


_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


class TestShim:
    """Paths, if there is no reference."""

    @pytest.mark.parametrize("mounted", [False, True])
    def test_both_names_of_a_nas_file_lead_to_it(
        self, store: ObjectStore, nas: dict[str, Path], caplog: pytest.LogCaptureFixture, *, mounted: bool
    ) -> None:
        """The NAS's own path and the mounted path work; the file stays."""
        counted: list[str] = []
        caplog.set_level(logging.INFO, "object_store.payload")
        file = nas["/volume1/joelclaw"] / "books" / "b.pdf"
        event = {"nasPath": str(file) if mounted else "/volume1/joelclaw/books/b.pdf"}

        with resolve(event, store, mounts=nas, count=counted.append) as local:
            assert (local.path, local.source, local.temporary, local.ref) == (file, "nasPath", False, None)

        assert file.read_bytes() == b"on the NAS"
        assert counted == ["nasPath"]
        assert _said(caplog) == [f"payload by nasPath: {str(file)!r}"]

    def test_file_path_goes_first_where_it_is_there(
        self, store: ObjectStore, nas: dict[str, Path], tmp_path: Path
    ) -> None:
        """As in docs-ingest, filePath goes first if the file exists; otherwise the NAS."""
        (tmp_path / "incoming.pdf").write_bytes(b"here")
        event = {"filePath": str(tmp_path / "incoming.pdf"), "nasPath": "/volume1/joelclaw/books/b.pdf"}

        with resolve(event, store, mounts=nas, folders=[tmp_path]) as local:
            assert (local.source, local.path.read_bytes()) == ("filePath", b"here")
        (tmp_path / "incoming.pdf").unlink()
        with resolve(event, store, mounts=nas, folders=[tmp_path]) as local:
            assert (local.source, local.path.read_bytes()) == ("nasPath", b"on the NAS")

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("/volume1/joelclaw/books/none", "'/volume1/joelclaw/books/none' does not exist"),
            ("/volume1/joelclaw/books", "is a folder"),
            ("/volume1/home/u/books/b.pdf", "not exported: only the NAS itself sees /volume1/home; send an objectRef"),
            ("/volume1/joelclaw/../../etc/passwd", "has '..' in it"),
            ("books/b.pdf", "is not absolute"),
            ("/volume1/joelclaw/\0", "is not absolute, or"),
            ("/etc/passwd", "not in a folder that the NAS exports; legal: /volume1/joelclaw/"),
            ("/volume1/joelclaw/link/passwd", "by a symbolic link"),
            ("/volume1/joelclaw/loop/x", "does not exist|cannot be accessed"),
            ("/volume1/joelclaw/pipe", "is not a regular file"),
        ],
    )
    def test_path_that_leads_to_no_file_is_said(
        self, store: ObjectStore, nas: dict[str, Path], path: str, words: str
    ) -> None:
        """A path in an event is not trusted."""
        mount = nas["/volume1/joelclaw"]
        (mount / "link").symlink_to("/etc")
        (mount / "loop").symlink_to(mount / "loop")
        os.mkfifo(mount / "pipe")

        with (
            pytest.raises(object_store.PayloadUnresolved, match=words),
            resolve({"nasPath": path}, store, mounts=nas),
        ):
            pytest.fail("it gave a file")

    def test_file_path_may_be_below_a_mount(self, store: ObjectStore, nas: dict[str, Path]) -> None:
        """A mounted path is as good in `filePath` as in `nasPath`."""
        file = nas["/volume1/joelclaw"] / "books" / "b.pdf"

        with resolve({"filePath": str(file)}, store, mounts=nas) as local:
            assert (local.path, local.source) == (file, "filePath")

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("relative", "is not absolute"),
            ("/x/\0", "filePath"),
            ("/proc/self/environ", r"legal: FOLDER, .*folders=\[Path\('/proc/self'\)\]"),
            ("/proc/self/root/FOLDER/in", "is not below a folder"),
            ("/proc/self/cwd/in", "is not below a folder"),
            ("/etc/passwd", "is not below a folder"),
            ("FOLDER-other/in", "is not below a folder"),
            ("FOLDER/../etc/passwd", "has '..' in it"),
            ("FOLDER/environ", "by a symbolic link"),
            ("FOLDER/etc/passwd", "by a symbolic link"),
            ("FOLDER/.object-store-partial-by-0-1", "its writer has not finished"),
            ("FOLDER", "is a folder"),
            ("FOLDER/" + 300 * "n", "File name too long"),
        ],
    )
    def test_file_path_that_a_sender_may_not_name_is_refused(
        self, store: ObjectStore, nas: dict[str, Path], tmp_path: Path, path: str, words: str
    ) -> None:
        """A path in an event never leads to what the consumer did not offer, such as its own environment."""
        folder, other = tmp_path / "offered", tmp_path / "offered-other"
        for each in (folder, other):
            each.mkdir()
            (each / "in").write_bytes(b"in")
        (folder / ".object-store-partial-by-0-1").write_bytes(b"half")
        (folder / "environ").symlink_to("/proc/self/environ")
        (folder / "etc").symlink_to("/etc")

        with (
            pytest.raises(object_store.PayloadUnresolved, match=words.replace("FOLDER", str(folder))),
            resolve({"filePath": path.replace("FOLDER", str(folder))}, store, mounts=nas, folders=[folder]),
        ):
            pytest.fail("it gave a file")

    @pytest.mark.parametrize("field", ["nasPath", "filePath", "idempotencyKey"])
    def test_lone_surrogate_is_refused(self, store: ObjectStore, nas: dict[str, Path], field: str) -> None:
        """JSON can spell it, UTF-8 cannot; the event has no identity either."""
        mount = nas["/volume1/joelclaw"]
        event = {"nasPath": str(mount / "books" / "b.pdf"), field: f"{mount}/\ud800"}

        with (
            pytest.raises(object_store.PayloadUnresolved, match=f"{field}: .*lone surrogate"),
            resolve(event, store, mounts=nas),
        ):
            pytest.fail("it gave a file")
        with pytest.raises(object_store.PayloadUnresolved, match=field):
            identity_of(event)

    def test_nas_that_is_not_mounted_is_said(self, store: ObjectStore, tmp_path: Path) -> None:
        """The mount is missing, not the file."""
        mounts = {"/volume1/joelclaw": tmp_path / "gone"}

        with (
            pytest.raises(object_store.PayloadUnresolved, match="is the NAS mounted"),
            resolve({"nasPath": "/volume1/joelclaw/x"}, store, mounts=mounts),
        ):
            pytest.fail("it gave a file")

    def test_nas_that_fails_is_said(
        self, store: ObjectStore, nas: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Access to its mount fails with EIO, for example."""
        real = Path.is_dir

        def is_dir(self: Path) -> bool:
            if self == nas["/volume1/joelclaw"]:
                raise OSError(5, "Input/output error")
            return real(self)

        monkeypatch.setattr(Path, "is_dir", is_dir)
        with (
            pytest.raises(object_store.PayloadUnresolved, match=r"cannot be accessed: .*Input/output error"),
            resolve({"nasPath": "/volume1/joelclaw/books/b.pdf"}, store, mounts=nas),
        ):
            pytest.fail("it gave a file")

    def test_file_that_cannot_be_read_is_said(
        self, store: ObjectStore, nas: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The user has no permission, for example."""

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
        with (
            pytest.raises(object_store.PayloadUnresolved, match="cannot be read: Permission denied"),
            resolve({"nasPath": "/volume1/joelclaw/books/b.pdf"}, store, mounts=nas),
        ):
            pytest.fail("it gave a file")

    def test_default_mounts_are_those_of_the_owner(self) -> None:
        """They are two volumes and the media export; the homes are not exported."""
        assert dict(DEFAULT_MOUNTS) == {
            "/volume1/joelclaw": Path("/Volumes/three-body"),
            "/volume2/data": Path("/Volumes/nas-nvme"),
            "/volume1/badass-media": Path("/Volumes/badass-media"),
        }


class TestIdentity:
    """The identity by which repeated events are recognised."""

    @pytest.mark.parametrize(
        ("event", "identity"),
        [
            ({"objectRef": REF}, "s3://b-b/a/k.pdf e-1"),
            ({"objectRef": REF, "nasPath": "/n", "idempotencyKey": "i"}, "s3://b-b/a/k.pdf e-1::i"),
            ({"nasPath": "/n", "filePath": "/f", "idempotencyKey": "i"}, "/n::i"),
            ({"nasPath": "", "filePath": "/f", "idempotencyKey": ""}, "/f"),
        ],
    )
    def test_identity_tells_events_apart(self, event: dict[str, Any], identity: str) -> None:
        """An event with a path and a key keeps the identity that it had before references."""
        assert identity_of(event) == identity

    def test_references_to_two_objects_never_collapse(self) -> None:
        """They stay different even with one idempotencyKey; the owner's expression of today makes them one."""
        events = [
            {"objectRef": REF | change, "idempotencyKey": "i"}
            for change in ({}, {"etag": "e-2"}, {"key": "a/k.pdf e-1"}, {"bucket": "b-c"})
        ]

        assert len({identity_of(event) for event in events}) == len(events)

    def test_nothing_has_no_identity(self) -> None:
        """An identity is never empty, and never only the key."""
        with pytest.raises(object_store.PayloadUnresolved):
            identity_of({"idempotencyKey": "i"})

    def test_expression_is_documented_as_it_is(self) -> None:
        """The docstring, from which docs are generated, has it in three lines."""
        assert IDENTITY_EXPRESSION in " ".join((identity_of.__doc__ or "").split())
