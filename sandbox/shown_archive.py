"""The small archive that `make up` makes on each stack: made-up transcripts, and the configuration that names them.

The rule: the archive is made by the real commands, with the delivered key of its own identity and nothing wider. The
transcripts are written once, so a second `make up` shows that nothing is new. The store is that of the environment: the
delivered file of a stack on AWS names no endpoint, and the sandbox's has one of its own.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import yaml

from model.taxonomy_file import load
from sandbox.folder import write_atomically
from sandbox.steps import Step
from sandbox.transcripts import write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.folder import StackFolder

IDENTITY = "session-archiver"
#: The folders below the home of the made-up transcripts, by source; the other default sources are switched off.
SOURCES = {
    "pi-agent-sessions": ".pi/agent/sessions",
    "claude-projects": ".claude/projects",
    "codex-sessions": ".codex/sessions",
    "joelclaw-gateway-sessions": ".joelclaw/sessions/gateway",
}
_OFF = (
    "pi-run-history",
    "pi-notes-events",
    "codex-archived-sessions",
    "codex-session-index",
    "joelclaw-runs-dev",
    "joelclaw-outbox",
)
_FILES, _MEDIAN_BYTES = 24, 30_000


def is_planned() -> bool:
    """Whether the taxonomy has the identity that archives sessions."""
    return IDENTITY in load().identities


def delivering(folder: StackFolder) -> Step:
    """The command that delivers the identity's key; its folder is made now."""
    folder.archive.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cli", "keys", "deliver", "--stack", folder.stack.value, "--identity", IDENTITY]
    return Step(
        "key of the archive",
        f"object-store keys deliver --identity {IDENTITY} --to dotenv",
        [*command, "--to", "dotenv", "--file", str(_variables(folder)), "--quiet"],
        f"The key of {IDENTITY} on {folder.stack} does not work; the output above says why.",
    )


def archiving(folder: StackFolder) -> Step:
    """The command that archives the transcripts, which are written now."""
    config = write_example(folder)
    command = [sys.executable, "-m", "cli", "sessions", "archive", "--config", str(config)]
    return Step(
        "archive",
        f"object-store sessions archive --config {config.relative_to(folder.home.parent)}",
        ["sh", "-c", 'set -a && . "$0" && exec "$@"', str(_variables(folder)), *command],
        f"The made-up transcripts were not archived in {folder.stack}; the output above says why.",
    )


def _variables(folder: StackFolder) -> Path:
    return folder.archive / f"{IDENTITY}.env"


def write_example(folder: StackFolder) -> Path:
    """Write the transcripts and `workloads.yaml`; return the path of the latter."""
    home = folder.archive / "home"
    if not home.exists():
        write_tree(home, files=_FILES, seed=1, now=time.time(), median_bytes=_MEDIAN_BYTES, odd=False)
    content = {
        "machine": "sandbox",
        "state": str(folder.archive / "state"),
        "receipts": str(folder.archive / "receipts"),
        "sessions": {"sources": {**dict.fromkeys(_OFF), **{name: str(home / path) for name, path in SOURCES.items()}}},
    }
    path = folder.archive / "workloads.yaml"
    write_atomically(path, yaml.safe_dump(content, sort_keys=False))
    return path
