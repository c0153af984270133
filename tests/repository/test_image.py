"""The image: its Dockerfile copies existing files, it runs as the right user, and its lock is part of the project's."""

import ast
import re
import sys
import tomllib
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from verify.manifests import IMAGE, USER_ID

ROOT = Path(__file__).parents[2]
# Stubs, which only type checkers import; Pulumi, which nothing there may import (test_layers.py checks this).
ELSEWHERE = ("backports.zstd", "configupdater", "duckdb", "isal", "lxml", "pulumi", "pyrage", "python-dotenv")
ABSENT = {"pulumi", "pulumi_aws", "pulumi_minio", "mypy_boto3_iam", "mypy_boto3_s3"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, each with its whole argument."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def pins(name: str) -> dict[str, str]:
    """Version by distribution in a lock."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def hashes(name: str) -> dict[str, set[str]]:
    """Hashes by distribution in a lock."""
    text = (ROOT / name).read_text(encoding="utf-8")
    parts = re.split(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE)[1:]
    return {
        name: set(re.findall(r"sha256:[0-9a-f]{64}", body)) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_copied_files_exist_and_reach_the_builder() -> None:
    """The source of each COPY exists and .dockerignore admits it; .dockerignore excludes a stack's config and keys."""
    copies = [rest.split() for name, rest in instructions() if name == "COPY"]
    sources = [word for words in copies for word in words[:-1] if not word.startswith("--")]
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignore if line and not line.startswith("#")]

    def reaches(path: str) -> bool:
        top, through = path.split("/", maxsplit=1)[0], True
        for pattern in patterns:
            if fnmatch(top, pattern.removeprefix("!")):
                through = pattern.startswith("!")
        return through

    assert sources == ["requirements-verify.txt", "model", "object_store", "stack", "verify"]
    assert all((ROOT / source).exists() and reaches(source) for source in sources)
    assert all(
        "--chmod=755" in words for words in copies[1:]
    )  # the image user can read the files even of a checkout with umask 077
    assert not any(reaches(name) for name in ("Pulumi.local.yaml", ".sandbox", ".git", ".venv", "credentials.json"))


def test_runs_as_the_job_says() -> None:
    """The last USER is a number, because `runAsNonRoot` needs one, and the program is the suite."""
    said = instructions()

    assert [rest for name, rest in said if name == "USER"] == [f"{USER_ID}:{USER_ID}"]
    assert said[-1] == ("ENTRYPOINT", '["python", "-m", "verify"]')


def test_base_is_named_by_a_digest_that_has_no_default() -> None:
    """Without the argument the name is malformed and the build ends; a tag cannot take the digest's place."""
    said = instructions()

    assert said[:2] == [("ARG", "PYTHON_DIGEST"), ("FROM", "python:3.12-slim@${PYTHON_DIGEST}")]
    assert [name for name, _ in said].count("FROM") == 1


def test_lines_that_build_it_give_the_digest() -> None:
    """Every line of the docs that builds the image passes the argument, and one says how to look it up."""
    page = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"(?m)^docker .*$", page)

    assert [line for line in lines if " build " in line]
    assert all("--build-arg PYTHON_DIGEST=" in line for line in lines if " build " in line)
    assert any("imagetools inspect python:3.12-slim" in line for line in lines)


def test_only_locked_wheels_are_installed() -> None:
    """Each package that pip installs has a hash in the lock, and runs no code at build time."""
    runs = [rest for name, rest in instructions() if name == "RUN"]

    assert len(runs) == 1
    assert {"--require-hashes", "--only-binary", "requirements-verify.txt"} <= set(runs[0].split())


def test_lock_is_a_part_of_the_projects() -> None:
    """The pod runs the tested packages: same versions, same hashes, and no Pulumi."""
    ours, all_pins = pins("requirements-verify.txt"), pins("requirements.txt")
    all_hashes = hashes("requirements.txt")

    assert {name: all_pins.get(name) for name in ours} == ours
    assert all(found and found <= all_hashes[name] for name, found in hashes("requirements-verify.txt").items())
    assert not [name for name in ours if name.startswith(("pulumi", "moto"))]


def test_wanted_packages_are_the_projects() -> None:
    """`requirements-verify.in` names exactly the dependencies that are not for provisioning, keys or archives."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.split(r"[^a-z0-9.-]", line)[0] for line in project["dependencies"]}
    wanted = (ROOT / "requirements-verify.in").read_text(encoding="utf-8").splitlines()

    assert {line for line in wanted if not line.startswith(("#", "-c"))} == {
        name for name in named if not name.startswith(ELSEWHERE)
    }


def imported(path: Path) -> set[str]:
    """Top-level names of all imports of a file, at its head or later."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {n.split(".")[0] for n in plain | {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module}}


def test_every_import_is_in_the_lock() -> None:
    """The image contains every package that the suite imports."""
    ours = {"model", "object_store", "stack", "verify"}
    files = [path for package in ours for path in (ROOT / package).rglob("*.py")]
    names = set().union(*map(imported, files)) - set(sys.stdlib_module_names) - ours - ABSENT
    locked = pins("requirements-verify.txt")
    providers = packages_distributions()
    missing = {n for n in names if not {d.lower().replace("_", "-") for d in providers.get(n, [])} & set(locked)}

    assert {"boto3", "pydantic", "pytest", "rich"} <= names
    assert not missing


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-verify.txt"])
def test_lock_names_no_index(name: str) -> None:
    """The user who installs packages decides where they come from."""
    text = (ROOT / name).read_text(encoding="utf-8")

    assert "://" not in text
    assert not re.search(r"^--?(index|extra|find|trusted)", text, re.MULTILINE)


def test_image_is_tagged_with_the_projects_version() -> None:
    """The tag of the default image is the version of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert IMAGE.rpartition(":")[2] == project["version"]
