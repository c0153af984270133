"""The process behind a warm environment: loads the packages once, and forks for each `python` that is started.

The rule: it loads packages, never this project's modules, because each checkout has its own. The child runs as the end
of this script, so that it ends like any Python: threads joined, exit handlers called, streams written.
"""

from __future__ import annotations

import gc
import importlib
import io
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from functools import partial
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import NamedTuple

_QUICKER = {
    Path(__file__).parents[1] / "sandbox" / "server" / "one_salt.py": "use_one_salt",
    Path(__file__).with_name("quick_sdk.py"): "use_quick_sdk",
}
_PACKAGES = (
    "pulumi",
    "pulumi.dynamic",
    "pulumi.policy",
    "pulumi_aws",
    "pulumi_aws.iam",
    "pulumi_aws.s3",
    "pulumi_minio",
    "boto3",
    "botocore.client",
    "minio.crypto",
    "minio.signer",
    "pydantic.main",  # the package itself loads its parts when they are used
    "pydantic.dataclasses",
    "pydantic.fields",
    "pydantic.functional_validators",
    "pydantic.type_adapter",
    "pydantic.types",
    "pytest",
    "yaml",
    "typer",
    "rich.console",
    "rich.progress",
    "rich.table",
    "tenacity",
    "dotenv",
    "jinja2",
    "google.protobuf.json_format",
    "google.protobuf.struct_pb2",
    "pulumi.runtime.proto.language_pb2_grpc",
    "pulumi.runtime.proto.provider_pb2_grpc",
)


class Asked(NamedTuple):
    """What a launcher wants: its folder, arguments, environment and streams."""

    folder: str
    arguments: list[str]
    environ: dict[str, str]
    streams: list[int]


def load() -> None:
    """Load the packages, and what a client of S3, IAM and STS reads from disk."""
    for name in _PACKAGES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        getattr(module, "__all__", None)  # a service of pulumi_aws loads itself at its first attribute
    import boto3  # noqa: PLC0415 - after the start, like all that is loaded here
    import pulumi  # noqa: PLC0415 - likewise

    # A program sends hundreds, each with a request that it waits for, and the engine drops them without `--debug`.
    pulumi.log.debug = lambda *_, **__: None
    # By their paths: a package of this project, once loaded, would hide the checkout's own.
    for path, name in _QUICKER.items():
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        getattr(module, name)()
    session = boto3.session.Session("none", "none", region_name="us-west-2")
    for service in ("s3", "iam", "sts"):
        session.client(service)
    gc.collect()
    gc.freeze()


def received(link: socket.socket) -> Asked | None:
    """What a launcher asks for; None if it has ended."""
    head, streams, *_ = socket.recv_fds(link, 8, 3)
    if len(head) < 8:
        return None
    size, body = int.from_bytes(head, "big"), bytearray()
    while len(body) < size:
        more = link.recv(size - len(body))
        if not more:
            return None
        body += more
    folder, count, *words = body.decode("utf-8", "surrogateescape").split("\0")
    environ = dict(pair.split("=", 1) for pair in words[int(count) :])
    return Asked(folder, words[: int(count)], environ, streams)


def become(asked: Asked, python: str) -> None:
    """Make this process the one that was asked for."""
    os.setpgid(0, 0)
    for number, stream in enumerate(asked.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked.folder)
    os.environ.clear()
    os.environ.update(asked.environ)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    for number, name in ((1, "stdout"), (2, "stderr")):
        raw = os.fdopen(number, "wb", 0)
        text = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
    sys.__stdin__ = sys.stdin  # type: ignore[misc]
    sys.executable, sys.prefix, sys.exec_prefix = f"{python}/bin/python", python, python
    more = [path for path in asked.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = more
    tempfile.tempdir = None
    if find_spec("sitecustomize"):
        importlib.import_module("sitecustomize")


def run(arguments: list[str]) -> None:
    """Run a module (`-m NAME`) or a script, like Python."""
    is_safe = arguments[:1] == ["-P"]
    words = arguments[1:] if arguments[:1] in (["-u"], ["-P"]) else arguments
    if words[0] == "-m":
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    if not is_safe:
        sys.path.insert(0, str(Path(words[0]).parent))
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")


class Parent:
    """Serves launchers; each is the other end of a link, and has one child."""

    def __init__(self, path: str) -> None:
        """Listen at that path."""
        self._links: dict[int, socket.socket] = {}
        self._chosen = selectors.DefaultSelector()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(f"{path}.new")
        self._server.listen(64)
        os.rename(f"{path}.new", path)  # noqa: PTH104 - whoever waits for the path finds somebody who listens
        self._ended, self._ends = os.pipe()
        os.set_blocking(self._ends, False)
        signal.set_wakeup_fd(self._ends, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for source, what in ((self._server, self._fork), (0, self._end), (self._ended, self._reap)):
            self._chosen.register(source, selectors.EVENT_READ, what)

    def next_one(self) -> Asked:
        """Serve until the starter ends; returns in each child, with what it has to run."""
        while True:
            for key, _ in self._chosen.select():
                asked: Asked | None = key.data()
                if asked is not None:
                    return asked

    def _fork(self) -> Asked | None:
        link, _address = self._server.accept()
        asked = received(link)
        if asked is None:
            link.close()
            return None
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            for one in (*self._links.values(), link, self._server):
                one.close()
            self._chosen.close()
            os.close(self._ended)
            os.close(self._ends)
            return asked
        for stream in asked.streams:
            os.close(stream)
        self._links[pid] = link
        link.send(pid.to_bytes(8, "big"))
        self._chosen.register(link, selectors.EVENT_READ, partial(self._launcher_ended, pid))
        return None

    def _launcher_ended(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self._chosen.unregister(self._links[pid])

    def _end(self) -> None:
        """The starter, who holds the other end of standard input, has ended."""
        for pid in self._links:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    def _reap(self) -> None:
        os.read(self._ended, 4096)
        while self._links:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            link = self._links.pop(pid)
            with suppress(KeyError):  # its launcher has ended first
                self._chosen.unregister(link)
            with suppress(OSError):
                link.send(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))
            link.close()


if __name__ == "__main__":
    load()
    found = Parent(sys.argv[1]).next_one()
    become(found, sys.argv[2])
    run(found.arguments)
