"""Creates `.venv` from the locks. It runs before any package is installed, so it imports only the standard library.

    python3 -E -m sandbox.bootstrap env     installs what the product and the sandbox need (requirements.txt)
    python3 -E -m sandbox.bootstrap dev     installs also what tests and lint need (requirements-dev.txt)
    python3 -E -m sandbox.bootstrap up      does `env`, then deploys and verifies both stacks of the sandbox

The rule: pip resolves nothing. A lock names every package by hash, pip installs exactly those (`--no-deps`), and
`pip check` reports a missing one. So the dependencies of a new release never matter. Wheels only: a package cannot run
code while it is installed. Of a user's pip settings, only those apply that say where packages come from.

`up` starts the servers, and finds or builds the engine, while pip still installs the providers' SDKs, which are the
larger half. `object-store sandbox deploy` calls `finish` to complete them.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

from sandbox.child import kill_group, process_group

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MUTEX = ROOT / ".venv.lock"
LOCK = "requirements.txt"
DEVELOPMENT_LOCK = "requirements-dev.txt"
# Packages that the servers and the engine do not need.
LATER = ("pulumi-aws", "pulumi-minio", "pulumi-policy")
# The pip settings that say where packages come from. Every other setting, in a file or a variable, could install the
# packages elsewhere or change them (`target`, `user`, `constraint`, `no-binary`, …). It is ignored here.
KEPT = (
    "cache-dir",
    "cert",
    "client-cert",
    "extra-index-url",
    "find-links",
    "index-url",
    "keyring-provider",
    "no-cache-dir",
    "no-index",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
)
_SECTIONS = ("global", "install", ":env:")  # sections of pip's settings; a later one wins
_EXACTLY = ("install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "-r")
_RUNNING: list[subprocess.Popen[str]] = []
_SHOWN_SECONDS = 1.0


class BootstrapError(Exception):
    """The environment cannot be created; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Run one of the three commands. The exit status is 2 if the environment cannot be created."""
    began = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, lambda got, _: sys.exit(128 + got))  # the running command ends with this process
    if arguments not in (["env"], ["dev"], ["up"]):
        _say("usage: python3 -E -m sandbox.bootstrap env|dev|up")
        return 2
    try:
        if arguments != ["up"] and _is_installed(LOCK) and (arguments == ["env"] or _is_installed(DEVELOPMENT_LOCK)):
            return 0
        mutex = _alone()
        if arguments == ["up"]:
            _deploy(began, mutex)
        make(LOCK, mutex)
        if arguments == ["dev"]:
            make(DEVELOPMENT_LOCK, mutex)
    except BootstrapError as error:
        _say(str(error))
        return 2
    except OSError as error:
        _say(f"{error.filename or VENV}: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _deploy(began: float, mutex: int) -> None:
    """Replace this process with the command that deploys. That command installs what `begin` leaves."""
    is_pending = begin(mutex)
    os.set_inheritable(mutex, is_pending)
    command = [str(_python()), "-m", "cli", "sandbox", "deploy", "--stack", "all"]
    command += ["--environment-took", f"{time.monotonic() - began:.1f}"]
    os.chdir(ROOT)
    os.execv(command[0], [*command, "--finish-environment", str(mutex)] if is_pending else command)  # noqa: S606 - ours


def _alone() -> int:
    """Wait until no other process creates the environment.

    The process that replaces this one holds the lock, and so does each command that it starts. If this process is
    killed and such a command survives, the next process waits for that command.
    """
    opened = os.open(MUTEX, os.O_RDWR | os.O_CREAT, 0o644)
    mutex = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 3)  # never the number of a closed standard stream
    os.close(opened)
    try:
        fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("waiting for another `make` in this folder, which creates the environment")
        fcntl.flock(mutex, fcntl.LOCK_EX)
    return mutex


def make(lock: str, mutex: int) -> None:
    """Install a lock, unless this exact lock is installed. Only our own environment is changed."""
    if _is_installed(lock):
        return
    if lock == LOCK or VENV.is_symlink():
        _begin_anew(mutex)
        _install(LOCK, ROOT / LOCK, mutex)
    if lock != LOCK:
        _install(lock, ROOT / lock, mutex)


def begin(mutex: int) -> bool:
    """Install what servers and engine need. Returns whether `finish` must still install the rest."""
    if _is_installed(LOCK):
        return False
    _begin_anew(mutex)
    _say(f"installing {LOCK} into {VENV}: first the packages that the servers and the engine need")
    _install_part(mutex, later=False)
    return True


def finish(mutex: int) -> None:
    """Install what `begin` left."""
    _install_part(mutex, later=True)
    _end(LOCK, mutex)


def stop() -> None:
    """Kill the pip processes of another thread, because this process is about to end."""
    for process in _RUNNING:
        kill_group(process)


def _begin_anew(mutex: int) -> None:
    _say(f"creating {VENV}")
    if VENV.is_symlink():
        VENV.unlink()  # the target belongs to something else
    elif VENV.is_dir() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists():
        raise BootstrapError(f"{VENV} is not a virtual environment, so this command does not empty it; move it away")
    elif VENV.exists() and not VENV.is_dir():
        raise BootstrapError(f"{VENV} is not a folder; move it away")
    for lock in (LOCK, DEVELOPMENT_LOCK):
        _mark(lock).unlink(missing_ok=True)
    _run([sys.executable, "-E", "-m", "venv", "--clear", str(VENV)], dict(os.environ), mutex)


def _install(lock: str, requirements: Path, mutex: int) -> None:
    _say(f"installing {lock} into {VENV}")
    _pip(mutex, *_EXACTLY, str(requirements))
    _end(lock, mutex)


def _install_part(mutex: int, *, later: bool) -> None:
    """Install the later half of the lock, or the first half."""
    half = [text for name, text in _entries((ROOT / LOCK).read_text(encoding="utf-8")) if (name in LATER) is later]
    part = VENV / f"{'later' if later else 'first'}.txt"
    part.write_text("".join(half), encoding="utf-8")
    _pip(mutex, *_EXACTLY, str(part))


def _entries(lock: str) -> list[tuple[str, str]]:
    """The packages of a lock, each with its lines."""
    entries: list[tuple[str, str]] = []
    for line in lock.splitlines(keepends=True):
        if line[:1].isalnum():
            entries.append((line.partition("==")[0], line))
        elif entries:
            name, text = entries[-1]
            entries[-1] = (name, text + line)
    return entries


def _end(lock: str, mutex: int) -> None:
    """Add this clone to the path, check that no package is missing, and record the installed lock."""
    if lock == LOCK:
        _pip(mutex, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    _pip(mutex, "check")
    _mark(lock).write_text(_fingerprint(lock), encoding="ascii")


def _pip(mutex: int, *arguments: str) -> None:
    """Run the environment's own pip with only those settings that say where packages come from."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    _run([*_pip_command(), *arguments], {**environ, "PIP_CONFIG_FILE": os.devnull, **_settings(mutex)}, mutex)


