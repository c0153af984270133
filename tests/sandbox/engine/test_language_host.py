"""The Python language host: over gRPC like the engine, and under the real engine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from sandbox.engine import language_host
from sandbox.engine.finder import find_engine
from sandbox.engine.language_host import environment_for, program_command
from sandbox.engine.wrapper import write_wrapper
from sandbox.folder import StackFolder, StackName
from sandbox.progress import Progress
from tests.sandbox.waiting import is_running, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.engine.finder import Engine

# Replaces pulumi-language-python-exec: it shows its arguments, and then runs the program's file.
EXECUTOR = """
import os, runpy, sys
print("arguments", sys.argv[1:])
print("config", os.environ["PULUMI_CONFIG"], os.environ["PULUMI_CONFIG_SECRET_KEYS"])
runpy.run_path(sys.argv[-1])
"""


class Host:
    """A running language host, seen from the engine's side."""

    def __init__(self, folder: Path) -> None:
        """Start it with a pipe as standard input, as the engine does."""
        self.folder = folder
        executor = folder / "executor.py"
        executor.write_text(EXECUTOR)
        self.process = subprocess.Popen(  # noqa: S603 - our own code
            [
                sys.executable,
                "-P",
                language_host.__file__,
                "--exec",
                str(executor),
                "--logtostderr",
                "-v=9",
                "127.0.0.1:1",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.channel = grpc.insecure_channel(f"127.0.0.1:{int(self.process.stdout.readline())}")
        self.stub = language_pb2_grpc.LanguageRuntimeStub(self.channel)

    def info(self, virtualenv: str | None = None) -> language_pb2.ProgramInfo:
        """A program in the host's folder."""
        options = struct_pb2.Struct()
        if virtualenv is not None:
            options.update({"virtualenv": virtualenv})
        return language_pb2.ProgramInfo(
            root_directory=str(self.folder), program_directory=str(self.folder), entry_point="main.py", options=options
        )

    def request(self, program: str, virtualenv: str | None = None) -> language_pb2.RunRequest:
        """A request to run a program."""
        (self.folder / "main.py").write_text(program)
        return language_pb2.RunRequest(
            project="p",
            stack="s",
            pwd=str(self.folder),
            config={"p:key": "value"},
            configSecretKeys=["p:key"],
            dryRun=True,
            parallel=7,
            monitor_address="127.0.0.1:2",
            organization="o",
            info=self.info(virtualenv),
        )

    def run(self, program: str, virtualenv: str | None = None) -> language_pb2.RunResponse:
        """Run a program to its end."""
        answer: language_pb2.RunResponse = self.stub.Run(self.request(program, virtualenv), timeout=30)
        return answer

    def close(self) -> str:
        """End it as the engine does, and return what it printed."""
        self.channel.close()
        os.killpg(self.process.pid, signal.SIGINT)
        printed, _ = self.process.communicate(timeout=20)
        return printed


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A running language host."""
    host = Host(tmp_path)
    yield host
    if host.process.poll() is None:
        host.close()


def test_program_runs_with_config_and_its_output_is_passed_on(host: Host) -> None:
    """The program gets config and arguments like from the official host, and its output appears."""
    answer = host.run("import os, sys\nprint('hello from', os.getcwd())\nprint('trouble', file=sys.stderr)")

    printed = host.close()
    assert (answer.error, answer.bail) == ("", False)
    assert f"hello from {host.folder}" in printed
    assert "trouble" in printed
    assert 'config {"p:key": "value"} ["p:key"]' in printed
    for pair in ("'--dry_run', 'true'", "'--parallel', '7'", "'--engine', '127.0.0.1:1'", "'--organization', 'o'"):
        assert pair in printed


@pytest.mark.parametrize(
    ("program", "error", "bail"),
    [
        ("raise SystemExit(32)", "", True),
        ("raise SystemExit(7)", "Program exited with non-zero exit code: 7", False),
        ("import os; os.kill(os.getpid(), 9)", "Program was ended by SIGKILL", False),
    ],
)
def test_program_that_fails_is_told_to_the_engine(host: Host, program: str, error: str, bail: bool) -> None:  # noqa: FBT001
    """Exit code 32 means that the program has shown the error already; every other failure is named."""
    answer = host.run(program)

    assert (answer.error, answer.bail) == (error, bail)


def test_virtualenv_option_decides_the_interpreter(host: Host) -> None:
    """The option is relative to the project's folder, and the program runs with that environment activated."""
    fake = host.folder / "environment"
    (fake / "bin").mkdir(parents=True)
    (fake / "pyvenv.cfg").touch()
    (fake / "bin" / "python").write_text(f'#!/bin/sh\necho "chosen $VIRTUAL_ENV"\nexec {sys.executable} "$@"\n')
    (fake / "bin" / "python").chmod(0o755)

    answer = host.run("import os; print('first on PATH', os.environ['PATH'].split(':')[0])", "environment")

    printed = host.close()
    assert answer.error == ""
    assert f"chosen {fake}" in printed
    assert f"first on PATH {fake / 'bin'}" in printed


def test_missing_virtualenv_is_named_with_the_remedy(host: Host) -> None:
    """A missing `virtualenv` ends the run with its path and the command to create it."""
    answer = host.run("", "nowhere")

    assert str(host.folder / "nowhere" / "bin" / "python") in answer.error
    assert f"python3 -m venv {host.folder / 'nowhere'}" in answer.error
    with pytest.raises(grpc.RpcError, match="nowhere"):
        host.stub.About(language_pb2.AboutRequest(info=host.info("nowhere")), timeout=20)


def test_questions_of_the_engine_are_answered(host: Host) -> None:
    """Every method that the engine calls for about, install and plugin checks works."""
    about = host.stub.About(language_pb2.AboutRequest(info=host.info()), timeout=20)
    request = language_pb2.GetProgramDependenciesRequest(info=host.info(), transitiveDependencies=True)
    all_packages = {d.name: d.version for d in host.stub.GetProgramDependencies(request, timeout=20).dependencies}
    request.transitiveDependencies = False
    direct = {d.name for d in host.stub.GetProgramDependencies(request, timeout=20).dependencies}
    install = host.stub.InstallDependencies(language_pb2.InstallDependenciesRequest(info=host.info()), timeout=20)

    assert about.executable == sys.executable
    assert about.version == ".".join(map(str, sys.version_info[:3]))
    assert all_packages["pulumi"] == "3.272.0"
    assert "protobuf" in all_packages
    assert "protobuf" not in direct  # pulumi requires it
    assert b"Makefile" in b"".join(part.stdout for part in install)
    assert host.stub.GetPluginInfo(empty_pb2.Empty(), timeout=20).version == language_host.VERSION
    packages = host.stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=host.info()), timeout=20)
    plugins = host.stub.GetRequiredPlugins(language_pb2.GetRequiredPluginsRequest(info=host.info()), timeout=20)
    prompts = host.stub.RuntimeOptionsPrompts(language_pb2.RuntimeOptionsRequest(info=host.info()), timeout=20)
    assert (list(packages.packages), list(plugins.plugins), list(prompts.prompts)) == ([], [], [])


