"""A program from pinned Go modules: found in the cache, or built into it, complete or not at all.

The cache is the engine's; all clones share it. The rule: a program appears there only after it has reported the pinned
version, and only one process at a time builds it. Left out: what each program is for (sandbox.engine.gateway,
sandbox.actionlint, sandbox.act), and the engine, which can be in other places too (sandbox.engine.finder).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.child import exclusive
from sandbox.engine.finder import NoEngineError, cache_entry, cache_root, find_go, go_build, module_copy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.progress import Progress


class NoProgramError(Exception):
    """The program is not built and cannot be built; the message is the reason."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program and the way to build it.

    Attributes:
        name: The name of the executable.
        version: The version that it must report; `module`'s go.mod pins the same.
        package: The Go package of its `main`.
        module: The folder with go.mod, go.sum and tools.go.
        ldflags: Values that the linker sets, such as the version.
        version_argument: The argument that prints the version.
        takes: The duration of a build, if it is long.
    """

    name: str
    version: str
    package: str
    module: Path
    ldflags: str = ""
    version_argument: str = "--version"
    takes: str = ""

    @property
    def entry(self) -> str:
        """Its folder in the cache."""
        return f"{self.name}-{self.version}"

    def existing(self, environ: Mapping[str, str]) -> Path | None:
        """The executable in the cache, if it exists."""
        executable = cache_root(environ) / self.entry / self.name
        return executable if os.access(executable, os.X_OK) else None

    def find(self, environ: Mapping[str, str], progress: Progress) -> Path:
        """Find the executable, or build it.

        Raises:
            NoProgramError: The program is not built, and Go is missing, too old, or cannot build it.
        """
        found = self.existing(environ)
        if found:
            return found
        lock = cache_root(environ) / f"{self.entry}.lock"
        try:
            go = find_go(environ)
            with exclusive(lock, progress, f"the {self.name} that another process is building"):
                return self.existing(environ) or self._built(go, environ, progress)
        except NoEngineError as reason:
            raise NoProgramError(str(reason)) from reason

    def _built(self, go: str, environ: Mapping[str, str], progress: Progress) -> Path:
        with cache_entry(environ, self.entry) as workshop:
            module = module_copy(self.module, workshop)
            target = workshop / self.name
            with progress.step(f"Building {self.name} {self.version} ({self.takes}once)") as step:
                go_build(go, self.package, module, target, step, environ, ldflags=self.ldflags)
            if self.version not in self._version_text(target):
                raise NoEngineError(f"the built {self.name} does not report version {self.version}")
        return cache_root(environ) / self.entry / self.name

    def _version_text(self, executable: Path) -> str:
        # Nothing of the caller's environment, but a home folder: some programs do not start without one.
        environ = {"HOME": str(executable.parent.parent)}
        try:
            return subprocess.run(  # noqa: S603 - what was just built
                [executable, self.version_argument], capture_output=True, text=True, timeout=60, check=True, env=environ
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise NoEngineError(f"the built {self.name} does not run: {error}") from error
