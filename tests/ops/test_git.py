"""`git` as the commands run it: the folder's own repository answers."""

import os
import subprocess
from pathlib import Path

import pytest

from ops.git import run_git

WHO = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")


def _repository(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "größe.txt").write_text(content, encoding="utf-8")
    for arguments in (("init", "--quiet"), ("add", "."), (*WHO, "commit", "--quiet", "-m", "first")):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)  # noqa: S603, S607 - git, in our own folder
    return folder


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GIT_DIR", "{other}/.git"),
        ("GIT_WORK_TREE", "{other}"),
        ("GIT_INDEX_FILE", "{other}/.git/index"),
        ("GIT_OBJECT_DIRECTORY", "{other}/.git/objects"),
        ("GIT_CEILING_DIRECTORIES", "{own}"),
        ("GIT_NAMESPACE", "elsewhere"),
        ("GIT_EXTERNAL_DIFF", "/bin/false"),
        ("GIT_CONFIG_PARAMETERS", "'core.bare'='true'"),
        ("LC_ALL", "de_DE.UTF-8"),
    ],
)
def test_variable_of_another_repository_has_no_effect(tmp_path: Path, name: str, value: str) -> None:
    """A hook sets some of them, and a person may export any."""
    own, other = _repository(tmp_path / "own", "own"), _repository(tmp_path / "other", "other")
    environ = {**os.environ, name: value.format(own=own, other=other)}

    assert run_git(own, "cat-file", "blob", "HEAD:./größe.txt", environ=environ).output == "own"
    assert run_git(own, "ls-files", environ=environ).output == "größe.txt\n"
    assert run_git(own, "status", "--porcelain", environ=environ).output == ""
    assert "does not exist in" in run_git(own, "cat-file", "blob", "HEAD:none", environ=environ).errors
