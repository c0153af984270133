"""Reads old packs back in turn, so that damage shows before the day of the restore, and tells what is damaged or gone.

The rule: the pack whose last proof is the oldest comes first. A pack is compared by the SHA-256 of its commit. What is
damaged or gone is remembered with the files concerned, and each run names it while a file's last state needs it, else
one run does: the next run stores those that are still here again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from object_store import NotFound, ObjectStore
from workloads.archive import clock
from workloads.archive.commit import Stored
from workloads.archive.entry import shown
from workloads.archive.pack import DamagedError
from workloads.archive.proven import ColdError, read_blocks
from workloads.archive.state import Generation, State

_NAMED: Final = 5
_DAY: Final = 86400
_BUDGET_SECONDS: Final = 12 * 3600
"""What was read within this time counts as read today: a daily run does not begin at the same second each day."""
Needs = Callable[[Collection[str]], Mapping[str, str]]


def prove(
    store: ObjectStore,
    bucket: str,
    machine: str,
    state: State,
    limit: int,
    progress: Callable[[int], None],
    size: int | None = None,
    needs: Needs | None = None,
) -> dict[str, str]:
    """Read some packs back.

    Args:
        store: The store.
        bucket: The bucket's name.
        machine: Whose packs.
        state: The machine's state, which remembers the proofs.
        limit: How many at most; one that was read within the last day is left out.
        progress: Called with bytes that were read since the last call.
        size: How many bytes a day at most, with those that were read within the last 12 hours; None for all.
        needs: As `faults` has it.

    Returns:
        By the key of each pack that was read, and of each object that is damaged or gone, what is wrong; empty if
        nothing is.

    Raises:
        ObjectStoreError: The store is away, or denies it.
    """
    now = clock.now_utc()
    found = {}
    read = state.bytes_proven(machine, now.timestamp() - _BUDGET_SECONDS)
    for pack, _ in state.least_proven(machine, limit, before=now.timestamp() - _DAY):
        if size is not None and read and read + pack.size > size:
            break
        read += pack.size
        # What differs is read again: it may have changed on its way.
        wrong = _wrong(store, bucket, pack, progress) and _wrong(store, bucket, pack, progress)
        with state.transaction():
            if wrong:
                _remember(state, machine, pack.key, wrong)
            else:
                state.mend(pack.key)
            state.proven(pack.key, now.timestamp())
        found[pack.key] = ""
    return found | faults(state, machine, needs)


def _wrong(store: ObjectStore, bucket: str, pack: Stored, progress: Callable[[int], None]) -> str:
    """What is wrong with a pack; empty if nothing is."""
    try:
        for block in read_blocks(store, bucket, pack):
            progress(len(block))
    except (ColdError, DamagedError) as fault:
        return str(fault)
    except NotFound:
        return _gone(bucket, pack.key)
    return ""


def miss(state: State, machine: str, bucket: str, there: Collection[str], expires_after_days: int | None) -> None:
    """Remember the packs that the store no longer has, or that a delete marker hides, before they have expired.

    Args:
        state: The machine's state.
        machine: Whose packs.
        bucket: The bucket's name, for messages.
        there: The keys of the machine's archive.
        expires_after_days: Days after which the store deletes a pack; None for never.
    """
    now = clock.now_utc()
    with state.transaction():
        for pack in state.packs(machine):
            if pack.key not in there and not has_expired(pack.stored_at, expires_after_days, now):
                _remember(state, machine, pack.key, _gone(bucket, pack.key))


def faults(state: State, machine: str, needs: Needs | None = None) -> dict[str, str]:
    """What is damaged or gone, by its key, that is still needed, or that was not told yet.

    Args:
        state: The machine's state.
        machine: Whose packs.
        needs: Says of some packs that hold no files why they are still needed; None for packs with files.
    """
    found = {}
    with state.transaction():
        known = state.faults(machine)
        why = needs([key for key, *_ in known]) if needs is not None and known else {}
        for key, wrong, needed, is_told in known:
            leaning = names_of(state.leaning_on(machine, key))
            still = f"needed by {leaning}" if leaning else why.get(key)
            if still or not is_told:
                found[key] = f"{wrong}; {still or (needed if needs is None else 'what it held was stored again')}"
            state.tell(key)
    return found


def has_expired(stored_at: datetime, after_days: int | None, now: datetime) -> bool:
    """Whether the store may have deleted an object by its age."""
    return after_days is not None and now - stored_at >= timedelta(days=after_days)


def _remember(state: State, machine: str, pack: str, wrong: str) -> None:
    leaning = state.leaning_on(machine, pack)
    earlier = [] if leaning else state.leaning_on(machine, pack, last=False)
    needed = "needed by what was committed with it"
    if leaning or earlier:
        needed = f"needed by {names_of(leaning) or f'earlier states of {names_of(earlier)}'}"
    state.remember_fault(machine, pack, wrong, needed)
    state.distrust(machine, leaning, pack)


def names_of(leaning: Sequence[Generation]) -> str:
    """Some of the files, and how many more there are; empty for none."""
    names = list(dict.fromkeys(f"{one.source}/{shown(one.entry.path)}" for one in leaning))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _gone(bucket: str, key: str) -> str:
    listed = f"aws s3api list-object-versions --bucket {bucket} --prefix {key}"
    return f"{key} is gone, or hidden by a delete marker ({listed} shows it)"
