"""The environment is made by the lock alone, on any day, by the pips and Pythons that people have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.install.conftest import PIPS, ROOT, pip
from tests.install.index import NEWER, index_of, normalized
from tests.install.pythons import MINORS, python_of
from tests.sizes import IS_LONG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Makes the environment as `make env` and `make dev` do, by another pip than the one that the Python came with.
BY_ANOTHER_PIP = """
import sys
from sandbox import bootstrap
begin_anew = bootstrap._begin_anew
def with_pip():
    begin_anew()
    bootstrap._pip("install", "--no-index", "--find-links", sys.argv[2], sys.argv[3])
bootstrap._begin_anew = with_pip
sys.exit(bootstrap.main([sys.argv[1]]))
"""
# Settings that people have, each of which would lead the packages elsewhere or change them.
ODD_SETTINGS = {"PIP_USER": "1", "PIP_TARGET": "/nowhere", "PIP_CONSTRAINT": "/nowhere.txt", "PIP_NO_BINARY": ":all:"}


def made(
    python: Path | str, clone: Path, *arguments: str, index: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Make an environment from that index alone."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL"))}
    return subprocess.run(  # noqa: S603 - a Python of this machine
        [python, *arguments],
        cwd=clone,
        env={**alone, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_NO_CACHE_DIR": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def installed(clone: Path) -> dict[str, str]:
    """Version by package of the clone's environment."""
    done = pip(clone / ".venv" / "bin" / "python", "list", "--format", "freeze")
    return {normalized(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)$", done.stdout)}


def locked(*locks: str) -> dict[str, str]:
    """Version by package of the locks, where the package is for this machine."""
    pairs = [pair for lock in locks for pair in re.findall(r"(?m)^([\w.-]+)==(\S+) (.*)$", (ROOT / lock).read_text())]
    return {name: version for name, version, marker in pairs if "win32" not in marker}


@pytest.mark.parametrize("which", PIPS)
def test_newer_releases_do_not_matter(
    clone: Path, this_python: str, wheels_for: Callable[[Path | str], Path], which: str
) -> None:
    """Beside an index of newer releases exactly the locks are installed, by the oldest pip and by the newest."""
    wheels = wheels_for(this_python)
    with index_of(wheels) as index:
        done = made(
            this_python, clone, "-c", BY_ANOTHER_PIP, "dev", str(wheels), PIPS[which], index=index, **ODD_SETTINGS
        )
        assert done.returncode == 0, done.stderr
        again = made(this_python, clone, "-m", "sandbox.bootstrap", "dev", index="http://127.0.0.1:1/simple")

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    wanted = locked("requirements.txt", "requirements-dev.txt")
    found = installed(clone)
    assert {name: found.get(name) for name in wanted} == wanted
    assert NEWER not in found.values()
    assert set(found) - set(wanted) == {"joelclaw-object-store", "pip"}
    if which == "oldest":
        assert found["pip"] == PIPS[which].partition("==")[2]


def test_index_leads_a_resolver_astray(clone: Path, this_python: str, wheels_for: Callable[[Path | str], Path]) -> None:
    """The index is sharp: a package by its name alone is the newer release, and a lock that is resolved is refused."""
    dry = ["-m", "pip", "install", "--dry-run", "--ignore-installed"]
    with index_of(wheels_for(this_python)) as index:
        by_name = made(this_python, clone, *dry, "rich", index=index)
        by_lock = made(this_python, clone, *dry, "--require-hashes", "-r", "requirements-dev.txt", index=index)

    assert f"rich-{NEWER}" in by_name.stdout
    assert by_lock.returncode != 0
    assert "pinned with ==" in by_lock.stderr


@pytest.mark.parametrize("minor", MINORS)
def test_each_python_makes_the_environment(clone: Path, wheels_for: Callable[[Path | str], Path], minor: int) -> None:
    """What `make env` does, by each Python that this machine has; what was installed can be imported then."""
    python = python_of(minor)
    if python is None:
        pytest.skip(f"this machine has no Python 3.{minor}: not tried")
    modules = "object_store, verify.__main__"
    if IS_LONG:
        modules += ", infra.aws, infra.aistor, sandbox.server.serve"
    else:
        _shrink(clone)
    with index_of(wheels_for(python)) as index:
        done = made(python, clone, "-m", "sandbox.bootstrap", "env", index=index)

    assert done.returncode == 0, done.stderr
    asked = f"import {modules}, sys; print(sys.version_info.minor)"
    used = made(clone / ".venv" / "bin" / "python", ROOT, "-B", "-c", asked, index=index)
    assert used.stdout.strip() == str(minor), used.stderr


def _shrink(clone: Path) -> None:
    """Let the clone want and lock what the image does, with the build's backend: a third of the packages."""
    project = clone / "pyproject.toml"
    wanted = re.sub(r'(?m)^    "(pulumi|minio).*\n', "", project.read_text(encoding="utf-8"))
    project.write_text(wanted, encoding="utf-8")
    lock = clone / "requirements.txt"
    backend = re.search(r"(?m)^setuptools==.*\n(?:    --hash.*\n)+", lock.read_text(encoding="utf-8"))
    assert backend is not None
    lock.write_text((ROOT / "requirements-verify.txt").read_text(encoding="utf-8") + backend[0], encoding="utf-8")


def test_image_is_made_by_its_lock(tmp_path: Path, this_python: str, wheels_for: Callable[[Path | str], Path]) -> None:
    """The Dockerfile's own line installs its lock beside newer releases, and nothing is missing."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"(?m)^RUN (.*)$", text)
    (tmp_path / "requirements-verify.txt").write_bytes((ROOT / "requirements-verify.txt").read_bytes())
    subprocess.run([this_python, "-m", "venv", tmp_path / "venv"], check=True)  # noqa: S603 - this Python
    with index_of(wheels_for(this_python)) as index:
        path = f"{tmp_path / 'venv' / 'bin'}:{os.defpath}"
        done = made("/bin/sh", tmp_path, "-ec", line, index=index, PATH=path)

    assert done.returncode == 0, done.stderr
    assert "No broken requirements" in done.stdout


def test_missing_package_is_an_error(clone: Path, this_python: str, wheels_for: Callable[[Path | str], Path]) -> None:
    """A lock that lacks what one of its packages needs is no environment, and the next try begins anew."""
    _shrink(clone)
    lock = clone / "requirements.txt"
    lock.write_text(re.sub(r"(?m)^mdurl==.*\n(?:    --hash.*\n)+", "", lock.read_text(encoding="utf-8")))
    with index_of(wheels_for(this_python)) as index:
        done = made(this_python, clone, "-m", "sandbox.bootstrap", "env", index=index)

    assert done.returncode == 2
    assert "mdurl" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((clone / ".venv").glob(".installed-*"))


def test_linked_environment_is_left_alone(clone: Path, tmp_path: Path, this_python: str) -> None:
    """Where `.venv` leads to another's environment, the link is replaced and not what it leads to."""
    other = tmp_path / "other"
    (other / "bin").mkdir(parents=True)
    (clone / ".venv").symlink_to(other)
    done = made(
        this_python, clone, "-m", "sandbox.bootstrap", "env", index="http://127.0.0.1:1/simple", PIP_RETRIES="0"
    )

    assert done.returncode == 2
    assert (other / "bin").is_dir()
    assert not (clone / ".venv").is_symlink()


def test_wrong_use_is_told(clone: Path, this_python: str) -> None:
    """Anything but the three commands exits 2 with their names."""
    done = made(this_python, clone, "-m", "sandbox.bootstrap", "all", index="")

    assert (done.returncode, done.stderr) == (2, "environment: usage: python3 -m sandbox.bootstrap env|dev|up\n")


def test_nothing_but_the_standard_library_is_imported(clone: Path) -> None:
    """It runs before anything is installed."""
    asked = "import sys, sandbox.bootstrap; print({n.split('.')[0] for n in sys.modules} - sys.stdlib_module_names)"
    done = made(sys.executable, clone, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {asked}", index="")

    assert done.stdout.strip() in ("{'__main__', 'sandbox'}", "{'sandbox', '__main__'}", "{'sandbox'}"), done.stderr
