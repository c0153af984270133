"""The layers: dependencies run one way, and production code knows nothing of the sandbox."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FORBIDDEN = {
    "infra/problems.py": {"pulumi", "boto3", "infra"},
    "infra/taxonomy.py": {"pulumi", "boto3", "infra.plan", "infra.policies", "infra.settings"},
    "infra/plan.py": {"pulumi", "boto3", "infra.policies", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/policies.py": {"pulumi", "boto3", "infra.settings", "infra.aistor", "infra.aws"},
    "infra/aistor.py": {"infra.aws", "infra.deployment", "infra.program", "pulumi_aws"},
    "infra/aws.py": {"infra.aistor", "infra.deployment", "infra.program", "pulumi_minio"},
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


@pytest.mark.parametrize("folder", ["infra", "object_store", "verify"])
def test_production_code_knows_no_sandbox(folder: str) -> None:
    """Nothing depends on the stand-ins or moto being there."""
    for path in (ROOT / folder).glob("*.py"):
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
