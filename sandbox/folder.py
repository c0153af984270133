"""Where the sandbox keeps its things: one folder per stack under `.sandbox/`, each path named once.

Everything in `.sandbox/` is disposable and git-ignored; files that hold a secret are made by `write_private`.
Left out: the engine's cache, which is shared by all clones and lives outside the repository (sandbox.engine.finder).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path


class SandboxError(Exception):
    """The sandbox cannot go on; the message says what is wrong, where, and what to do."""


@unique
class StackName(StrEnum):
    """The stacks that the sandbox can serve."""

    LOCAL = "local"
    AWS = "aws"

    @property
    def cloud(self) -> str:
        """The kind of server that stands for the stack's cloud."""
        return {"local": "aistor", "aws": "aws"}[self.value]


def repository() -> Path:
    """The folder that holds the committed Pulumi.yaml: the sandbox serves the clone that it is imported from."""
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
        """All that belongs to the stack."""
        return self.home / self.stack.value

    @property
    def lock(self) -> Path:
        """Held while the stack's sandbox is being changed."""
        return self.home / f"{self.stack.value}.lock"

    @property
    def server(self) -> Path:
        """The server process's own folder."""
        return self.path / "server"

    @property
    def server_log(self) -> Path:
        """What the server process prints."""
        return self.server / "server.log"

    @property
    def server_file(self) -> Path:
        """Where the server says how it is reached."""
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
        """The plain config values as the sandbox last wrote them, to tell them from those of a person."""
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
        """What a rehearsal without an engine made (0600)."""
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
    def pulumi_home(self) -> Path:
        """PULUMI_HOME of both stacks."""
        return self.home / "pulumi-home"


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file that a reader sees whole or not at all; keep it untouched where it holds that text already."""
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
    """Write a file that only its owner may read; mkstemp makes it so from its first byte on."""
    write_atomically(path, text, mode=0o600)
