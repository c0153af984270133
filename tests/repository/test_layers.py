"""The packages: the contracts of import-linter hold and cover every module, plus rules that they cannot express."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LINTER: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
PRODUCT = ("infra", "model", "object_store", "ops", "policy", "stack", "verify", "workloads")
# Scripts and tests, which may import everything that they use.
OUTSIDE = {"docs", "tests"}
MODEL_MAY_IMPORT = {"model", "pydantic", "pydantic_core", "yaml", *sys.stdlib_module_names}
# Standard library modules that reach out. import-linter sees only `urllib`, whose `parse` is pure.
REACHING_OUT = {
    "asyncio", "ftplib", "http", "multiprocessing", "smtplib", "socket", "subprocess", "urllib.error", "urllib.request",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """Every module that a file imports, with its parents."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names | {name.split(".")[0] for name in names}


def packages() -> set[str]:
    """Every folder of the repository that holds Python modules."""
    files = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S607
    return {name.split("/")[0] for name in files.stdout.splitlines() if "/" in name}


def test_docs_and_trials_import_no_test() -> None:
    """Code that docs or trials share with tests is in neither."""
    found = {
        path.name: names
        for folder in ("docs", "trials")
        for path in (ROOT / folder).glob("*.py")
        if (names := {name for name in imported(path) if name.split(".")[0] == "tests"})
    }

    assert found == {}


def test_contracts_hold() -> None:
    """`lint-imports`, as in `make lint`."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{len(LINTER['contracts'])} kept, 0 broken" in done.stdout


def test_contracts_cover_every_module() -> None:
    """Each package is in the graph and in a layer, or is outside by name; no import is exempt."""
    layers = {word.strip(" ()") for row in LINTER["contracts"][0]["layers"] for word in row.split("|")}

    assert set(LINTER["root_packages"]) == packages() - OUTSIDE
    assert set(LINTER["root_packages"]) <= layers
    assert not [contract["id"] for contract in LINTER["contracts"] if contract.get("ignore_imports")]
    assert not {key for key in LINTER if key.startswith(("ignore", "exclude"))}


@pytest.mark.parametrize("path", sorted((ROOT / "model").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_model_imports_what_is_pure(path: Path) -> None:
    """Only pydantic, yaml and the standard library, without the modules that reach out."""
    names = imported(path)

    assert {name.split(".")[0] for name in names} <= MODEL_MAY_IMPORT
    assert not names & REACHING_OUT


@pytest.mark.parametrize("folder", PRODUCT)
def test_production_code_knows_no_sandbox(folder: str) -> None:
    """Production code does not depend on the stand-ins or moto, not even in the text of a dynamic import."""
    for path in (ROOT / folder).rglob("*.py"):
        if ".venv" not in path.parts:
            assert not imported(path) & {"sandbox", "moto", "cheroot", "trustme"}, path.name
            assert 'import_module("sandbox' not in path.read_text(encoding="utf-8"), path.name


def test_verify_imports_no_provider() -> None:
    """The suite runs without a provider SDK: importing all of it loads no SDK."""
    script = (
        "import sys, verify.gather, verify.report.terminal, verify.checks\n"
        "print([m for m in ('pulumi_minio', 'pulumi_aws', 'moto') if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.strip() == "[]"


def test_verify_runs_without_pulumi() -> None:
    """Every module of the suite can be imported in a pod, which has no Pulumi, no provider and no sandbox."""
    script = """
import importlib, pkgutil, sys

absent = {
    "pulumi", "pulumi_minio", "pulumi_aws", "moto", "cheroot", "trustme", "sandbox", "mypy_boto3_s3", "infra", "ops",
}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not here", name=name)

sys.meta_path.insert(0, Absent())
try:
    import pulumi
except ModuleNotFoundError:
    pass
else:
    sys.exit("the block does not hold")
for package in ("verify", "object_store", "stack", "model"):
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(found.name)
print(*sorted(name for name in sys.modules if name.startswith("verify.")))
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert {"verify.__main__", "verify.conftest", "verify.gather", "verify.job"} <= set(done.stdout.split())


def test_only_settings_reads_config() -> None:
    """No other module of the product reads Pulumi's config."""
    for folder in PRODUCT:
        for path in (ROOT / folder).rglob("*.py"):
            if path != ROOT / "infra" / "settings.py" and ".venv" not in path.parts:
                text = path.read_text(encoding="utf-8")
                assert "pulumi.Config" not in text, path.name
                assert "runtime.config" not in text, path.name


def test_no_module_shadows_the_standard_library() -> None:
    """Pulumi puts infra/ first on the path, so a module with the name of a Python module would hide it."""
    names = {path.stem for path in (ROOT / "infra").glob("*.py")} - {"__init__", "__main__"}

    assert not names & set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["user.UserProvider", "policy.PolicyProvider", "attachment.AttachmentProvider",
                                  "service_account.ServiceAccountProvider"])  # fmt: skip
def test_pickled_identities_stay(name: str) -> None:
    """The states of existing stacks name these classes, and a refresh imports them by exactly these names."""
    module, _, called = name.partition(".")

    assert f"class {called}(" in (ROOT / "infra" / "identity" / f"{module}.py").read_text(encoding="utf-8")


def test_pickled_retention_stays() -> None:
    """The states also name the class for the retention of AIStor's buckets."""
    assert "class DefaultRetentionProvider(" in (ROOT / "infra" / "retention.py").read_text(encoding="utf-8")


def test_no_deprecated_resource_names() -> None:
    """No module uses a deprecated V2 class."""
    for path in (ROOT / "infra").glob("*.py"):
        assert "V2(" not in path.read_text(encoding="utf-8"), path.name


def test_types_of_every_used_service_are_read() -> None:
    """Mypy reads the types of each AWS service that the product uses; of one that it skips, anything would pass."""
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["overrides"]
    (read,) = [each["module"] for each in overrides if each.get("follow_imports") == "silent"]
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "infra").rglob("*.py")]
    used = {
        service
        for text in texts
        if "import pulumi_aws as aws\n" in text
        for service in re.findall(r"\baws\.([a-z]\w*)\.", text)
    }

    assert used >= {"iam", "s3"}
    assert {f"pulumi_aws.{service}.*" for service in used} <= set(read)
