"""The TypeScript package, built in a copy.

The rule: what `npm ci` installs is named after its lock file, so it is made once for all clones, complete or not at
all. No script of a package runs.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.child import exclusive
from sandbox.engine.finder import cache_entry, cache_root
from sandbox.progress import Progress

SOURCE: Final = Path(__file__).parents[1] / "clients" / "typescript"
BUN: Final = Path(__file__).parents[1] / "tests" / "typescript" / "bun"
INSTALL_SECONDS: Final = 600.0
_BUILT_FROM: Final = (
    *("package.json", "package-lock.json", "tsconfig.json", "tsconfig.test.json"),
    *("src", "test", "examples"),
)


class NoPackageError(Exception):
    """The package cannot be built on this machine; the message is the reason."""


@dataclass(frozen=True)
class Package:
    """A copy of the package with everything built.

    Attributes:
        folder: The copy; `build` has sources and tests, `dist` what is published.
        node: The program.
        npm: The program.
    """

    folder: Path
    node: str
    npm: str

    def run(
        self, *command: str, environ: Mapping[str, str] | None = None, seconds: float = INSTALL_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the copy."""
        return subprocess.run(  # noqa: S603 - node, or what its lock file names
            command,
            cwd=self.folder,
            env=bare(os.environ) | dict(environ or {}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the development packages."""
        return self.run(self.node, str(self.folder / "node_modules" / ".bin" / name), *arguments)


def built(target: Path, environ: Mapping[str, str]) -> Package:
    """Build the package in a folder.

    Raises:
        NoPackageError: node or npm is not there, the packages cannot be installed, or the sources do not compile.
    """
    node, npm = (shutil.which(name, path=environ.get("PATH", os.defpath)) for name in ("node", "npm"))
    if node is None or npm is None:
        raise NoPackageError(f"{'node' if node is None else 'npm'} is not on PATH")
    for name in _BUILT_FROM:
        source = SOURCE / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        else:
            shutil.copyfile(source, target / name)
    package = Package(target, node, npm)
    (target / "node_modules").symlink_to(_installed(SOURCE, node, npm, environ))
    for project in ("tsconfig.json", "tsconfig.test.json"):
        compiled = package.tool("tsc", "--project", project)
        if compiled.returncode:
            raise AssertionError(f"the package does not compile:\n{compiled.stdout[-4000:]}")
    return package


def find_bun(node: str, npm: str, environ: Mapping[str, str]) -> str:
    """Bun's program.

    Raises:
        NoPackageError: npm has none for this machine, or it cannot be installed.
    """
    folder = _installed(BUN, node, npm, environ) / "@oven"
    found = sorted(str(one) for one in folder.glob("*/bin/bun"))
    if not found:
        raise NoPackageError("npm has no Bun for this machine")
    return found[0]


def _installed(source: Path, node: str, npm: str, environ: Mapping[str, str]) -> Path:
    """The installed packages of a lock file; one process at a time installs them."""
    version = subprocess.run([node, "--version"], capture_output=True, check=True).stdout  # noqa: S603 - found on PATH
    key = hashlib.sha256((source / "package-lock.json").read_bytes() + version).hexdigest()[:16]
    root, name, progress = cache_root(environ), f"{source.name}-{key}", Progress()
    with exclusive(root / f"{name}.lock", progress, "the npm packages that another process is installing"):
        if not (root / name).is_dir():
            with cache_entry(environ, name) as workshop, progress.step("Installing npm packages (once)"):
                for each in ("package.json", "package-lock.json", ".npmrc"):
                    shutil.copyfile(source / each, workshop / each)
                done = subprocess.run(  # noqa: S603 - found on PATH
                    [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(workshop)],
                    env=dict(environ),
                    capture_output=True,
                    text=True,
                    timeout=INSTALL_SECONDS,
                    check=False,
                )
                if done.returncode:
                    said = " ".join(done.stderr.split())[-400:]
                    raise NoPackageError(f"the npm packages of {source.name} cannot be installed: {said}")
    return root / name / "node_modules"


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """What a program needs of this process's variables."""
    return {name: environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in environ}
