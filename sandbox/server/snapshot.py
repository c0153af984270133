"""Saves and loads all data of the server: moto's buckets, objects and IAM, and MinIO's IAM.

The rule: the snapshot is one pickle, written atomically with mode 0600. It is read only if this user owns it and no
other user could have written it. Each big object is in its own file beside it, written once, so that the next save is
cheap. An unreadable snapshot is moved aside and reported, and the sandbox starts empty. The format is not for exchange:
another version of moto may not read it.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import re
import secrets
import stat
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends
from moto.s3.models import FakeKey, s3_backends
from moto.s3.utils import _VersionedKeyStore

from sandbox.server.certificates import write_private
from sandbox.server.moto_store import ACCOUNT, PARTITION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server.minio_iam import MinioIam

log = logging.getLogger(__name__)

FORMAT = 1
#: The size in bytes from which an object's content gets its own file.
BIG = 256 * 1024
#: Seconds between a change and its saving, and the extra wait for a store that takes long to save.
DELAY = 1.0
PATIENCE = 20
_MODULES = ("moto.", "sandbox.", "collections", "datetime", "requests.structures")
# Modules that had another name in older snapshots.
_MOVED = {f"sandbox.{name}": f"sandbox.server.{name}" for name in ("minio_iam", "snapshot")}
_COMPILE = re._compile  # type: ignore[attr-defined]  # noqa: SLF001 - patterns are pickled with it
_PLAIN = (bytearray, dict, frozenset, list, object, set, tuple)


class SnapshotError(RuntimeError):
    """The file must not be loaded; the message says why."""


@dataclass(frozen=True, slots=True)
class _Blob:
    """Content in its own file."""

    name: str


def _blank_key() -> FakeKey:
    """An object whose state is set later."""
    blank = FakeKey.__new__(FakeKey)
    if not isinstance(blank, FakeKey):  # moto's base class says less than it gives
        raise TypeError("moto did not create an object")
    return blank


def _key_store(versions: dict[str, list[Any]]) -> _VersionedKeyStore:
    """The keys of a bucket, each with all of its versions."""
    store = _VersionedKeyStore()
    dict.update(store, versions)
    return store


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, blobs: Path) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._blobs = blobs
        self.used: set[str] = set()

    def persistent_id(self, obj: Any) -> str | None:  # noqa: ANN401 - pickle's own signature
        return obj.name if isinstance(obj, _Blob) else None

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's own signature
        if type(obj) is _VersionedKeyStore:  # a dict whose items() shows current versions only
            return _key_store, (dict(dict.items(obj)),)
        if type(obj) is not FakeKey or obj.contentsize < BIG or obj.disposed:
            return NotImplemented
        name = obj.__dict__.get("sandbox_blob")
        if name is None:
            name = obj.__dict__["sandbox_blob"] = secrets.token_hex(16)
        if not (self._blobs / name).exists():
            self._blobs.mkdir(mode=0o700, exist_ok=True)
            write_private(self._blobs / name, obj.value)
        self.used.add(name)
        unkept = ("_value_buffer", "lock")
        state = {key: value for key, value in obj.__dict__.items() if key not in unkept}
        return _blank_key, (), state | {"value": _Blob(name)}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, blobs: Path) -> None:
        super().__init__(file)
        self._blobs = blobs

    def persistent_load(self, pid: str) -> bytes:
        return (self._blobs / pid).read_bytes()

    def find_class(self, module_name: str, global_name: str) -> Any:  # noqa: ANN401 - pickle's own signature
        """Allow only the classes of the stores and three functions; a dotted name cannot reach anything else."""
        found = super().find_class(_MOVED.get(module_name, module_name), global_name)
        of_a_store = isinstance(found, type) and found.__module__.startswith(_MODULES)
        if not (of_a_store or found in (*_PLAIN, _blank_key, _key_store, _COMPILE)):
            raise SnapshotError(f"the snapshot refers to {module_name}.{global_name}, which no store contains")
        return found


class Snapshot:
    """The snapshot file of one folder. Callers hold the gate's lock while they capture."""

    def __init__(self, directory: Path) -> None:
        """Set the paths; read and write nothing."""
        self.path = directory / "store.pickle"
        self._blobs = directory / "objects"

    def capture(self, minio_iam: MinioIam | None) -> tuple[bytes, set[str]]:
        """The present data, and the file names of the big objects."""
        content = io.BytesIO()
        pickler = _Pickler(content, self._blobs)
        pickler.dump(
            {
                "format": FORMAT,
                "s3": s3_backends[ACCOUNT][PARTITION],
                "bucket_accounts": s3_backends.bucket_accounts,
                "iam": iam_backends[ACCOUNT][PARTITION],
                "minio_iam": minio_iam,
            }
        )
        return content.getvalue(), pickler.used

    def write(self, captured: tuple[bytes, set[str]]) -> None:
        """Write the data to disk, and remove the files of deleted objects."""
        content, used = captured
        write_private(self.path, content)
        if self._blobs.is_dir():
            for blob in self._blobs.iterdir():
                if blob.name not in used:
                    blob.unlink(missing_ok=True)

    def load(self) -> MinioIam | None:
        """Load the saved data into moto and return MinIO's IAM; move an unreadable file aside."""
        if not self.path.exists():
            return None
        try:
            self._check_owner()
            state = _Unpickler(io.BytesIO(self.path.read_bytes()), self._blobs).load()
            if not isinstance(state, dict) or state.get("format") != FORMAT:
                raise SnapshotError(f"the snapshot does not have format {FORMAT}")  # noqa: TRY301 - one path moves it aside
        except Exception as error:  # noqa: BLE001 - a damaged pickle can raise any exception
            aside = self.path.with_suffix(f".damaged-{time.strftime('%Y%m%d-%H%M%S')}")
            self.path.replace(aside)
            if self._blobs.is_dir():
                self._blobs.replace(aside.with_suffix(f"{aside.suffix}-objects"))
            log.warning("cannot read the snapshot (%s); it remains as %s, and the store starts empty", error, aside)
            return None
        dict.__setitem__(s3_backends[ACCOUNT], PARTITION, state["s3"])
        dict.__setitem__(iam_backends[ACCOUNT], PARTITION, state["iam"])
        s3_backends.bucket_accounts.update(state["bucket_accounts"])
        loaded: MinioIam | None = state["minio_iam"]
        return loaded

    def _check_owner(self) -> None:
        status = self.path.lstat()
        others = stat.S_IMODE(status.st_mode) & 0o077
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or others:
            raise SnapshotError("it must be a file with mode 0600 that belongs to this user")


class Saver:
    """Saves soon after a change, and again at the end; a change during a save goes into the next save."""

    def __init__(self, save: Callable[[], None]) -> None:
        """Start to wait for changes."""
        self._save = save
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)
        self._thread.start()

    def touch(self) -> None:
        """Something changed."""
        self._changed.set()

    def stop(self) -> None:
        """Save the unsaved changes, and end."""
        self._stopping.set()
        self._changed.set()
        self._thread.join()

    def _run(self) -> None:
        delay = DELAY
        while not self._stopping.is_set():
            self._changed.wait()
            self._stopping.wait(delay)
            self._changed.clear()
            began = time.monotonic()
            try:
                self._save()
            except Exception:
                log.exception("cannot save the store; the next change will trigger another attempt")
            delay = max(DELAY, PATIENCE * (time.monotonic() - began))
