"""The background process of one sandbox stack: the embedded server and the stand-in plugin, until a signal ends it.

    python -m sandbox.server.serve --cloud aistor|aws --directory DIR [--admin-api v3|v4]

The rule: `DIR/server.json` exists exactly while both answer. The process reuses the port of the last run if it is free,
so that a stack's stored endpoint stays valid. It logs to `DIR/serve.log`, and never logs a secret. Left out: starting
it in the background and ending a hanging process, which the caller does.
"""

import fcntl
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Annotated, Any

import typer

from model.secrecy.output_guard import guard_output
from model.secrecy.redaction import keep_secret
from sandbox.server import moto_store
from sandbox.server.certificates import write_private
from sandbox.server.embedded import Admin, EmbeddedServer
from sandbox.server.one_salt import use_one_salt
from sandbox.server.s3_actions import Cloud

log = logging.getLogger("sandbox.server.serve")

_GRACE = 5  # seconds for running calls of the plugin
_LOG_BYTES = 2_000_000
_PATIENCE = 20.0  # seconds for another server of the same folder to save and end


class Plugin(Enum):
    """The provider's name in the engine."""

    AISTOR = "minio"
    AWS = "aws"


class AdminApi(Enum):
    """The version of MinIO's admin API that an `aistor` server speaks."""

    V3 = "v3"
    V4 = "v4"


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    path.chmod(0o600)
    logging.getLogger("botocore").setLevel(logging.WARNING)


def _earlier(directory: Path) -> dict[str, Any]:
    """The ports and the admin API version of the last run, for reuse."""
    for name in ("server.json", "ports.json"):
        try:
            state = json.loads((directory / name).read_text())
        except (FileNotFoundError, ValueError):
            continue
        if isinstance(state, dict):
            return state
    return {}


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Lock the folder, because two servers would overwrite each other's state. Wait for a server that is stopping."""
    path = directory / "serve.lock"
    path.touch(0o600)
    with path.open("rb") as lock:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"another server uses {directory}; stop it (server.json there has its pid) and try again"
                    ) from None
                time.sleep(0.1)
        yield


def _aws_caller(server: EmbeddedServer, directory: Path) -> Admin:
    """The identity that signs the aws plugin's requests: the administrator, or the one in plugin-keys.json.

    The real plugin takes its keys from the engine's environment; this one runs in this process.
    """
    path = directory / "plugin-keys.json"
    return Admin(**json.loads(path.read_text())) if path.exists() else server.admin


def _start_plugin(server: EmbeddedServer, port: int, directory: Path) -> tuple[Any, int]:
    """Serve the stand-in of this cloud's provider, on another port if the requested one is taken."""
    from sandbox.standin import rpc  # noqa: PLC0415 - gRPC loads only for a plugin

    stand_in: Any
    if server.cloud is Cloud.AISTOR:
        from sandbox.standin.minio import minio_stand_in  # noqa: PLC0415 - gRPC loads only for a plugin

        stand_in = minio_stand_in()
    else:
        from sandbox.standin.aws import AwsConnection, aws_stand_in  # noqa: PLC0415 - gRPC loads only for a plugin

        caller = _aws_caller(server, directory)
        stand_in = aws_stand_in(
            AwsConnection(
                endpoint=server.endpoint,
                ca_bundle=str(server.certificates.ca.resolve()),
                access_key_id=caller.user,
                secret_access_key=caller.password,
                region=moto_store.REGION,
            )
        )
    try:
        return rpc.serve_plugin(stand_in, port)
    except (OSError, RuntimeError):
        if port == 0:
            raise
        log.warning("port %d of the plugin is taken; the plugin uses another port", port)
        return rpc.serve_plugin(stand_in, 0)


def _port_of(endpoint: str) -> int:
    last = endpoint.rpartition(":")[2]
    return int(last) if last.isdigit() else 0


def _watch(parent: int, stop: threading.Event) -> None:
    """Stop when the parent process has ended."""
    while not stop.wait(1.0):
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            log.info("the parent process %d has ended", parent)
            stop.set()
        except PermissionError:  # it lives and belongs to another user
            continue


def run(
    cloud: Cloud, directory: Path, *, parent_pid: int | None, with_plugin: bool, admin_api: AdminApi | None
) -> None:
    """Serve until a signal or the end of the parent."""
    use_one_salt()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _log_to(directory / "serve.log")
    with _alone(directory):
        _serve(cloud, directory, parent_pid, with_plugin=with_plugin, admin_api=admin_api)


def _serve(
    cloud: Cloud, directory: Path, parent_pid: int | None, *, with_plugin: bool, admin_api: AdminApi | None
) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    earlier = _earlier(directory)
    state_file = directory / "server.json"
    state_file.unlink(missing_ok=True)
    spoken = admin_api.value if admin_api else str(earlier.get("admin_api") or AdminApi.V3.value)
    server = EmbeddedServer(cloud, directory, _port_of(str(earlier.get("endpoint", ""))), admin_api=spoken)
    keep_secret(server.admin.password)
    server.start()
    wanted = int(earlier.get("plugin_port") or 0)
    plugin, plugin_port = _start_plugin(server, wanted, directory) if with_plugin else (None, None)
    state = {
        "pid": os.getpid(),
        "cloud": str(cloud),
        "endpoint": server.endpoint,
        "plugin": Plugin[cloud.name].value,
        "plugin_port": plugin_port,
        "ca_bundle": str(server.certificates.ca.resolve()),
        "region": moto_store.REGION,
        "admin_api": spoken,
    }
    ports = {
        "endpoint": server.endpoint,
        "plugin_port": plugin_port or earlier.get("plugin_port"),
        "admin_api": spoken,
    }
    write_private(directory / "ports.json", json.dumps(ports).encode())
    write_private(state_file, json.dumps(state).encode())
    log.info("%s at %s, plugin port %s", cloud, server.endpoint, plugin_port)
    if parent_pid is not None:
        threading.Thread(target=_watch, args=(parent_pid, stop), daemon=True).start()
    try:
        stop.wait()
    finally:
        state_file.unlink(missing_ok=True)
        if plugin is not None:
            plugin.stop(_GRACE).wait(_GRACE)
        server.stop()
        log.info("stopped")


def main(
    cloud: Annotated[Cloud, typer.Option(help="the cloud whose server this one imitates")],
    directory: Annotated[Path, typer.Option(help="the folder that holds all its state")],
    parent_pid: Annotated[int | None, typer.Option(help="stop when this process ends")] = None,
    plugin: Annotated[bool, typer.Option(help="serve also the stand-in of the provider plugin")] = True,  # noqa: FBT002 - typer makes a flag of it
    admin_api: Annotated[
        AdminApi | None,
        typer.Option(help="the admin API that aistor speaks; default: as in the last run, at first v3"),
    ] = None,
) -> None:
    """Serve one sandbox stack until a signal ends this process."""
    try:
        run(cloud, directory, parent_pid=parent_pid, with_plugin=plugin, admin_api=admin_api)
    except Exception:
        log.exception("the server cannot continue")
        raise


if __name__ == "__main__":
    guard_output()
    typer.run(main)
