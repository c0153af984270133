"""Building, finding and running actionlint; a script replaces Go in the tests of the build.

The last class runs the real one, which is built if the cache does not hold it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sandbox import actionlint
from sandbox.actionlint import NoActionlintError, check, find_actionlint, main
from sandbox.engine.finder import cache_root
from sandbox.progress import Progress
from tests.sandbox.fake_go import environment_without_go, let_build, put_go


@pytest.fixture(name="environ")
def _environ(tmp_path: Path) -> dict[str, str]:
    return environment_without_go(tmp_path)


@pytest.fixture(name="go")
def _go(environ: dict[str, str], tmp_path: Path) -> Path:
    let_build(environ, actionlint.PROGRAM)
    return put_go(environ, tmp_path)


def put_on_path(environ: dict[str, str], folder: Path) -> Path:
    """An actionlint on PATH."""
    folder.mkdir()
    (folder / "actionlint").write_text("#!/bin/sh\n")
    (folder / "actionlint").chmod(0o755)
    environ["PATH"] = f"{folder}:{environ['PATH']}"
    return folder / "actionlint"


class TestFind:
    """Finding or building it."""

    def test_it_is_built_from_the_pinned_module_once(self, environ: dict[str, str], go: Path) -> None:
        """The second search finds it without Go, and does not use one on PATH."""
        found = find_actionlint(environ, Progress(quiet=True))
        environ["PATH"] = "/usr/bin:/bin"
        again = find_actionlint(environ, Progress(quiet=True))

        (build,) = [line for line in go.read_text().splitlines() if line.startswith("build ")]
        assert found == again == cache_root(environ) / actionlint.PROGRAM.entry / "actionlint"
        assert build.endswith(actionlint.PROGRAM.package)

    @pytest.mark.parametrize(
        ("variable", "value", "reason"),
        [
            ("FAKE_GO_FAILS", "yes", r"`go build` ended with 2: undefined: everything"),
            ("FAKE_GO_BUILDS", "1.7.0", r"the built actionlint does not report version 1\.7\.12"),
        ],
    )
    @pytest.mark.usefixtures("go")
    def test_build_that_fails_leaves_nothing(
        self, environ: dict[str, str], variable: str, value: str, reason: str
    ) -> None:
        """The reason is Go's own message, and the cache is unchanged."""
        environ[variable] = value

        with pytest.raises(NoActionlintError, match=reason):
            find_actionlint(environ, Progress(quiet=True))

        assert [path.name for path in cache_root(environ).iterdir() if path.suffix != ".lock"] == []

    def test_one_on_path_is_the_last_resort(self, environ: dict[str, str], tmp_path: Path) -> None:
        """Without Go, any version is better than none."""
        mine = put_on_path(environ, tmp_path / "bin")

        assert find_actionlint(environ, Progress(quiet=True)) == mine

    def test_module_pins_the_version(self) -> None:
        """go.mod requires the version in the code, go.sum has its sum, and tools.go imports the package."""
        texts = {path.name: path.read_text() for path in actionlint.PROGRAM.module.iterdir()}

        assert set(texts) == {"go.mod", "go.sum", "tools.go"}
        assert f"require github.com/rhysd/actionlint v{actionlint.VERSION}\n" in texts["go.mod"]
        assert re.search(rf"^github\.com/rhysd/actionlint v{actionlint.VERSION} h1:", texts["go.sum"], re.MULTILINE)
        assert f'import _ "{actionlint.PROGRAM.package}"' in texts["tools.go"]


def test_without_any_it_says_so_and_fails_nothing(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`make lint` continues, and its output says that the workflows were not checked, and why."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert main([]) == 0

    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == (
        "actionlint: not run: actionlint 1.7.12 is not on PATH, and cannot be built: `go` is not on PATH\n"
    )


@pytest.fixture(scope="module", name="real")
def _real() -> Path:
    """The real one, built if necessary; if that fails, the test is skipped with the reason."""
    try:
        return find_actionlint(os.environ, Progress())
    except NoActionlintError as reason:
        pytest.skip(str(reason))


class TestRun:
    """The real one."""

    def test_a_fault_is_found(self, real: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """The output names an invalid workflow and its line, for both spellings of the suffix."""
        workflows = tmp_path / ".github" / "workflows"
        workflows.mkdir(parents=True)
        text = "on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    stepps: []\n"
        for name in ("one.yml", "two.yaml"):
            (workflows / name).write_text(text)

        assert check(real, tmp_path, ["-no-color"]) == 1

        said = capfd.readouterr().out
        assert '.github/workflows/one.yml:5:5: unexpected key "stepps"' in said
        assert '.github/workflows/two.yaml:5:5: unexpected key "stepps"' in said

    def test_our_workflows_have_none(self, real: Path) -> None:
        """The workflows of this repository are clean."""
        assert check(real, Path(__file__).parents[2]) == 0

    def test_no_workflow_is_no_fault(self, real: Path, tmp_path: Path) -> None:
        """A repository without workflows is clean."""
        assert check(real, tmp_path) == 0
