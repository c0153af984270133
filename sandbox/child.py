"""Child processes that leave no process behind, and locks between processes.

A command started here leads its own process group, and no process of the group survives the end of the block, however
the block ends. Left out: the server process, which is meant to outlive its starter (sandbox.server.process).
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sandbox.progress import Progress

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOCK_POLL_SECONDS = 0.2


@contextmanager
def process_group(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path | None = None,
    stdout: int | IO[str] | None = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[str]]:
    """Start a command in its own process group and kill the rest of the group at the end."""
    with ExitStack() as held:
        held.enter_context(signals_held())
        with subprocess.Popen(  # noqa: S603 - the caller's own command, no shell
            list(command),
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=pass_fds,
        ) as process:
            try:
                held.close()
                yield process
            finally:
                kill_group(process)


@contextmanager
def signals_held() -> Iterator[None]:
    """Delay SIGINT, SIGTERM and SIGHUP until the end of the block.

    A signal that arrives while a process starts would leave the process behind, because it is not recorded yet; one
    that arrives during a removal would leave the rest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals arrive only in the main thread
        return
    arrived: list[signal.Signals] = []
    handlers = {number: signal.signal(number, lambda got, _: arrived.append(signal.Signals(got))) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in arrived:
            signal.raise_signal(number)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore SIGINT, SIGTERM and SIGHUP in the block, so that an orderly end is not interrupted."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill the rest of the group that the process leads: its children may survive the process itself."""
    with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def exclusive(lock: Path, progress: Progress, waiting_for: str) -> Iterator[None]:
    """Hold a lock between processes. The kernel releases it when the holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step(f"Waiting for {waiting_for}") as step:
                while True:
                    time.sleep(_LOCK_POLL_SECONDS)
                    step.update("")
                    with suppress(BlockingIOError):
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
        yield
