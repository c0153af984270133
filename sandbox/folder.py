"""The paths of the sandbox: one folder per stack under `.sandbox/`, each path named once.

Everything in `.sandbox/` is disposable and git-ignored. `write_private` writes each file that holds a secret.
Left out: the engine's cache, which all clones share and which is outside the repository (sandbox.engine.finder).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path


class SandboxError(Exception):
    """The sandbox cannot continue; the message says what is wrong, where, and what to do."""


@unique
class StackName(StrEnum):
    """The stacks that the sandbox can serve."""

    LOCAL = "local"
    AWS = "aws"

    @property
    def cloud(self) -> str:
        """The kind of server that imitates the stack's cloud."""
        return {"local": "aistor", "aws": "aws"}[self.value]


def repository() -> Path:
    """The folder with the committed Pulumi.yaml. The sandbox serves the clone that it is imported from."""
    return Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class StackFolder:
    """The paths of one stack's sandbox."""

    stack: StackName
    home: Path  # .sandbox

    @classmethod
    def of(cls, stack: StackName) -> StackFolder:
        """The folder of a stack in this clone."""
        return cls(stack, repository() / ".sandbox")

    @property
    def path(self) -> Path:
        """The folder of everything that belongs to the stack."""
        return self.home / self.stack.value

    @property
    def lock(self) -> Path:
        """The lock file; a command holds the lock while it changes the stack's sandbox."""
        return self.home / f"{self.stack.value}.lock"

    @property
    def server(self) -> Path:
        """The server process's own folder."""
        return self.path / "server"

    @property
    def server_log(self) -> Path:
        """The output of the server process."""
        return self.server / "server.log"

    @property
    def server_file(self) -> Path:
        """The file in which the server says how to reach it."""
        return self.server / "server.json"

    @property
    def admin_file(self) -> Path:
        """The server's admin credentials (0600)."""
        return self.server / "admin.json"

    @property
    def project(self) -> Path:
        """The Pulumi project folder."""
        return self.path / "project"

    @property
    def project_file(self) -> Path:
        """The sandbox's Pulumi.yaml."""
        return self.project / "Pulumi.yaml"

    @property
    def stack_file(self) -> Path:
        """The sandbox's Pulumi.<stack>.yaml."""
        return self.project / f"Pulumi.{self.stack.value}.yaml"

    @property
    def written_file(self) -> Path:
        """The plain config values that the sandbox wrote last, to distinguish them from those of a user."""
        return self.project / "written.json"

    @property
    def state(self) -> Path:
        """The Pulumi state."""
        return self.path / "state"

    @property
    def passphrase(self) -> Path:
        """The passphrase of the stack's secrets (0600)."""
        return self.path / "passphrase"

    @property
    def bin(self) -> Path:
        """The folder that goes first on PATH."""
        return self.path / "bin"

    @property
    def wrapper(self) -> Path:
        """The `pulumi` of the stack: the engine in the stack's project folder."""
        return self.bin / "pulumi"

    @property
    def aws_credentials(self) -> Path:
        """The shared credentials file of the `aws` stack (0600)."""
        return self.path / "aws-credentials"

    @property
    def rehearsal(self) -> Path:
        """The resources that a rehearsal without an engine created (0600)."""
        return self.path / "rehearsal.json"

    @property
    def deployment(self) -> Path:
        """The deployment that a rehearsal published."""
        return self.path / "deployment.json"

    @property
    def credentials(self) -> Path:
        """The credentials that a rehearsal published (0600)."""
        return self.path / "credentials.json"

    @property
    def archive(self) -> Path:
        """The made-up transcripts that `make up` archives, with their configuration, state and key (0600)."""
        return self.path / "archive"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME of both stacks."""
        return self.home / "pulumi-home"


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees it complete or not at all. Do not touch a file that already has this text."""
    if path.is_file() and path.read_text() == text and path.stat().st_mode & 0o777 == mode:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; mkstemp sets that mode before the first byte."""
    write_atomically(path, text, mode=0o600)
