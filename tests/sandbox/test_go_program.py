"""Building a program from its Go modules, for each of our programs; a script replaces Go."""

from __future__ import annotations

import re
import threading
import tomllib
from pathlib import Path

import pytest

from sandbox import act, actionlint
from sandbox.engine import gateway
from sandbox.engine.finder import cache_root
from sandbox.go_program import GoProgram, NoProgramError
from sandbox.progress import Progress
from tests.sandbox.fake_go import environment_without_go, let_build, put_go

ROOT = Path(__file__).parents[2]
PROGRAMS = [act.PROGRAM, actionlint.PROGRAM, gateway.PROGRAM]
each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)


@pytest.fixture(name="environ")
def _environ(tmp_path: Path) -> dict[str, str]:
    return environment_without_go(tmp_path)


@pytest.fixture(name="log")
def _log(environ: dict[str, str], tmp_path: Path) -> Path:
    return put_go(environ, tmp_path)


def left_in_cache(environ: dict[str, str]) -> list[str]:
    """The content of the cache without locks."""
    root = cache_root(environ)
    return sorted(path.name for path in root.iterdir() if path.suffix != ".lock") if root.exists() else []


@each_program
def test_it_is_built_from_the_pinned_module_once(environ: dict[str, str], log: Path, program: GoProgram) -> None:
    """The build uses the committed module, its flags and no path, and the next search finds the result without Go."""
    let_build(environ, program)
    assert program.existing(environ) is None

    found = program.find(environ, Progress(quiet=True))
    again = program.find({**environ, "PATH": "/usr/bin:/bin"}, Progress(quiet=True))

    (build,) = [line for line in log.read_text().splitlines() if line.startswith("build ")]
    assert found == again == program.existing(environ) == cache_root(environ) / program.entry / program.name
    assert build.endswith(f"-ldflags {program.ldflags} {program.package}")
    assert "-trimpath" in build
    assert Path(f"{log}.mod").read_text() == (program.module / "go.mod").read_text()
    assert left_in_cache(environ) == [program.entry]


@each_program
def test_without_go_it_is_the_reason(environ: dict[str, str], program: GoProgram) -> None:
    """The error says what is missing, and no file is left."""
    with pytest.raises(NoProgramError, match=r"^`go` is not on PATH$"):
        program.find(environ, Progress(quiet=True))

    assert left_in_cache(environ) == []


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("FAKE_GO_VERSION", "go1.25.9", r"reports go1\.25\.9; it must be go1\.26 or newer"),
        ("FAKE_GO_FAILS", "yes", r"`go build` ended with 2: undefined: everything"),
        ("FAKE_GO_BUILDS", "0.0.1", r"the built \w+ does not report version \d"),
        ("FAKE_GO_ARGUMENT", "--other", r"the built \w+ does not run: "),
    ],
)
@each_program
@pytest.mark.usefixtures("log")
def test_build_that_fails_leaves_nothing(
    environ: dict[str, str], program: GoProgram, variable: str, value: str, reason: str
) -> None:
    """The reason is Go's own or the program's, and the cache is unchanged."""
    let_build(environ, program, **{variable: value})

    with pytest.raises(NoProgramError, match=reason):
        program.find(environ, Progress(quiet=True))

    assert left_in_cache(environ) == []
    assert program.existing(environ) is None


def test_of_two_at_once_one_builds(environ: dict[str, str], log: Path) -> None:
    """The second process waits for the first, and uses its result."""
    let_build(environ, act.PROGRAM)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(act.PROGRAM.find(environ, Progress(quiet=True)))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert len(found) == len(threads)
    assert sum(line.startswith("build ") for line in log.read_text().splitlines()) == 1


@each_program
def test_module_pins_the_version_and_names_no_host_of_a_registry(program: GoProgram) -> None:
    """go.mod requires the version in the code, go.sum has its sum, and tools.go imports the package."""
    texts = {path.name: path.read_text() for path in program.module.iterdir()}
    repository = "/".join(program.package.split("/")[:3])

    assert set(texts) == {"go.mod", "go.sum", "tools.go"}
    assert f"require {repository} v{program.version}\n" in texts["go.mod"]
    assert re.search(rf"^{re.escape(repository)} v{re.escape(program.version)} h1:", texts["go.sum"], re.MULTILINE)
    assert f'import _ "{program.package}"' in texts["tools.go"]
    assert "replace" not in texts["go.mod"]


def test_every_module_is_a_programs_and_is_installed() -> None:
    """Every pinned module has a program, and the package contains each module."""
    modules = {path.relative_to(ROOT / "sandbox").as_posix() for path in (ROOT / "sandbox").rglob("*_module")}
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["sandbox"]

    assert {name.rpartition("/")[2] for name in modules} == {one.module.name for one in PROGRAMS} | {"engine_module"}
    assert set(data) == {f"{name}/*" for name in modules}
