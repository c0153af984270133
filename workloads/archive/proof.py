"""Reads old packs back in turn, so that damage shows before the day of the restore.

The rule: the pack whose last proof is the oldest comes first. A pack is compared by the SHA-256 of its commit. If it is
damaged, the files whose last state leans on it are named, and the next run stores those that are still here again.
"""

from collections.abc import Callable
from typing import Final

from object_store import NotFound, ObjectStore
from workloads.archive import clock
from workloads.archive.entry import shown
from workloads.archive.pack import DamagedError
from workloads.archive.proven import ColdError, read_blocks
from workloads.archive.state import State

_NAMED: Final = 5
_DAY: Final = 86400


def prove(
    store: ObjectStore, bucket: str, machine: str, state: State, limit: int, progress: Callable[[int], None]
) -> dict[str, str]:
    """Read some packs back.

    Args:
        store: The store.
        bucket: The bucket's name.
        machine: Whose packs.
        state: The machine's state, which remembers the proofs.
        limit: How many at most; one that was read within the last day is left out.
        progress: Called with bytes that were read since the last call.

    Returns:
        By the pack's key, what is wrong; empty if nothing is.

    Raises:
        ObjectStoreError: The store is away, or denies it.
    """
    now = clock.now_utc()
    found = {}
    for pack, _ in state.least_proven(machine, limit, before=now.timestamp() - _DAY):
        wrong = ""
        try:
            for block in read_blocks(store, bucket, pack):
                progress(len(block))
        except (ColdError, DamagedError) as fault:
            wrong = str(fault)
        except NotFound:
            wrong = f"{pack.key} is gone"
        leaning = state.leaning_on(machine, pack.key) if wrong else []
        with state.transaction():
            if leaning:
                state.distrust(machine, leaning, pack.key)
            else:  # it is whole, or no last state of a file needs it any more
                state.proven(pack.key, now.timestamp())
        if leaning:
            names = [f"{one.source}/{shown(one.entry.path)}" for one in leaning]
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            wrong = f"{wrong}; needed by {', '.join(names[:_NAMED])}{more}"
        else:
            wrong = ""
        found[pack.key] = wrong
    return found
