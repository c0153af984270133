"""A sandbox of its own for the end-to-end tests: real engine, stand-in plugins, embedded servers, in a copied checkout.

The rule: nothing of the caller's own sandbox is touched; the copy is deployed once per session and each test leaves it
as it found it.
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
from sandbox.engine import existing_engine
from sandbox.environment import stack_environment
from sandbox.folder import StackFolder, StackName
from sandbox.server_process import admin_credentials, running_server

ROOT = Path(__file__).parents[2]
COPIED = ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.aws.yaml", "infra", "object_store", "policy", "verify", "sandbox")
TIMEOUT_SECONDS = 240
# The whole environment of a person's shell, without what could lead anywhere.
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
        """The environment of a shell, after `eval "$(python -m sandbox env STACK)"` where a stack is given."""
        environ = {**SHELL, "PYTHONPATH": str(self.path), "COLUMNS": "200"}
        if stack is None:
            return environ
        folder = self.folder(stack)
        server = running_server(folder)
        assert server is not None
        return stack_environment(folder, server, environ).applied_to(environ)

    def folder(self, stack: str) -> StackFolder:
        """Where a stack's sandbox is."""
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
        """Run the sandbox's pulumi as a person would."""
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


def copy_checkout(path: Path) -> Checkout:
    """Copy what the program needs."""
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


@pytest.fixture(scope="session", name="checkout")
def _checkout(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    del engine
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    try:
        done = checkout.python("sandbox", "deploy", "--stack", "all")
        assert done.status == 0, done.output
        yield checkout
    finally:
        checkout.python("sandbox", "down", "--stack", "all")


@pytest.fixture(params=["local", "aws"], name="stack")
def _stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)
