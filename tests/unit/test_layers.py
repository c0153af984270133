"""The layers: dependencies run one way, and production code knows nothing of the sandbox."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FORBIDDEN = {
    "infra/problems.py": {"pulumi", "boto3", "infra"},
    "infra/vendor_defaults.py": {"pulumi", "boto3", "infra"},
    "infra/trust.py": {"pulumi", "boto3", "infra.plan", "infra.policies", "infra.settings", "infra.taxonomy"},
    "infra/taxonomy.py": {"pulumi", "boto3", "infra.plan", "infra.policies", "infra.settings"},
    "infra/plan.py": {"pulumi", "boto3", "infra.policies", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/policies.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/moves.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/expiry.py": {"pulumi", "boto3", "botocore", "infra.policies", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/data_at_risk.py": {"pulumi", "infra.settings", "infra.aistor", "infra.aws", "infra.program"},
    "infra/read_identity.py": {"pulumi", "infra.settings", "infra.aistor", "infra.aws", "infra.program"},
    "infra/adoptable.py": {"boto3", "infra.aistor", "infra.aws"},
    "infra/preview/access.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/preview/shape.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/preview/explain.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/preview/steps.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/aistor.py": {"infra.aws", "infra.deployment", "infra.program", "pulumi_aws"},
    "infra/aws.py": {"infra.aistor", "infra.deployment", "infra.program", "pulumi_minio"},
    "infra/credentials/variables.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/deployment.py": {"pulumi", "pulumi_aws", "pulumi_minio", "boto3", "infra.aistor", "infra.aws"},
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, with its parents."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names | {name.split(".")[0] for name in names if not name.startswith("infra")}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_module_imports_nothing_from_above(name: str) -> None:
    """Taxonomy -> plan -> {aistor, aws} -> deployment -> verify, and never back."""
    assert not imported(ROOT / name) & FORBIDDEN[name]


@pytest.mark.parametrize("folder", ["infra", "object_store", "policy", "verify"])
def test_production_code_knows_no_sandbox(folder: str) -> None:
    """Nothing depends on the stand-ins or moto being there."""
    for path in (ROOT / folder).rglob("*.py"):
        assert not imported(path) & {"sandbox", "moto", "cheroot", "trustme"}, path.name


def test_verify_imports_no_provider() -> None:
    """The suite runs where no provider SDK is: importing all of it loads neither."""
    script = (
        "import sys, verify.gather, verify.report, verify.checks\n"
        "print([m for m in ('pulumi_minio', 'pulumi_aws', 'moto') if m in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.strip() == "[]"


def test_verify_runs_without_pulumi() -> None:
    """A pod has no Pulumi, no provider and no sandbox: every module of the suite can be imported there."""
    script = """
import importlib, pkgutil, sys

absent = {"pulumi", "pulumi_minio", "pulumi_aws", "moto", "cheroot", "trustme", "sandbox", "mypy_boto3_s3"}

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
for package in ("verify", "object_store"):
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(found.name)
for name in ("plan", "deployment", "policies", "endpoint", "problems", "vendor_defaults"):
    importlib.import_module(f"infra.{name}")
print(*sorted(name for name in sys.modules if name.startswith("verify.")))
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert {"verify.__main__", "verify.conftest", "verify.gather", "verify.job"} <= set(done.stdout.split())


def test_only_settings_reads_config() -> None:
    """No other module of the program touches Pulumi's config."""
    for path in (ROOT / "infra").glob("*.py"):
        if path.name != "settings.py":
            text = path.read_text(encoding="utf-8")
            assert "pulumi.Config" not in text, path.name
            assert "runtime.config" not in text, path.name


def test_no_module_shadows_the_standard_library() -> None:
    """Pulumi puts infra/ first on the path, so a module named like one of Python's would hide it."""
    names = {path.stem for path in (ROOT / "infra").glob("*.py")} - {"__init__", "__main__"}

    assert not names & set(sys.stdlib_module_names)


def test_no_deprecated_resource_names() -> None:
    """No class of the old V2 kind is used."""
    for path in (ROOT / "infra").glob("*.py"):
        assert "V2(" not in path.read_text(encoding="utf-8"), path.name
