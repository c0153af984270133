"""The `pulumi` of a sandbox stack: a script that runs the engine in the stack's project folder.

The rule: this script names everything that depends on this clone (its Python, its language host); the shared engine
cache never does. Left out: the environment that points the engine at the sandbox's server and state
(sandbox.environment).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from sandbox.engine import language_host
from sandbox.engine.finder import WRAPPER_MARK
from sandbox.folder import SandboxError, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.finder import Engine
    from sandbox.folder import StackFolder

CALL_SECONDS = 120.0


def write_wrapper(folder: StackFolder, engine: Engine) -> None:
    """Write the stack's `pulumi`."""
    if engine.plugins is None:
        # The plugins beside the engine belong to it; a language host or plugin on PATH may belong to another engine.
        plugins = "export PULUMI_IGNORE_AMBIENT_PLUGINS=true"
    else:
        plugins = f'export PATH={quote(str(engine.plugins))}:"$PATH"'
    lines = [
        "#!/bin/sh",
        f"# {WRAPPER_MARK}: the engine in the project folder of the stack `{folder.stack}`.",
        "# Relative paths among the arguments start from that folder; your own --cwd wins.",
        f"export OBJECT_STORE_PYTHON={quote(sys.executable)}",
        f"export OBJECT_STORE_LANGUAGE_HOST={quote(str(Path(language_host.__file__).resolve()))}",
        f"export PULUMI_PYTHON_CMD={quote(sys.executable)}",
        plugins,
        f'exec {quote(str(engine.executable))} --cwd {quote(str(folder.project))} "$@"',
    ]
    write_atomically(folder.wrapper, "\n".join(lines) + "\n", mode=0o755)


def call(
    folder: StackFolder, arguments: list[str], environ: Mapping[str, str], standard_input: str | None = None
) -> str:
    """Run one short Pulumi command and return its output; a secret goes in only by standard input."""
    shown = f"pulumi {' '.join(arguments)}"
    try:
        answer = subprocess.run(  # noqa: S603 - the wrapper that we wrote
            [folder.wrapper, *arguments, "--non-interactive"],
            env=dict(environ),
            input=standard_input or "",
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SandboxError(f"`{shown}` ({folder.wrapper}) did not end within {CALL_SECONDS:g} s.") from None
    if answer.returncode:
        raise SandboxError(f"`{shown}` ({folder.wrapper}) ended with {answer.returncode}:\n{answer.stderr.strip()}")
    return answer.stdout
