"""Finding or building an engine: each step in turn, with scripts in place of engines, installer and Go.

Left out: a real build, which takes minutes; the end-to-end tests run its result.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.engine import finder as engine
from sandbox.engine.finder import Engine, Source, existing_engine, find_engine
from sandbox.engine.wrapper import write_wrapper
from sandbox.folder import StackFolder, StackName
from sandbox.progress import Progress
from tests.sandbox.waiting import is_running, wait_until

FAKE_GO = r"""#!/bin/sh
echo "$*" >> "$FAKE_GO_LOG"
case "$1 $2" in
    "env GOVERSION") echo "${FAKE_GO_VERSION:-go1.26.8}" ;;
    "list -deps") printf 'one\ntwo\nthree\n' ;;
    "mod download") ;;
    "list -m") echo "$FAKE_GO_SDK" ;;
    "build -v")
        sleep "${FAKE_GO_SECONDS:-0}"
        echo one >&2
        if [ -n "${FAKE_GO_FAILS:-}" ]; then echo "undefined: everything" >&2; exit 2; fi
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\necho v%s\n' "$FAKE_GO_BUILDS" > "$2"; chmod +x "$2" ;;
esac
"""
OFFLINE_INSTALLER = "raise SystemExit('no such host')"


def make_executable(path: Path, text: str) -> Path:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def make_pulumi(folder: Path, version: str) -> Path:
    """Write an engine that only reports its version."""
    return make_executable(folder / "pulumi", f"#!/bin/sh\necho v{version}\n")


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with only a shell's own tools on PATH, an empty cache, and no internet."""
    monkeypatch.setattr(engine, "INSTALLER", OFFLINE_INSTALLER)
    return {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}


@pytest.fixture
def go(environ: dict[str, str], tmp_path: Path) -> Path:
    """A Go on PATH that builds a script; returns the log of its calls."""
    sdk = tmp_path / "sdk"
    for name, folder in engine.SCRIPTS.items():
        make_executable(sdk / folder / name, "#!/bin/sh\n").chmod(0o444)  # the mode in the module cache
    make_executable(tmp_path / "go" / "go", FAKE_GO)
    log = tmp_path / "go.log"
    log.touch()
    environ["PATH"] = f"{tmp_path / 'go'}:{environ['PATH']}"
    environ |= {"FAKE_GO_LOG": str(log), "FAKE_GO_SDK": str(sdk), "FAKE_GO_BUILDS": engine.VERSION}
    return log


def on_path(environ: dict[str, str], folder: Path) -> None:
    """Put a folder first on PATH."""
    environ["PATH"] = f"{folder}{os.pathsep}{environ['PATH']}"


def cache_entries(environ: dict[str, str]) -> list[str]:
    """The content of the cache without the lock, including hidden folders."""
    root = engine.cache_root(environ)
    return sorted(path.name for path in root.iterdir() if path.suffix != ".lock") if root.exists() else []


def builds(log: Path) -> int:
    """The number of Go builds."""
    return sum(line.startswith("build ") for line in log.read_text().splitlines())


def test_engine_on_path_with_its_own_language_host_is_taken(environ: dict[str, str], tmp_path: Path) -> None:
    """A new enough `pulumi` on PATH is used unchanged."""
    pulumi = make_pulumi(tmp_path / "official", "3.250.0")
    make_executable(tmp_path / "official" / "pulumi-language-python", "")
    on_path(environ, tmp_path / "official")

    assert find_engine(environ, Progress()).engine == Engine(pulumi, "3.250.0", Source.PATH, None)


def test_engine_on_path_takes_the_language_host_of_path(environ: dict[str, str], tmp_path: Path) -> None:
    """An installed language host elsewhere on PATH comes before ours."""
    make_pulumi(tmp_path / "official", "3.300.1")
    make_executable(tmp_path / "elsewhere" / "pulumi-language-python", "")
    on_path(environ, tmp_path / "official")
    on_path(environ, tmp_path / "elsewhere")

    found = find_engine(environ, Progress()).engine

    assert found is not None
    assert found.plugins == tmp_path / "elsewhere"


