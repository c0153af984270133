"""Both sides hold a body, or the error says which does. No side shows a part, and a second write completes it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import object_store
from object_store import MULTIPART_THRESHOLD, DualWriteFailed, ObjectStore, StoreConfig, partials
from object_store.dual_write import DualWriter
from object_store.partials import PARTIAL_PREFIX
from object_store.sides import mount_of, nas_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

    from tests.object_store.conftest import Answer, MakeStore, ScriptedServer

KEY = "2026/11/talk.mp4"
BODY = b"the body"
OLD = b"an older one"
DEAD = "http://127.0.0.1:9"


@pytest.fixture(name="nas")
def _nas(tmp_path: Path) -> Path:
    nas = tmp_path / "nas"
    nas.mkdir()
    return nas


@pytest.fixture(name="writer")
def _writer(nas: Path, store: ObjectStore, bucket: str) -> Iterator[DualWriter]:
    yield DualWriter(nas, store)
    for ref in list(store.list(bucket)):
        store.delete_object(bucket, ref.key)


def _files(nas: Path) -> dict[str, bytes]:
    return {path.relative_to(nas).as_posix(): path.read_bytes() for path in nas.rglob("*") if path.is_file()}


def _objects(store: ObjectStore, bucket: str) -> dict[str, bytes]:
    return {ref.key: store.download(bucket, ref.key) for ref in store.list(bucket)}


def _raising(number: int) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def _plant(nas: Path, store: ObjectStore, bucket: str) -> None:
    """Put an older body on both sides."""
    (nas / KEY).parent.mkdir(parents=True)
    (nas / KEY).write_bytes(OLD)
    store.upload(bucket, KEY, OLD)


class TestBothSides:
    """A write that succeeds."""

    @pytest.mark.parametrize(
        "body",
        [b"", BODY, bytes(MULTIPART_THRESHOLD) + b"parts"],
        ids=["empty", "small", "parts"],
    )
    @pytest.mark.parametrize("form", ["bytes", "path", "blocks"])
    def test_both_sides_hold_the_body(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path, tmp_path: Path, body: bytes, form: str
    ) -> None:
        """Both sides hold any form of body, and nothing else is left."""
        (tmp_path / "body").write_bytes(body)
        given: Any = {"bytes": body, "path": tmp_path / "body", "blocks": iter([body[:3], body[3:]])}[form]

        written = writer.write(bucket, KEY, given)

        assert written.ref == store.head(bucket, KEY)
        assert written.ref.content_type == "video/mp4"
        assert (written.path, written.sha256) == (nas / KEY, hashlib.sha256(body).hexdigest())
        assert _files(nas) == _objects(store, bucket) == {KEY: body}

    def test_write_replaces_what_was_there_and_may_be_done_again(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path
    ) -> None:
        """The second of two equal writes changes nothing."""
        _plant(nas, store, bucket)

        first = writer.write(bucket, KEY, BODY, "application/x-talk")

        assert first == writer.write(bucket, KEY, BODY, "application/x-talk")
        assert store.head(bucket, KEY).content_type == "application/x-talk"
        assert _files(nas) == _objects(store, bucket) == {KEY: BODY}

    def test_mode_is_that_of_any_new_file(self, writer: DualWriter, bucket: str, nas: Path) -> None:
        """Other readers of the NAS can read the file."""
        before = os.umask(0o022)
        try:
            writer.write(bucket, KEY, BODY)
        finally:
            os.umask(before)

        assert (nas / KEY).stat().st_mode & 0o777 == 0o644

    def test_threads_may_share_a_writer(self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path) -> None:
        """One thread does not sweep away another thread's temporary file."""
        threads = [
            threading.Thread(target=writer.write, args=(bucket, f"d/{number}", bytes([number]) * 1000))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert _files(nas) == _objects(store, bucket) == {f"d/{n}": bytes([n]) * 1000 for n in range(8)}


class TestFailure:
    """Each step fails, with nothing there before and with an older body there before."""

    @pytest.fixture(name="old", params=[False, True], ids=["nothing before", "an older one before"])
    def _old(
        self,
        request: pytest.FixtureRequest,
        writer: DualWriter,  # noqa: ARG002  # it cleans the bucket up
        nas: Path,
        store: ObjectStore,
        bucket: str,
    ) -> dict[str, bytes]:
        """Return what both sides held before."""
        if request.param:
            _plant(nas, store, bucket)
            return {KEY: OLD}
        return {}

    @pytest.mark.parametrize(
        ("call", "number", "words"),
        [
            ("open", errno.EROFS, "does not accept a new file: Read-only file system"),
            ("write", errno.ENOSPC, "cannot be written to: No space left on device"),
            ("write", errno.EIO, "cannot be written to: Input/output error"),
            ("fsync", errno.ENOSPC, "(cannot sync the file to its disk|does not accept a new file): No space left"),
        ],
    )
    def test_nas_that_fails_before_the_upload_leaves_both_as_they_were(
        self,
        writer: DualWriter,
        store: ObjectStore,
        bucket: str,
        nas: Path,
        old: dict[str, bytes],
        call: str,
        number: int,
        words: str,
    ) -> None:
        """The disk is full, read-only or broken: nothing was sent."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, call, _raising(number))
            with pytest.raises(DualWriteFailed, match=words) as caught:
                writer.write(bucket, KEY, BODY)

        assert caught.value.nas in {"does not", "unknown"} if old else caught.value.nas == "does not"
        assert caught.value.store == caught.value.nas
        assert "Write it again" in str(caught.value)
        assert isinstance(caught.value.__cause__, OSError)
        assert _files(nas) == _objects(store, bucket) == old
        writer.write(bucket, KEY, BODY)
        assert _files(nas) == _objects(store, bucket) == {KEY: BODY}

    def test_store_that_is_down_leaves_the_nas_as_it_was(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path, store_at: MakeStore, old: dict[str, bytes]
    ) -> None:
        """The state of the store is unknown."""
        with pytest.raises(DualWriteFailed, match=r"did not accept the upload: http://127\.0\.0\.1:9") as caught:
            DualWriter(nas, store_at(DEAD, max_retries=0)).write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("does not", "unknown")
        assert isinstance(caught.value.__cause__, object_store.EndpointUnreachable)
        assert _files(nas) == old
        writer.write(bucket, KEY, BODY)
        assert _files(nas) == _objects(store, bucket) == {KEY: BODY}

    def test_upload_that_is_refused_says_so(
        self,
        scripted: ScriptedServer,
        answer: type[Answer],
        bucket: str,
        nas: Path,
        store_at: MakeStore,
        old: dict[str, bytes],
    ) -> None:
        """The error has the server's code and status."""
        scripted.always(answer.refusal(403, "AccessDenied"))

        with pytest.raises(DualWriteFailed, match="AccessDenied") as caught:
            DualWriter(nas, store_at(scripted.endpoint, max_retries=0)).write(bucket, KEY, BODY)

        assert (caught.value.code, caught.value.status) == ("AccessDenied", 403)
        assert (caught.value.nas, caught.value.store) == ("does not", "unknown")
        assert _files(nas) == old

    def test_bucket_that_is_not_there_holds_nothing(self, nas: Path, store: ObjectStore) -> None:
        """Nothing stays on the NAS."""
        with pytest.raises(DualWriteFailed, match="NoSuchBucket") as caught:
            DualWriter(nas, store).write("no-such-bucket", KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("does not", "does not")
        assert _files(nas) == {}

    @pytest.mark.parametrize("given", [b"another", b"the bodY", b""])
    def test_read_back_that_differs_is_a_failure(
        self,
        writer: DualWriter,
        bucket: str,
        nas: Path,
        old: dict[str, bytes],
        given: bytes,
    ) -> None:
        """The NAS keeps what it held; the temporary file was not renamed."""
        whole = ObjectStore.stream

        def stream(self: ObjectStore, bucket: str, key: str, *, etag: str | None = None) -> object:
            real = whole(self, bucket, key, etag=etag)

            class Other:
                ref = real.ref

                def __iter__(self) -> Iterator[bytes]:
                    return iter([given])

            return Other()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ObjectStore, "stream", stream)
            with pytest.raises(
                DualWriteFailed, match="the object read back from the store differs from the body"
            ) as caught:
                writer.write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("does not", "does not")
        assert _files(nas) == old

    def test_read_back_that_fails_asks_what_is_there(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path, old: dict[str, bytes]
    ) -> None:
        """The connection is lost once: the second read finds the new object."""
        whole, calls = ObjectStore.stream, []

        def stream(self: ObjectStore, bucket: str, key: str, *, etag: str | None = None) -> object:
            calls.append(key)
            if len(calls) == 1:
                raise object_store.IncompleteTransfer("received 3 bytes instead of 8")
            return whole(self, bucket, key, etag=etag)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ObjectStore, "stream", stream)
            with pytest.raises(DualWriteFailed, match="the store holds the body") as caught:
                writer.write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("does not", "holds it")
        assert _files(nas) == old
        assert _objects(store, bucket) == {KEY: BODY}
        writer.write(bucket, KEY, BODY)
        assert _files(nas) == {KEY: BODY}

    def test_rename_that_fails_leaves_the_new_object_and_the_old_file(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path, old: dict[str, bytes]
    ) -> None:
        """There is no temporary file."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "replace", _raising(errno.EIO))
            with pytest.raises(DualWriteFailed, match="cannot rename the temporary file: Input/output") as caught:
                writer.write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("does not", "holds it")
        assert _files(nas) == old
        assert _objects(store, bucket) == {KEY: BODY}
        writer.write(bucket, KEY, BODY)
        assert _files(nas) == {KEY: BODY}

    @pytest.mark.parametrize("content", [b"cut", b"the bodY"])
    def test_nas_that_keeps_something_else_is_found_out(
        self, writer: DualWriter, bucket: str, nas: Path, content: bytes
    ) -> None:
        """Size and SHA-256 of the file differ."""
        rename = Path.replace

        def corrupt(self: Path, target: Path) -> Path:
            done = rename(self, target)
            target.write_bytes(content)
            return done

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "replace", corrupt)
            with pytest.raises(
                DualWriteFailed, match="the file read back from the NAS differs from the body"
            ) as caught:
                writer.write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("does not", "holds it")
        writer.write(bucket, KEY, BODY)
        assert _files(nas) == {KEY: BODY}

    def test_nas_that_cannot_be_read_back_is_a_failure(self, writer: DualWriter, bucket: str, nas: Path) -> None:
        """After EIO the content of the NAS is unknown."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("object_store.dual_write.digest_of_file", _raising(errno.EIO))
            patch.setattr("object_store.sides.digest_of_file", _raising(errno.EIO))
            with pytest.raises(DualWriteFailed, match="the NAS cannot be read back") as caught:
                writer.write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("unknown", "holds it")
        assert _files(nas) == {KEY: BODY}

    def test_writer_in_between_is_found_out(self, writer: DualWriter, store: ObjectStore, bucket: str) -> None:
        """At least one of two writers of a key gets an error."""
        rename = Path.replace

        def overtaken(self: Path, target: Path) -> Path:
            store.upload(bucket, KEY, OLD)
            return rename(self, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "replace", overtaken)
            with pytest.raises(DualWriteFailed, match="another writer stored this key in the meantime") as caught:
                writer.write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("holds it", "does not")

    def test_same_write_that_fails_later_finds_what_is_there(
        self, writer: DualWriter, bucket: str, nas: Path, store_at: MakeStore
    ) -> None:
        """The file of an earlier, complete write counts: it was read, not guessed."""
        writer.write(bucket, KEY, BODY)

        with pytest.raises(DualWriteFailed) as caught:
            DualWriter(nas, store_at(DEAD, max_retries=0)).write(bucket, KEY, BODY)
        assert (caught.value.nas, caught.value.store) == ("holds it", "unknown")


