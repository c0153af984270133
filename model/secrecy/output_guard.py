"""What a command's process writes passes here: no secret that it has read leaves it by a stream, a log or a core dump.

The rule: each command's first line is `guard_output()`, and a command that is asked to print secrets does so by
`reveal`, and by nothing else. The streams are wrapped, so that tracebacks, warnings, rich and argparse are covered
without knowing of it. Log records are of a class of ours rather than filtered: a filter of a logger does not see the
records of the loggers below it, and one of a handler not those of a handler that is added later.
It leaves out `sys.stdout.buffer` (bytes are the content of an object) and what a child process writes to the terminal.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from model.secrecy.redaction import KEPT, Redactor

# Fatal signals are told by PYTHONFAULTHANDLER with functions and lines only; a core file would hold all that is known.
_FLUSHED_CHARACTERS = 3
_VARIABLES = re.compile(
    r"AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|PULUMI_CONFIG_PASSPHRASE|PULUMI_ACCESS_TOKEN|AISTOR_ROOT_PASSWORD"
    r"|MINIO_ROOT_PASSWORD|MINIO_SECRET_KEY|OBJECTSTORE_\w+_SECRET_ACCESS_KEY"
)


def guard_output(environ: Mapping[str, str] = os.environ) -> None:
    """Let no secret of this process be seen; the first thing that a command does. A second call does no harm."""
    for name, value in environ.items():
        if _VARIABLES.fullmatch(name):
            KEPT.keep(value)
    logging.setLogRecordFactory(GuardedRecord)
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, GuardedStream):
            setattr(sys, name, GuardedStream(stream, KEPT))
    _leave_no_core()


def reveal(text: str) -> None:
    """Print secrets on standard output, where a person has asked for just that."""
    stream: Any = sys.stdout
    if isinstance(stream, GuardedStream):
        stream.reveal(text)
    else:
        stream.write(text)


class GuardedStream:
    """A text stream without the kept secrets; in all else it is the stream that it wraps.

    A value that comes in several writes is found, too: what may be the beginning of one waits for what follows, and is
    written at the latest when the stream is closed or the process ends. A flush writes no more than three characters
    of what waits; that is what an ordinary word and a secret may have in common.
    """

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        """Wrap a stream."""
        self._stream = stream
        self._redactor = redactor
        self._waiting = ""
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        """What is not ours is the stream's."""
        return getattr(self._stream, name)

    def __iter__(self) -> Any:  # noqa: ANN401, D105 - a special method is not looked up by `__getattr__`
        return iter(self._stream)

    def __del__(self) -> None:
        """Write what still waits when the process ends."""
        self._settle()
        if not self._stream.closed:
            self._stream.flush()

    def write(self, text: str) -> int:
        """Write a text without secrets."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            ready, self._waiting = self._redactor.split(self._redactor.redacted(self._waiting + text))
            self._stream.write(ready)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def reveal(self, text: str) -> None:
        """Write a text as it is."""
        with self._lock:
            self._settle()
            self._stream.write(text)

    def flush(self) -> None:
        """Write what is there, but no beginning of a secret."""
        with self._lock:
            if len(self._waiting) <= _FLUSHED_CHARACTERS:
                self._settle()
            self._stream.flush()

    def close(self) -> None:
        """Write what still waits, and close."""
        self._settle()
        self._stream.close()

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, ""
        if waiting and not self._stream.closed:
            self._stream.write(waiting)


class GuardedRecord(logging.LogRecord):
    """A log record that says its message, its exception and its stack without secrets, to whichever handler."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - those of every record
        """Make it as every record is made; texts are redacted at once, for handlers that format by themselves."""
        super().__init__(*args, **kwargs)
        self.msg = _clean(self.msg)
        if isinstance(self.args, tuple):
            self.args = tuple(_clean(one) for one in self.args)
        elif isinstance(self.args, dict):
            self.args = {key: _clean(one) for key, one in self.args.items()}

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        """The whole message: an argument that is no text may show a secret only when it is formatted."""
        return KEPT.redacted(super().getMessage())

    def __setattr__(self, name: str, value: object) -> None:
        """Whoever formats the exception or the stack keeps the text here."""
        super().__setattr__(name, _clean(value) if name in ("exc_text", "stack_info") else value)


def _clean(value: Any) -> Any:  # noqa: ANN401 - whatever is logged
    return KEPT.redacted(value) if isinstance(value, str) else value


def _leave_no_core() -> None:
    try:
        import resource  # noqa: PLC0415 - not on every platform
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
