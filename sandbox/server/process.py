"""Starts, finds and stops the background process of a stack: the embedded server with its stand-in plugin.

The rule: the process outlives its starter. Only the process writes server.json, which says how to reach it.
Left out: what the process does (sandbox.server.serve).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from model.secrecy.redaction import keep_secret
from sandbox.folder import SandboxError, repository

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sandbox.folder import StackFolder
    from sandbox.progress import Step

MODULE = "sandbox.server.serve"
READY_SECONDS = 60.0
STOP_SECONDS = 20.0  # the process writes its snapshot within this time
_POLL_SECONDS = 0.1
_CONNECT_SECONDS = 2.0
_TAIL_LINES = 20


class RunningServer(BaseModel):
    """The addresses of a running server, from server.json."""

    model_config = ConfigDict(frozen=True)

    pid: int
    cloud: str
    endpoint: str
    plugin: str
    plugin_port: int
    ca_bundle: str
    region: str
    admin_api: str = "v3"


class AdminCredentials(BaseModel):
    """The key pair of the server's administrator, from admin.json."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    user: str
    password: str

    def __repr__(self) -> str:
        """Show no secret, not even in a traceback."""
        return f"AdminCredentials(user={self.user!r})"

    __str__ = __repr__


def running_server(folder: StackFolder) -> RunningServer | None:
    """The stack's server, if it runs: its process lives and its endpoint accepts connections."""
    server = _written(folder)
    if server is None or not _lives(server.pid) or not _answers(server):
        return None
    return server


def admin_credentials(folder: StackFolder) -> AdminCredentials:
    """The admin credentials that the server created for itself."""
    try:
        admin = AdminCredentials.model_validate_json(folder.admin_file.read_text())
    except (OSError, ValidationError) as error:
        raise SandboxError(
            f"{folder.admin_file}: cannot read the server's admin credentials: {error}\n"
            f"Recreate the sandbox: object-store sandbox down --stack {folder.stack} "
            f"&& object-store sandbox up --stack {folder.stack}"
        ) from error
    keep_secret(admin.password)
    return admin


def start(folder: StackFolder, admin_api: str | None = None) -> subprocess.Popen[bytes]:
    """Start the server in its own session, so that it outlives this process and its terminal.

    Args:
        folder: The folder of the stack.
        admin_api: The version that the server must speak; None keeps the version of its last run.
    """
    folder.server.mkdir(parents=True, exist_ok=True)
    folder.server.chmod(0o700)
    command = [sys.executable, "-m", MODULE, "--cloud", folder.stack.cloud, "--directory", str(folder.server)]
    if admin_api is not None:
        command += ["--admin-api", admin_api]
    with folder.server_log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            command,
            cwd=repository(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_ready(
    folder: StackFolder, process: subprocess.Popen[bytes], step: Step, seconds: float = READY_SECONDS
) -> RunningServer:
    """Wait until a started server is ready."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        step.update("")
        server = _written(folder)
        if server is not None and server.pid == process.pid and _answers(server):
            return server
        if process.poll() is not None:
            raise SandboxError(f"The {folder.stack} server ended with {process.returncode}.\n{_log_tail(folder)}")
        time.sleep(_POLL_SECONDS)
    raise SandboxError(f"The {folder.stack} server was not ready within {seconds:g} s.\n{_log_tail(folder)}")


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End started servers that are not needed after all."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stop(folder: StackFolder, seconds: float = STOP_SECONDS) -> bool:
    """Stop the stack's server, if it runs; kill it if it does not stop in time."""
    server = _written(folder)
    if server is None or not _lives(server.pid) or not _is_server(server.pid, folder.server):
        return False
    os.kill(server.pid, signal.SIGTERM)
    if not _gone_within(server.pid, seconds):
        with suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGKILL)
        _gone_within(server.pid, seconds)
    return True


def _written(folder: StackFolder) -> RunningServer | None:
    try:
        return RunningServer.model_validate_json(folder.server_file.read_text())
    except (OSError, ValidationError):
        return None


def _lives(pid: int) -> bool:
    with suppress(ChildProcessError):  # not a child of this process; only a child can become a zombie
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # EPERM: the pid now belongs to another user
        return False
    return True


def _is_server(pid: int, directory: Path) -> bool:
    """Whether the process is that server, because the system reuses process ids, for example after a reboot."""
    answer = subprocess.run(  # noqa: S603 - fixed command
        ["ps", "-ww", "-o", "command=", "-p", str(pid)],  # noqa: S607 - wherever the system has it
        capture_output=True,
        text=True,
        check=False,
    )
    return str(directory) in answer.stdout


def _answers(server: RunningServer) -> bool:
    address = urlsplit(server.endpoint)
    try:
        socket.create_connection((address.hostname or "", address.port or 443), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _lives(pid):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _log_tail(folder: StackFolder) -> str:
    lines = folder.server_log.read_text(errors="replace").splitlines() if folder.server_log.exists() else []
    return "\n".join([f"The end of {folder.server_log}:", *lines[-_TAIL_LINES:]])
