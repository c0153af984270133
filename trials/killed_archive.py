"""Ends a run of an archive at a chosen point, as a power cut does: SIGKILL, in a process of its own.

The rule: a point is a place in the run's course (`workloads.archive.run`), or a call before or after which the process
ends. The process is forked from one that has loaded the modules, because loading takes most of a second.
"""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from sandbox.forked import load, started
from workloads import receipt, running
from workloads.archive import proven
from workloads.context import SESSIONS, Options
from workloads.sessions import archive
from workloads.vault import drill, snapshot
from workloads.window import reconcile

#: The stages of a run, with the pass at which to end it.
STAGES = (
    ("run begun", 1),
    ("before the walk", 1),
    ("entry packed", 1),
    ("entry packed", 4),
    ("pack closed", 1),
    ("pack read back", 1),
    ("pack remembered", 1),
    ("pack remembered", 2),
    ("all packs stored", 1),
    ("manifest written", 1),
    ("manifest stored", 1),
    ("committed", 1),
    ("remembered", 1),
)
#: The calls of the run's modules before which to end it: a pack, the manifest and the commit are up and not read back.
CALLS = (("read back", 1), ("read back", 3), ("read back", 4), ("receipt", 1), ("sent", 1))
POINTS = STAGES + CALLS
#: Those of the window between NAS and store: a pack, the manifest and the commit get their names on the NAS.
WINDOW_POINTS = tuple(itertools.product(("nas: written", "nas: read back", "nas: named"), (1, 3)))
#: Those of a snapshot of the vault: its bundle is read back first.
VAULT_POINTS = (("bundle written", 1), ("bundle stored", 1), *STAGES, *CALLS)
Stage = Callable[[str], None] | None
COMMANDS: Mapping[str, Callable[[Path, Stage], int]] = {
    "sessions archive": lambda config, stage: archive.run(
        archive.ArchiveOptions(config=config, quiet=True), stage=stage
    ),
    "vault snapshot": lambda config, stage: snapshot.run(
        snapshot.SnapshotOptions(config=config, quiet=True), stage=stage
    ),
    "vault drill": lambda config, _: drill.run(drill.DrillOptions(config=config, quiet=True)),
    "window reconcile": lambda config, stage: reconcile.run(Options(config=config, quiet=True), SESSIONS, stage=stage),
}
load(__name__)


def run_until(config: Path, point: str, times: int, pack_bytes: int, command: str = "sessions archive") -> int:
    """Run a command in a process of its own until a point.

    Args:
        config: The configuration file.
        point: A stage or a call; empty for a whole run.
        times: The pass at which the process ends.
        pack_bytes: Size at which a pack is closed.
        command: One of `COMMANDS`.

    Returns:
        The exit status; -9 if the point was reached.
    """
    process = started(_run, config, point, times, pack_bytes, command)
    process.join()
    return process.exitcode or 0


def run_calls(config: Path, calls: int, pack_bytes: int, command: str = "sessions archive") -> int:
    """Likewise, until Python has made this many calls, in all threads; the same however slow the machine is."""
    process = started(_run_calls, config, calls, pack_bytes, command)
    process.join()
    return process.exitcode or 0


def calls_of(config: Path, pack_bytes: int, command: str = "sessions archive") -> int:
    """How many calls a whole run makes."""
    if run_calls(config, 0, pack_bytes, command):
        raise AssertionError("the run without a kill failed")
    return int((config.parent / "calls").read_text())


def _run_calls(config: Path, calls: int, pack_bytes: int, command: str) -> None:
    vars(archive)["PACK_BYTES"] = vars(snapshot)["PACK_BYTES"] = pack_bytes
    killed_after(calls, lambda: COMMANDS[command](config, None), config.parent / "calls")


def killed_after(calls: int, run: Callable[[], int], counted: Path) -> NoReturn:
    """Run a command in this process, which gets SIGKILL at a call of Python's, in any thread, or ends with its status.

    Args:
        calls: At which call; 0 for a whole run.
        run: The command.
        counted: The file that gets the number of calls of a whole run.
    """
    made = itertools.count(1)
    last = 0

    def called(_: object, event: str, __: object) -> None:
        nonlocal last
        if event == "call":
            last = next(made)
            if last == calls:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(called)
    sys.setprofile(called)
    status = run()
    sys.setprofile(None)
    counted.write_text(str(last))
    os._exit(status)


def _run(config: Path, point: str, times: int, pack_bytes: int, command: str) -> None:
    passed = 0

    def reached(name: str) -> None:
        nonlocal passed
        passed += name == point
        if passed == times and name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
            reached(name)
            return call(*given, **named)

        return called

    vars(archive)["PACK_BYTES"] = vars(snapshot)["PACK_BYTES"] = pack_bytes
    vars(proven)["read_back"] = before("read back", proven.read_back)
    vars(running)["keep"] = before("receipt", receipt.keep)
    vars(running)["send"] = before("sent", receipt.send)
    os._exit(COMMANDS[command](config, reached))