class TestNasGone:
    """A missing mount is never replaced."""

    def test_folder_that_is_not_there_is_not_made(self, store: ObjectStore, bucket: str, tmp_path: Path) -> None:
        """A created folder would be on the local disk."""
        with pytest.raises(DualWriteFailed, match="is the NAS mounted") as caught:
            DualWriter(tmp_path / "gone", store).write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("unknown", "does not")
        assert list(tmp_path.iterdir()) == []
        assert _objects(store, bucket) == {}

    def test_folder_that_goes_away_during_the_write(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No new folder takes the NAS's place. When it is back, the same write completes and sweeps.

        It sweeps even right after a sweep that took long.
        """
        monkeypatch.setattr("object_store.dual_write._SWEEP_SHARE", 10**9)

        def blocks() -> Iterator[bytes]:
            yield BODY[:3]
            nas.rename(nas.with_name("away"))
            yield BODY[3:]

        with pytest.raises(DualWriteFailed, match="the NAS does not return what was written") as caught:
            writer.write(bucket, KEY, blocks())

        assert caught.value.nas == "unknown"
        assert caught.value.store == "does not"
        assert not nas.exists()
        nas.with_name("away").rename(nas)
        writer.write(bucket, KEY, BODY)
        assert _files(nas) == _objects(store, bucket) == {KEY: BODY}

    def test_empty_mount_point_is_not_taken_for_the_nas(
        self, writer: DualWriter, bucket: str, nas: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On Linux the folder of a mount stays after an unmount, but it is then on another mount."""
        writer.write(bucket, KEY, BODY)
        monkeypatch.setattr("object_store.dual_write.mount_of", lambda _: Path("/elsewhere"))

        with pytest.raises(DualWriteFailed, match=r"no longer on .* but on /elsewhere") as caught:
            writer.write(bucket, "other", BODY)
        assert caught.value.nas == "unknown"
        assert _files(nas) == {KEY: BODY}

    def test_nas_that_fails_when_it_is_looked_at(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path
    ) -> None:
        """After a stale handle, for example, nothing was sent and the content is unknown."""
        real = Path.is_dir

        def is_dir(self: Path) -> bool:
            if self == nas:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return real(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "is_dir", is_dir)
            with pytest.raises(DualWriteFailed, match="cannot be accessed: Stale file handle") as caught:
                writer.write(bucket, KEY, BODY)

        assert (caught.value.nas, caught.value.store) == ("unknown", "does not")
        assert _files(nas) == _objects(store, bucket) == {}

    def test_mount_of_a_folder_is_a_mount(self, tmp_path: Path) -> None:
        """The root is one at the latest."""
        assert os.path.ismount(mount_of(tmp_path))
        assert mount_of(Path("/")) == Path("/")


class TestBody:
    """Failures of the body, and bad arguments."""

    def test_failure_of_the_body_comes_out_as_it_was_raised(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path
    ) -> None:
        """Neither side has a part of it or a temporary file."""

        def blocks() -> Iterator[bytes]:
            yield BODY
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            writer.write(bucket, KEY, blocks())
        with pytest.raises(KeyboardInterrupt):
            writer.write(bucket, KEY, (_interrupt() for _ in range(1)))

        assert _files(nas) == _objects(store, bucket) == {}

    @pytest.mark.parametrize(
        ("key", "body", "error"),
        [
            (KEY, "text", object_store.InvalidBody),
            (KEY, [b"x", "text"], object_store.InvalidBody),
            (KEY, Path("/dev/null/none"), object_store.LocalFileError),
            ("", BODY, object_store.InvalidKey),
            ("../out", BODY, object_store.InvalidKey),
            ("/out", BODY, object_store.InvalidKey),
            ("a\\b", BODY, object_store.InvalidKey),
            (f"a/{PARTIAL_PREFIX}nas-x", BODY, object_store.UnsafePath),
            (f"{PARTIAL_PREFIX}d/x", BODY, object_store.UnsafePath),
            ("link/x", BODY, object_store.UnsafePath),
            ("loop/x", BODY, object_store.UnsafePath),
            ("folder", BODY, object_store.UnsafePath),
            ("file/x", BODY, object_store.UnsafePath),
        ],
    )
    def test_bad_argument_is_refused_before_anything_is_written(
        self,
        writer: DualWriter,
        store: ObjectStore,
        bucket: str,
        nas: Path,
        tmp_path: Path,
        key: str,
        body: Any,  # noqa: ANN401  # also values that are not bodies
        error: type[Exception],
    ) -> None:
        """It is a typed error and not DualWriteFailed, because writing again would not help."""
        (tmp_path / "outside").mkdir()
        (nas / "link").symlink_to(tmp_path / "outside")
        (nas / "loop").symlink_to(nas / "loop")
        (nas / "folder").mkdir()
        (nas / "file").write_bytes(OLD)

        with pytest.raises(error) as caught:
            writer.write(bucket, key, body)

        assert type(caught.value) is error
        assert _files(nas) == {"file": OLD}
        assert list((tmp_path / "outside").iterdir()) == []
        assert _objects(store, bucket) == {}

    @pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "hard link"])
    def test_what_is_no_plain_file_is_neither_replaced_nor_followed(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path, tmp_path: Path, kind: str
    ) -> None:
        """It is refused before anything is sent, and stays what it is."""
        outside, place = tmp_path / "outside", nas / "place"
        if kind != "dangling link":
            outside.write_bytes(OLD)
        if kind == "pipe":
            os.mkfifo(place)
        elif kind == "hard link":
            place.hardlink_to(outside)
        else:
            place.symlink_to(outside)
        before = place.lstat()

        with pytest.raises(object_store.UnsafePath, match=f"symbolic link|{place} cannot be written: it is "):
            writer.write(bucket, "place", BODY)

        assert (place.lstat().st_ino, place.lstat().st_mode) == (before.st_ino, before.st_mode)
        assert not outside.exists() or outside.read_bytes() == OLD
        assert _objects(store, bucket) == {}

    def test_mode_of_a_file_that_is_there_is_kept(self, writer: DualWriter, bucket: str, nas: Path) -> None:
        """What was private stays private, with its new content."""
        (nas / "private").write_bytes(OLD)
        (nas / "private").chmod(0o640)

        writer.write(bucket, "private", BODY)

        assert (nas / "private").read_bytes() == BODY
        assert (nas / "private").stat().st_mode & 0o7777 == 0o640

    @given(key=st.text(st.sampled_from("./\\ab ~\0\n\u00e9"), min_size=1, max_size=12))
    @example(key="..")
    @example(key="a/../..")
    @example(key="a/b")
    def test_no_key_ever_leads_out(self, tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
        """For any key the file is below the folder and gives the key back, or the key is refused."""
        nas = tmp_path_factory.getbasetemp() / "nas"
        nas.mkdir(exist_ok=True)
        try:
            path = nas_file(nas, "probe", key)
        except object_store.UnsafePath:
            return
        assert Path(os.path.normpath(path)).is_relative_to(nas)
        assert path.relative_to(nas).as_posix() == key


def _interrupt() -> bytes:
    raise KeyboardInterrupt


class TestAbandoned:
    """Temporary files of a killed writer."""

    @pytest.mark.parametrize("moment", ["upload", "replace"])
    def test_second_run_completes_what_a_killed_one_began(
        self, moment: str, store: ObjectStore, bucket: str, nas: Path, admin: S3Client, writer: DualWriter
    ) -> None:
        """After SIGKILL before the upload, or between the two sides, no partial file shows, and none is left."""
        script = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from object_store import ObjectStore, StoreConfig\n"
            "from object_store.dual_write import DualWriter\n"
            "def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
            f"{'ObjectStore' if moment == 'upload' else 'Path'}.{moment} = die\n"
            "store = ObjectStore(StoreConfig.from_environment())\n"
            "DualWriter(Path(sys.argv[1]), store).write(sys.argv[2], sys.argv[3], b'the body')\n"
        )
        died = subprocess.run(  # noqa: S603  # our own interpreter and text
            [sys.executable, "-c", script, str(nas), bucket, KEY],
            env={**os.environ, **_environment(store.config)},
            cwd=Path(__file__).parents[2],
            check=False,
        )

        assert died.returncode == -signal.SIGKILL
        assert [Path(name).name.startswith(PARTIAL_PREFIX) for name in _files(nas)] == [True]
        assert _objects(store, bucket) == ({} if moment == "upload" else {KEY: BODY})
        assert admin.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []

        writer.write(bucket, KEY, BODY)

        assert _files(nas) == _objects(store, bucket) == {KEY: BODY}

    @pytest.mark.parametrize(
        ("name", "locked", "age_seconds", "stays"),
        [
            (f"{partials._OWN_PREFIX}1", False, 0, False),
            (f"{partials._OWN_PREFIX}2", True, 10 * 86400, True),
            (f"{partials._PREFIX}other-1", False, 3600, True),
            (f"{partials._PREFIX}other-2", False, 86401, False),
            (f"{PARTIAL_PREFIX}of-a-download", False, 10 * 86400, True),
            ("of-somebody", False, 10 * 86400, True),
        ],
    )
    def test_only_what_is_abandoned_for_certain_is_removed(
        self, writer: DualWriter, bucket: str, nas: Path, *, name: str, locked: bool, age_seconds: int, stays: bool
    ) -> None:
        """A lock means a living writer; another machine's locks may be invisible here."""
        path = nas / name
        path.touch()
        os.utime(path, (time.time() - age_seconds,) * 2)
        with path.open("r+b") as file:
            if locked:
                fcntl.flock(file, fcntl.LOCK_EX)
            writer.write(bucket, "k", BODY)

        assert path.exists() == stays

    @pytest.mark.parametrize(("age_seconds", "stays"), [(0, True), (86401, False)])
    def test_without_locks_age_alone_decides(
        self,
        writer: DualWriter,
        bucket: str,
        nas: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        age_seconds: int,
        stays: bool,
    ) -> None:
        """Some NAS mounts have no locks; writing works there too."""
        monkeypatch.setattr(fcntl, "flock", _raising(errno.ENOTSUP))
        path = nas / f"{partials._OWN_PREFIX}1"
        path.touch()
        os.utime(path, (time.time() - age_seconds,) * 2)

        writer.write(bucket, "k", BODY)

        assert path.exists() == stays
        assert (nas / "k").read_bytes() == BODY

    def test_file_that_is_taken_for_abandoned_too_soon_is_made_again(
        self, writer: DualWriter, store: ObjectStore, bucket: str, nas: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another writer's sweep comes between creating and locking the file."""
        real, calls = partials.lock, []

        def lock(descriptor: int) -> bool | None:
            calls.append(descriptor)
            if len(calls) == 1:
                next(nas.iterdir()).unlink()
            return real(descriptor)

        monkeypatch.setattr(partials, "lock", lock)
        writer.write(bucket, "k", BODY)

        assert len(calls) == 2
        assert _files(nas) == _objects(store, bucket) == {"k": BODY}

    def test_lock_that_fails_leaves_no_file(self, writer: DualWriter, bucket: str, nas: Path) -> None:
        """It is a disk error, not a missing feature."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fcntl, "flock", _raising(errno.EIO))
            with pytest.raises(DualWriteFailed, match="does not accept a new file"):
                writer.write(bucket, "k", BODY)

        assert _files(nas) == {}


def _environment(config: StoreConfig) -> dict[str, str]:
    assert config.endpoint is not None
    assert config.access_key_id is not None
    return {
        "S3_ENDPOINT": config.endpoint,
        "AWS_REGION": config.region,
        "AWS_ACCESS_KEY_ID": config.access_key_id,
        "AWS_SECRET_ACCESS_KEY": "planted/secret+that=nobody-may-see",
    }
