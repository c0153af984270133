"""A copied checkout with a sandbox of its own: the real engine, the stand-in plugins and the embedded servers.

The rule: a copy does not touch the sandbox of the checkout that it is copied from.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import boto3
import yaml

from infra.admin_api import AdminApi
from model.loaded_cas import load_cas_once
from sandbox.environment import stack_environment
from sandbox.folder import SandboxError, StackFolder, StackName
from sandbox.server.process import AdminCredentials, RunningServer, admin_credentials, running_server
from trials.killing import kill_tree

ROOT = Path(__file__).parents[1]
# One domain of each band, with an identity of its own where there is one.
ONE_OF_EACH_BAND = ("agent-loop-artifacts", "session-archive", "otel-archive")
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
    "workloads",
)
TIMEOUT_SECONDS = 240
# What asks a person; here the answer is yes.
ASKING = ("adopt", "keys rotate", "keys retire", "keys revoke", "switch-admin-api")
#: The Python of a copy; the end-to-end tests set one that has loaded the packages (tests.warm).
PYTHON = sys.executable
# The whole environment of a user's shell, without variables that could lead to a real account.
SHELL = {key: os.environ[key] for key in ("PATH", "HOME", "XDG_CACHE_HOME", "LANG") if key in os.environ} | {
    # A key of the admin API's encryption fills 64 MiB: half of its time goes into new pages, unless malloc keeps them.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "GOGC": "400",  # the engine runs for seconds: to collect garbage less often is quicker
}

Cloud = Literal["local", "aws"]


def commands() -> str:
    """Functions of the shell, which no PATH of a page hides: this checkout's commands, answering yes."""
    return f"""
object-store() {{
    case "$* " in {"|".join(f'"{words} "*' for words in ASKING)}) set -- "$@" --yes;; esac
    {PYTHON} -m cli "$@"
}}
make() {{
    [ "$*" = docs ] || {{ echo "only make docs is tried here" >&2; return 2; }}
    {PYTHON} -m docs.generate
}}
python() {{ {PYTHON} "$@"; }}
"""