@cache
def _settings(mutex: int) -> dict[str, str]:
    """The settings of this user that say where packages come from, as variables."""
    found: dict[tuple[int, str], str] = {}
    for line in _run([*_pip_command(), "config", "list"], dict(os.environ), mutex).splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in _SECTIONS and name in KEPT:
            found[_SECTIONS.index(section), name] = str(ast.literal_eval(value))
    return {f"PIP_{name.replace('-', '_').upper()}": found[place, name] for place, name in sorted(found)}


def _pip_command() -> list[str]:
    return [str(_python()), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]


def _run(command: list[str], environ: dict[str, str], mutex: int) -> str:
    """Run a command in its own session, which ends with this process. Returns its output.

    Raises:
        BootstrapError: The command failed. The message holds its output without the password of an index or a proxy.
    """
    with process_group(command, environ=environ, stdout=subprocess.PIPE, pass_fds=(mutex,)) as process:
        _RUNNING.append(process)
        try:
            said = _waited(process)
        finally:
            _RUNNING.remove(process)
    if process.returncode:
        shown = " ".join([Path(command[0]).name, *command[1:]])
        raise BootstrapError(f"`{shown}` ended with {process.returncode}:\n{_without_passwords(said)}".strip())
    return said


def _without_passwords(said: str) -> str:
    """The output of pip without the user and password in the address of an index or a proxy, in every form."""
    return re.sub(r"(\S*?:)\S+@", r"\1***@", said)


def _waited(process: subprocess.Popen[str]) -> str:
    """Wait until a command ends, and show on a terminal that it still runs. Returns its output."""
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
    """Whether the environment holds this lock, was created at this path, and still matches its Python."""
    try:
        if _mark(lock).read_bytes() != _fingerprint(lock).encode():
            return False
        # After an upgrade, Python looks for packages in another folder.
        command = [str(_python()), "-I", "-c", "import pip"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - ours
    except OSError:
        return False


def _fingerprint(lock: str) -> str:
    """A digest of the lock, of the way to install it, and of the path, which installed files contain."""
    digest = hashlib.sha256(str(VENV.resolve()).encode())
    for path in (ROOT / lock, ROOT / LOCK, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _say(message: str) -> None:
    sys.stderr.write(f"environment: {message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
