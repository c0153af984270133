"""Files that hold a secret: mode 0600, written completely or not at all, and never where git would add them.

The rule: a path is refused before any write unless it is certain that no commit can include the file. Readers see
either the old file or the new one. It leaves out the file's content, which is the target's.
"""

import os
import stat
from pathlib import Path

from model.whole_file import write_whole
from ops.git import run_git
from ops.keys.outside import OutsideError
from ops.keys.targets.outcome import CannotDeliverError

PRIVATE_MODE = 0o600


def check_path(path: Path) -> None:
    """Check that a secret may be written to a path.

    Raises:
        CannotDeliverError: The folder is missing, the path is a link or not a regular file, or git tracks it or could.
    """
    check_regular(path)
    _refuse_in_git(path)


def check_regular(path: Path) -> None:
    """Check that a file can be written to a path, with any content.

    Raises:
        CannotDeliverError: The folder is missing or not writable, or the path is a link or not a regular file.
    """
    if not path.parent.is_dir():
        raise CannotDeliverError(f"{path.parent} is not a folder; first run: mkdir -p -m 700 {path.parent}")
    if path.is_symlink():
        raise CannotDeliverError(
            f"{path} is a symbolic link, and no secret is written through a link: name the file itself"
        )
    if path.exists() and not path.is_file():
        raise CannotDeliverError(f"{path} is not a regular file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotDeliverError(f"this user cannot write to {path.parent}")


def write(path: Path, text: str, mode: int = PRIVATE_MODE) -> None:
    """Replace a file as a whole, with its mode set before the first byte.

    Raises:
        OSError: A write failed, for example because the disk is full; the old file is unchanged.
    """
    write_whole(path, text, mode)


def read_own(path: Path, head: str) -> str | None:
    """The text of a file that an earlier delivery wrote; None if the file does not exist.

    Args:
        path: The file.
        head: The first line of such a file.

    Raises:
        CannotDeliverError: Another program wrote the file, or it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text.startswith(head):
        raise CannotDeliverError(f"{path} exists, but no delivery wrote it, so it is not replaced: name another file")
    return text


def is_private(path: Path) -> bool:
    """Whether only its owner can read or write a file."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def _refuse_in_git(path: Path) -> None:
    folder = path.parent.resolve()
    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return
    try:
        inside = run_git(folder, "rev-parse", "--is-inside-work-tree")
        tracked = run_git(folder, "ls-files", "--error-unmatch", "--", path.name)
        ignored = run_git(folder, "check-ignore", "--quiet", "--no-index", "--", path.name)
        top = run_git(folder, "rev-parse", "--show-toplevel")
    except OutsideError as error:
        raise CannotDeliverError(f"{folder} is in a git repository, but git cannot be queried: {error}") from None
    if inside.status or inside.output.strip() != "true":
        raise CannotDeliverError(
            f"{folder} is in a git repository, but git does not say whether it would add the file: "
            f"{' '.join(inside.errors.split()) or 'not in a work tree'}; name a file elsewhere"
        )
    if tracked.status == 0:
        raise CannotDeliverError(
            f"git tracks {path}, so the next commit would include the secret; name another file, or first run: "
            f"git -C {folder} rm --cached {path.name}"
        )
    if ignored.status != 0:
        root = Path(top.output.strip() or folder)
        line = f"/{folder.relative_to(root) / path.name}" if folder.is_relative_to(root) else path.name
        raise CannotDeliverError(
            f"{path} is in a git work tree and not ignored, so `git add .` would add it; "
            f"write this line to {root / '.gitignore'}: {line}"
        )