def test_engine_on_path_without_language_host_gets_ours(environ: dict[str, str], go: Path, tmp_path: Path) -> None:
    """Without an installed language host, ours is added beside the cached engines, without a build."""
    make_pulumi(tmp_path / "bare", "3.300.1")
    on_path(environ, tmp_path / "bare")

    found = find_engine(environ, Progress()).engine

    assert found is not None
    assert found.plugins == engine.cache_root(environ) / f"language-host-{engine.VERSION}"
    assert sorted(path.name for path in found.plugins.iterdir()) == [engine.LANGUAGE_HOST, *sorted(engine.SCRIPTS)]
    assert builds(go) == 0


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho v3.249.9\n", "is version 3.249.9; it must be 3.250.0 or newer"),
        ("#!/bin/sh\nexit 1\n", "does not report its version"),
        ("#!/bin/sh\necho hello\n", "does not report its version"),
    ],
)
def test_engine_on_path_that_cannot_serve_is_passed_over(
    environ: dict[str, str], tmp_path: Path, script: str, reason: str
) -> None:
    """The reasons name an engine that is too old or broken, and the search uses a later one on PATH."""
    broken = make_executable(tmp_path / "broken" / "pulumi", script)
    on_path(environ, tmp_path / "broken")

    tried = existing_engine(environ).tried
    make_pulumi(tmp_path / "good", "3.260.0")
    make_executable(tmp_path / "good" / "pulumi-language-python", "")
    environ["PATH"] += f"{os.pathsep}{tmp_path / 'good'}"
    found = existing_engine(environ).engine

    assert str(broken) in tried[0]
    assert reason in tried[0]
    assert found is not None
    assert found.version == "3.260.0"


def test_wrapper_of_the_sandbox_is_no_engine(environ: dict[str, str], tmp_path: Path) -> None:
    """With the sandbox's own `pulumi` on PATH the search continues, and does not use that wrapper."""
    folder = StackFolder(StackName.LOCAL, tmp_path / ".sandbox")
    write_wrapper(folder, Engine(make_pulumi(tmp_path / "cached", "3.274.1"), "3.274.1", Source.CACHE))
    on_path(environ, folder.bin)

    search = existing_engine(environ)

    assert search.engine is None
    assert search.tried[0] == "PATH: `pulumi` is not there"


def test_build_fills_the_cache_once(environ: dict[str, str], go: Path) -> None:
    """The next search finds the build in the cache, complete and executable, and does not run Go again."""
    first = find_engine(environ, Progress())
    second = find_engine(environ, Progress())

    assert first.engine is not None
    assert first.engine.source is Source.BUILD
    assert [reason.split(":")[0] for reason in first.tried] == ["PATH", "cache", "official installer"]
    assert second.engine == Engine(first.engine.executable, engine.VERSION, Source.CACHE)
    assert builds(go) == 1
    assert cache_entries(environ) == [engine.VERSION]
    files = sorted(first.engine.executable.parent.iterdir())
    assert [path.name for path in files] == ["pulumi", "pulumi-language-python", *sorted(engine.SCRIPTS)]
    assert all(os.access(path, os.X_OK) for path in files)


def test_build_uses_the_pinned_module_and_version(environ: dict[str, str], go: Path) -> None:
    """The build uses the committed go.mod, and stamps the version in."""
    find_engine(environ, Progress())

    build = next(line for line in go.read_text().splitlines() if line.startswith("build "))
    go_mod = (engine.ENGINE_MODULE / "go.mod").read_text()
    needed = re.search(r"^go (\d+)\.(\d+)", go_mod, re.MULTILINE)
    assert f"common/version.Version={engine.VERSION} {engine.ENGINE_PACKAGE}" in build
    assert "-trimpath" in build
    assert f"github.com/pulumi/pulumi/pkg/v3 v{engine.VERSION}\n" in go_mod
    assert f"{engine.SDK_MODULE} v{engine.VERSION}" in go_mod
    assert needed is not None
    assert (int(needed[1]), int(needed[2])) == engine.GO_MINIMUM


def test_build_that_fails_leaves_nothing(environ: dict[str, str], go: Path) -> None:
    """A failed build gives its last lines as the reason, and leaves no partial engine in the cache."""
    environ["FAKE_GO_FAILS"] = "yes"

    search = find_engine(environ, Progress())

    assert search.engine is None
    assert "undefined: everything" in search.tried[3]
    assert cache_entries(environ) == []
    assert builds(go) == 1


def test_build_of_another_version_is_refused(environ: dict[str, str], go: Path) -> None:  # noqa: ARG001 - a fixture
    """A built engine that reports another version than the pinned one is not kept."""
    environ["FAKE_GO_BUILDS"] = "3.0.0"

    search = find_engine(environ, Progress())

    assert "reports version 3.0.0" in search.tried[3]
    assert cache_entries(environ) == []


def test_build_needs_a_new_enough_go(environ: dict[str, str], go: Path) -> None:  # noqa: ARG001 - a fixture
    """The reason names a Go that is too old and the required version."""
    environ["FAKE_GO_VERSION"] = "go1.25.3"

    assert "reports go1.25.3; it must be go1.26 or newer" in find_engine(environ, Progress()).tried[3]


def test_no_engine_at_all_gives_every_reason(environ: dict[str, str]) -> None:
    """Without an engine, each step gives its reason, in the order of the steps."""
    search = find_engine(environ, Progress())

    assert search.engine is None
    assert [reason.split(":")[0] for reason in search.tried] == [source.value for source in Source]
    assert search.tried[2] == "official installer: no such host"
    assert search.tried[3] == "build from Go modules: `go` is not on PATH"


