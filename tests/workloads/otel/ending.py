"""Runs a command of `otel` in a process of its own until a chosen point, as a power cut or a person ends it.

The rule: the process has the clock of the fixture, and is forked from one that has loaded the modules.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from cli.main import signals_noted
from model.exit_codes import ExitCode
from object_store import ObjectStore
from sandbox.forked import load, started
from trials.killed_archive import killed_after
from workloads import receipt, running
from workloads.archive import clock, proven
from workloads.otel import backfill, export, slice_export
from workloads.otel.export import ExportOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

#: The stages of an export, and the calls of `_run` before which to end it; with the pass.
EXPORT_POINTS = (
    ("streamed", 1),
    ("read", 2),
    ("put", 1),
    ("put", 2),
    ("read back", 1),
    ("stored", 2),
    ("read back", 2),
    ("committed", 1),
    ("committed", 3),
    ("day", 1),
    ("receipt", 2),
    ("sent", 1),
)
COMMANDS: Mapping[str, Callable[..., int]] = {"otel export": export.run, "otel backfill": backfill.run}
load(__name__)


def run_until(
    config: Path, now: datetime, command: str, point: str = "", times: int = 0, number: int = signal.SIGKILL
) -> int:
    """Run a command until a point, at which it gets a signal.

    Args:
        config: The configuration file.
        now: The time by its clock.
        command: One of `COMMANDS`.
        point: A stage of the run, or a call that `_run` names; empty for a whole run.
        times: The pass at which it gets the signal.
        number: The signal.

    Returns:
        The exit status; -9 if SIGKILL came.
    """
    return joined(begun(config, now, command, point, times, number))


def begun(config: Path, now: datetime, command: str, *where: object) -> Any:  # noqa: ANN401 - a process
    """Start a command, as `run_until` does; it goes on beside this process."""
    return started(_run, config, now, command, *where or ("", 0, signal.SIGKILL))


def joined(process: Any) -> int:  # noqa: ANN401 - of `begun`
    """The exit status of a process, once it has ended."""
    process.join()
    status: int = process.exitcode
    process.close()
    return status


def run_calls(config: Path, now: datetime, command: str, calls: int) -> int:
    """Likewise, until Python has made this many calls, in all threads; the same however slow the machine is."""
    return joined(started(_run_calls, config, now, command, calls))


def calls_of(config: Path, now: datetime, command: str) -> int:
    """How many calls a whole run makes."""
    if run_calls(config, now, command, 0):
        raise AssertionError("the run without a kill failed")
    return int((config.parent / "calls").read_text())


def _prepare(now: datetime) -> None:
    vars(clock)["now_utc"] = lambda: now
    vars(slice_export)["_WAITS"] = (0.0,)


def _run(config: Path, now: datetime, command: str, point: str, times: int, number: int) -> None:
    passed = 0

    def reached(name: str) -> None:
        nonlocal passed
        passed += name == point
        if passed == times and name == point:
            os.kill(os.getpid(), number)

    def before(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
            reached(name)
            return call(*given, **named)

        return called

    _prepare(now)
    back = before("read back", proven.read_back)
    vars(proven)["read_back"] = vars(slice_export)["read_back"] = back
    vars(running)["keep"] = before("receipt", receipt.keep)
    vars(running)["send"] = before("sent", receipt.send)
    setattr(ObjectStore, "upload", before("put", ObjectStore.upload))  # noqa: B010 - a method
    with signals_noted():
        try:
            status = COMMANDS[command](ExportOptions(config, quiet=True), stage=reached)
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
    os._exit(status)


def _run_calls(config: Path, now: datetime, command: str, calls: int) -> None:
    _prepare(now)
    killed_after(calls, lambda: COMMANDS[command](ExportOptions(config, quiet=True)), config.parent / "calls")
