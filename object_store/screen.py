"""Hides secrets in all that `python -m object_store` writes: streams and logs. It also prevents core dumps.

The rule: the screen gets a store's secrets as soon as its configuration is read (`Screen.hide`). What a person has
asked to see, a presigned URL, bypasses it (`reveal`). The adapter must work alone, so this is its own screen, smaller
than `model.secrecy.output_guard`. Bytes (`sys.stdout.buffer`) are an object's content and pass unchanged.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_LEAST_CHARACTERS = 8  # a shorter value would also hide unrelated text
_SHOWN = "***"  # as in the adapter's errors


class Screen:
    """The secrets of the process; it removes them from texts."""

    def __init__(self) -> None:
        """Start without secrets."""
        self._forms: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide these from now on: as they are, in a URL, or in JSON."""
        found = {
            form
            for secret in secrets
            if len(secret) >= _LEAST_CHARACTERS
            for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
        }
        self._forms = tuple(sorted({*self._forms, *found}, key=len, reverse=True))

    def cleaned(self, text: str) -> str:
        """The text with asterisks in place of each secret."""
        for form in self._forms:
            text = text.replace(form, _SHOWN)
        return text


SCREEN = Screen()


class ScreenedStream:
    """A text stream that hides secrets; in all else it is the stream that it wraps."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap a stream."""
        self.stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any attribute of the stream
        """Return any other attribute of the wrapped stream."""
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text without its secrets."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.reveal(SCREEN.cleaned(text))
        return len(text)

    def reveal(self, text: str) -> None:
        """Write a text unchanged; `fault` keeps the error, because the stream forgets what it could not write."""
        try:
            # An application may have put its own guard below; it reveals in the same way.
            getattr(self.stream, "reveal", self.stream.write)(text)
        except OSError as fault:
            self.fault = fault
            raise

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)


class ScreenedMessages(ScreenedStream):
    """Standard error: a message that cannot be written is dropped, because it changes nothing of what was done."""

    def write(self, text: str) -> int:
        """Write a text without its secrets, if that is possible."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with suppress(OSError):
            self.stream.flush()


class ScreenedRecord(logging.LogRecord):
    """A log record that hides secrets in its message, exception and stack, for every handler."""

    def getMessage(self) -> str:  # noqa: N802  # logging's name
        """The message, formatted."""
        return SCREEN.cleaned(super().getMessage())

    def __setattr__(self, name: str, value: object) -> None:
        """Hide secrets also in the texts of exception and stack, which formatters store here."""
        text = isinstance(value, str) and name in {"msg", "exc_text", "stack_info"}
        super().__setattr__(name, SCREEN.cleaned(str(value)) if text else value)


def put_up(environ: Mapping[str, str] = os.environ) -> None:
    """Put the screen in front of the output of this process; the command does this first."""
    SCREEN.hide(environ.get(name, "") for name in _VARIABLES)
    logging.setLogRecordFactory(ScreenedRecord)
    for name in ("stdout", "stderr"):
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a key that the terminal cannot show must not end a command
        if not isinstance(getattr(sys, name), ScreenedStream):
            setattr(sys, name, (ScreenedMessages if name == "stderr" else ScreenedStream)(getattr(sys, name)))
    _leave_no_core()


def reveal(text: str) -> None:
    """Print what a person has asked for on standard output, even if it is secret."""
    stream: Any = sys.stdout
    getattr(stream, "reveal", stream.write)(text)


def _leave_no_core() -> None:
    try:
        import resource  # noqa: PLC0415  # not on every platform
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
