"""A snapshot is loaded only from a file of this user, and only with the classes of a store."""

from __future__ import annotations

import io
import os
import pickle
import threading
from typing import TYPE_CHECKING

import pytest

from sandbox.server import snapshot as snapshot_module
from sandbox.server.snapshot import Saver, Snapshot, SnapshotError

if TYPE_CHECKING:
    from pathlib import Path


class Evil:
    """An attacker's content of a pickle."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        """Run code on loading."""
        return os.putenv, ("SNAPSHOT_RAN", "yes")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o606])
def test_file_that_others_may_touch_is_not_loaded(tmp_path: Path, mode: int) -> None:
    """A snapshot with another mode than 0600 is moved aside unread."""
    snapshot = Snapshot(tmp_path)
    snapshot.path.write_bytes(pickle.dumps({"format": 1}))
    snapshot.path.chmod(mode)

    assert snapshot.load() is None
    assert not snapshot.path.exists()


def test_link_is_not_followed(tmp_path: Path) -> None:
    """A link at the snapshot's path is moved aside, for every target."""
    target = tmp_path / "elsewhere"
    target.touch(0o600)
    snapshot = Snapshot(tmp_path)
    snapshot.path.symlink_to(target)

    assert snapshot.load() is None


class Hidden:
    """A function in an allowed module."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        """Name a function of os by the moto module that imports it."""
        return _moto_os, ("SNAPSHOT_RAN",)


def _moto_os(_: str) -> None:
    """A placeholder in the pickle, whose name is replaced later."""


def hidden() -> bytes:
    """A pickle that names `moto.s3.models` but reaches `os.getenv`."""
    text = pickle.dumps(Hidden(), protocol=0)
    return text.replace(b"c" + __name__.encode() + b"\n_moto_os", b"\x80\x04cmoto.s3.models\nos.getenv")


@pytest.mark.parametrize("content", [Evil(), {"format": 99}, ["no", "store"]])
def test_anything_else_than_a_store_is_not_loaded(tmp_path: Path, content: object) -> None:
    """A pickle that calls functions, has another format or another content is moved aside without effect."""
    snapshot = Snapshot(tmp_path)
    snapshot.path.touch(0o600)
    snapshot.path.write_bytes(pickle.dumps(content))

    assert snapshot.load() is None
    assert len(list(tmp_path.glob("store.damaged-*"))) == 1


def test_allowed_module_leads_to_no_function(tmp_path: Path) -> None:
    """A pickle cannot reach a function through an allowed module."""
    content = hidden()
    assert b"os.getenv" in content
    snapshot = Snapshot(tmp_path)
    snapshot.path.touch(0o600)
    snapshot.path.write_bytes(content)
    with pytest.raises(SnapshotError, match=r"os\.getenv"):
        snapshot_module._Unpickler(io.BytesIO(content), tmp_path).load()

    assert snapshot.load() is None


def test_saver_gathers_changes_and_saves_at_the_end() -> None:
    """Many concurrent changes give one save, a stop saves again, and a failed save stops nothing."""
    saved = threading.Semaphore(0)
    failing = [True]

    def save() -> None:
        saved.release()
        if failing.pop() if failing else False:
            raise OSError("disk full")

    saver = Saver(save)
    for _ in range(50):
        saver.touch()
    assert saved.acquire(timeout=5)
    assert not saved.acquire(timeout=0.3)
    saver.touch()
    saver.stop()

    assert saved.acquire(timeout=0)


def test_names_of_before_lead_to_the_same_classes(tmp_path: Path) -> None:
    """A snapshot from the time when the modules were directly in `sandbox` can still be read."""
    for name in ("minio_iam\nMinioIam", "snapshot\n_key_store"):
        found = snapshot_module._Unpickler(io.BytesIO(f"csandbox.{name}\n.".encode()), tmp_path).load()

        assert found.__module__ == f"sandbox.server.{name.partition(chr(10))[0]}"
