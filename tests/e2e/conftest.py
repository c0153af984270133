"""The end-to-end tests' own sandbox: real engine, stand-in plugins, embedded servers, in a copied checkout.

The rule: the tests do not touch the caller's own sandbox. Both stacks are deployed and proven once, in a snapshot. Each
worker uses a copy of the snapshot, and each test leaves its worker's copy unchanged.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest

from infra.admin_api import AdminApi
from sandbox.child import exclusive
from sandbox.engine.finder import existing_engine
from sandbox.environment import stack_environment
from sandbox.folder import StackFolder, StackName
from sandbox.progress import Progress
from sandbox.server.process import admin_credentials, running_server

ROOT = Path(__file__).parents[2]
COPIED = (
    "Pulumi.yaml",
    "Pulumi.local.yaml",
    "Pulumi.aws.yaml",
    "cli",
    "infra",
    "model",
    "object_store",
    "ops",
    "policy",
    "verify",
    "sandbox",
    "stack",
)
TIMEOUT_SECONDS = 240
# The whole environment of a user's shell, without variables that could lead to a real account.
SHELL = {key: os.environ[key] for key in ("PATH", "HOME", "XDG_CACHE_HOME", "LANG") if key in os.environ}

Cloud = Literal["local", "aws"]


@dataclass(frozen=True)
class Done:
    """A finished command.

    Attributes:
        status: Its exit status.
        output: Both its streams.
    """

    status: int
    output: str


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout with a sandbox."""

    path: Path

    def environment(self, stack: str | None = None) -> dict[str, str]:
        """The environment of a shell; with a stack, after `eval "$(object-store sandbox env STACK)"`."""
        environ = {**SHELL, "PYTHONPATH": str(self.path), "COLUMNS": "200"}
        if stack is None:
            return environ
        folder = self.folder(stack)
        server = running_server(folder)
        assert server is not None
        return stack_environment(folder, server, environ).applied_to(environ)

    def folder(self, stack: str) -> StackFolder:
        """The folder of a stack's sandbox."""
        return StackFolder(StackName(stack), self.path / ".sandbox")

    def run(
        self, command: Sequence[str], stack: str | None = None, more: Mapping[str, str] | None = None, text: str = ""
    ) -> Done:
        """Run a command in the copy."""
        done = subprocess.run(  # noqa: S603 - commands of this suite
            command,
            cwd=self.path,
            env={**self.environment(stack), **(more or {})},
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def python(self, *arguments: str, stack: str | None = None) -> Done:
        """Run one of our modules: `python -m …`."""
        return self.run([sys.executable, "-m", *arguments], stack)

    def pulumi(self, stack: str, *arguments: str, text: str = "", more: Mapping[str, str] | None = None) -> Done:
        """Run the sandbox's pulumi as a user would."""
        return self.run([str(self.folder(stack).wrapper), *arguments, "--non-interactive"], stack, more, text)

    def up(self, stack: str, *arguments: str) -> Done:
        """`pulumi up --yes --skip-preview`."""
        return self.pulumi(stack, "up", "--yes", "--skip-preview", *arguments)

    def client(self, stack: str, service: str = "s3") -> Any:  # noqa: ANN401 - any service's client
        """boto3 with the sandbox's admin key."""
        server = running_server(self.folder(stack))
        assert server is not None
        admin = admin_credentials(self.folder(stack))
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]  # chosen by the caller
            endpoint_url=server.endpoint,
            region_name=server.region,
            aws_access_key_id=admin.user,
            aws_secret_access_key=admin.password,
            verify=server.ca_bundle,
        )

    def admin_api(self, stack: str) -> AdminApi:
        """The admin API of an AIStor sandbox, with the sandbox's admin key."""
        server, admin = running_server(self.folder(stack)), admin_credentials(self.folder(stack))
        assert server is not None
        return AdminApi(
            endpoint=server.endpoint,
            region=server.region,
            ca_pem=Path(server.ca_bundle).read_text(encoding="ascii"),
            access_key_id=admin.user,
            secret_access_key=admin.password,
        )


def lead_here(checkout: Checkout, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point this process at a stack of the copy, like a shell: a command that runs here needs no new process."""
    monkeypatch.chdir(checkout.path)
    environ = checkout.environment(stack)
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def copy_checkout(path: Path) -> Checkout:
    """Copy the files that the program needs."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, path / name)
    return Checkout(path)


@pytest.fixture(scope="session", name="engine")
def _engine() -> None:
    search = existing_engine(SHELL)
    if search.engine is None:
        pytest.skip("no Pulumi engine on this machine: " + "; ".join(search.tried))


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one folder of all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", name="snapshot")
def _snapshot(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with both stacks deployed, proven and stopped; the first worker creates it."""
    del engine
    shared = _shared(tmp_path_factory)
    snapshot, making = shared / "snapshot", shared / "snapshot-in-the-making"
    with exclusive(shared / "snapshot.lock", Progress(quiet=True), "the snapshot that another worker makes"):
        if not snapshot.exists():
            shutil.rmtree(making, ignore_errors=True)  # from a failed worker
            making.mkdir()
            checkout = copy_checkout(making)
            try:
                done = checkout.python("cli", "sandbox", "deploy", "--stack", "all")
                assert done.status == 0, done.output
            finally:
                checkout.python("cli", "sandbox", "down", "--stack", "all", "--keep")
            making.rename(snapshot)
    return snapshot


def copy_deployed(snapshot: Path, path: Path, stacks: Sequence[str] = ("local", "aws")) -> Checkout:
    """A running copy of the snapshot; its servers have their own ports, which an update writes into the state."""
    shutil.copytree(snapshot, path, symlinks=True, dirs_exist_ok=True)
    checkout = Checkout(path)
    for stack in stacks:
        for command in (
            checkout.python("cli", "sandbox", "up", "--stack", stack),
            checkout.up(stack, "--stack", stack),
        ):
            assert command.status == 0, command.output
    return checkout


@pytest.fixture(scope="session", name="checkout")
def _checkout(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    path = tmp_path_factory.mktemp("checkout")
    try:
        yield copy_deployed(snapshot, path)
    finally:
        Checkout(path).python("cli", "sandbox", "down", "--stack", "all")


@pytest.fixture(params=["local", "aws"], name="stack")
def _stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)
