"""Runs `discovery put` in a process of its own until a chosen point, as a power cut or a person ends it.

The rule: the process is forked from one that has loaded the modules.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from cli.main import signals_noted
from model.exit_codes import ExitCode
from object_store import ObjectStore
from sandbox.forked import load, started
from workloads import receipt, running
from workloads.archive import proven
from workloads.discovery import put
from workloads.discovery.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT = "2026-11-30T04:00:00Z"
#: The stages of a run, and the calls before which to end it, with the pass. The first put is that of the receipt.
POINTS = (
    ("looked", 1),
    ("fetched", 1),
    ("put", 2),
    ("read back", 1),
    ("raw", 1),
    ("put", 3),
    ("read back", 2),
    ("stored", 1),
    ("put", 4),
    ("read back", 3),
    ("receipt", 2),
    ("sent", 1),
)
BEFORE_RECORD = POINTS[: POINTS.index(("put", 4)) + 1]
load(__name__)


def begun(config: Path, url: str, names: dict[str, list[str]], allowed: set[tuple[str, int]], *where: object) -> Any:  # noqa: ANN401 - a process
    """Start a run.

    Args:
        config: The configuration file.
        url: The address.
        names: The addresses of each made-up name.
        allowed: What may be reached.
        where: A stage of the run or a call that `_run` names, the pass at which it gets a signal, and the signal; none
            for a whole run.
    """
    return started(_run, config, url, names, frozenset(allowed), *where or ("", 0, signal.SIGKILL))


def joined(process: Any) -> int:  # noqa: ANN401 - of `begun`
    """The exit status of a process, once it has ended."""
    process.join()
    status: int = process.exitcode
    process.close()
    return status


def _run(
    config: Path,
    url: str,
    names: dict[str, list[str]],
    allowed: frozenset[tuple[str, int]],
    point: str,
    times: int,
    number: int,
) -> None:
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

    vars(proven)["read_back"] = vars(put)["read_back"] = before("read back", proven.read_back)
    vars(running)["keep"] = before("receipt", receipt.keep)
    vars(running)["send"] = before("sent", receipt.send)
    setattr(ObjectStore, "upload", before("put", ObjectStore.upload))  # noqa: B010 - a method
    options = put.PutOptions(config, quiet=True, url=url, at=AT)
    with signals_noted():
        try:
            status = put.run(options, reach=Reach(lambda host, _: names[host], allowed), stage=reached)
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
    os._exit(status)
