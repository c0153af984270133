"""The wheels of the locks, fetched once, and a clone with the files that an install reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.child import exclusive
from sandbox.progress import Progress
from tests.sizes import IS_LONG

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-verify.txt")
#: The oldest pip of a Python 3.11 (3.11.0), and the newest of today.
PIPS = {"oldest": "pip==22.3", "newest": "pip"}
# The files that `python -m sandbox.bootstrap` reads; of the packages, the editable install needs only the folders.
_READ = (*LOCKS, "pyproject.toml", "README.md", "sandbox/__init__.py", "sandbox/bootstrap.py", "sandbox/child.py")


def pip(python: Path | str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a Python's pip with this machine's own settings and with these."""
    return subprocess.run(  # noqa: S603 - a Python of this machine
        [python, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="session", name="wheels_for")
def _wheels_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path | str], Path]:
    """The folder with the wheels of the locks for a Python, and the two pips; each is fetched once."""
    root = tmp_path_factory.mktemp("wheels")

    def wheels_for(python: Path | str) -> Path:
        tag = subprocess.run(  # noqa: S603 - a Python of this machine
            [python, "-c", "import sys; print(sys.version_info.minor)"], capture_output=True, text=True, check=True
        ).stdout.strip()
        folder = root / tag
        with exclusive(root / f"{tag}.lock", Progress(quiet=True), "the wheels"):
            if not folder.exists():
                _fetch(python, tag, folder)
        return folder

    return wheels_for


def _fetch(python: Path | str, tag: str, folder: Path) -> None:
    exact = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    is_whole = IS_LONG or tag == str(sys.version_info.minor)
    # For another Python: only the packages of its smaller environment.
    locks = LOCKS if is_whole else ("requirements-verify.txt",)
    for lock in locks:
        done = pip(python, *exact, "--require-hashes", "--requirement", str(ROOT / lock))
        assert done.returncode == 0, done.stderr
    for version in PIPS.values() if is_whole else (_backend(),):
        done = pip(python, *exact, version)
        assert done.returncode == 0, done.stderr


def _backend() -> str:
    """The build backend, pinned as in the lock."""
    found = re.search(r"(?m)^setuptools==\S+", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert found is not None
    return found[0]


@pytest.fixture(name="clone")
def _clone(tmp_path: Path) -> Path:
    """A clone without an environment."""
    clone = tmp_path / "a clone"
    for name in _READ:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, clone / name)
    return clone


@pytest.fixture(scope="session", name="this_python")
def _this_python() -> str:
    """The base Python of this environment."""
    return str(Path(sys.base_prefix) / "bin" / "python3")
