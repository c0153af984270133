"""An S3 server that shares no code with the embedded one: versitygw, built from its Go modules and run on this machine.

`gateway_module` pins the version; the cache beside the engine's holds the executable, complete or not at all. A running
gateway has its own folder, port and key pair. All three end with the block that started it, or with the process. It
speaks HTTP, and its root is its only user. Left out: stacks, which use the embedded server.

Source: https://github.com/versity/versitygw (Apache-2.0)
"""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.child import process_group
from sandbox.folder import SandboxError
from sandbox.go_program import GoProgram, NoProgramError
from sandbox.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION: Final = "1.8.0"  # gateway_module/go.mod pins the same
PROGRAM: Final = GoProgram(
    name="versitygw",
    version=VERSION,
    package="github.com/versity/versitygw/cmd/versitygw",
    module=Path(__file__).parent / "gateway_module",
    ldflags=f"-X main.Version={VERSION}",
    takes="about 2 minutes on 2 cores, ",
)
HOST: Final = "127.0.0.1"
REGION: Final = "us-west-2"
START_SECONDS: Final = 30.0
_POLL_SECONDS = 0.05
_PORT_TRIES = 5  # another process may take the chosen port before the gateway binds it
_TAIL_CHARACTERS = 2000
# It outlives a killed starter: its standard input ends with the starter, and then it cleans up.
_WATCH = 'read -r line; kill -9 "-$1"; rm -rf -- "$2"'


class NoGatewayError(SandboxError):
    """The gateway does not exist and cannot be built; the message is the reason, which a skipped test shows."""


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway that answers.

    Attributes:
        endpoint: `http://127.0.0.1:PORT`.
        region: The region for which requests must be signed.
        access_key_id: Of its root; created for this run.
        secret_access_key: Of its root; created for this run.
        process_id: Of the server, for measurements.
    """

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    process_id: int


def existing_gateway(environ: Mapping[str, str]) -> Path | None:
    """The executable in the cache, if it exists."""
    return PROGRAM.existing(environ)


def find_gateway(environ: Mapping[str, str], progress: Progress) -> Path:
    """Find the executable, or build it. Only one process at a time builds it.

    Raises:
        NoGatewayError: The executable does not exist, and Go is missing, too old, or cannot build it.
    """
    try:
        return PROGRAM.find(environ, progress)
    except NoProgramError as reason:
        raise NoGatewayError(f"versitygw {VERSION} is not built and cannot be built: {reason}") from reason


@contextmanager
def running_gateway(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    region: str = REGION,
) -> Iterator[RunningGateway]:
    """Run a gateway that keeps its objects in its own folder inside this one. The end of the block removes that folder.

    Args:
        folder: It is created if necessary; its present content does not change.
        environ: The environment in which to find Go and the cache; by default that of this process.
        progress: Shows a build; by default on standard error.
        region: The region for which requests must be signed.

    Raises:
        NoGatewayError: The executable does not exist and cannot be built.
        SandboxError: The gateway does not start.
    """
    executable = find_gateway(os.environ if environ is None else environ, progress or Progress())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="versitygw-", dir=folder) as own:
        for _ in range(_PORT_TRIES):
            with _started(executable, Path(own).resolve(), region) as gateway:
                if gateway is not None:
                    yield gateway
                    return
    raise SandboxError(f"versitygw found no free port on {HOST} in {_PORT_TRIES} tries")


@contextmanager
def _started(executable: Path, own: Path, region: str) -> Iterator[RunningGateway | None]:
    """Start it on a port that was free a moment ago; None if the port is no longer free."""
    port, key, secret = _free_port(), secrets.token_hex(8), secrets.token_urlsafe(24)
    for name in ("data", "versions", "sidecar"):
        (own / name).mkdir(exist_ok=True)
    command = [str(executable), "--port", f"{HOST}:{port}", "--region", region, "--quiet", "--keep-alive", "posix"]
    command += ["--versioning-dir", str(own / "versions")]
    if not _has_attributes(own / "data"):
        command += ["--sidecar", str(own / "sidecar")]
    command.append(str(own / "data"))
    # Nothing of this process's environment: the gateway reads options from VGW_… variables.
    environ = {"ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret}
    log_path = own / "log"
    with (
        log_path.open("w") as log,
        process_group(command, environ=environ, cwd=own, stdout=log) as process,
        _watched(process.pid, own),
    ):
        if _answers(process, port, log_path):
            yield RunningGateway(f"http://{HOST}:{port}", region, key, secret, process.pid)
        else:
            yield None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _has_attributes(folder: Path) -> bool:
    """Whether files there can have user extended attributes, in which the gateway keeps its metadata."""
    if not hasattr(os, "setxattr"):
        return False
    probe = folder.parent / "probe"
    try:
        probe.touch()
        os.setxattr(probe, "user.object-store", b"1")
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


@contextmanager
def _watched(leader: int, own: Path) -> Iterator[None]:
    shell = shutil.which("sh", path=os.defpath) or "sh"
    with subprocess.Popen(  # noqa: S603 - a line of our own
        [shell, "-c", _WATCH, shell, str(leader), str(own)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=own.parent,
        start_new_session=True,
    ) as watch:
        try:
            yield
        finally:
            watch.kill()  # before the gateway: a freed process id may soon belong to another process


def _answers(process: subprocess.Popen[str], port: int, log: Path) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = log.read_text(errors="replace")[-_TAIL_CHARACTERS:].strip()
            if "address already in use" in said:
                return False
            raise SandboxError(f"versitygw ended with {process.returncode}: {said}")
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(HOST, port, timeout=_POLL_SECONDS * 20)
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
            finally:
                connection.close()
            if process.poll() is None:
                return True
        time.sleep(_POLL_SECONDS)
    raise SandboxError(f"versitygw did not answer within {START_SECONDS:g} s")
