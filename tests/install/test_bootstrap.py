"""The lock alone determines the environment, on any day, with the pips and Pythons that users have."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import bootstrap
from tests.install.conftest import FEW, LOCKS, PIPS, ROOT, entries_of, own_pip, pip, venv_with_own_pip
from tests.install.index import NEWER, index_of, normalized
from tests.install.pythons import MINORS, python_of
from tests.sandbox.waiting import is_running, wait_until
from tests.sizes import ELSEWHERE, IS_LONG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Creates the environment like `make env` and `make dev`, but with a copy of a pip in place of the unpacked one of the
# Python. Without it: the tests of each Python.
QUICKLY = """
import shutil, sys
from pathlib import Path
from sandbox import bootstrap
run = bootstrap._run
def with_copied_pip(command, environ, mutex):
    if "venv" not in command:
        return run(command, environ, mutex)
    said = run([*command, "--without-pip"], environ, mutex)
    (packages,) = bootstrap.VENV.glob("lib/python*/site-packages")
    for folder in map(Path, sys.argv[2:4]):
        shutil.copytree(folder, packages / folder.name)
    return said
bootstrap._run = with_copied_pip
"""
_END = "sys.exit(bootstrap.main([sys.argv[1]]))"
# With another pip than the Python's own.
BY_ANOTHER_PIP = f"""{QUICKLY}
begin_anew = bootstrap._begin_anew
def with_pip(mutex):
    begin_anew(mutex)
    bootstrap._pip(mutex, "install", "--quiet", "--no-compile", "--no-index", "--find-links", *sys.argv[4:])
bootstrap._begin_anew = with_pip
{_END}
"""
#: The Python that only `make long` tries: what works with an older one and with a newer one works with it.
BETWEEN = 12
# Settings of users, each of which would install the packages elsewhere or change them.
ODD_SETTINGS = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_CONSTRAINT": "/nowhere.txt",
    "PIP_NO_BINARY": ":all:",
    "PIP_REQUIRE_HASHES": "1",
}


def made(
    python: Path | str, clone: Path, *arguments: str, index: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Create an environment from only that index."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL"))}
    asked = {"PIP_INDEX_URL": index} if index else {}
    return subprocess.run(  # noqa: S603 - a Python of this machine
        [python, *arguments],
        cwd=clone,
        env={**alone, "PIP_CONFIG_FILE": os.devnull, **asked, "PIP_NO_CACHE_DIR": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def made_quickly(
    python: Path | str, clone: Path, command: str, *, index: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the bootstrap with a copied pip."""
    return made(python, clone, "-c", f"{QUICKLY}{_END}", command, *own_pip(), index=index, **environ)


