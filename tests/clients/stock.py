"""The stock clients: wheels in an environment of their own, found in the engine's cache or installed into it; mc.

The rule: the environment is named after its requirements, so it is made once for all clones, complete or not at all.
mc has no wheel; the tests use one that is on PATH or was built into the cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.child import exclusive
from sandbox.engine.finder import cache_entry, cache_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.progress import Progress

REQUIREMENTS: Final = Path(__file__).parent / "requirements-clients.txt"
INSTALL_SECONDS: Final = 600.0


class NoClientsError(Exception):
    """The clients are not installed and cannot be; the message is the reason."""


def find_clients(environ: Mapping[str, str], progress: Progress) -> Path:
    """The folder of the clients' executables; one process at a time installs them.

    Raises:
        NoClientsError: No index has the wheels for this Python and machine.
    """
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    name = f"clients-{key}"
    root = cache_root(environ)
    with exclusive(root / f"{name}.lock", progress, "the stock clients that another process is installing"):
        if not (root / name).is_dir():
            with cache_entry(environ, name) as workshop, progress.step("Installing the stock clients (once)"):
                _install(workshop, environ)
    return root / name / "bin"


def find_mc(environ: Mapping[str, str]) -> str | None:
    """MinIO's client, which is not Midnight Commander; None if it is nowhere."""
    path = os.pathsep.join([str(cache_root(environ) / "mc"), environ.get("PATH", os.defpath)])
    mc = shutil.which("mc", path=path)
    if mc is None:
        return None
    said = subprocess.run([mc, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - found on PATH
    return mc if said.stdout.startswith("mc version RELEASE") or "MinIO" in said.stdout else None


def _install(folder: Path, environ: Mapping[str, str]) -> None:
    uv = [sys.executable, "-m", "uv"]
    # Relocatable: the folder gets its name when it is complete.
    for command in (
        [*uv, "venv", "--quiet", "--relocatable", "--allow-existing", "--python", sys.executable, str(folder)],
        [
            *(*uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--require-hashes"),
            *("--python", str(folder / "bin" / "python"), "--requirement", str(REQUIREMENTS)),
        ],
    ):
        done = subprocess.run(  # noqa: S603 - uv of this environment
            command, env=dict(environ), capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode:
            raise NoClientsError(f"the stock clients cannot be installed: {' '.join(done.stderr.split())[-400:]}")
