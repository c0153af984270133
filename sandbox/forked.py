"""Starts a process that is forked from one that has loaded modules already: for tests and benchmarks.

The rule: a process has the environment and the folder that this process has at that moment, and the modules of this
checkout. `multiprocessing` alone does not see to it: its server of forks keeps the environment of its own start, and
loads modules from the folder of that moment, which may be another checkout
(https://github.com/python/cpython/issues/117378).
"""

import os
from collections.abc import Callable, Mapping
from contextlib import chdir
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
_CONTEXT = get_context("forkserver")
_LOADED: list[str] = []


def load(module: str) -> None:
    """Let the first process that starts load this module too; only a module that does nothing when it is loaded."""
    _LOADED.append(module)


def started(target: Callable[..., object], *given: object, **named: object) -> ForkServerProcess:
    """Start a process that calls a function of a module.

    Args:
        target: The function; it, like all that is given to it, can be pickled.
        given: What it is given.
        named: Likewise.
    """
    _CONTEXT.set_forkserver_preload(_LOADED)
    with chdir(_ROOT):
        ensure_running()
    process = _CONTEXT.Process(target=_run, args=(dict(os.environ), target, given, named))
    process.start()
    return process


def _run(
    environ: Mapping[str, str], target: Callable[..., object], given: tuple[Any, ...], named: Mapping[str, Any]
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    target(*given, **named)