def installed(clone: Path) -> dict[str, str]:
    """Version by package of the clone's environment."""
    done = pip(clone / ".venv" / "bin" / "python", "list", "--format", "freeze")
    return {normalized(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)$", done.stdout)}


def locked(clone: Path, *locks: str) -> dict[str, str]:
    """Version by package of a clone's locks, for packages of this machine."""
    pairs = [pair for lock in locks for pair in re.findall(r"(?m)^([\w.-]+)==(\S+) (.*)$", (clone / lock).read_text())]
    return {name: version for name, version, marker in pairs if "win32" not in marker}


@pytest.mark.parametrize("which", PIPS)
def test_newer_releases_do_not_matter(
    clone: Path, this_python: str, wheels_for: Callable[[Path | str], Path], which: str
) -> None:
    """With an index of newer releases, the oldest and the newest pip install exactly the locks.

    Without `make long` they install a few packages of each lock.
    """
    if not IS_LONG:
        _shrink_to_few(clone)
    wheels = wheels_for(this_python)
    with index_of(wheels) as index:
        with_pip = ["-c", BY_ANOTHER_PIP, "dev", *own_pip(), str(wheels), PIPS[which]]
        done = made(this_python, clone, *with_pip, index=index, **ODD_SETTINGS)
        assert done.returncode == 0, done.stderr
        again = made(this_python, clone, "-m", "sandbox.bootstrap", "dev", index="http://127.0.0.1:1/simple")

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    wanted = locked(clone, *LOCKS[:2])
    found = installed(clone)
    assert {name: found.get(name) for name in wanted} == wanted
    assert NEWER not in found.values()
    assert set(found) - set(wanted) == {"joelclaw-object-store", "pip"}
    if which == "oldest":
        assert found["pip"] == PIPS[which].partition("==")[2]


def test_index_leads_a_resolver_astray(clone: Path, this_python: str, wheels_for: Callable[[Path | str], Path]) -> None:
    """The index works: by name alone pip finds the newer release, and pip refuses to resolve the lock."""
    if not IS_LONG:
        _shrink_to_few(clone)
    dry = ["-m", "pip", "install", "--dry-run", "--ignore-installed"]
    with index_of(wheels_for(this_python)) as index:
        by_name = made(this_python, clone, *dry, "rich", index=index)
        by_lock = made(this_python, clone, *dry, "--require-hashes", "-r", "requirements-dev.txt", index=index)

    assert f"rich-{NEWER}" in by_name.stdout
    assert by_lock.returncode != 0
    assert "pinned with ==" in by_lock.stderr


@pytest.mark.parametrize("minor", [pytest.param(one, marks=[ELSEWHERE] if one == BETWEEN else []) for one in MINORS])
def test_each_python_makes_the_environment(clone: Path, wheels_for: Callable[[Path | str], Path], minor: int) -> None:
    """`make env` works with each Python of this machine, and the installed packages can be imported."""
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
    """Give the clone the image's dependencies and lock, with the build backend: a third of the packages."""
    lock, image = clone / "requirements.txt", ROOT / "requirements-verify.txt"
    locked = dict(entries_of(image))
    _depend(clone, lambda name: normalized(name) in locked)
    lock.write_text("".join(locked.values()) + _entry(lock, "setuptools"), encoding="utf-8")


def _depend(clone: Path, is_kept: Callable[[str], bool]) -> None:
    """Keep only some of the clone's dependencies."""
    project = clone / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    (block,) = re.findall(r"(?ms)^dependencies = \[\n.*?^\]", text)
    kept = re.sub(r'(?m)^    "([\w.-]+).*\n', lambda line: line[0] if is_kept(line[1]) else "", block)
    assert kept != block
    project.write_text(text.replace(block, kept), encoding="utf-8")


def _shrink_to_few(clone: Path) -> None:
    """Give the clone two dependencies and a few packages of each lock, where the number means nothing."""
    _depend(clone, {"rich", "pytest"}.__contains__)
    for lock, names in FEW.items():
        (clone / lock).write_text("".join(_entry(clone / lock, name) for name in names), encoding="utf-8")


def _entry(lock: Path, name: str) -> str:
    """A package's lines of a lock."""
    return dict(entries_of(lock))[name]


def test_image_is_made_by_its_lock(tmp_path: Path, this_python: str, wheels_for: Callable[[Path | str], Path]) -> None:
    """The Dockerfile's own line installs its lock despite newer releases, and no package is missing."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"(?m)^RUN (.*)$", text)
    (tmp_path / "requirements-verify.txt").write_bytes((ROOT / "requirements-verify.txt").read_bytes())
    venv_with_own_pip(this_python, tmp_path / "venv")
    with index_of(wheels_for(this_python)) as index:
        path = f"{tmp_path / 'venv' / 'bin'}:{os.defpath}"
        done = made("/bin/sh", tmp_path, "-ec", line, index=index, PATH=path)

    assert done.returncode == 0, done.stderr
    assert "No broken requirements" in done.stdout


def test_missing_package_is_an_error(clone: Path, this_python: str, wheels_for: Callable[[Path | str], Path]) -> None:
    """A lock without a required dependency does not give an environment, and the next attempt starts again."""
    _shrink_to_few(clone)
    lock = clone / "requirements.txt"
    lock.write_text(re.sub(r"(?m)^mdurl==.*\n(?:    --hash.*\n)+", "", lock.read_text(encoding="utf-8")))
    with index_of(wheels_for(this_python)) as index:
        done = made_quickly(this_python, clone, "env", index=index)

    assert done.returncode == 2
    assert "mdurl" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((clone / ".venv").glob(".installed-*"))


def test_linked_environment_is_left_alone(clone: Path, tmp_path: Path, this_python: str) -> None:
    """If `.venv` is a link to another environment, the link is replaced and its target stays."""
    other = tmp_path / "other"
    (other / "bin").mkdir(parents=True)
    (clone / ".venv").symlink_to(other)
    done = made_quickly(this_python, clone, "env", index="http://127.0.0.1:1/simple", PIP_RETRIES="0")

    assert done.returncode == 2
    assert (other / "bin").is_dir()
    assert not (clone / ".venv").is_symlink()


def test_only_where_packages_come_from_counts_of_a_configuration(
    clone: Path, tmp_path: Path, this_python: str, wheels_for: Callable[[Path | str], Path]
) -> None:
    """The index in a pip settings file is used; its target folders are ignored."""
    _shrink_to_few(clone)
    settings, elsewhere = tmp_path / "pip.conf", tmp_path / "elsewhere"
    with index_of(wheels_for(this_python)) as index:
        settings.write_text(
            f"[global]\nindex-url = {index}\npython = {this_python}\nrequire-hashes = true\n"
            f"[install]\ntarget = {elsewhere}\nroot = {elsewhere}\nprefix = {elsewhere}\nrequirement = /nowhere.txt\n"
        )
        done = made_quickly(this_python, clone, "env", index="", PIP_CONFIG_FILE=str(settings))

    assert done.returncode == 0, done.stderr
    assert not elsewhere.exists()
    assert "rich" in installed(clone)


def test_nothing_is_written_into_the_environment_of_another_clone(
    clone: Path, tmp_path: Path, this_python: str, wheels_for: Callable[[Path | str], Path]
) -> None:
    """A link to an environment is enough for `env`; `dev` installs into our own environment."""
    _shrink_to_few(clone)
    other = tmp_path / "other"
    shutil.copytree(clone, other)
    with index_of(wheels_for(this_python)) as index:
        assert made_quickly(this_python, clone, "env", index=index).returncode == 0
        (other / ".venv").symlink_to(clone / ".venv")
        linked = made_quickly(this_python, other, "env", index=index)
        assert (linked.returncode, linked.stderr) == (0, "")
        done = made_quickly(this_python, other, "dev", index=index)

    assert done.returncode == 0, done.stderr
    assert "coverage" in installed(other)
    assert "coverage" not in installed(clone)
    assert not (other / ".venv").is_symlink()


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_is_no_environment_is_not_emptied(clone: Path, this_python: str, what: str) -> None:
    """A file or another folder at the path of `.venv` stays, and the message names it and says what to do."""
    place = clone / ".venv"
    if what == "folder":
        place.mkdir()
    notes = place / "notes" if what == "folder" else place
    notes.write_text("mine")
    done = made(this_python, clone, "-m", "sandbox.bootstrap", "env", index="")

    assert done.returncode == 2
    assert f"{place} is not a" in done.stderr
    assert "move it away" in done.stderr
    assert notes.read_text() == "mine"


def test_python_that_is_gone_is_noticed(
    clone: Path, this_python: str, wheels_for: Callable[[Path | str], Path]
) -> None:
    """After an upgrade of its Python, the environment is recreated."""
    _shrink_to_few(clone)
    with index_of(wheels_for(this_python)) as index:
        assert made_quickly(this_python, clone, "env", index=index).returncode == 0
        (library,) = (clone / ".venv" / "lib").iterdir()
        library.rename(library.with_name("python3.10"))
        done = made_quickly(this_python, clone, "env", index=index)

    assert done.returncode == 0, done.stderr
    assert "rich" in installed(clone)


DRIVEN = """
import os, sys
from sandbox import bootstrap
if "closed" in sys.argv:
    os.close(1)
mutex = bootstrap._alone()
os.write(2, f"mutex {mutex}\\n".encode())
sys.argv[1:] and sys.argv[1] != "closed" and bootstrap._run(sys.argv[1:], dict(os.environ), mutex)
"""


def test_lock_is_no_standard_stream(clone: Path, this_python: str) -> None:
    """With standard output closed, later output does not go into a file of the clone."""
    done = made(this_python, clone, "-c", DRIVEN, "closed", index="")

    assert int(done.stderr.split()[-1]) > 2


def test_installation_that_outlives_its_starter_is_waited_for(clone: Path, this_python: str) -> None:
    """After SIGKILL, the next command does not empty the environment while the old pip still writes."""
    line = "touch writes; for _ in $(seq 600); do [ -e enough ] && break; sleep 0.1; done"
    command = [this_python, "-c", DRIVEN, "/bin/sh", "-c", line]
    with subprocess.Popen(command, cwd=clone, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own
        wait_until((clone / "writes").exists)
        process.kill()
    with subprocess.Popen([this_python, "-c", DRIVEN], cwd=clone, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stderr is not None
        assert "waiting for another" in process.stderr.readline()
        assert process.poll() is None
        (clone / "enough").touch()
        assert process.stderr.readline().startswith("mutex ")
        assert process.wait(20) == 0


def test_signal_ends_what_an_installation_has_started(clone: Path, this_python: str) -> None:
    """A signal ends the children of children too."""
    program = DRIVEN.replace("import os, sys", "import os, signal, sys\nsignal.signal(15, lambda *_: sys.exit(143))")
    line = "sleep 617 & echo $! > pid; wait"
    command = [this_python, "-c", program, "/bin/sh", "-c", line]
    with subprocess.Popen(command, cwd=clone, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own
        wait_until(lambda: (clone / "pid").exists() and bool((clone / "pid").read_text()))
        process.terminate()
        assert process.wait(20) == 143

    pid = int((clone / "pid").read_text())
    wait_until(lambda: not is_running(pid))


@pytest.mark.parametrize(
    "address",
    ["http://user:SECRET@127.0.0.1:1/", "user:SECRET@host/simple", "http://user:SEC/SECRET@host", "https://:SECRET@h"],
)
def test_password_of_an_index_is_not_shown(address: str) -> None:
    """No form of an address shows its password in pip's output."""
    said = bootstrap._without_passwords(f"ERROR: Failed to parse: {address} (see above)")

    assert "SECRET" not in said
    assert said.startswith("ERROR: Failed to parse: ")


@pytest.mark.parametrize("python", ["", "python9", "/no such/python3"])
def test_python_that_does_not_run_is_told(clone: Path, python: str) -> None:
    """`make` fails, and the line says how to name another Python."""
    shutil.copyfile(ROOT / "Makefile", clone / "Makefile")
    done = made("make", clone, f"PYTHON={python}", "env", index="")

    assert done.returncode == 2
    assert f"'{python}' does not run, or is older than Python 3.11" in done.stderr
    assert "make PYTHON=python3.12 env" in done.stderr


def test_python_in_a_folder_with_a_space_is_taken(clone: Path, tmp_path: Path, this_python: str) -> None:
    """A path with a space works."""
    shutil.copyfile(ROOT / "Makefile", clone / "Makefile")
    (tmp_path / "my python").mkdir()
    (tmp_path / "my python" / "python3").symlink_to(this_python)
    done = made("make", clone, f"PYTHON={tmp_path}/my python/python3", "python", index="")

    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_made_to_remove_nothing(clone: Path) -> None:
    """`make down` without a sandbox needs no environment."""
    shutil.copyfile(ROOT / "Makefile", clone / "Makefile")
    done = made("make", clone, "down", index="")

    assert done.returncode == 0
    assert "nothing to remove" in done.stderr
    assert not (clone / ".venv").exists()


def test_wrong_use_is_told(clone: Path, this_python: str) -> None:
    """Any other command exits 2 and names the three commands."""
    done = made(this_python, clone, "-m", "sandbox.bootstrap", "all", index="")

    assert (done.returncode, done.stderr) == (2, "environment: usage: python3 -E -m sandbox.bootstrap env|dev|up\n")


def test_nothing_but_the_standard_library_is_imported(clone: Path) -> None:
    """The module imports only the standard library, because it runs before any package is installed."""
    asked = "import sys, sandbox.bootstrap; print({n.split('.')[0] for n in sys.modules} - sys.stdlib_module_names)"
    done = made(sys.executable, clone, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {asked}", index="")

    assert done.stdout.strip() in ("{'__main__', 'sandbox'}", "{'sandbox', '__main__'}", "{'sandbox'}"), done.stderr