@pytest.mark.parametrize("virtualenv", [None, "nowhere"])
def test_plugin_written_in_python_is_run(host: Host, virtualenv: str | None) -> None:
    """The host streams a Python plugin's output and exit code; without its own environment it uses the sandbox's."""
    (host.folder / "plugin").mkdir()
    program = "import sys; print('port', sys.argv[1], sys.executable); raise SystemExit(3)"
    (host.folder / "plugin" / "__main__.py").write_text(program)
    info = language_pb2.ProgramInfo(root_directory=str(host.folder), program_directory=str(host.folder / "plugin"))
    if virtualenv:
        info.options.update({"virtualenv": virtualenv})
    request = language_pb2.RunPluginRequest(pwd=str(host.folder), args=["4711"], info=info)

    parts = list(host.stub.RunPlugin(request, timeout=20))

    assert b"".join(part.stdout for part in parts).decode() == f"port 4711 {sys.executable}\n"
    assert parts[-1].exitcode == 3


def start_sleeper(host: Host, name: str) -> tuple[grpc.Future, int]:
    """Run a program that sleeps; returns the call and the program's process id."""
    marker = host.folder / name
    program = f"import os, time, pathlib; pathlib.Path({str(marker)!r}).write_text(str(os.getpid())); time.sleep(60)"
    call = host.stub.Run.future(host.request(program))
    wait_until(lambda: marker.exists() and marker.read_text() != "")
    return call, int(marker.read_text())


def test_engine_that_is_gone_takes_host_and_program_with_it(host: Host) -> None:
    """After the death of the engine (its end of standard input closes), host and program end within seconds."""
    _, program = start_sleeper(host, "pid")
    assert host.process.stdin is not None

    host.process.stdin.close()
    host.process.wait(timeout=20)

    wait_until(lambda: not is_running(program))
    assert host.process.stdout is not None
    host.process.stdout.close()


@pytest.mark.parametrize("how", ["cancelled call", "Cancel"])
def test_cancelled_run_ends_the_program(host: Host, how: str) -> None:
    """A cancelled call, or the protocol's Cancel, ends the program; the host continues."""
    call, program = start_sleeper(host, "pid")

    if how == "Cancel":
        host.stub.Cancel(empty_pb2.Empty(), timeout=20)
        assert call.result(timeout=20).error == "Program was ended by SIGTERM"
    else:
        call.cancel()

    wait_until(lambda: not is_running(program))
    assert host.run("").error == ""


