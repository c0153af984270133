"""Runs a command and keeps all of its traces: its streams, its children's arguments, the files that it writes.

The rule: the module trusts nothing. It reads arguments from `/proc/*/cmdline` while the command runs. A child may end
before that, so the Python processes also report their own children (`site/sitecustomize.py`). It reads temporary files
while they exist.
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
# A process changes its arguments soon after it starts, when a shell becomes another program. Later it is read rarely.
_YOUNG_POLLS = 25
_RARELY_POLLS = 50
_LARGEST_BYTES = 50_000_000


@dataclass(frozen=True)
class Left:
    """The traces of a command.

    Attributes:
        status: Its exit status, as subprocess has it.
        output: Its standard output.
        errors: Its standard error.
        arguments: The command lines that its Python processes started.
        began: Its start, in the file system's clock.
    """

    status: int
    output: bytes = field(repr=False)  # a failing test must not leak it
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
    """Run a command to its end, or until it is killed; core files are allowed.

    Args:
        command: The command.
        cwd: Its folder.
        environ: Its environment.
        notes: Where its Python processes report the children that they start.
        text: Its standard input.
        kill: The seconds from the first reported child to a signal, and the signal. Then the command is at work, on a
            loaded machine too.
        seconds: How long it may take.

    Raises:
        subprocess.TimeoutExpired: It takes longer.
    """
    began = time.time() - 0.1  # file systems have coarse clocks
    notes.write_bytes(b"")
    environ = {**environ, "LEAKS_ARGUMENTS": str(notes)}
    with subprocess.Popen(  # noqa: S603 - a command of the project
        list(command),
        cwd=cwd,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_allow_cores,  # noqa: PLW1509 - only sets a limit
    ) as process:
        if kill is not None:
            threading.Thread(target=_kill_at_work, args=(process, notes, *kill)).start()
        try:
            output, errors = process.communicate(text.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Left(process.returncode, output, errors, notes.read_bytes(), began)


def _kill_at_work(process: subprocess.Popen[bytes], notes: Path, seconds: float, number: signal.Signals) -> None:
    while process.poll() is None and notes.stat().st_size == 0:
        time.sleep(PAUSE_SECONDS)
    time.sleep(seconds)
    process.send_signal(number)


def _allow_cores() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def files_since(roots: Iterable[Path], began: float) -> Iterator[tuple[Path, bytes, int]]:
    """The files below these folders with a later write, each with its content and mode."""
    for root in roots:
        for folder, folders, names in os.walk(root):  # does not follow links
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
    """Polls inside its block: the arguments of all processes, and temporary files."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Watch these folders too."""
        self.arguments: set[bytes] = set()
        self.files: dict[tuple[Path, int], bytes] = {}
        self._folders = folders
        self._seen: set[tuple[Path, int, int]] = set()
        self._ages: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Start to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()

    def shown_arguments(self, planted: Sequence[Planted]) -> set[str]:
        """The secrets that were an argument."""
        return {what for one in list(self.arguments) for what in shown(one, planted)}

    def _look(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            # A process id that is gone is forgotten, because the next process with it is young again.
            self._ages = {process: self._ages.get(process, -1) + 1 for process in _processes()}
            for process, age in self._ages.items():
                if age < _YOUNG_POLLS or age % _RARELY_POLLS == 0:
                    try:
                        with open(f"/proc/{process}/cmdline", "rb", 0) as file:  # noqa: PTH123 - fifty times a second
                            self.arguments.add(file.read())
                    except OSError:  # it is gone
                        continue
            for folder in self._folders:
                for place, _, names in os.walk(folder):  # skips files that vanish meanwhile
                    for name in names:
                        self._read(Path(place, name))

    def _read(self, path: Path) -> None:
        """Keep a file's content, once for each write."""
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


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - fifty times a second
