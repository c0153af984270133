"""The wheels of the locks, fetched once, and a clone with the files that an install reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.child import exclusive
from sandbox.progress import Progress
from tests.install.index import normalized
from tests.sizes import IS_LONG

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-verify.txt")
#: What a change installs of two locks: a dependency with its own dependencies, the build backend, and a package that
#: requires another with an extra, which pip takes for unpinned where it resolves.
FEW = {
    "requirements.txt": (
        *("rich", "markdown-it-py", "mdurl", "pygments"),
        *("pytest", "iniconfig", "packaging", "pluggy"),
        "setuptools",
    ),
    "requirements-dev.txt": ("pytest-cov", "coverage"),
}
#: The oldest pip of a Python 3.11 (3.11.0), and the newest of today.
PIPS = {"oldest": "pip==22.3", "newest": "pip"}
# The files that `python -m sandbox.bootstrap` reads; of the packages, the editable install needs only the folders.
_READ = (*LOCKS, "pyproject.toml", "README.md", "sandbox/__init__.py", "sandbox/bootstrap.py", "sandbox/child.py")


def own_pip() -> list[str]:
    """The two folders of this environment's pip, to be copied: a Python takes six seconds to unpack its own."""
    found = distribution("pip")
    return [str(found.locate_file(name)) for name in ("pip", f"pip-{found.version}.dist-info")]


def venv_with_own_pip(python: str, folder: Path) -> None:
    """Create an environment with a copy of this environment's pip."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)  # noqa: S603 - a Python of this machine
    (packages,) = folder.glob("lib/python*/site-packages")
    for each in map(Path, own_pip()):
        shutil.copytree(each, packages / each.name)
    command = folder / "bin" / "pip"
    command.write_text(f"#!{folder}/bin/python\nfrom pip._internal.cli.main import main\nraise SystemExit(main())\n")
    command.chmod(0o755)


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
        is_own = tag == str(sys.version_info.minor)
        pure = None if is_own else wheels_for(_base_python())
        with exclusive(root / f"{tag}.lock", Progress(quiet=True), "the wheels"):
            if not folder.exists():
                folder.mkdir()
                _fetch(python, folder, pure)
        return folder

    return wheels_for


def _fetch(python: Path | str, folder: Path, pure: Path | None) -> None:
    """Fetch the wheels of a Python; for another Python than this, only those that are not the same for both."""
    exact = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    wanted = {name: text for lock in LOCKS for name, text in entries_of(ROOT / lock) if IS_LONG or _is_tried(name)}
    if pure is not None:
        for wheel in pure.glob("*-py3-none-any.whl"):
            if wanted.pop(normalized(wheel.name.split("-")[0]), None):
                shutil.copyfile(wheel, folder / wheel.name)
    lock = folder / "wanted.txt"
    lock.write_text("".join(wanted.values()), encoding="utf-8")
    done = pip(python, *exact, "--require-hashes", "--requirement", str(lock))
    assert done.returncode == 0, done.stderr
    for version in () if pure else PIPS.values():
        done = pip(python, *exact, version)
        assert done.returncode == 0, done.stderr


def _is_tried(name: str) -> bool:
    """Whether a change installs a package of the locks."""
    image = [name for name, _ in entries_of(ROOT / "requirements-verify.txt")]
    return name in (*image, *chain.from_iterable(FEW.values()))


def entries_of(lock: Path) -> list[tuple[str, str]]:
    """The packages of a lock, each with its lines."""
    found = re.finditer(r"(?m)^([\w.-]+)==.*\n(?:    --hash.*\n)+", lock.read_text(encoding="utf-8"))
    return [(one[1], one[0]) for one in found]


def _base_python() -> str:
    return str(Path(sys.base_prefix) / "bin" / "python3")


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
    return _base_python()
