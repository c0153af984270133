"""Runs `events resolve` in a process of its own until a chosen point, as a power cut or a person ends it.

The rule: the process is forked from one that has loaded the modules.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.main import signals_noted
from model.exit_codes import ExitCode
from object_store import ObjectStore, files
from sandbox.forked import load, started
from workloads.events import use
from workloads.events.resolve import ResolveOptions, run

if TYPE_CHECKING:
    from collections.abc import Callable

#: The calls before which to end it, with the pass. The first receipt is that of its beginning.
POINTS = (
    ("kept", 1),
    ("kept", 2),
    ("written", 1),
    ("written", 3),
    ("named", 1),
    ("unlinked", 1),
    ("put", 1),
    ("unlinked", 2),
)
load(__name__)


def begun(config: Path, event: Path, to: Path, *where: object) -> Any:  # noqa: ANN401 - a process
    """Start a run.

    Args:
        config: The configuration file.
        event: The file of the event.
        to: Where the bytes go.
        where: A call that `_run` names, the pass at which it gets a signal, and the signal; none for a whole run.
    """
    return started(_run, config, event, to, *where or ("", 0))


def joined(process: Any) -> int:  # noqa: ANN401 - of `begun`
    """The exit status of a process, once it has ended."""
    process.join()
    status: int = process.exitcode
    process.close()
    return status


def _run(config: Path, event: Path, to: Path, point: str, times: int, number: int = signal.SIGKILL) -> None:
    passed = 0

    def before(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - what the call takes
            nonlocal passed
            passed += name == point
            if passed == times and name == point:
                os.kill(os.getpid(), number)
            return call(*given, **named)

        return called

    vars(use)["_keep"] = before("kept", vars(use)["_keep"])
    vars(files)["write_all"] = before("written", vars(files)["write_all"])
    vars(os)["link"] = before("named", os.link)
    setattr(ObjectStore, "upload", before("put", ObjectStore.upload))  # noqa: B010 - a method
    setattr(Path, "unlink", before("unlinked", Path.unlink))  # noqa: B010 - likewise
    with signals_noted():
        try:
            status = run(ResolveOptions(config, quiet=True, event=str(event), to=to))
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
    os._exit(status)
