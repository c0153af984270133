"""The Pythons of this machine, by minor version: on PATH, and in pyenv's folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MINORS = (11, 12, 13, 14)


def python_of(minor: int) -> Path | None:
    """A working Python 3.MINOR, or None."""
    return next((path for path in _candidates(minor) if _is_minor(path, minor)), None)


def _candidates(minor: int) -> Iterator[Path]:
    for name in (f"python3.{minor}", "python3"):
        found = shutil.which(name)
        if found:
            yield Path(found)
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob(f"versions/3.{minor}.*/bin/python3"))


def _is_minor(path: Path, minor: int) -> bool:
    """Whether it has the version of its name: pyenv also has shims for disabled versions."""
    asked = "import ensurepip, sys; print(sys.version_info[:2])"
    try:
        done = subprocess.run([path, "-c", asked], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 - a Python
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == f"(3, {minor})"
