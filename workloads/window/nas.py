"""The side of the NAS: one folder, in which each key is a path.

The rule: a file counts only after fsync, close and a fresh read with the right SHA-256, and only then has it its name;
no other bytes are written over. The folder is never made, and is the NAS only as long as its marker is there: what an
unmounted NAS leaves is an empty folder of the local disk.
"""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from pathlib import Path
from shlex import quote
from typing import Final

from object_store.partials import locked_partial, make_folders, sweep, sync_folder, write_all
from object_store.paths import path_of_key
from object_store.sides import walk
from workloads.archive import clock
from workloads.archive.patience import Pulse

MARKER: Final = ".object-store-window"
ASIDE: Final = "aside"
_BLOCK: Final = 2**20
_SYNC_BYTES: Final = 2**25
"""Bytes after which a file is synced, so that a slow NAS gives a sign of life before it is taken for one that hangs."""


class NasError(Exception):
    """The NAS is not there, or takes no more; the message names the folder."""


class Nas:
    """The folder, while one command uses it."""

    def __init__(self, folder: Path, pulse: Pulse, over: threading.Event, stage: Callable[[str], None]) -> None:
        """Look whether it is there. Raise NasError if it is not."""
        self.folder, self.pulse, self._over, self.stage = folder, pulse, over, stage
        self._swept: set[Path] = set()
        self._mount = self._mounted()

    def check(self) -> None:
        """Raise NasError if it is not there any more."""
        if self._mounted() != self._mount:
            raise NasError(f"{self.folder} became another folder: the NAS was mounted or unmounted meanwhile")

    def alive(self) -> None:
        """Give a sign of life. Raise NasError if nothing waits for it any more."""
        self.pulse.beat()
        if self._over.is_set():
            raise NasError(f"{self.folder}: given up")

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that it holds below a prefix. Raise NasError if a folder cannot be read."""
        top = self.folder / prefix
        if not os.path.lexists(top):
            return
        for entry in walk(top):
            self.alive()
            if entry.is_folder and entry.fault:
                raise NasError(f"{entry.path}: {entry.fault}")
            if entry.key is not None:
                yield f"{prefix}{entry.key}"

    def path_of(self, key: str) -> Path:
        """The file of a key. Raise NasError if a link leads elsewhere, UnsafePath if the key leads out."""
        path = path_of_key(self.folder, key, "", "")
        parent = os.path.realpath(path.parent)
        if parent != str(Path(os.path.realpath(self.folder), path.relative_to(self.folder)).parent):
            raise NasError(f"{path.parent} leads elsewhere by a link")
        return path

    def sha256(self, key: str) -> str | None:
        """SHA-256 of what a file has on its disk; None without it, and empty for a folder or a link in its place.

        Raises:
            OSError: It cannot be read.
        """
        path = self.path_of(key)
        try:
            return self._fresh(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            if fault.errno not in (errno.EISDIR, errno.ELOOP):
                raise
            return ""

    def blocks(self, key: str, sha256: str) -> Iterator[bytes]:
        """The bytes of a file. Raise NasError if it cannot be read, and at its end if they are others."""
        path, digest = self.path_of(key), hashlib.sha256()
        try:
            for block in self._blocks(path):
                digest.update(block)
                yield block
        except OSError as fault:
            raise NasError(f"{path}: {fault.strerror or fault}") from None
        if digest.hexdigest() != sha256:
            raise NasError(f"{path} changed while it was read")

    def read(self, key: str, most: int) -> bytes | None:
        """A small file; None without it, if it is longer, or if it cannot be read."""
        path = self.path_of(key)
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                body = file.read(most + 1)
        except OSError:
            return None
        return body if len(body) <= most else None

    def write(self, key: str, sha256: str, blocks: Iterable[bytes], *, aside: bool = False) -> Path | None:
        """Write a file.

        Args:
            key: The key.
            sha256: Of the bytes, in hex.
            blocks: The bytes.
            aside: Put aside what has the file's name, as soon as the new one is read back; else it is an error.

        Returns:
            Where that is; None if nothing was put aside.

        Raises:
            NasError: It does not take the file, or does not give it back as it was written.
        """
        path = self.path_of(key)
        self.check()
        try:
            make_folders(self.folder, path.parent)
            if path.parent not in self._swept:
                sweep(path.parent)
                self._swept.add(path.parent)
            with locked_partial(path.parent) as (descriptor, partial):
                fresh = 0
                for block in blocks:
                    self.alive()
                    write_all(descriptor, block)
                    fresh += len(block)
                    if fresh >= _SYNC_BYTES:
                        os.fsync(descriptor)
                        fresh = 0
                self.stage("nas: written")
                os.fsync(descriptor)
                os.close(os.dup(descriptor))  # each close tells of a write that failed behind it, and this one is heard
                found = self._fresh(partial)
                if found != sha256:
                    raise NasError(f"{path} was written, and has SHA-256 {found} and not {sha256}")
                self.stage("nas: read back")
                self.check()
                old = None
                if os.path.lexists(path):
                    if not aside:
                        if self._fresh(path) == sha256:  # another machine was quicker
                            return None
                        raise NasError(f"{path} came to be meanwhile: another program writes there")
                    old = self._put_aside(path, key)
                partial.replace(path)
                sync_folder(path.parent)
        except OSError as fault:
            raise NasError(f"{path}: {fault.strerror or fault}") from None
        self.check()
        self.stage("nas: named")
        return old

    def _put_aside(self, path: Path, key: str) -> Path:
        aside = self.folder / ASIDE / f"{clock.now_utc().astimezone(UTC):%Y%m%dT%H%M%S.%fZ}" / key
        make_folders(self.folder, aside.parent)
        path.rename(aside)
        self.stage("nas: put aside")
        return aside

    def _fresh(self, path: Path) -> str:
        """SHA-256 of a file, read from its disk or server and not from memory, as far as the system lets it."""
        digest = hashlib.sha256()
        for block in self._blocks(path):
            digest.update(block)
        return digest.hexdigest()

    def _blocks(self, path: Path) -> Iterator[bytes]:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(None, "it is not a regular file", str(path))
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while block := file.read(_BLOCK):
                self.alive()
                yield block

    def _mounted(self) -> tuple[int, int]:
        """What tells this folder from one that takes its place. Raise NasError without the marker."""
        marker = self.folder / MARKER
        try:
            there = stat.S_ISREG(marker.lstat().st_mode)
            folder = self.folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError as fault:
            raise NasError(f"{self.folder}: {fault.strerror or fault}") from None
        if not there:
            raise NasError(
                f"{marker} is not there: the NAS is not mounted; if it is, and the window begins: "
                f"mkdir -p {quote(str(self.folder))} && touch {quote(str(marker))}"
            )
        return folder.st_dev, folder.st_ino
