"""A script in place of Go: it "builds" a script that prints its version, and logs its own calls.

Variables control it: the built script prints the version FAKE_GO_BUILDS if its argument is FAKE_GO_ARGUMENT;
FAKE_GO_VERSION is Go's own version; with FAKE_GO_FAILS the build fails. The go.mod of the build is beside the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.go_program import GoProgram

_SCRIPT = r"""#!/bin/sh
echo "$*" >> "$FAKE_GO_LOG"
case "$1 $2" in
    "env GOVERSION") echo "${FAKE_GO_VERSION:-go1.26.8}" ;;
    "list -deps") printf 'one\ntwo\n' ;;
    "build -v")
        if [ -n "${FAKE_GO_FAILS:-}" ]; then echo "undefined: everything" >&2; exit 2; fi
        cp go.mod "$FAKE_GO_LOG.mod"
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\n[ "$1" = "%s" ] && [ -d "$HOME" ] && echo "Version  : %s"\n' \
            "$FAKE_GO_ARGUMENT" "$FAKE_GO_BUILDS" > "$2"
        chmod +x "$2" ;;
esac
"""


def environment_without_go(tmp_path: Path) -> dict[str, str]:
    """An environment with a shell's own tools, no Go, and an empty cache."""
    return {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}


def put_go(environ: dict[str, str], tmp_path: Path) -> Path:
    """Put the script on PATH and return the log of its calls."""
    folder, log = tmp_path / "go", tmp_path / "go.log"
    folder.mkdir()
    (folder / "go").write_text(_SCRIPT)
    (folder / "go").chmod(0o755)
    log.touch()
    environ["PATH"] = f"{folder}:{environ['PATH']}"
    environ["FAKE_GO_LOG"] = str(log)
    return log


def let_build(environ: dict[str, str], program: GoProgram, **more: str) -> None:
    """Let the script build a file that reports this program's version."""
    environ |= {"FAKE_GO_ARGUMENT": program.version_argument, "FAKE_GO_BUILDS": program.version, **more}
