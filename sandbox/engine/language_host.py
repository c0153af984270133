"""The Python language host for an engine that has none: it runs a program as `pulumi-language-python` does.

The engine starts this file as a plugin and reads one line, the port; everything else goes over gRPC. The output of the
program goes to this process's own streams, which the engine reads. A program that exits with 32 has already shown its
error, so this host asks the engine to bail without another message.

Left out: code generation, packing and linking of SDKs, debuggers, and toolchains other than a virtual environment. It
imports nothing of this project, because a launcher that many clones share runs it by path.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

# The host starts child processes while gRPC's threads run; its own fork handlers only add noise to stderr.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc
from google.protobuf import empty_pb2, json_format

if __name__ == "__main__":
    # Only the messages of Pulumi's SDK: the whole SDK takes three times as long, and every preview starts two hosts.
    _pulumi = importlib.util.find_spec("pulumi")
    for _name, _below in (("pulumi", ""), ("pulumi.runtime", "/runtime")):
        _package = sys.modules[_name] = types.ModuleType(_name)
        _folders = (_pulumi and _pulumi.submodule_search_locations) or []
        _package.__path__ = [f"{_folder}{_below}" for _folder in _folders]
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VERSION = "3.274.1"
SHOWN_TO_USER_EXIT_CODE = 32  # pulumi-language-python-exec exits with it after it has shown an error to the user
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_LIST_PACKAGES = """
import importlib.metadata, json, re
name = lambda text: re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", text).group()).lower()
found = {name(d.metadata["Name"]): d for d in importlib.metadata.distributions()}
wanted = {name(r) for d in found.values() for r in d.requires or [] if "extra ==" not in r}
print(json.dumps([[n, d.version, n in wanted] for n, d in sorted(found.items())]))
"""


class VirtualenvMissingError(Exception):
    """The `virtualenv` option names a folder without a Python."""


def interpreter(info: language_pb2.ProgramInfo) -> Path:
    """The Python of the project's `virtualenv` option, else the Python that runs this file."""
    option = json_format.MessageToDict(info.options).get("virtualenv")
    if not option:
        return Path(sys.executable)
    folder = Path(info.root_directory) / str(option)
    python = folder / "bin" / "python"
    if not python.is_file():
        raise VirtualenvMissingError(
            f"The 'virtualenv' option in Pulumi.yaml is {option!r}, but {python} does not exist. "
            f"Create it with: python3 -m venv {folder}"
        )
    return python


