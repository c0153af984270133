"""Finds or builds a Pulumi engine: on PATH, then in the cache, by the official installer, and from Go modules.

The rule: all clones share the cache, so nothing in it names a clone. An engine appears in it complete or not at all.
Each step that finds no engine records its reason. If no step finds one, the result is the list of reasons.

Left out: the call of the engine for a stack (sandbox.engine.wrapper) and the language host
(sandbox.engine.language_host).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import TYPE_CHECKING

from semver import VersionInfo

from sandbox.child import exclusive, kill_group, process_group
from sandbox.folder import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sandbox.progress import Progress, Step

VERSION = "3.274.1"  # the version to install or build; engine_module/go.mod pins the same
MINIMUM = VersionInfo.parse("3.250.0")  # the oldest engine on PATH that the sandbox uses
GO_MINIMUM = (1, 26)  # the engine's own go.mod requires it
WRAPPER_MARK = "object-store sandbox wrapper"  # marks our own `pulumi`, which is not an engine

REACHED = "reached"
REACH_SECONDS = 30.0  # limit for reaching the installer's host
INSTALL_SECONDS = 300.0  # limit for its download, about 150 MB
INSTALLER = f"""
import sys, urllib.request
from semver import VersionInfo
from pulumi.automation import PulumiCommand
urllib.request.urlopen("https://get.pulumi.com/latest-version", timeout=25).read()
print({REACHED!r}, flush=True)
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""

ENGINE_MODULE = Path(__file__).parent / "engine_module"
ENGINE_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
LANGUAGE_HOST = "pulumi-language-python"
SCRIPTS = {  # inside the SDK's Go module; copied at run time, never committed
    "pulumi-language-python-exec": "python/cmd",
    "pulumi-resource-pulumi-python": "python/dist",
}
LAUNCHER = """#!/bin/sh
# object-store sandbox: starts the Python language host of the clone that runs the engine beside this file.
if [ -z "${OBJECT_STORE_LANGUAGE_HOST:-}" ]; then
    echo "run this engine through the .sandbox/STACK/bin/pulumi of a clone: object-store sandbox env STACK" >&2
    exit 1
fi
exec "$OBJECT_STORE_PYTHON" -P "$OBJECT_STORE_LANGUAGE_HOST" \\
    --exec "$(dirname "$0")/pulumi-language-python-exec" "$@"
"""
_TAIL_LINES = 12


@unique
class Source(StrEnum):
    """Where an engine came from."""

    PATH = "PATH"
    CACHE = "cache"
    INSTALLER = "official installer"
    BUILD = "build from Go modules"


@dataclass(frozen=True)
class Engine:
    """An engine that runs Python programs."""

    executable: Path
    version: str
    source: Source
    # The place of the language host: None if it is beside the engine, else the folder that must be on PATH.
    plugins: Path | None = None


@dataclass(frozen=True)
class Search:
    """The result of a search for an engine."""

    engine: Engine | None
    tried: tuple[str, ...]  # each step that found no engine, with its reason


class NoEngineError(Exception):
    """A step finds no engine; the message is the reason."""


def cache_root(environ: Mapping[str, str]) -> Path:
    """The folder of all cached engines."""
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "object-store-engine"


def existing_engine(environ: Mapping[str, str]) -> Search:
    """Look for an engine without installing or building one."""
    return _first([(Source.PATH, lambda: _on_path(environ)), (Source.CACHE, lambda: _cached(environ))])


def find_engine(environ: Mapping[str, str], progress: Progress) -> Search:
    """Find, install or build an engine. Only one process at a time installs or builds it."""
    found = existing_engine(environ)
    if found.engine:
        return found
    with exclusive(cache_root(environ) / f"{VERSION}.lock", progress, "the engine that another process is building"):
        made = _first(
            [
                (Source.CACHE, lambda: _cached(environ)),
                (Source.INSTALLER, lambda: _installed(environ, progress)),
                (Source.BUILD, lambda: _built(environ, progress)),
            ]
        )
    return Search(made.engine, (*found.tried, *made.tried[1:]))


def _first(steps: Sequence[tuple[Source, Callable[[], Engine]]]) -> Search:
    tried: list[str] = []
    for source, step in steps:
        try:
            return Search(step(), tuple(tried))
        except NoEngineError as reason:
            tried.append(f"{source}: {reason}")
    return Search(None, tuple(tried))


