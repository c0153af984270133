"""The keys of a machine's archives: the recipients of `workloads.yaml`, and the identity files that a command is given.

The rule: nothing is encrypted without a recipient, and no secret key is shown, also one that was written in the wrong
place. An identity file that others may read is refused, as ssh does.
"""

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyrage

from model.problems import InvalidInputError, Problem, key_path
from model.secrecy.redaction import keep_secret
from model.written import read_written
from workloads.archive.sealing import Keys
from workloads.settings import Encryption, Workloads

_SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - how such a key begins
_FILE_BYTES_MAXIMUM = 2**20
_LEGAL = "public keys that begin with age1, as `age-keygen` prints them"
_MAKE = "age-keygen -o FILE"


def keys_of(settings: Workloads, where: str, identities: Sequence[Path] = ()) -> Keys:
    """Read to whom is encrypted, and what can be opened.

    Args:
        settings: The configuration.
        where: Its name, for messages.
        identities: The identity files of the command; none for the configured one.

    Raises:
        InvalidInputError: A key or a file is wrong; the error names the line, and shows no secret.
    """
    given = settings.encryption if isinstance(settings.encryption, Encryption) else None
    files = list(identities)
    if not files and given is not None and given.identity is not None:
        files = [Path(given.identity).expanduser()]
    secrets = tuple(one for path in files for one in _identities(path))
    recipients = _recipients(given, where) if given is not None else ()
    return Keys(recipients, secrets, tuple(map(str, files)))


def _recipients(given: Encryption, where: str) -> tuple[str, ...]:
    place = key_path(where, "encryption")
    found = [_public(one, f"{place}.recipients[{number}]") for number, one in enumerate(given.recipients)]
    if given.recipients_file is not None:
        path = Path(given.recipients_file).expanduser()
        read = [_public(line, f"{path}, line {number}") for number, line in _lines(path)]
        if not read:
            raise InvalidInputError([Problem(str(path), "names no recipient", _LEGAL, "age1…")])
        found += read
    if not found:
        raise InvalidInputError([Problem(place, "names no recipient", _LEGAL, "recipients: [age1…]")])
    return tuple(sorted(set(found)))


def _public(text: str, where: str) -> str:
    text = text.strip()
    if text.upper().startswith(_SECRET):
        keep_secret(text)
        raise InvalidInputError(
            [Problem(where, "is a secret key, which belongs in an identity file", _LEGAL, "age-keygen -y FILE")]
        )
    try:
        return str(pyrage.x25519.Recipient.from_str(text))
    except pyrage.RecipientError:
        raise InvalidInputError([Problem(where, "is not a public key of age", _LEGAL, _MAKE)]) from None


def _identities(path: Path) -> Iterator[pyrage.x25519.Identity]:
    where = str(path)
    if path.name.upper().startswith(_SECRET):
        keep_secret(where)
        raise InvalidInputError([Problem("--identity", "is a secret key", "the file that holds it", "--identity FILE")])
    try:
        mode = path.stat().st_mode
    except OSError as fault:
        said = fault.strerror or "cannot be read"
        raise InvalidInputError([Problem(where, said, "the file that `age-keygen` made", "--identity FILE")]) from None
    if stat.S_ISREG(mode) and mode & 0o077:
        problem = Problem(where, "can be read by others", "a file of mode 600", f"chmod 600 {where}")
        raise InvalidInputError([problem])
    found = False
    for number, line in _lines(path):
        keep_secret(line)
        try:
            yield pyrage.x25519.Identity.from_str(line)
        except pyrage.IdentityError:
            raise InvalidInputError(
                [
                    Problem(
                        f"{where}, line {number}",
                        "is not a secret key of age",
                        f"lines that begin with {_SECRET}1; a file with a passphrase must be opened first",
                        f"(umask 077; age -d {where} > OPENED)",
                    )
                ]
            ) from None
        found = True
    if not found:
        raise InvalidInputError([Problem(where, "holds no secret key", f"a line that begins with {_SECRET}1", _MAKE)])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file of keys with their numbers, without comments; a byte order mark and CRLF do no harm."""
    text = read_written(path, str(path), _FILE_BYTES_MAXIMUM).decode("utf-8-sig", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()