def test_entry_point_may_be_the_folder() -> None:
    """With a folder as `main` the engine sends `.`, and the program is the folder itself."""
    info = language_pb2.ProgramInfo(root_directory="/r", program_directory="/r/infra", entry_point=".")
    request = language_pb2.RunRequest(info=info, pwd="/r/infra", args=["one"])

    command = program_command(request, Path("/python"), Path("/executor"), "address")

    assert command[:3] == ["/python", "-u", "/executor"]
    assert command[-2:] == ["/r/infra", "one"]


def test_interpreter_outside_any_virtual_environment_changes_nothing(tmp_path: Path) -> None:
    """A system Python needs no activation."""
    environ = {"PATH": "/usr/bin", "PYTHONHOME": "/somewhere"}

    assert environment_for(tmp_path / "bin" / "python", environ) == environ


PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Adder(ResourceProvider):
    def create(self, props):
        return CreateResult("sum", {"number": props["number"] + 1})

class Sum(Resource):
    number: pulumi.Output[int]
    def __init__(self, name, number, opts):
        super().__init__(Adder(), name, {"number": number}, opts)

class Group(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("trial:index:Group", name)
        self.sum = Sum("sum", pulumi.Config().require_int("number"), pulumi.ResourceOptions(parent=self))
        self.register_outputs({})

print("printed by the program")
if pulumi.Config().get_bool("broken"):
    raise ValueError("thrown by the program")
pulumi.export("number", Group("group").sum.number)
pulumi.export("secret", pulumi.Config().require_secret("secret"))
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine of this machine, built if necessary."""
    search = find_engine(os.environ, Progress())
    if search.engine is None:
        pytest.skip("no engine: " + "; ".join(search.tried))
    return search.engine


@pytest.fixture
def pulumi(engine: Engine, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The sandbox's `pulumi` wrapper, on a small project whose program is outside the project folder."""
    folder = StackFolder(StackName.LOCAL, tmp_path / "with space" / ".sandbox")
    (folder.home.parent / "infra").mkdir(parents=True)
    (folder.home.parent / "infra" / "__main__.py").write_text(PROGRAM)
    folder.project.mkdir(parents=True)
    folder.state.mkdir()
    options = f"\n  options:\n    virtualenv: {sys.prefix}" if sys.prefix != sys.base_prefix else ""
    folder.project_file.write_text(f"name: trial\nmain: ../../../infra\nruntime:\n  name: python{options}\n")
    write_wrapper(folder, engine)
    environ = {
        **os.environ,
        "PULUMI_HOME": str(folder.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{folder.state}",
        "PULUMI_CONFIG_PASSPHRASE": "for this test only",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }

    def call(*arguments: str, standard_input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the wrapper that is tested
            [folder.wrapper, *arguments, "--non-interactive"],
            env=environ,
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    for arguments in (["stack", "init", "local"], ["config", "set", "number", "41"]):
        answer = call(*arguments)
        assert answer.returncode == 0, answer.stderr
    assert call("config", "set", "--secret", "secret", standard_input="planted-secret").returncode == 0
    return call


@pytest.mark.e2e
def test_stack_with_a_dynamic_resource_lives_its_life(
    pulumi: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Up, preview, refresh, output and destroy work with our host and the SDK's dynamic provider, without a warning."""
    up = pulumi("up", "--yes")

    assert up.returncode == 0, up.stdout + up.stderr
    assert "printed by the program" in up.stdout
    assert "+ 3 created" in up.stdout
    assert "warning" not in up.stdout + up.stderr
    assert "planted-secret" not in up.stdout + up.stderr
    assert pulumi("stack", "output", "number").stdout == "42\n"
    assert pulumi("preview", "--expect-no-changes").returncode == 0
    assert pulumi("refresh", "--yes").returncode == 0
    assert pulumi("preview", "--expect-no-changes").returncode == 0
    destroyed = pulumi("destroy", "--yes")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr


@pytest.mark.e2e
def test_error_of_the_program_is_shown_once(pulumi: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """A program with an exception fails the command with its own traceback, without a second error of the host."""
    pulumi("config", "set", "broken", "true")

    preview = pulumi("preview")

    assert preview.returncode != 0
    assert preview.stdout.count("ValueError: thrown by the program") == 1
    assert "non-zero exit code" not in preview.stdout


@pytest.mark.e2e
def test_wrapper_is_plain_pulumi_otherwise(
    pulumi: Callable[..., subprocess.CompletedProcess[str]], engine: Engine, tmp_path: Path
) -> None:
    """Commands that need no project work, `about` names the interpreter, and a --cwd of the user's own wins."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    assert pulumi("version").stdout.strip().removeprefix("v") == engine.version
    assert f"executable='{sys.executable}'" in pulumi("about").stdout
    assert str(elsewhere) in pulumi("--cwd", str(elsewhere), "preview").stderr
    assert shutil.which("pulumi-language-python", path=str(engine.executable.parent)) or engine.plugins
