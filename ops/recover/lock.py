"""The engine's lock on a stack: who holds it, by the words of a refused command.

The rule: only a process of this machine can be seen to run or to be gone. Another machine's holder is unknown.
"""

import os
import re
import socket

# The engine's message about a lock: pkg/backend/diy/lock.go of pulumi/pulumi.
_HOLDER = re.compile(r"created by \S+@(?P<host>\S+) \(pid (?P<pid>[0-9]+)\)")
# The same message, and what Pulumi Cloud answers with status 409, which names no holder.
_LOCKED = re.compile(r"stack is currently locked by|another update is currently in progress", re.IGNORECASE)


def is_locked(said: str) -> bool:
    """Whether a command failed because somebody holds the stack's lock."""
    return bool(_LOCKED.search(said))


def is_abandoned(said: str) -> bool:
    """Whether all holders of the stack's lock are processes of this machine that no longer run."""
    holders = _holders(said)
    return bool(holders) and all(host == socket.gethostname() and not _runs(pid) for host, pid in holders)


def is_held_here(said: str) -> bool:
    """Whether a running process of this machine holds the stack's lock."""
    return any(host == socket.gethostname() and _runs(pid) for host, pid in _holders(said))


def _holders(said: str) -> list[tuple[str, int]]:
    return [(match["host"], int(match["pid"])) for match in _HOLDER.finditer(said)]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
