"""Runs a command of `object-store` and turns its outcome into an exit status.

The rule: install the output guard first and the signal handlers second, before any slow import. A signal that ends a
command always decides the exit status, however the command handled the interruption.
"""

import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from cli.streams import open_closed, unwritten
from model.environment import python_fault
from model.exit_codes import ExitCode, ended_by
from model.secrecy.output_guard import guard_output

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def console() -> NoReturn:
    """The console script."""
    open_closed()
    guard_output()
    fault = python_fault()
    if fault is not None:
        sys.stderr.write(f"{fault}\n")
        sys.exit(ExitCode.CANNOT)
    warnings.simplefilter("ignore")  # whatever PYTHONWARNINGS says: `error` would end a command (`model.environment`)
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    with signals_noted() as got:
        try:
            status = _run(list(arguments))
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - a bug must not look like an answer
            lost = unwritten() if isinstance(error, OSError) else None
            if lost is None:
                traceback.print_exc()
            status = _told_unwritten(lost, ExitCode.CANNOT)
        except BaseException:
            if not got:
                raise
            status = ExitCode.INTERRUPTED  # a library of Rust makes its own panic of a KeyboardInterrupt
        else:
            status = _told_unwritten(unwritten(), status)
    if not got:
        return status
    sys.stderr.write("interrupted\n")
    return ended_by(got[0])


@contextmanager
def signals_noted() -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at each signal that ends a process, and record its number."""
    got: list[int] = []

    def end(number: int, _: object) -> NoReturn:
        got.append(number)
        raise KeyboardInterrupt

    # A signal that is ignored stays ignored: nohup and background jobs of scripts rely on it.
    before = {number: held for number in _ENDING if (held := signal.getsignal(number)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield got
    finally:
        for number, held in before.items():
            signal.signal(number, held)


def _told_unwritten(fault: OSError | None, status: int) -> int:
    """Say that results were lost. A reader that goes away (`| head`) wants no more, and gets no message."""
    if fault is None or isinstance(fault, BrokenPipeError):
        return status
    sys.stderr.write(f"standard output cannot be written: {fault.strerror or fault}.\n")
    return ExitCode.CANNOT


def _run(arguments: list[str]) -> int:
    from cli.commands import app
    from model.terminal_text import printable
    from ops.usage import UsageError

    try:
        app.main(arguments, prog_name="object-store")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except UsageError as error:
        sys.stderr.write(f"{printable(error)}\n")
        return ExitCode.CANNOT
    return ExitCode.DONE
