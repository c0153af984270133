"""Makes `.venv` from the locks. It runs before anything is installed, so it imports the standard library alone.

    python3 -m sandbox.bootstrap env     what the product and the sandbox need (requirements.txt)
    python3 -m sandbox.bootstrap dev     what tests and lint need as well (requirements-dev.txt)
    python3 -m sandbox.bootstrap up      the first, and then both stacks of the sandbox, deployed and verified

The rule: nothing is resolved. A lock names every package by hash, pip installs exactly those (`--no-deps`), and
`pip check` says whether one is missing; so what a new release of a package asks for never matters. Wheels only: no
code of a package runs while it is installed.

`up` starts the servers and looks for the engine, or builds it, while the providers' SDKs, the larger half, are still
being installed: `python -m sandbox deploy` calls `finish` for them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = "requirements.txt"
DEVELOPMENT_LOCK = "requirements-dev.txt"
# Packages that neither the servers nor the engine need.
LATER = ("obstore", "pulumi-aws", "pulumi-minio", "pulumi-policy")
# A setting of pip's that would lead the packages elsewhere or change what is installed; where packages come from
# (index, certificate, proxy, cache) is left to whoever set it. An empty value overrules a configuration file, too.
OVERRULED = {
    "PIP_CONSTRAINT": "",
    "PIP_DRY_RUN": "0",
    "PIP_IGNORE_INSTALLED": "0",
    "PIP_NO_BINARY": "",
    "PIP_ONLY_BINARY": "",
    "PIP_PREFIX": "",
    "PIP_PYTHON": "",
    "PIP_REQUIREMENT": "",
    "PIP_ROOT": "",
    "PIP_TARGET": "",
    "PIP_UPGRADE": "0",
    "PIP_USER": "0",
}
_SHOWN_SECONDS = 1.0


class BootstrapError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Run one of the three commands; exit status 2 where the environment cannot be made."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # pip is ended with this process
    if arguments not in (["env"], ["dev"], ["up"]):
        _say("usage: python3 -m sandbox.bootstrap env|dev|up")
        return 2
    try:
        lock = _alone()
        if arguments == ["up"]:
            _deploy(began, lock)
        make(LOCK)
        if arguments == ["dev"]:
            make(DEVELOPMENT_LOCK)
    except BootstrapError as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _deploy(began: float, lock: int) -> None:
    """Become the command that deploys; it installs what `begin` leaves."""
    is_pending = begin()
    os.set_inheritable(lock, is_pending)
    command = [str(_python()), "-m", "sandbox", "deploy", "--stack", "all"]
    command += ["--environment-took", f"{time.monotonic() - began:.1f}"]
    os.chdir(ROOT)
    os.execv(command[0], [*command, "--finish-environment"] if is_pending else command)  # noqa: S606 - our own module


def _alone() -> int:
    """Wait until no other process makes the environment; what this one becomes holds the lock, too."""
    lock = os.open(ROOT / "pyproject.toml", os.O_RDWR)  # a network file system locks nothing that is open to read
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("waiting for another command that makes it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def make(lock: str) -> None:
    """Install a lock, unless that very lock is installed."""
    if _is_installed(lock):
        return
    if lock == LOCK:
        _begin_anew()
    _say(f"installing {lock} into {VENV}")
    _install(["--requirement", str(ROOT / lock)])
    _end(lock)


def begin() -> bool:
    """Install what servers and engine need; whether the rest is yet to be installed by `finish`."""
    if _is_installed(LOCK):
        return False
    _begin_anew()
    _say(f"installing {LOCK} into {VENV}, for the servers and the engine at first")
    _install_part(later=False)
    return True


def finish() -> None:
    """Install the rest of what `begin` has begun."""
    _install_part(later=True)
    _end(LOCK)


def _begin_anew() -> None:
    _say(f"making {VENV}")
    if VENV.is_symlink():
        VENV.unlink()  # what it leads to is another's
    answer = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise BootstrapError(f"{sys.executable} makes no virtual environment:\n{answer.stdout}{answer.stderr}".strip())


def _install(what: list[str]) -> None:
    _pip("install", "--require-hashes", "--only-binary", ":all:", "--no-compile", *what)


def _install_part(*, later: bool) -> None:
    """Install the later half of the lock, or the other."""
    half = [text for name, text in _entries((ROOT / LOCK).read_text(encoding="utf-8")) if (name in LATER) is later]
    part = VENV / f"{'later' if later else 'first'}.txt"
    part.write_text("".join(half), encoding="utf-8")
    _install(["--requirement", str(part)])


def _entries(lock: str) -> list[tuple[str, str]]:
    """The lock's packages, each with its lines."""
    entries: list[tuple[str, str]] = []
    for line in lock.splitlines(keepends=True):
        if line[:1].isalnum():
            entries.append((line.partition("==")[0], line))
        elif entries:
            name, text = entries[-1]
            entries[-1] = (name, text + line)
    return entries


def _end(lock: str) -> None:
    """Add this clone to the path, ask whether a package is missing, and note what is installed."""
    if lock == LOCK:
        _pip("install", "--no-build-isolation", "--editable", str(ROOT))
    _pip("check")
    _mark(lock).write_text(_fingerprint(lock), encoding="ascii")


def _pip(command: str, *arguments: str) -> None:
    quiet = ["--no-deps", "--quiet"] if command == "install" else []
    process = subprocess.Popen(  # noqa: S603 - the environment's own pip
        [str(_python()), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", command, *quiet, *arguments],
        env={**os.environ, **OVERRULED},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = _waited(process)
    finally:
        process.kill()
    if process.returncode:
        raise BootstrapError(f"`pip {command}` ended with {process.returncode}:\n{said}".strip())


def _waited(process: subprocess.Popen[str]) -> str:
    """Wait for pip's end and show on a terminal that it is at work; what it printed."""
    began = time.monotonic()
    while True:
        try:
            return process.communicate(timeout=_SHOWN_SECONDS)[0]
        except subprocess.TimeoutExpired:
            if sys.stderr.isatty() and threading.current_thread() is threading.main_thread():
                sys.stderr.write(f"\r{time.monotonic() - began:4.0f} s\r")
                sys.stderr.flush()


def _python() -> Path:
    return VENV / "bin" / "python"


def _mark(lock: str) -> Path:
    return VENV / f".installed-{lock}"


def _is_installed(lock: str) -> bool:
    """Whether the environment holds this lock, was made at this place, and still has its Python."""
    try:
        return _mark(lock).read_text(encoding="ascii") == _fingerprint(lock) and _python().exists()
    except OSError:
        return False


def _fingerprint(lock: str) -> str:
    """Of the lock, of how it is installed, and of the place, which is written into what is installed."""
    digest = hashlib.sha256(str(VENV.resolve()).encode())
    for path in (ROOT / lock, ROOT / LOCK, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _say(message: str) -> None:
    sys.stderr.write(f"environment: {message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
