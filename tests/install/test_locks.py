"""The locks hold hashes of wheels for each supported Python and platform, and no index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING

import pytest
import requests
from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from pip._internal.models.index import PyPI

from tests.install.conftest import LOCKS, ROOT, pip
from tests.install.pythons import MINORS

if TYPE_CHECKING:
    from collections.abc import Iterable

OLD_GLIBCS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
PLATFORMS = {
    **{
        f"linux {machine}": [
            *(f"manylinux_2_{minor}_{machine}" for minor in range(28, 4, -1)),
            *(f"{old}_{machine}" for old in OLD_GLIBCS.values()),
        ]
        for machine in ("x86_64", "aarch64")
    },
    "macOS arm64": list(mac_platforms((14, 0), "arm64")),
}
# Hosts of package registries, each in two halves, because no file may name one.
REGISTRIES = (
    *(f"{name}.org" for name in ("pypi", "pythonhosted", "npmjs", "debian", "maven")),
    *(f"{name}.golang.org" for name in ("proxy", "sum")),
    *("crates" + ".io", "yarnpkg" + ".com", "goproxy" + ".io"),
)
Files = dict[str, str]  # SHA-256 by file name


def entries(lock: str) -> list[tuple[str, str, str, set[str]]]:
    """Name, version, marker and hashes of each package of a lock."""
    text = lock.replace("\\\n", " ")
    found = re.findall(r"(?m)^([a-z0-9-]+)==(\S+)([^\n]*)$", text)
    return [(name, version, rest, set(re.findall(r"sha256:([0-9a-f]{64})", rest))) for name, version, rest in found]


def is_installed(line: str, platform: str, minor: int) -> bool:
    """Whether a line's package is installed on a platform and a Python, by the line's marker."""
    marker = line.partition(";")[2].partition("--hash")[0].strip()
    system, machine = platform.split()
    environment = {
        "platform_machine": machine,
        "python_full_version": f"3.{minor}.0",
        "python_version": f"3.{minor}",
        "sys_platform": {"linux": "linux", "macOS": "darwin"}[system],
    }
    return not marker or Marker(marker).evaluate(environment)


@pytest.fixture(scope="module", name="index")
def _index() -> dict[str, Files]:
    """The files of each package of the locks on pip's index; skipped without an index."""
    asked = pip(sys.executable, "config", "get", "global.index-url")
    address = os.environ.get("PIP_INDEX_URL") or (asked.stdout.strip() if asked.returncode == 0 else PyPI.simple_url)
    names = sorted({name for lock in LOCKS for name, *_ in entries((ROOT / lock).read_text(encoding="utf-8"))})
    certificates = os.environ.get("PIP_CERT") or True

    def files(name: str) -> Files:
        answer = requests.get(
            f"{address.rstrip('/')}/{name}/", headers={"Accept": "text/html"}, verify=certificates, timeout=60
        )
        answer.raise_for_status()
        links = re.findall(r'href="[^"]*/([^"/#]+)#sha256=([0-9a-f]{64})', answer.text)
        return dict(links)

    try:
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(names, pool.map(files, names), strict=True))
    except requests.ConnectionError as error:
        pytest.skip(f"no package index answers: {error}")


def without_wheel(lock: str, index: dict[str, Files], platform: str, minor: int) -> list[str]:
    """The packages of a lock without a wheel, for a platform and a Python, whose hash is in the lock."""
    version = (3, minor)
    platforms = PLATFORMS[platform]
    tags = set(chain(cpython_tags(version, platforms=platforms), compatible_tags(version, f"cp3{minor}", platforms)))
    return [
        name
        for name, pinned, line, hashes in entries(lock)
        if is_installed(line, platform, minor) and not _has_wheel(index[name], pinned, hashes, tags)
    ]


def _has_wheel(files: Files, pinned: str, hashes: set[str], tags: Iterable[Tag]) -> bool:
    for file, digest in files.items():
        try:
            _, version, _, its = parse_wheel_filename(file)
        except InvalidWheelFilename:  # a source distribution
            continue
        if str(version) == pinned and digest in hashes and its & set(tags):
            return True
    return False


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_wheels_for_each_python_and_platform(
    index: dict[str, Files], lock: str, platform: str, minor: int
) -> None:
    """Each package of each lock has a wheel for the platform, and its hash is in the lock."""
    assert without_wheel((ROOT / lock).read_text(encoding="utf-8"), index, platform, minor) == []


def test_wheel_whose_hash_is_not_in_the_lock_is_missed(index: dict[str, Files]) -> None:
    """The check above works: with other hashes, it names the package."""
    text = (ROOT / "requirements-verify.txt").read_text(encoding="utf-8")
    other = re.sub(r"(?m)^(rich==\S+) .*\n(?:    --hash.*\n)+", rf"\1 --hash=sha256:{'0' * 64}\n", text)

    assert without_wheel(other, index, "linux x86_64", MINORS[0]) == ["rich"]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_index(lock: str) -> None:
    """The user who installs packages decides where they come from."""
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert "://" not in text
    assert not re.search(r"^--?(index|extra|find|trusted)", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_hashes(lock: str) -> None:
    """Every line has hashes; without them pip would refuse the whole lock."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert lines
    assert not [line for line in lines if not re.match(r"^[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]


def test_locks_agree() -> None:
    """A package has the same version in every lock."""
    pins: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version in re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(encoding="utf-8")):
            pins.setdefault(name, set()).add(version)

    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_build_backend_is_in_the_lock() -> None:
    """The lock holds the build backend: the editable build has no isolation, so it needs no index for the backend."""
    assert re.search(r"(?m)^setuptools==", (ROOT / "requirements.txt").read_text(encoding="utf-8"))


def test_no_file_names_a_registry() -> None:
    """No file names a package registry, neither our locks nor the locks of another language."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    hosts = re.compile("|".join(rf"(?<![\w.-])(?:[\w-]+\.)*{re.escape(host)}\b" for host in REGISTRIES))
    found = {}
    for name in filter(None, listed.split("\0")):
        if not (ROOT / name).is_file():  # a link to a folder
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        if names := set(hosts.findall(text)):
            found[name] = names

    assert found == {}
