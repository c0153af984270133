"""Runs `documents backfill` or `put` in a process of its own until a chosen point, as a power cut or a person ends it.

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
from workloads.documents import original
from workloads.documents.backfill import BackfillOptions
from workloads.documents.backfill import run as backfill
from workloads.documents.put import PutOptions
from workloads.documents.put import run as put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

load(__name__)


def begun(config: Path, path: Path, shard: str | None, *where: object) -> Any:  # noqa: ANN401 - a process
    """Start a run.

    Args:
        config: The configuration file.
        path: The folder, or the file.
        shard: The shard of a backfill; None for a put, with what was made of the file in `derived` beside it.
        where: A stage or a call that `_run` names, the pass at which it gets a signal, and the signal; none for a whole
            run.
    """
    return started(_run, config, path, shard, *where or ("", 0))


def joined(process: Any) -> int:  # noqa: ANN401 - of `begun`
    """The exit status of a process, once it has ended."""
    process.join()
    status: int = process.exitcode
    process.close()
    return status


def _run(config: Path, path: Path, shard: str | None, point: str, times: int, number: int = signal.SIGKILL) -> None:
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

    vars(proven)["read_back"] = vars(original)["read_back"] = before("read back", proven.read_back)
    vars(running)["keep"] = before("receipt", receipt.keep)
    vars(running)["send"] = before("sent", receipt.send)
    setattr(ObjectStore, "upload", before("put", ObjectStore.upload))  # noqa: B010 - a method
    with signals_noted():
        try:
            if shard is None:
                options = PutOptions(config, quiet=True, file=path, derived=path.parent / "derived")
                status = put(options, stage=reached)
            else:
                status = backfill(BackfillOptions(config, quiet=True, root=path, shard=shard), stage=reached)
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
    os._exit(status)
