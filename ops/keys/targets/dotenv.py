"""A file of variables for one identity, for a shell (`set -a; . FILE`) and for programs that read `.env` files.

The rule: mode 0600, replaced as a whole, never where git would add it. Lines that are not ours stay. The CA is a file
in the same folder, because `S3_CA_BUNDLE` is a path.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.deployment import KeyPair
from model.handover import ACCESS_KEY_ID, NAMES, SECRET_ACCESS_KEY, Handover
from ops.keys.private_file import check_path, check_regular, is_private, write
from ops.keys.targets.outcome import CannotDeliverError, Outcome, UnfinishedDeliveryError, change_of, pair_of

#: A name of our own, because a `ca.pem` may belong to another program.
CA_NAME = "objectstore-ca.pem"
_CA_MODE = 0o644
_LINE = re.compile(rf"\s*(?:export\s+)?({'|'.join(NAMES)})\s*=(.*)")
#: A value that needs no quotes in a shell or in any parser of `.env` files.
_BARE = re.compile(r"[A-Za-z0-9_./:+=@,%-]+")


@dataclass(frozen=True)
class Dotenv:
    """A `.env` file.

    Attributes:
        path: The file.
    """

    path: Path

    def check(self) -> None:
        """Check that the path is legal and that git would not add it."""
        check_path(self.path)
        check_regular(self._ca)

    def deliver(self, given: Sequence[Handover]) -> list[Outcome]:
        """Write the CA, then the file."""
        if len(given) != 1:
            names = ", ".join(one.identity for one in given)
            raise CannotDeliverError(f"a file of variables holds one identity; choose one with --identity: {names}")
        (handover,) = given
        self.check()
        values = handover.keys() | handover.settings(str(self._ca.resolve()))
        lines = self._lines()
        before = read_variables(lines)
        after = _replaced(lines, {name: quoted(name, value) for name, value in values.items()})
        outcomes = [Outcome(name, change_of(before.get(name), value)) for name, value in values.items()]
        outcomes += [Outcome(f"{name} (removed)", "changed") for name in before if name not in values]
        ca, written = self._ca_outcome(handover), list[str]()
        if self.path.exists() and not is_private(self.path):
            outcomes.append(Outcome(f"{self.path} (to mode 0600)", "changed"))
        reason = f"cannot write {self.path}"
        try:
            if ca is not None:
                if ca.change != "unchanged" and handover.ca_pem is not None:
                    reason = f"cannot write {self._ca}"
                    write(self._ca, handover.ca_pem, _CA_MODE)
                    reason = f"cannot write {self.path}"
                written.append(ca.name)
                outcomes.append(ca)
            if any(one.change != "unchanged" for one in outcomes if one != ca):
                write(self.path, "".join(f"{line}\n" for line in after))
        except OSError as error:
            unwritten = [one for one in (str(self._ca), str(self.path)) if one not in written]
            raise UnfinishedDeliveryError(f"{reason}: {error.strerror}", written, unwritten) from None
        return outcomes

    def held(self, identity: str) -> KeyPair:
        """Read the file again."""
        found = read_variables(self._lines())
        return pair_of(found.get(ACCESS_KEY_ID), found.get(SECRET_ACCESS_KEY), f"{self.path}, for {identity},")

    @property
    def _ca(self) -> Path:
        return self.path.parent / CA_NAME

    def _lines(self) -> list[str]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError):
            raise CannotDeliverError(f"{self.path} exists but cannot be read as text") from None
        # Split only at line feeds: other line ends that Python knows may occur within a foreign value.
        return text.removesuffix("\n").split("\n") if text else []

    def _ca_outcome(self, handover: Handover) -> Outcome | None:
        if handover.ca_pem is None:
            return None
        try:
            before = self._ca.read_text(encoding="utf-8")
        except FileNotFoundError:
            before = None
        except (OSError, UnicodeDecodeError):
            raise CannotDeliverError(f"{self._ca} exists but cannot be read as text") from None
        return Outcome(str(self._ca), change_of(before, handover.ca_pem))


def quoted(name: str, value: str) -> str:
    """A line that a shell and a parser of `.env` files read as the same value.

    Raises:
        CannotDeliverError: They would read different values.
    """
    if _BARE.fullmatch(value):
        return f"{name}={value}"
    if not value.isprintable() or "'" in value or not value:
        raise CannotDeliverError(
            f"the value of {name} contains a quote or a line end and cannot be written to a file of variables"
        )
    return f"{name}='{value}'"


def read_variables(lines: Sequence[str]) -> dict[str, str]:
    """Our variables in a file, as a shell reads them; the last line of a name counts."""
    found = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match:
            try:
                words = shlex.split(match[2], comments=True)
            except ValueError:
                words = []
            found[match[1]] = words[0] if words else ""
    return found


def _replaced(lines: Sequence[str], ours: dict[str, str]) -> list[str]:
    """The lines with our variables replaced in place, and new ones at the end."""
    left, kept = dict(ours), list[str]()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            kept.append(line)
        elif match[1] in left:
            kept.append(left.pop(match[1]))
    return [*kept, *left.values()]
