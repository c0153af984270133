"""Filters what a command's process writes: no secret it has read leaves it in a stream, a log or a core dump.

The rule: each command first calls `guard_output()`, and a command that must print secrets uses only `reveal`. The
streams are wrapped, which also covers tracebacks, warnings, rich and argparse. Log records get a class from this
module instead of a filter: a logger's filter does not see the records of its child loggers, and a handler's filter
does not see the records of handlers added later.
It leaves out `sys.stdout.buffer` (its bytes are object content) and what a child process writes to the terminal.
"""

import io
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TextIO

from model.secrecy.redaction import KEPT, Redactor

# PYTHONFAULTHANDLER reports fatal signals with functions and lines only; a core file would hold every secret.
_FLUSHED_CHARACTERS = 3
_VARIABLES = re.compile(
    r"AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|PULUMI_CONFIG_PASSPHRASE|PULUMI_ACCESS_TOKEN|AISTOR_ROOT_PASSWORD"
    r"|MINIO_ROOT_PASSWORD|MINIO_SECRET_KEY|OBJECTSTORE_\w+_SECRET_ACCESS_KEY"
)


def guard_output(environ: Mapping[str, str] = os.environ) -> None:
    """Redact this process's secrets from its output. A command calls this first; a second call does no harm."""
    for name, value in environ.items():
        if _VARIABLES.fullmatch(name):
            KEPT.keep(value)
    logging.setLogRecordFactory(GuardedRecord)
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a sign that the terminal cannot show must not end a command
        if stream is not None and not isinstance(stream, GuardedStream):
            kind = GuardedMessages if name.strip("_") == "stderr" else GuardedStream
            setattr(sys, name, kind(stream, KEPT))
    _leave_no_core()


def reveal(text: str) -> None:
    """Print secrets on standard output; only for users who asked for them."""
    stream: Any = sys.stdout
    if isinstance(stream, GuardedStream):
        stream.reveal(text)
    else:
        stream.write(text)


class GuardedStream:
    """A text stream that redacts the kept secrets; otherwise it behaves like the stream that it wraps.

    It also finds a value that is split over several writes. Text that may be the beginning of a secret waits for the
    next write; it is written at the latest when the stream is closed or the process ends. A flush writes waiting text
    of at most three characters, because an ordinary word may share that much with a secret.
    """

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        """Wrap a stream."""
        self._stream = stream
        self._redactor = redactor
        self._waiting = ""
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the stream
        """Take all other attributes from the wrapped stream."""
        return getattr(self._stream, name)

    def __iter__(self) -> Any:  # noqa: ANN401, D105 - a special method is not looked up by `__getattr__`
        return iter(self._stream)

    def __del__(self) -> None:
        """Write the waiting text when the process ends."""
        self._settle()
        if not self._stream.closed:
            self._stream.flush()

    def write(self, text: str) -> int:
        """Write a text with its secrets redacted."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            ready, self._waiting = self._redactor.split(self._redactor.redacted(self._waiting + text))
            self._put(ready)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def reveal(self, text: str) -> None:
        """Write a text unchanged."""
        with self._lock:
            self._settle()
            self._put(text)

    def flush(self) -> None:
        """Flush, but hold back a possible beginning of a secret."""
        with self._lock:
            if len(self._waiting) <= _FLUSHED_CHARACTERS:
                self._settle()
            self._stream.flush()

    def close(self) -> None:
        """Write the waiting text, and close."""
        self._settle()
        self._stream.close()

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, ""
        if waiting and not self._stream.closed:
            self._put(waiting)

    def _put(self, text: str) -> None:
        """Write, and keep the error in `fault`, because the stream forgets what it could not write."""
        try:
            self._stream.write(text)
        except OSError as fault:
            self.fault = fault
            raise


class GuardedMessages(GuardedStream):
    """Standard error: a message that cannot be written is dropped, because it changes nothing of what was done."""

    def write(self, text: str) -> int:
        """Write a text with its secrets redacted, if that is possible."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with suppress(OSError):
            super().flush()


class GuardedRecord(logging.LogRecord):
    """A log record whose message, exception and stack contain no secrets, for any handler."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - those of every record
        """Create the record and redact its texts at once, for handlers that format records themselves."""
        super().__init__(*args, **kwargs)
        self.msg = _clean(self.msg)
        if isinstance(self.args, tuple):
            self.args = tuple(_clean(one) for one in self.args)
        elif isinstance(self.args, dict):
            self.args = {key: _clean(one) for key, one in self.args.items()}

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        """The whole message, redacted: an argument that is not text may reveal a secret when it is formatted."""
        return KEPT.redacted(super().getMessage())

    def __setattr__(self, name: str, value: object) -> None:
        """Redact the exception's and the stack's text, which formatters store here."""
        super().__setattr__(name, _clean(value) if name in ("exc_text", "stack_info") else value)


def _clean(value: Any) -> Any:  # noqa: ANN401 - any logged value
    return KEPT.redacted(value) if isinstance(value, str) else value


def _leave_no_core() -> None:
    try:
        import resource  # noqa: PLC0415 - not on every platform
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
