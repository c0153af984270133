"""Runs a command and keeps all that it leaves: its streams, its children's arguments, the files that it writes.

The rule: nothing is taken on trust. Arguments are read from `/proc/*/cmdline` while it runs and, since a child may be
gone before anybody looks, reported by the Python processes themselves (`site/sitecustomize.py`). Files that come and go
are read while they are there.
"""

import os
import resource
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.leaks.planted import Planted, shown

SITE = Path(__file__).parent / "site"
PAUSE_SECONDS = 0.02
_LARGEST_BYTES = 50_000_000


@dataclass(frozen=True)
class Left:
    """What a command left.

    Attributes:
        status: Its exit status, as subprocess has it.
        output: Its standard output.
        errors: Its standard error.
        arguments: What the Python processes of it have started.
        began: When it began, as a file system counts.
    """

    status: int
    output: bytes = field(repr=False)  # a test that fails is not to be the leak
    errors: bytes = field(repr=False)
    arguments: bytes = field(repr=False)
    began: float


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    notes: Path,
    text: str = "",
    kill: tuple[float, signal.Signals] | None = None,
    seconds: float = 240,
) -> Left:
    """Run a command to its end, or until it is to be killed; a core file is welcome."""
    began = time.time() - 0.1  # file systems count coarsely
    notes.write_bytes(b"")
    environ = {**environ, "LEAKS_ARGUMENTS": str(notes)}
    with subprocess.Popen(  # noqa: S603 - a command of the project
        list(command),
        cwd=cwd,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_allow_cores,  # noqa: PLW1509 - sets a limit and nothing else
    ) as process:
        if kill is not None:
            threading.Timer(kill[0], process.send_signal, [kill[1]]).start()
        try:
            output, errors = process.communicate(text.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Left(process.returncode, output, errors, notes.read_bytes(), began)


def _allow_cores() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def files_since(roots: Iterable[Path], began: float) -> Iterator[tuple[Path, bytes, int]]:
    """The files below these folders that were written since, each with its content and its mode."""
    for root in roots:
        for folder, folders, names in os.walk(root):  # follows no link
            folders[:] = [name for name in folders if name not in ("__pycache__", ".venv")]
            for name in names:
                path = Path(folder, name)
                try:
                    found = path.lstat()
                    is_new = max(found.st_mtime, found.st_ctime) >= began
                    if path.is_symlink() or not path.is_file() or not is_new or found.st_size > _LARGEST_BYTES:
                        continue
                    yield path, path.read_bytes(), found.st_mode & 0o777
                except OSError:  # it is gone
                    continue


class Sampler:
    """Looks again and again, as long as it is entered: at the arguments of all processes, and at files that pass by."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Look at these folders besides."""
        self.arguments: set[bytes] = set()
        self.files: dict[tuple[Path, int], bytes] = {}
        self._folders = folders
        self._seen: set[tuple[Path, int, int]] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def shown_arguments(self, planted: Sequence[Planted]) -> set[str]:
        """Which secrets were an argument."""
        return {what for one in list(self.arguments) for what in shown(one, planted)}

    def _look(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            for process in os.listdir("/proc"):  # noqa: PTH208 - a hundred times a second
                if process.isdigit():
                    try:
                        with open(f"/proc/{process}/cmdline", "rb", 0) as file:  # noqa: PTH123 - likewise
                            self.arguments.add(file.read())
                    except OSError:  # it is gone
                        continue
            for folder in self._folders:
                for place, _, names in os.walk(folder):  # passes over what goes while it looks
                    for name in names:
                        self._read(Path(place, name))

    def _read(self, path: Path) -> None:
        """Keep a file's content, once for each time that it was written."""
        try:
            found = path.lstat()
            key = (path, found.st_mtime_ns, found.st_size)
            if key in self._seen or not stat.S_ISREG(found.st_mode):
                return
            self._seen.add(key)
            place = (path, found.st_mode & 0o777)
            self.files[place] = self.files.get(place, b"") + path.read_bytes()
        except OSError:  # it is gone
            return