def environment_for(python: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, with the virtual environment of that Python activated if it belongs to one."""
    environment = dict(environ)
    folder = python.parent.parent
    if (folder / "pyvenv.cfg").is_file():
        environment["VIRTUAL_ENV"] = str(folder)
        environment["PATH"] = f"{python.parent}{os.pathsep}{environ.get('PATH', os.defpath)}"
        environment.pop("PYTHONHOME", None)
    return environment


def program_command(request: language_pb2.RunRequest, python: Path, executor: Path, engine_address: str) -> list[str]:
    """The command line that runs the program of the request."""
    entry_point = Path(request.info.program_directory) / request.info.entry_point
    options = {
        "--monitor": request.monitor_address,
        "--engine": engine_address,
        "--project": request.project,
        "--root_directory": request.info.root_directory,
        "--stack": request.stack,
        "--pwd": request.pwd,
        "--dry_run": "true" if request.dryRun else "false",
        "--parallel": str(request.parallel),
        "--organization": request.organization,
    }
    flags = [word for pair in options.items() for word in pair]
    return [str(python), "-u", str(executor), *flags, str(entry_point), *request.args]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine. It records every child that it starts, so that none outlives it."""

    def __init__(self, executor: Path, engine_address: str) -> None:
        """Run programs through `executor` (`pulumi-language-python-exec`) for the engine at that address."""
        self._executor = executor
        self._engine_address = engine_address
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    # The protocol defines the method names, hence N802 throughout.

    def Handshake(  # noqa: N802
        self, request: language_pb2.LanguageHandshakeRequest, _context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        """Accept the address of an engine that attaches to a running host."""
        self._engine_address = request.engine_address or self._engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(  # noqa: N802
        self, _request: empty_pb2.Empty, _context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        """Report the engine version that this host is written for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(  # noqa: N802
        self, _request: language_pb2.GetRequiredPackagesRequest, _context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """Request no plugin ahead of time: where this host runs, plugins cannot be downloaded."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(  # noqa: N802
        self, _request: language_pb2.GetRequiredPluginsRequest, _context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        """Request no plugin ahead of time, in the older form of the call."""
        return language_pb2.GetRequiredPluginsResponse()

    def RuntimeOptionsPrompts(  # noqa: N802
        self, _request: language_pb2.RuntimeOptionsRequest, _context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        """Give `pulumi new` no further options to ask for."""
        return language_pb2.RuntimeOptionsResponse()

    def About(  # noqa: N802
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        """Report the Python that would run the program."""
        python = self._interpreter(request.info, context)
        if python == Path(sys.executable):  # the common case: the engine asks before every update
            return language_pb2.AboutResponse(executable=str(python), version=platform.python_version())
        answer = subprocess.run(  # noqa: S603 - the interpreter that the project itself names
            [python, "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=True,
        )
        return language_pb2.AboutResponse(executable=str(python), version=answer.stdout.strip())

    def GetProgramDependencies(  # noqa: N802
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        """List the installed packages: all of them, or only those that no other package requires."""
        answer = subprocess.run(  # noqa: S603 - the interpreter that the project itself names
            [self._interpreter(request.info, context), "-c", _LIST_PACKAGES],
            capture_output=True,
            text=True,
            check=True,
        )
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version)
                for name, version, is_required in json.loads(answer.stdout)
                if request.transitiveDependencies or not is_required
            ]
        )

    def InstallDependencies(  # noqa: N802
        self, _request: language_pb2.InstallDependenciesRequest, _context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Install nothing, and say what does."""
        yield language_pb2.InstallDependenciesResponse(
            stdout=b"Nothing to install: the project's own Makefile creates the virtual environment.\n"
        )

    def Run(  # noqa: N802
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        """Run the program to its end."""
        try:
            python = interpreter(request.info)
        except VirtualenvMissingError as error:
            return language_pb2.RunResponse(error=str(error))
        environment = environment_for(python, os.environ)
        environment["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        environment["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        command = program_command(request, python, self._executor, self._engine_address)
        with self._child(command, request.pwd, environment, context) as child:
            exit_code = child.wait()
        if exit_code == SHOWN_TO_USER_EXIT_CODE:
            return language_pb2.RunResponse(bail=True)
        if exit_code < 0:
            return language_pb2.RunResponse(error=f"Program was ended by {signal.Signals(-exit_code).name}")
        if exit_code:
            return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {exit_code}")
        return language_pb2.RunResponse()

    def RunPlugin(  # noqa: N802
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin that is written in Python (a policy pack, a provider) and pass on what it prints."""
        try:
            python = interpreter(request.info)
        except VirtualenvMissingError:
            # The sandbox writes this Python into its own project file, but not into the file of a plugin.
            python = Path(sys.executable)
        command = [str(python), "-u", request.info.program_directory, *request.args]
        environment = environment_for(python, dict(pair.split("=", 1) for pair in request.env) or os.environ)
        with self._child(command, request.pwd, environment, context, stdout=subprocess.PIPE) as child:
            if child.stdout is not None:  # always true with PIPE; for the type checker
                while chunk := os.read(child.stdout.fileno(), 65536):
                    yield language_pb2.RunPluginResponse(stdout=chunk)
            yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def Cancel(  # noqa: N802
        self, _request: empty_pb2.Empty, _context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """End the running children."""
        self.end_children()
        return empty_pb2.Empty()

    def end_children(self) -> None:
        """Ask every child to end."""
        with self._lock:
            children = list(self._children)
        for child in children:
            child.terminate()

    def _interpreter(self, info: language_pb2.ProgramInfo, context: grpc.ServicerContext) -> Path:
        try:
            return interpreter(info)
        except VirtualenvMissingError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise  # abort has raised already; for the type checker

    @contextmanager
    def _child(
        self,
        command: Sequence[str],
        directory: str,
        environment: Mapping[str, str],
        context: grpc.ServicerContext,
        stdout: int | IO[bytes] | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        # The child stays in this process's group: the engine interrupts the whole group to close a plugin.
        with subprocess.Popen(  # noqa: S603 - the program that the user asked the engine to run
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=stdout
        ) as child:
            with self._lock:
                self._children.add(child)
            # If the engine cancels or abandons the call, the program ends too; after a normal end this is a no-op.
            context.add_callback(child.terminate)
            try:
                yield child
            finally:
                with self._lock:
                    self._children.discard(child)


def serve(host: LanguageHost, ended: threading.Event) -> None:
    """Serve on a free port of this machine, print the port, and stop when `ended` is set."""
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=_UNLIMITED)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    ended.wait()
    host.end_children()
    server.stop(grace=2).wait()


def main() -> None:
    """Serve until the engine interrupts this process or ends."""
    parser = argparse.ArgumentParser(description="Python language host for the Pulumi engine")
    parser.add_argument("--exec", required=True, type=Path, help="path of pulumi-language-python-exec")
    parser.add_argument("engine_address", help="the address on which the engine listens; the engine passes it")
    # The engine may add --logtostderr, -v and --tracing before its address.
    known, _ = parser.parse_known_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    def watch_engine() -> None:
        # The engine holds the other end of standard input and never writes. Standard input ends with the engine, even
        # after SIGKILL.
        while os.read(0, 1024):
            pass
        ended.set()

    threading.Thread(target=watch_engine, daemon=True).start()
    serve(LanguageHost(known.exec, known.engine_address), ended)


if __name__ == "__main__":
    main()
