"""Runs `git` in a folder.

The rule: the folder's own repository answers. What another repository's hook or the caller exported (`GIT_DIR`,
`GIT_WORK_TREE`, …) is taken out, messages are in English, and paths come unquoted.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from model.environment import Reader, environment_for
from ops.keys.outside import run
from stack.runner import Said

_SECONDS = 60.0


def run_git(folder: Path, *arguments: str, environ: Mapping[str, str] = os.environ) -> Said:
    """The result of a git command, for any exit status; bytes that are not UTF-8 are kept as lone surrogates.

    Args:
        folder: Where git looks for the repository.
        arguments: The command; a revision in it must not begin with `-`.
        environ: The environment that is cleaned for git.

    Raises:
        OutsideError: git is not on PATH, cannot be started, or did not end in time.
    """
    command = ["git", "-c", "core.quotePath=false", "-C", str(folder), *arguments]
    cleaned = {**environment_for(Reader.GIT, environ), "LC_ALL": "C"}
    return run(command, environ=cleaned, timeout_seconds=_SECONDS, undecodable="surrogateescape")
