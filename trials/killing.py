"""A `pulumi` that runs the real one and, at a given point of the first update, kills engine and caller with SIGKILL.

Points, by the content of the state file: `before` the engine runs, `making` a key, a key `made`, `removing` a key,
`after`.

The rule: for the look at the state, only the engine is stopped, never its process group. Otherwise a child that is just
starting would be stopped too, would leave the group before it runs and would never continue, while the engine waits.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_POLL_SECONDS = 0.001


def write_shim(folder: Path) -> None:
    """Put the `pulumi` into a folder that is first on PATH; KILL_ENGINE, KILL_AT and KILL_STATE control it."""
    shim = folder / "pulumi"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__)} "$@"\n', encoding="utf-8")
    shim.chmod(0o755)


def stop(process: int) -> None:
    """SIGSTOP a child of this process and wait until all of its threads have stopped."""
    os.kill(process, signal.SIGSTOP)
    os.waitid(os.P_PID, process, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def kill_tree(process: int) -> None:
    """SIGKILL a process and all processes that it started.

    A dynamic provider does not notice the end of its engine, and would survive.
    """
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout  # noqa: S607
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family = {process}
    while more := {child for child, parent in pairs if parent in family} - family:
        family |= more
    for one in family:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _held(state: Path) -> tuple[set[str], list[str]]:
    """The keys in the state, and the pending operations on others."""
    latest = json.loads(state.read_text(encoding="utf-8"))["checkpoint"]["latest"]
    keys = [one["urn"] for one in latest.get("resources") or [] if "-key-" in one["urn"] and not one.get("delete")]
    operations = [one["type"] for one in latest.get("pending_operations") or [] if "-key-" in one["resource"]["urn"]]
    return set(keys), operations


def _written_at(state: Path) -> int:
    try:
        return state.stat().st_mtime_ns
    except FileNotFoundError:  # the engine is replacing the file
        return 0


def _is_there(point: str, state: Path, before: set[str]) -> bool:
    try:
        keys, operations = _held(state)
    except (FileNotFoundError, ValueError):  # half written
        return False
    return {
        "making": "creating" in operations,
        "made": bool(keys - before),
        "removing": "deleting" in operations,
        "after": False,
    }[point]


def main(arguments: list[str]) -> int:
    """Run the engine up to the point, and end the caller."""
    engine, point, state = os.environ["KILL_ENGINE"], os.environ["KILL_AT"], Path(os.environ["KILL_STATE"])
    if arguments[0] != "up":
        os.execv(engine, [engine, *arguments])  # noqa: S606 - the wrapper of the test's own sandbox
    if point != "before":
        before, _ = _held(state)
        with subprocess.Popen([engine, *arguments], stdout=subprocess.DEVNULL) as process:  # noqa: S603 - likewise
            seen = None
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                if seen == (seen := _written_at(state)):
                    continue
                stop(process.pid)
                # Checked while the engine is stopped, so that no half-written checkpoint is left behind.
                if _is_there(point, state, before):
                    kill_tree(process.pid)
                    break
                os.kill(process.pid, signal.SIGCONT)
    os.kill(os.getppid(), signal.SIGKILL)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