def test_damaged_cache_is_made_anew(environ: dict[str, str], go: Path) -> None:  # noqa: ARG001 - a fixture
    """An incomplete cached engine is replaced as a whole."""
    make_pulumi(engine.cache_root(environ) / engine.VERSION, engine.VERSION)
    (engine.cache_root(environ) / engine.VERSION / "rubbish").touch()

    search = find_engine(environ, Progress())

    assert "is incomplete; it will be recreated" in search.tried[1]
    assert search.engine is not None
    assert search.engine.source is Source.BUILD
    assert not (search.engine.executable.parent / "rubbish").exists()


def test_launcher_of_an_older_clone_is_brought_up_to_date(environ: dict[str, str], go: Path) -> None:  # noqa: ARG001
    """The launcher in the shared cache is always this clone's; an official language host stays unchanged."""
    folder = engine.cache_root(environ) / engine.VERSION
    find_engine(environ, Progress())
    launcher = make_executable(folder / engine.LANGUAGE_HOST, "#!/bin/sh\nexit 1\n")

    find_engine(environ, Progress())

    assert launcher.read_text() == engine.LAUNCHER
    launcher.write_bytes(b"\x7fELF")
    find_engine(environ, Progress())
    assert launcher.read_bytes() == b"\x7fELF"


def test_installer_that_does_not_reach_its_host_is_killed_with_its_children(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without internet the search stops the installer in bounded time, and leaves none of its processes or files."""
    script = f"""
import pathlib, subprocess
child = subprocess.Popen(["sleep", "60"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
child.wait()
"""
    monkeypatch.setattr(engine, "INSTALLER", script)
    monkeypatch.setattr(engine, "REACH_SECONDS", 1.0)
    began = time.monotonic()

    search = find_engine(environ, Progress())

    assert time.monotonic() - began < 60
    assert search.tried[2] == "official installer: no answer from its host within 1 s"
    assert not is_running(int((tmp_path / "pid").read_text()))
    assert cache_entries(environ) == []


def test_installer_that_takes_too_long_is_killed(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A download has more time than the connection to the host, but its time is limited too."""
    script = f"import time; print({engine.REACHED!r}, flush=True); time.sleep(60)"
    monkeypatch.setattr(engine, "INSTALLER", script)
    monkeypatch.setattr(engine, "INSTALL_SECONDS", 0.5)

    assert find_engine(environ, Progress()).tried[2] == "official installer: not done within 0.5 s"


def test_installed_engine_is_cached(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The content of the installer's bin folder becomes the cached engine."""
    script = f"""
import pathlib, sys
print({engine.REACHED!r}, flush=True)
folder = pathlib.Path(sys.argv[1]) / "bin"
folder.mkdir(parents=True)
for name in ("pulumi", "{engine.LANGUAGE_HOST}", *{list(engine.SCRIPTS)!r}):
    (folder / name).write_text("#!/bin/sh\\necho v" + sys.argv[2] + "\\n")
    (folder / name).chmod(0o755)
"""
    monkeypatch.setattr(engine, "INSTALLER", script)

    found = find_engine(environ, Progress()).engine

    executable = engine.cache_root(environ) / engine.VERSION / "pulumi"
    assert found == Engine(executable, engine.VERSION, Source.INSTALLER)
    assert existing_engine(environ).engine == Engine(executable, engine.VERSION, Source.CACHE)
    assert cache_entries(environ) == [engine.VERSION]


SEARCH = f"""
import os
from sandbox.engine import finder as engine
from sandbox.progress import Progress
engine.INSTALLER = {OFFLINE_INSTALLER!r}
print(engine.find_engine(os.environ, Progress()).engine.source.value)
"""


def start_search(environ: dict[str, str]) -> subprocess.Popen[str]:
    """Search for an engine in a separate process."""
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", SEARCH],
        env={**environ, "PYTHONPATH": str(Path(engine.__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_two_processes_build_once(environ: dict[str, str], go: Path) -> None:
    """Two concurrent searches build one engine: the second waits and uses the first one's result."""
    environ["FAKE_GO_SECONDS"] = "2"

    answers = sorted(search.communicate(timeout=60)[0].strip() for search in [start_search(environ) for _ in range(2)])

    assert answers == ["build from Go modules", "cache"]
    assert builds(go) == 1


def test_interrupted_build_leaves_nothing(environ: dict[str, str], go: Path) -> None:
    """Ctrl-C during a build ends Go too, and leaves no partial engine."""
    environ["FAKE_GO_SECONDS"] = "47"
    with start_search(environ) as search:
        wait_until(lambda: builds(go) == 1)
        search.send_signal(signal.SIGINT)
        search.communicate(timeout=30)

    assert cache_entries(environ) == []
    assert subprocess.run(["pgrep", "-f", "^sleep 47$"], check=False, stdout=subprocess.DEVNULL).returncode == 1  # noqa: S607