def _on_path(environ: Mapping[str, str]) -> Engine:
    path = environ.get("PATH", os.defpath)
    reasons = []
    for folder in path.split(os.pathsep):
        candidate = shutil.which("pulumi", path=folder) if folder else None
        if candidate is None or _is_wrapper(Path(candidate)):
            continue
        try:
            version = _version_of(Path(candidate), environ)
            if version < MINIMUM:
                reasons.append(f"{candidate} is version {version}; it must be {MINIMUM} or newer")
                continue
            return Engine(Path(candidate), str(version), Source.PATH, _plugins_for(Path(candidate), environ))
        except NoEngineError as reason:
            reasons.append(str(reason))
    raise NoEngineError("; ".join(reasons) or "`pulumi` is not there")


def _is_wrapper(candidate: Path) -> bool:
    with candidate.open("rb") as file:
        return WRAPPER_MARK.encode() in file.read(256)


def _version_of(executable: Path, environ: Mapping[str, str]) -> VersionInfo:
    try:
        answer = subprocess.run(  # noqa: S603 - an engine asked for its version
            [executable, "version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
        return VersionInfo.parse(answer.stdout.strip().removeprefix("v"))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NoEngineError(f"{executable} does not report its version: {error}") from error


def _plugins_for(engine: Path, environ: Mapping[str, str]) -> Path | None:
    """The folder in which an engine on PATH finds a Python language host: its own, else one on PATH, else ours."""
    if os.access(engine.resolve().parent / LANGUAGE_HOST, os.X_OK):
        return None
    elsewhere = shutil.which(LANGUAGE_HOST, path=environ.get("PATH", os.defpath))
    if elsewhere:
        return Path(elsewhere).parent
    ours = cache_root(environ) / f"language-host-{VERSION}"
    if not _has(ours, LANGUAGE_HOST, *SCRIPTS):
        try:
            with cache_entry(environ, f"language-host-{VERSION}") as workshop:
                _add_language_host(find_go(environ), workshop, environ)
        except NoEngineError as reason:
            raise NoEngineError(
                f"{engine} has no {LANGUAGE_HOST}, and the sandbox cannot add its own: {reason}"
            ) from reason
    return ours


def _cached(environ: Mapping[str, str]) -> Engine:
    folder = cache_root(environ) / VERSION
    if not folder.is_dir():
        raise NoEngineError(f"{folder} does not exist")
    if not _has(folder, "pulumi", LANGUAGE_HOST, *SCRIPTS):
        raise NoEngineError(f"{folder} is incomplete; it will be recreated")
    version = _version_of(folder / "pulumi", environ)
    if str(version) != VERSION:
        raise NoEngineError(f"{folder} holds version {version}, not {VERSION}; it will be recreated")
    launcher = folder / LANGUAGE_HOST
    if launcher.read_bytes()[:2] == b"#!":  # our script, perhaps from an older clone; the official one is a binary
        write_atomically(launcher, LAUNCHER, mode=0o755)
    return Engine(folder / "pulumi", VERSION, Source.CACHE)


def _has(folder: Path, *names: str) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in names)


def _installed(environ: Mapping[str, str], progress: Progress) -> Engine:
    with cache_entry(environ, VERSION) as workshop, progress.step("Trying the official Pulumi installer") as step:
        root = workshop.parent / "root"
        command = [sys.executable, "-c", INSTALLER, str(root), VERSION]
        with process_group(command, environ=environ, stdout=subprocess.PIPE) as process:
            lines = _lines_within(process, step_update=lambda line: step.update(line[:60]))
        if process.returncode:
            last = next((line for line in reversed(lines) if line.strip()), f"exit code {process.returncode}")
            raise NoEngineError(last.strip())
        shutil.copytree(root / "bin", workshop, dirs_exist_ok=True)
        if not _has(workshop, "pulumi", LANGUAGE_HOST, *SCRIPTS):
            raise NoEngineError("the installer succeeded, but the installed engine is incomplete")
    return Engine(cache_root(environ) / VERSION / "pulumi", VERSION, Source.INSTALLER)


def _lines_within(process: subprocess.Popen[str], step_update: Callable[[str], None]) -> list[str]:
    """The output of the installer. It is killed if it reaches its host too late, or takes too long after that."""
    late: list[str] = []

    def give_up(reason: str) -> None:
        late.append(reason)
        kill_group(process)

    timer = threading.Timer(REACH_SECONDS, give_up, [f"no answer from its host within {REACH_SECONDS:g} s"])
    timer.start()
    lines = []
    try:
        for line in process.stdout or ():
            lines.append(line)
            step_update(line.strip())
            if line.strip() == REACHED:
                timer.cancel()
                timer = threading.Timer(INSTALL_SECONDS, give_up, [f"not done within {INSTALL_SECONDS:g} s"])
                timer.start()
            if late:
                break
        process.wait()
    finally:
        timer.cancel()
    return lines + late


def _built(environ: Mapping[str, str], progress: Progress) -> Engine:
    go = find_go(environ)
    with cache_entry(environ, VERSION) as workshop:
        module = module_copy(ENGINE_MODULE, workshop)
        target = workshop / "pulumi"
        with progress.step(f"Building the Pulumi engine {VERSION} (about 6 minutes on 2 cores, once)") as step:
            flag = f"-X {SDK_MODULE}/go/common/version.Version={VERSION}"
            go_build(go, ENGINE_PACKAGE, module, target, step, environ, ldflags=flag)
        built = _version_of(target, environ)
        if str(built) != VERSION:
            raise NoEngineError(f"the built engine reports version {built}, not {VERSION}")
        _add_language_host(go, workshop, environ)
    return Engine(cache_root(environ) / VERSION / "pulumi", VERSION, Source.BUILD)


def go_build(
    go: str, package: str, module: Path, target: Path, step: Step, environ: Mapping[str, str], *, ldflags: str = ""
) -> None:
    """Build a program of a pinned module, and show the progress; NoEngineError if Go fails."""
    step.update("reading its modules")
    total = len(go_output(go, ["list", "-deps", package], module, environ).split())
    command = [go, "build", "-v", "-trimpath", "-o", str(target), "-ldflags", ldflags, package]
    compiled, tail = 0, [""]
    with process_group(command, environ=_go_environment(environ), cwd=module, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            compiled += not line.startswith(("go: ", "#"))
            tail = [*tail[-_TAIL_LINES:], line]
            step.update(f"{compiled} of {total} packages", compiled, total)
        exit_code = process.wait()
    if exit_code:
        raise NoEngineError(f"`go build` ended with {exit_code}: {''.join(tail).strip()}")


def find_go(environ: Mapping[str, str]) -> str:
    """The Go tool on PATH; NoEngineError if it is missing or too old."""
    go = shutil.which("go", path=environ.get("PATH", os.defpath))
    if go is None:
        raise NoEngineError("`go` is not on PATH")
    version = go_output(go, ["env", "GOVERSION"], Path(tempfile.gettempdir()), environ).strip()
    numbers = re.match(r"go(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < GO_MINIMUM:
        raise NoEngineError(
            f"{go} reports {version or 'no version'}; it must be go{GO_MINIMUM[0]}.{GO_MINIMUM[1]} or newer"
        )
    return go


def _go_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {**environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def go_output(go: str, arguments: Sequence[str], directory: Path, environ: Mapping[str, str]) -> str:
    """The output of a Go command; NoEngineError with its last line if it fails."""
    answer = subprocess.run(  # noqa: S603 - the Go tool found on PATH
        [go, *arguments],
        cwd=directory,
        env=_go_environment(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        last = answer.stderr.strip().splitlines()[-1:]
        raise NoEngineError(f"`go {' '.join(arguments)}` ended with {answer.returncode}: {''.join(last)}")
    return answer.stdout


def module_copy(module: Path, workshop: Path) -> Path:
    """A copy of a pinned module beside the workshop, because Go may write next to go.mod."""
    return Path(shutil.copytree(module, workshop.parent / "module", dirs_exist_ok=True))


def _add_language_host(go: str, workshop: Path, environ: Mapping[str, str]) -> None:
    module = module_copy(ENGINE_MODULE, workshop)
    go_output(go, ["mod", "download", SDK_MODULE], module, environ)
    sdk = Path(go_output(go, ["list", "-m", "-f", "{{.Dir}}", SDK_MODULE], module, environ).strip())
    for name, folder in SCRIPTS.items():
        shutil.copyfile(sdk / folder / name, workshop / name)
        (workshop / name).chmod(0o755)
    write_atomically(workshop / LANGUAGE_HOST, LAUNCHER, mode=0o755)


@contextmanager
def cache_entry(environ: Mapping[str, str], name: str) -> Iterator[Path]:
    """A folder to fill. At the end it becomes `name` in the cache in one step; if anything fails, it is removed."""
    root = cache_root(environ)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root, ignore_cleanup_errors=True) as temporary:
        workshop = Path(temporary) / "out"
        workshop.mkdir()
        yield workshop
        finished = root / name
        if finished.exists():
            finished.rename(Path(temporary) / "old")
        workshop.rename(finished)
