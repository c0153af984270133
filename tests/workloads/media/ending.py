"""Runs `media put` in a process of its own until a chosen point, as a power cut or a person ends it.

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
from workloads.archive import proven, steady
from workloads.media import options as given_options
from workloads.media import put, stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

load(__name__)


def begun(config: Path, path: Path, options: dict[str, Any], point: str = "", times: int = 0) -> Any:  # noqa: ANN401 - a process
    """Start a run; at a stage or a call that `_run` names, at that pass, it is killed."""
    return started(_run, config, path, options, point, times)


def joined(process: Any) -> int:  # noqa: ANN401 - of `begun`
    """The exit status of a process, once it has ended."""
    process.join()
    status: int = process.exitcode
    process.close()
    return status


def _run(config: Path, path: Path, options: dict[str, Any], point: str, times: int) -> None:
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

    vars(proven)["read_back"] = vars(steady)["read_back"] = before("read back", proven.read_back)
    vars(running)["keep"] = before("receipt", receipt.keep)
    vars(running)["send"] = before("sent", receipt.send)
    vars(put)["remove_same"] = before("remove", stored.remove_same)
    setattr(ObjectStore, "upload", before("put", ObjectStore.upload))  # noqa: B010 - a method
    with signals_noted():
        try:
            status = put.run(given_options.PutOptions(config, quiet=True, path=path, **options), stage=reached)
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
    os._exit(status)