@dataclass(frozen=True)
class Address:
    """Where a server answers.

    Attributes:
        endpoint: Its URL.
        region: Its region.
        ca_file: The file of its CA, or None for the system's.
    """

    endpoint: str
    region: str
    ca_file: Path | None


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
    """A copy of the checkout with a sandbox.

    Attributes:
        path: Its folder.
        timeout_seconds: How long a command may take.
    """

    path: Path
    timeout_seconds: float = field(default=TIMEOUT_SECONDS, kw_only=True)

    def environment(self, stack: str | None = None) -> dict[str, str]:
        """The environment of a shell; with a stack, after `eval "$(object-store sandbox env STACK)"`."""
        environ = {**SHELL, "PYTHONPATH": str(self.path), "COLUMNS": "200"}
        if stack is None:
            return environ
        folder = self.folder(stack)
        return stack_environment(folder, self.server(stack), environ).applied_to(environ)

    def folder(self, stack: str) -> StackFolder:
        """The folder of a stack's sandbox."""
        return StackFolder(StackName(stack), self.path / ".sandbox")

    def server(self, stack: str) -> RunningServer:
        """The running server of a stack.

        Raises:
            SandboxError: It does not run.
        """
        server = running_server(self.folder(stack))
        if server is None:
            raise SandboxError(f"the server of the stack {stack} does not run in {self.path}")
        return server

    def address(self, stack: str) -> Address:
        """Where a stack's server answers."""
        server = self.server(stack)
        return Address(server.endpoint, server.region, Path(server.ca_bundle))

    def admin(self, stack: str) -> AdminCredentials:
        """The admin's access key of a stack's server."""
        return admin_credentials(self.folder(stack))

    def config_file(self, stack: str) -> Path:
        """The config file of a stack."""
        return self.folder(stack).stack_file

    def state_folder(self, stack: str) -> Path:
        """The folder of a stack's backend."""
        return self.folder(stack).state

    def passphrase_file(self, stack: str) -> Path:
        """The file with the passphrase of a stack's secrets."""
        return self.folder(stack).passphrase

    def engine(self, stack: str) -> str:
        """The path of a stack's pulumi."""
        return str(self.folder(stack).wrapper)

    def run(
        self, command: Sequence[str], stack: str | None = None, more: Mapping[str, str] | None = None, text: str = ""
    ) -> Done:
        """Run a command in the copy; if that is cut short, by a signal or by its time, no process of it is left."""
        with subprocess.Popen(  # noqa: S603 - commands of a checkout
            command,
            cwd=self.path,
            env={**self.environment(stack), **(more or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                out, errors = process.communicate(text, self.timeout_seconds)
            except BaseException:
                kill_tree(process.pid)
                raise
        return Done(process.returncode, out + errors)

    def python(self, *arguments: str, stack: str | None = None) -> Done:
        """Run one of our modules: `python -m …`."""
        return self.run([PYTHON, "-m", *arguments], stack)

    def must(self, *arguments: str) -> str:
        """Run one of our commands, which must succeed; returns its output.

        Raises:
            SandboxError: It failed.
        """
        done = self.python("cli", *arguments)
        if done.status:
            raise SandboxError(f"object-store {' '.join(arguments)}: {done.output[-1500:]}")
        return done.output

    def pulumi(self, stack: str, *arguments: str, text: str = "", more: Mapping[str, str] | None = None) -> Done:
        """Run the sandbox's pulumi as a user would."""
        return self.run([self.engine(stack), *arguments, "--non-interactive"], stack, more, text)

    def up(self, stack: str, *arguments: str) -> Done:
        """`pulumi up --yes --skip-preview`."""
        return self.pulumi(stack, "up", "--yes", "--skip-preview", *arguments)

    def client(self, stack: str, service: str = "s3") -> Any:  # noqa: ANN401 - any service's client
        """boto3 with the admin's access key."""
        address, admin = self.address(stack), self.admin(stack)
        return load_cas_once(boto3.session.Session()).client(
            service,  # type: ignore[call-overload]  # chosen by the caller
            endpoint_url=address.endpoint,
            region_name=address.region,
            aws_access_key_id=admin.user,
            aws_secret_access_key=admin.password,
            verify=str(address.ca_file) if address.ca_file else True,
        )

    def admin_api(self, stack: str) -> AdminApi:
        """The admin API of an AIStor server, with the admin's access key."""
        address, admin = self.address(stack), self.admin(stack)
        return AdminApi(
            endpoint=address.endpoint,
            region=address.region,
            ca_pem=address.ca_file.read_text(encoding="ascii") if address.ca_file else None,
            access_key_id=admin.user,
            secret_access_key=admin.password,
        )


def keep_domains(taxonomy: dict[str, Any], domains: Sequence[str]) -> None:
    """Keep these domains of a taxonomy, and the identities that verify or have a grant on one of them."""
    taxonomy["domains"] = {name: taxonomy["domains"][name] for name in domains}
    for name, identity in list(taxonomy["identities"].items()):
        grants = identity.pop("grants", {})
        kept = {domain: grant for domain, grant in grants.items() if domain in ("*", *domains)}
        if kept:
            identity["grants"] = kept
        elif not identity.get("verifies"):
            del taxonomy["identities"][name]


def write_few_domains(path: Path, domains: Sequence[str]) -> None:
    """Keep these domains in a checkout's taxonomy, as `keep_domains`."""
    file = path / "infra" / "taxonomy.yaml"
    taxonomy = yaml.safe_load(file.read_text(encoding="utf-8"))
    keep_domains(taxonomy, domains)
    file.write_text(yaml.safe_dump(taxonomy, sort_keys=False), encoding="utf-8")


def copy_checkout(path: Path, domains: Sequence[str] | None = None) -> Checkout:
    """Copy the files that the program needs.

    Args:
        path: The folder of the copy.
        domains: The domains that its taxonomy keeps; None keeps all. Every step of a stack with few buckets is faster.
    """
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, path / name, symlinks=True)  # compiled too: every copy would compile it again
        else:
            shutil.copy2(source, path / name)
    if domains is not None:
        write_few_domains(path, domains)
    return Checkout(path)


def copy_deployed(snapshot: Path, path: Path, stacks: Sequence[str] = ("local", "aws")) -> Checkout:
    """A running copy of the snapshot; its servers have their own ports, and no preview shows a change.

    Raises:
        SandboxError: A server does not start.
    """
    shutil.copytree(snapshot, path, symlinks=True, dirs_exist_ok=True)
    checkout = Checkout(path)
    for stack in stacks:
        before = _written(checkout, stack)
        done = checkout.python("cli", "sandbox", "up", "--stack", stack)
        if done.status:
            raise SandboxError(done.output)
        _rewrite_state(checkout, stack, before, _written(checkout, stack))
    return checkout


def _written(checkout: Checkout, stack: str) -> dict[str, object]:
    """The config values that the sandbox wrote."""
    values: dict[str, object] = json.loads(checkout.folder(stack).written_file.read_text(encoding="utf-8"))
    return values


def _rewrite_state(checkout: Checkout, stack: str, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Replace the endpoint and the paths of the snapshot in the state, where they are plain text.

    An update would do the same, and takes seconds for each copy.
    """
    (state,) = checkout.folder(stack).state.glob(f".pulumi/stacks/*/{stack}.json")
    text = state.read_text(encoding="utf-8")
    for key, value in before.items():
        if value != after[key]:
            # The plugin's settings hold the host and the port without the scheme.
            old, new = (str(one).removeprefix("https://") for one in (value, after[key]))
            text = text.replace(old, new)
    state.write_text(text, encoding="utf-8")
