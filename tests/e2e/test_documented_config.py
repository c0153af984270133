"""Every `pulumi config set` line of README, docs and the stacks' files writes a value of the type that it must have.

The engine checks the types of a stack's config before it starts the program, so a project without a program is enough.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from infra.settings import parse_config
from sandbox.engine.finder import existing_engine
from tests.documented import PAGES, ROOT
from trials.checkout import SHELL, TIMEOUT_SECONDS

pytestmark = pytest.mark.e2e
STACKS = ("Pulumi.aws.yaml", "Pulumi.local.yaml")
_LINE = re.compile(r"(?:^[ #]*|`)(pulumi config set [^`\n]*object-store:[^`\n]*?)(?:`|$)", re.MULTILINE)


def lines_of(path: str) -> list[str]:
    """The lines of a page or a file; a table names commands without their values."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return _LINE.findall("\n".join(line for line in text.splitlines() if not line.startswith("|")))


class Project:
    """A project with this repository's config keys, without a program and without a server."""

    def __init__(self, folder: Path) -> None:
        """Make its one stack."""
        engine = existing_engine(SHELL).engine
        assert engine is not None
        self.folder = folder
        self.environ = {
            **SHELL,
            "PATH": f"{engine.executable.parent}:{SHELL['PATH']}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": "planted-passphrase",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        shutil.copy2(ROOT / "Pulumi.yaml", folder)
        (folder / "Pulumi.test.yaml").write_text("config: {object-store:cloud: aws, object-store:env: prod}\n")
        self.bash("pulumi stack init test")

    def bash(self, script: str, given: str = "") -> str:
        """What a script prints; it ends at the first line that fails, as the output says."""
        done = subprocess.run(  # noqa: S603 - lines of this repository's pages
            ["bash", "-euc", script],  # noqa: S607 - the shell of the pages
            cwd=self.folder,
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return done.stdout + done.stderr + f"status {done.returncode}"

    def config(self) -> Mapping[str, object]:
        """The keys of the stack's file, without the namespace."""
        content = yaml.safe_load((self.folder / "Pulumi.test.yaml").read_text(encoding="utf-8"))
        return {key.removeprefix("object-store:"): value for key, value in content["config"].items()}

    def refused_types(self) -> bool:
        """Whether the engine refuses the type of a value."""
        said = self.bash("pulumi preview --non-interactive")
        assert "could not be read" in said or "must be of type" in said, said
        return "must be of type" in said


@pytest.fixture(name="project")
def _project(engine: None, tmp_path: Path) -> Project:
    del engine
    return Project(tmp_path)


def test_documented_lines_write_what_the_program_reads(project: Project) -> None:
    """An id of an account stays a text; a password is read from standard input."""
    lines = [line for path in (*PAGES, *STACKS) for line in lines_of(path)]
    assert sum("allowedAccountIds" in line for line in lines) > 2

    said = project.bash("\n".join(f"{line} <<< planted-password" for line in dict.fromkeys(lines)))

    assert said.endswith("status 0"), said
    assert not project.refused_types()
    written = project.config()
    assert written["allowedAccountIds"] == ["123456789012"]
    # A secret is encrypted in the file, and both clouds' keys stand side by side here: only the forms are judged.
    values = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in written.items()
        if key != "adminPassword"
    }
    assert parse_config(values, "x:").empty_on_destroy


def test_account_with_a_leading_zero_keeps_it(project: Project) -> None:
    """The documented options keep it; without `--type string` the engine refuses what it wrote itself."""
    project.bash("pulumi config set --path --type string 'object-store:allowedAccountIds[0]' 012345678901")

    assert project.config()["allowedAccountIds"] == ["012345678901"]
    assert not project.refused_types()
    project.bash("pulumi config set --path 'object-store:allowedAccountIds[1]' 123456789012")
    assert project.refused_types()
