"""What `python -m object_store` writes passes here: no secret of its store leaves by a stream, a log or a core dump.

The rule: a store's configuration is shown to the screen as soon as it is read (`Screen.hide`), and what a person has
asked to see, a presigned URL, is written past it (`reveal`). The adapter stands alone, so this is its own, smaller than
`model.secrecy.output_guard`; bytes (`sys.stdout.buffer`) are an object's content and pass as they are.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LEAST_CHARACTERS = 8  # a shorter value would blot out what has nothing to do with it
_SHOWN = "***"  # as errors of the adapter have it


class Screen:
    """The secrets of the process, and texts without them."""

    def __init__(self) -> None:
        """Hide none."""
        self._forms: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Show these nowhere from now on: not as they are, in a URL, or in JSON."""
        found = {
            form
            for secret in secrets
            if len(secret) >= _LEAST_CHARACTERS
            for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
        }
        self._forms = tuple(sorted({*self._forms, *found}, key=len, reverse=True))

    def cleaned(self, text: str) -> str:
        """The text with asterisks in the place of each."""
        for form in self._forms:
            text = text.replace(form, _SHOWN)
        return text


SCREEN = Screen()


class ScreenedStream:
    """A text stream behind the screen; in all else it is the stream that it wraps."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap a stream."""
        self.stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the stream has
        """What is not ours is the stream's."""
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text without secrets."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.stream.write(SCREEN.cleaned(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)


class ScreenedRecord(logging.LogRecord):
    """A log record whose message, exception and stack come without secrets, to whichever handler."""

    def getMessage(self) -> str:  # noqa: N802  # logging's name
        """The message, formatted."""
        return SCREEN.cleaned(super().getMessage())

    def __setattr__(self, name: str, value: object) -> None:
        """Whoever formats the exception or the stack keeps the text here."""
        text = isinstance(value, str) and name in {"msg", "exc_text", "stack_info"}
        super().__setattr__(name, SCREEN.cleaned(str(value)) if text else value)


def put_up(environ: Mapping[str, str] = os.environ) -> None:
    """Put the screen before this process; the first thing that the command does."""
    SCREEN.hide(environ.get(name, "") for name in _VARIABLES)
    logging.setLogRecordFactory(ScreenedRecord)
    for name in ("stdout", "stderr"):
        if not isinstance(getattr(sys, name), ScreenedStream):
            setattr(sys, name, ScreenedStream(getattr(sys, name)))
    _leave_no_core()


def reveal(text: str) -> None:
    """Print on standard output what a person has asked for, secret as it may be."""
    stream: Any = sys.stdout.stream if isinstance(sys.stdout, ScreenedStream) else sys.stdout
    # An application may have put a guard of its own below, which is told the same way.
    getattr(stream, "reveal", stream.write)(text)


def _leave_no_core() -> None:
    try:
        import resource  # noqa: PLC0415  # not on every platform
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
