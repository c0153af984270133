"""A server for the time of a block, in a process of its own: for tests and benchmarks.

The rule: its process is forked from one that has loaded the modules of a server, because loading takes a second and the
tests start over a hundred servers. It differs from `python -m sandbox.server.serve` in nothing else.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.moto_api._internal import mock_random

from model.secrecy.output_guard import guard_output
from sandbox.forked import load, started
from sandbox.server import moto_store, serve
from sandbox.server.embedded import STOP_TIMEOUT, Admin, read_admin
from sandbox.server.s3_actions import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

START_TIMEOUT = 60.0
load(__name__)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server in its own process."""

    pid: int
    endpoint: str
    ca_bundle: str
    admin: Admin
    plugin_port: int | None
    region: str = moto_store.REGION


@contextmanager
def running_server(
    cloud: Cloud | str, directory: Path, *, plugin: bool = False, admin_api: str | None = None
) -> Iterator[RunningServer]:
    """Start the server process of a folder, wait until it answers, and stop it at the end of the block."""
    cloud = Cloud(cloud)
    options = {"parent_pid": os.getpid(), "with_plugin": plugin, "admin_api": admin_api and serve.AdminApi(admin_api)}
    process = started(_serve, cloud, directory, **options)
    try:
        yield _wait_until_ready(process, directory, cloud)
    finally:
        process.terminate()
        process.join(STOP_TIMEOUT)
        if process.exitcode is None:
            process.kill()
            process.join()
        process.close()


def _serve(cloud: Cloud, directory: Path, **options: Any) -> None:  # noqa: ANN401 - of `run`
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    # Two servers that are forked from one process would create the same ids.
    mock_random.seed()
    guard_output()
    serve.run(cloud, directory, **options)


def _wait_until_ready(process: ForkServerProcess, directory: Path, cloud: Cloud) -> RunningServer:
    path, deadline = directory / "server.json", time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.exitcode is not None:
            raise RuntimeError(f"the server ended with {process.exitcode}; see {directory / 'serve.log'}")
        try:
            state = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            state = {}
        if state.get("pid") == process.pid:
            return RunningServer(
                state["pid"],
                state["endpoint"],
                state["ca_bundle"],
                read_admin(directory, cloud),
                state.get("plugin_port"),
            )
        time.sleep(0.05)
    raise TimeoutError(f"the server was not ready after {START_TIMEOUT:.0f} s; see {directory / 'serve.log'}")
