"""Files that hold a secret: mode 0600, whole or not at all, and never where git would take them up.

The rule: the path is refused before anything is written unless it is certain that no commit can hold it. Readers see
the old file or the new one. What stands in the file is the target's matter.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ops.keys.outside import OutsideError, run
from ops.keys.targets.outcome import CannotDeliverError

PRIVATE_MODE = 0o600


def check_path(path: Path) -> None:
    """See that a secret may be written to a path.

    Raises:
        CannotDeliverError: Its folder is not there, it is a link or no regular file, or git tracks it or could.
    """
    check_regular(path)
    _refuse_in_git(path)


def check_regular(path: Path) -> None:
    """See that a path can be replaced by a file, whatever will stand in it.

    Raises:
        CannotDeliverError: Its folder is not there or not writable, or it is a link or no regular file.
    """
    if not path.parent.is_dir():
        raise CannotDeliverError(f"{path.parent} is no folder; first: mkdir -p -m 700 {path.parent}")
    if path.is_symlink():
        raise CannotDeliverError(f"{path} is a symbolic link, and a secret goes to no place by a link: name the file")
    if path.exists() and not path.is_file():
        raise CannotDeliverError(f"{path} is no regular file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotDeliverError(f"{path.parent} cannot be written to by this user")


def write(path: Path, text: str, mode: int = PRIVATE_MODE) -> None:
    """Replace a file as a whole; with its mode from the first byte on.

    Raises:
        OSError: The disk is full, or the like; the old file is still there.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            new.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_own(path: Path, head: str) -> str | None:
    """The text of a file that an earlier delivery made; None where there is none.

    Args:
        path: Where it is.
        head: Its first line, by which it is known.

    Raises:
        CannotDeliverError: It is somebody else's, or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text.startswith(head):
        raise CannotDeliverError(f"{path} is there and no delivery made it; it is not replaced: name another file")
    return text


def is_private(path: Path) -> bool:
    """Whether nobody but its owner can read or write a file."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def _refuse_in_git(path: Path) -> None:
    folder = path.parent.resolve()
    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return
    # In the folder's own repository, whatever GIT_DIR says: a hook of another one may have started this.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"LC_ALL": "C"}
    git = ["git", "-C", str(folder)]
    try:
        inside = run([*git, "rev-parse", "--is-inside-work-tree"], environ=environ)
        tracked = run([*git, "ls-files", "--error-unmatch", "--", path.name], environ=environ)
        ignored = run([*git, "check-ignore", "--quiet", "--no-index", "--", path.name], environ=environ)
        top = run([*git, "rev-parse", "--show-toplevel"], environ=environ)
    except OutsideError as error:
        raise CannotDeliverError(f"{folder} is in a git repository, and it cannot be asked: {error}") from None
    if inside.status or inside.output.strip() != "true":
        raise CannotDeliverError(
            f"{folder} is in a git repository, and git does not say whether it would take the file up: "
            f"{' '.join(inside.errors.split()) or 'not in a work tree'}; name a file elsewhere"
        )
    if tracked.status == 0:
        raise CannotDeliverError(
            f"git tracks {path}, so the next commit would hold the secret; name another file, or first: "
            f"git -C {folder} rm --cached {path.name}"
        )
    if ignored.status != 0:
        root = Path(top.output.strip() or folder)
        line = f"/{folder.relative_to(root) / path.name}" if folder.is_relative_to(root) else path.name
        raise CannotDeliverError(
            f"{path} is in a git work tree and not ignored, so a `git add .` would take it up; "
            f"write this line to {root / '.gitignore'}: {line}"
        )
