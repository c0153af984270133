"""Removes the attribute files that a killed engine left empty in a backend of files.

The rule: only an empty `.attrs` file goes. Beside each file, the engine's library keeps one with its content type. It
creates that file before it writes it, fails with `EOF` on an empty one, and does without one that is missing.

Source: `setAttrs` and `getAttrs` of gocloud.dev, blob/fileblob/attrs.go.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.terminal_text import printable
from model.written_json import parse_json
from stack.runner import TornError, run_pulumi
from stack.state import read_state

_FILES = "file://"


def read_mended_state(stack: str) -> dict[str, Any]:
    """A stack's state, with its secrets encrypted.

    If an empty file keeps the engine from it, each empty attribute file is removed, and named on standard error.

    Raises:
        EngineError: pulumi is not on the path, or the stack does not exist.
        OSError: The file cannot be removed.
    """
    try:
        return read_state(stack)
    except TornError:
        said = run_pulumi("whoami", "--verbose", "--json")
        removed = _removed(str(parse_json(said.output, "pulumi whoami")["url"]), os.environ)
        if not removed:
            raise
    sys.stderr.writelines(
        f"{printable(f'{stack}: removed {file}, which a killed engine left empty')}\n" for file in removed
    )
    return read_state(stack)


def _removed(url: str, environ: Mapping[str, str]) -> list[Path]:
    """Remove each empty attribute file of a backend: the history and the copies have some, too."""
    if not url.startswith(_FILES):
        return []
    place = Path(url.removeprefix(_FILES).partition("?")[0]).expanduser()
    # A relative place lies below the project's folder, and this variable names it.
    folder = Path(environ.get("PULUMI_OPTION_CWD", "")) / place / ".pulumi"
    empty = [file for file in folder.rglob("*.attrs") if file.stat().st_size == 0]
    for file in empty:
        file.unlink()
    return empty
