"""Files that a person or another program wrote: their bytes, their text, and what is wrong with their form.

The rule: a fault of form is one `WrittenError` of two lines: file, line, column and what was found; then what to write.
It shows no value, because a value may be a secret. `written_yaml` and `written_json` read what the text says.
"""

import codecs
import os
import select
import stat
from pathlib import Path

from model.problems import InvalidInputError, Problem

FILE_BYTES_MAXIMUM = 64 * 2**20
"""No file that these programs read is as large: the facts of 300 domains are under 20 MiB."""

PIPE_SECONDS = 120
"""The longest wait for a pipe's next bytes: `--deployment <(pulumi stack output deployment --json)` takes seconds."""

_BLOCK_BYTES = 2**20
_SHOWN_CHARACTERS = 60
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class WrittenError(InvalidInputError):
    """Input is wrong in form: it cannot be read, or is not what its format allows.

    Attributes:
        line: The line of the fault, from 1; None if the fault is the whole file's.
        column: Its column in characters, from 1.
    """

    def __init__(self, where: str, found: str, write: str, position: tuple[int, int] | None = None) -> None:
        """Name the place, what was found there, and what to write instead."""
        self.line: int | None
        self.column: int | None
        self.line, self.column = position or (None, None)
        place = where if position is None else f"{where}:{position[0]}:{position[1]}"
        super().__init__([Problem(place, found, "", write)])
        self.args = (str(self.problems[0]),)


def position_of(text: str, index: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def shown(text: str) -> str:
    """A key or a name as a message shows it: escaped, and not longer than a line."""
    return repr(text) if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]!r}…"


def read_written(path: Path, where: str, at_most: int = FILE_BYTES_MAXIMUM) -> bytes:
    """The bytes of a file, or of a pipe into which a program writes.

    Args:
        path: The file.
        where: Its name in messages.
        at_most: The largest size in bytes.

    Raises:
        WrittenError: It cannot be read, is neither a file nor a pipe, or is too large.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe waits until a program writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise WrittenError(where, f"cannot be read: {error.strerror}", "the path of a readable file") from None
    except ValueError:
        raise WrittenError(where, "is not a path: it holds a NUL character", "the path of a readable file") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device or a socket"
            raise WrittenError(where, f"cannot be read: it is {kind}", "the path of a file")
        content = bytearray()
        while block := _next(descriptor, where):
            content += block
            if len(content) > at_most:
                raise WrittenError(where, f"is larger than {at_most:,} bytes", "the path of the file that is meant")
    except OSError as error:
        raise WrittenError(where, f"cannot be read: {error.strerror}", "the path of a readable file") from None
    finally:
        os.close(descriptor)
    if not content and stat.S_ISFIFO(mode):
        raise WrittenError(where, "is a pipe into which no program writes", "the path of a file")
    return bytes(content)


def _next(descriptor: int, where: str) -> bytes:
    """The next bytes; none at the end."""
    try:
        return os.read(descriptor, _BLOCK_BYTES)
    except BlockingIOError:  # a pipe whose writer has written nothing yet
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        if not waiting.poll(PIPE_SECONDS * 1000):
            raise WrittenError(
                where, f"is a pipe into which no program wrote for {PIPE_SECONDS} s", "the path of a file"
            ) from None
        return os.read(descriptor, _BLOCK_BYTES)


def text_of(content: bytes, where: str) -> str:
    """The text of a file in UTF-8; a byte order mark at the beginning is left out, as the engine does.

    Raises:
        WrittenError: It has another encoding.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    if content.startswith(_UTF_16) or b"\0" in content[:2]:
        raise WrittenError(where, "is in UTF-16, not in UTF-8", f"iconv -f UTF-16 -t UTF-8 {_file(where)} > NEW_FILE")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        raise WrittenError(
            where,
            f"the byte 0x{content[error.start]:02X} is not UTF-8; the file may be in Latin-1",
            f"iconv -f ISO-8859-1 -t UTF-8 {_file(where)} > NEW_FILE",
            position_of(before, len(before)),
        ) from None


def _file(where: str) -> str:
    return where if " " not in where else "FILE"
