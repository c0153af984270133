"""What the locks hold: hashes of wheels for each Python and platform that is promised, and no index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.install.conftest import LOCKS, ROOT, pip
from tests.install.pythons import MINORS

PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-apple-darwin")
# Hosts of package registries, in two halves each, since no file may name one.
REGISTRIES = (
    *(f"{name}.org" for name in ("pypi", "pythonhosted", "npmjs", "debian", "maven")),
    *(f"{name}.golang.org" for name in ("proxy", "sum")),
    *("crates" + ".io", "yarnpkg" + ".com", "goproxy" + ".io"),
)


@pytest.fixture(scope="module", name="index")
def _index() -> dict[str, str]:
    """The variables that lead uv to the index that pip uses here; skipped where there is no way to any."""
    asked = pip(sys.executable, "config", "get", "global.index-url")
    address = os.environ.get("PIP_INDEX_URL") or (asked.stdout.strip() if asked.returncode == 0 else "")
    environ = {**os.environ, **({"UV_DEFAULT_INDEX": address} if address else {})}
    done = _dry_run("requirements-verify.txt", PLATFORMS[0], MINORS[0], environ)
    if done.returncode and "usable wheels" not in done.stderr:
        pytest.skip(f"no package index to ask: {done.stderr.strip().splitlines()[-1]}")
    return environ


def _dry_run(lock: str, platform: str, minor: int, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("uv")),
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--target",
        "nowhere",
    ]
    command += ["--python-platform", platform, "--python-version", f"3.{minor}", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--requirement", str(ROOT / lock)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - uv


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("minor", MINORS)
def test_lock_has_wheels_for_each_python_and_platform(index: dict[str, str], platform: str, minor: int) -> None:
    """Each package of each lock has a wheel there, and its hash is in the lock."""
    for lock in LOCKS:
        done = _dry_run(lock, platform, minor, index)

        assert done.returncode == 0, f"{lock}: {done.stderr}"


def test_wheel_whose_hash_is_not_in_the_lock_is_missed(index: dict[str, str], tmp_path: Path) -> None:
    """The question above is sharp: without the hashes of one package's wheels it is answered with no."""
    text = (ROOT / "requirements-verify.txt").read_text(encoding="utf-8")
    lock = tmp_path / "lock.txt"
    lock.write_text(re.sub(r"(?m)^(rich==\S+) .*\n(?:    --hash.*\n)+", r"\1 --hash=sha256:" + "0" * 64 + "\n", text))

    assert lock.read_text() != text
    assert _dry_run(str(lock), PLATFORMS[0], MINORS[0], index).returncode != 0


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_index(lock: str) -> None:
    """Where packages come from is the business of whoever installs them."""
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert "://" not in text
    assert not re.search(r"^--?(index|extra|find|trusted)", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_hashes(lock: str) -> None:
    """A line without them would make pip refuse all of the lock."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert lines
    assert not [line for line in lines if not re.match(r"^[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]


def test_locks_agree() -> None:
    """A package is of one version, whichever lock brings it."""
    pins: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(encoding="utf-8")):
            pins.setdefault(name, set()).add(version)

    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_build_backend_is_in_the_lock() -> None:
    """The editable install is built without isolation, so that it asks no index for its backend."""
    assert re.search(r"(?m)^setuptools==", (ROOT / "requirements.txt").read_text(encoding="utf-8"))


def test_no_file_names_a_registry() -> None:
    """Neither ours nor a lock of another language."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    hosts = re.compile("|".join(rf"(?<![\w.-])(?:[\w-]+\.)*{re.escape(host)}\b" for host in REGISTRIES))
    found = {}
    for name in filter(None, listed.split("\0")):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        if names := set(hosts.findall(text)):
            found[name] = names

    assert found == {}
