"""Files of which a delivery changes only its own part: read exactly, and replaced only where something differs.

The rule: text that is not ours is never changed, its line ends included. A byte order mark is taken out: with it no
shell and no INI parser reads the first line. A file with a secret gets mode 0600; another file keeps its mode.
"""

import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.handover import Handover
from ops.keys.private_file import PRIVATE_MODE, check_regular, is_private, write
from ops.keys.targets.outcome import CannotDeliverError, Outcome, UnfinishedDeliveryError, change_of

_MARK = "\ufeff"


@dataclass
class Edited:
    """A file, as it is and as it shall be.

    Attributes:
        path: The file.
        before: Its whole text; None if it does not exist.
        after: The text that it shall have.
        private: Whether it holds a secret.
    """

    path: Path
    before: str | None = field(repr=False)
    after: str = field(repr=False)
    private: bool = True

    @property
    def marks(self) -> list[Outcome]:
        """What is changed beside the text."""
        found = []
        if self.private and self.path.exists() and not is_private(self.path):
            found.append(Outcome(f"{self.path} (to mode 0600)", "changed"))
        if self.before is not None and self.before.startswith(_MARK):
            found.append(Outcome(f"{self.path} (byte order mark removed)", "changed"))
        return found


def opened(path: Path, *, private: bool = True) -> Edited:
    """A file to edit; its `after` begins as the present text.

    Raises:
        CannotDeliverError: It exists but is not UTF-8, or cannot be read.
    """
    try:
        before = path.read_bytes().decode()
    except FileNotFoundError:
        return Edited(path, None, "", private)
    except (OSError, UnicodeDecodeError):
        raise CannotDeliverError(f"{path} exists but cannot be read as text") from None
    return Edited(path, before, before.removeprefix(_MARK), private)


def with_ca(folder: Path, handover: Handover) -> list[tuple[Edited, list[Outcome]]]:
    """The file with the store's CA in a folder, for `replace`; empty if the system's certificates are enough.

    Raises:
        CannotDeliverError: It cannot be written there.
    """
    if handover.ca_pem is None:
        return []
    path = folder / handover.ca_name
    check_regular(path)
    file = opened(path)
    file.after = handover.ca_pem
    return [(file, [Outcome(str(path), change_of(file.before, file.after))])]


def replace(files: Sequence[tuple[Edited, list[Outcome]]]) -> list[Outcome]:
    """Write each file that differs, in order, and return what was done.

    Args:
        files: Each file with the outcomes of the names in it.

    Raises:
        UnfinishedDeliveryError: A write failed.
    """
    done: list[Outcome] = []
    for place, (file, outcomes) in enumerate(files):
        done += outcomes + file.marks
        if file.before == file.after and not file.marks:
            continue
        mode = PRIVATE_MODE
        if not file.private and file.path.exists():
            mode = stat.S_IMODE(file.path.stat().st_mode)
        try:
            write(file.path, file.after, mode)
        except OSError as error:
            paths = [str(one.path) for one, _ in files]
            raise UnfinishedDeliveryError(
                f"cannot write {file.path}: {error.strerror}", paths[:place], paths[place:]
            ) from None
    return done
