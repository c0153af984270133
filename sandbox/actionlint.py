"""`python -m sandbox.actionlint`: checks the workflows with actionlint, and builds it from its Go modules if necessary.

`actionlint_module` pins the version. The cache beside the engine's cache holds the executable, complete or not at all.
The rule: if actionlint is neither built nor on PATH, and Go cannot build it, the command checks nothing and prints a
line that says so. That is not a failure. The shellcheck of this environment (the PyPI package) checks the shell lines
of a step. A shellcheck on PATH is never used, so every machine gives the same result.

Exit status: 0 no finding, or not run; 1 findings; another status of actionlint's own if it could not check.

Source: https://github.com/rhysd/actionlint (MIT)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sandbox.folder import repository
from sandbox.go_program import GoProgram, NoProgramError
from sandbox.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION: Final = "1.7.12"  # actionlint_module/go.mod pins the same
PROGRAM: Final = GoProgram(
    name="actionlint",
    version=VERSION,
    package="github.com/rhysd/actionlint/cmd/actionlint",
    module=Path(__file__).parent / "actionlint_module",
    ldflags=f"-X github.com/rhysd/actionlint.version={VERSION}",
    version_argument="-version",
)
WORKFLOWS: Final = Path(".github") / "workflows"


class NoActionlintError(Exception):
    """actionlint is not installed and cannot be built; the message is the reason."""


def find_actionlint(environ: Mapping[str, str], progress: Progress) -> Path:
    """Find the executable, or build it. Only one process at a time builds it.

    Another version on PATH is the last resort: it may know fewer rules.

    Raises:
        NoActionlintError: The executable does not exist, and Go is missing, too old, or cannot build it.
    """
    try:
        return PROGRAM.find(environ, progress)
    except NoProgramError as reason:
        on_path = shutil.which("actionlint", path=environ.get("PATH", os.defpath))
        if on_path:
            return Path(on_path)
        raise NoActionlintError(f"actionlint {VERSION} is not on PATH, and cannot be built: {reason}") from reason


def check(executable: Path, root: Path, arguments: Sequence[str] = ()) -> int:
    """Check every workflow of a repository and print the findings. Returns actionlint's exit status."""
    files = sorted(path for pattern in ("*.yml", "*.yaml") for path in (root / WORKFLOWS).glob(pattern))
    if not files:
        return 0
    shellcheck = Path(sys.prefix) / "bin" / "shellcheck"
    if not shellcheck.exists():
        sys.stderr.write("actionlint: cannot check the shell lines: shellcheck has no wheel for this machine\n")
    command = [str(executable), f"-shellcheck={shellcheck if shellcheck.exists() else ''}", "-pyflakes=", *arguments]
    command += [str(path.relative_to(root)) for path in files]
    return subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603 - the linter, on our own files


def main(arguments: Sequence[str]) -> int:
    """Find actionlint and run it; `arguments` go to actionlint unchanged."""
    try:
        executable = find_actionlint(os.environ, Progress())
    except NoActionlintError as reason:
        sys.stderr.write(f"actionlint: not run: {reason}\n")
        return 0
    return check(executable, repository(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
