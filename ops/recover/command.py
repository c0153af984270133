"""`object-store recover --stack NAME`: mends a state after a killed update, or after something was lost on the server.

It asks the server what of the state is there, takes exactly what is gone out of the state, and writes what is switched
off as the server has it, so that a plain `pulumi up` mends both. What exists is not touched, and its keys go on
working. What exists but differs is for `pulumi up --refresh`.

The rule: it creates, changes and deletes nothing on the server. The state as it was is saved in a file first. If the
server does not say whether something exists, nothing is changed. If none of the state's buckets or none of its
identities is there, it refuses without `--all-gone`, because a wrong endpoint is likelier than an emptied server.

Exit status: 0 mended, or nothing to mend; 1 with `--dry-run` something is lost; 2 it could not run.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from infra.program import plan_for
from infra.settings import Settings
from model.exit_codes import ExitCode
from model.problems import InvalidInputError
from model.remedies import Remedy, for_stack
from model.resources import About
from model.terminal_text import printable
from ops.adopt.live import AdoptionError, account_id
from ops.keys.private_file import write
from ops.recover.interrupted import TakenUp, is_interrupted, taken_up
from ops.recover.live import live_of
from ops.recover.lock import is_held_here, is_locked
from ops.recover.lost import CannotTellError, Cause, Held, Live, causes, held_in, nothing_there
from ops.recover.surgery import operated
from ops.recover.words import consequences, said_of
from ops.stack_settings import read_stack
from ops.tried_access import write_tried_access
from stack.runner import EngineError, run_pulumi
from stack.state import StateChangedError, read_state, replace_state, resources_of, under_way
from stack.torn_attributes import read_mended_state


@dataclass(frozen=True)
class Found:
    """What a stack needs.

    Attributes:
        settings: The stack's settings; None for a stack that was never deployed.
        before: The state as it was.
        taken: Its pending operations, resolved.
        held: The resources of the resolved state that can be lost.
        causes: What of them is gone or switched off.
    """

    settings: Settings | None
    before: Mapping[str, Any]
    taken: TakenUp
    held: tuple[Held, ...]
    causes: tuple[Cause, ...]

    @property
    def lost(self) -> list[Cause]:
        """The losses that the interrupted update itself does not explain."""
        return [cause for cause in self.causes if cause.root.urn not in self.taken.unsure]

    @property
    def mended(self) -> dict[str, Any]:
        """The state without what is gone."""
        return operated(self.taken.state, self.causes)


def recover(stack: str, *, unlock: bool = True) -> Path | None:
    """Resolve only what an interrupted update left; a stack without pending operations does not change.

    Args:
        stack: The stack's name.
        unlock: Remove the engine's lock first; without this, a locked stack is an error.

    Returns:
        The file with the state as it was; None if nothing was pending.

    Raises:
        EngineError: pulumi or the stack does not exist, a step failed, it is unknown what the server has, or something
            is lost that the interrupted update does not explain.
        InvalidInputError: The config is invalid.
        OSError: The state cannot be saved.
    """
    if unlock:
        _unlock(stack)
    if not is_interrupted(read_mended_state(stack)):
        return None
    try:
        found = find(stack, all_gone=False)
        lost = [cause for cause in found.lost if cause.live is Live.GONE]
        if lost:
            raise EngineError(
                "\n  ".join((f"{stack}: lost on the server:", *said_of(lost), for_stack(Remedy.LOST, stack)))
            )
        explained = tuple(cause for cause in found.causes if cause not in found.lost and cause.live is Live.GONE)
        saved = _save(stack, found.before)
        _write(stack, replace(found, causes=explained), replace_state)
    except (AdoptionError, CannotTellError) as error:
        raise EngineError(str(error)) from None
    return saved


def find(stack: str, *, all_gone: bool, read: Callable[[str], dict[str, Any]] = read_state) -> Found:
    """Find what a stack needs; changes nothing.

    Args:
        stack: The stack's name.
        all_gone: The server is known to have none of the state's buckets or identities.
        read: Reads the state.

    Raises:
        AdoptionError: AWS refuses the credentials.
        CannotTellError: It is unknown whether something exists, or all buckets or all identities are gone.
        EngineError: pulumi or the stack does not exist.
        InvalidInputError: The config is invalid, or no server answers.
    """
    exported = read(stack)
    if not resources_of(exported) and not under_way(exported):
        return Found(None, exported, taken_up(exported, ""), (), ())
    settings = read_stack(stack)
    account = account_id(settings)
    taken = taken_up(exported, account)
    held = held_in(taken.state)
    live = live_of(settings, held)
    unmade = taken.replacing & {one.urn for one in held if live.get(one) is Live.GONE and not one.waits}
    if unmade:
        taken = taken_up(exported, account, unmade)
        held = held_in(taken.state)
        live = live_of(settings, held)
    missing = nothing_there([one for one in held if one.urn not in taken.unsure], live)
    if missing and not all_gone:
        raise CannotTellError(_nothing_there(settings, missing))
    return Found(settings, exported, taken, tuple(held), tuple(causes(held, live)))


def run(stack: str, *, all_gone: bool, dry_run: bool) -> ExitCode:
    """Find, show, save, mend.

    Args:
        stack: The stack's name.
        all_gone: The server is known to have none of the state's buckets or identities.
        dry_run: Only find and show.
    """
    try:
        return _run(stack, all_gone=all_gone, dry_run=dry_run)
    except (CannotTellError, StateChangedError) as error:
        sys.stderr.write(f"{printable(error)}\nNothing was changed; see also: object-store preflight --stack {stack}\n")
    except (AdoptionError, EngineError, InvalidInputError, OSError) as error:
        sys.stderr.write(f"{printable(error)}\n")
    return ExitCode.CANNOT


def _run(stack: str, *, all_gone: bool, dry_run: bool) -> ExitCode:
    found = find(stack, all_gone=all_gone, read=read_state if dry_run else read_mended_state)
    if not found.taken.under_way and not found.taken.unread and not found.causes:
        if not dry_run:
            _release(stack, found.before)
        has = "everything in the state is on the server" if found.held else "the state has no bucket and no identity"
        _say(
            f"{stack}: no operation is pending, and {has}; if a killed update had locked the stack, it is unlocked now",
            f"What exists and is missing from the state: object-store adopt --stack {stack}",
            f"What exists but differs from the plan: {for_stack(Remedy.CHANGED, stack)}",
        )
        return ExitCode.DONE
    lost = found.lost
    if lost:
        _say(f"{stack}: lost on the server:", *(f"  {line}" for line in said_of(lost)))
    if dry_run:
        if found.taken.under_way:
            _say(f"{stack}: {len(found.taken.under_way)} operations of a killed update are pending")
        if found.taken.unread and not found.taken.under_way:
            _say(f"{stack}: an earlier run ended before it had read {len(found.taken.unread)} resources")
        return ExitCode.WRONG
    saved = _save(stack, found.before)
    _say(f"The state as it was: {saved}; this puts it back: pulumi stack import --stack {stack} --file {saved}")
    _write(stack, found, _import_unlocked)
    if found.taken.under_way:
        _say(f"{stack}: resolved {len(found.taken.under_way)} interrupted operations")
        _say(*(f"  an unused key may remain on the server; find and remove it: {urn}" for urn in found.taken.keys))
    if lost:
        _say(f"{stack}: the state no longer has what is gone; `pulumi up` recreates what the plan needs")
        _say(*consequences(stack, lost, found.held, _planned(found.settings)))
    _say(f"Next: pulumi up --stack {stack}")
    return ExitCode.DONE


def _unlock(stack: str) -> None:
    run_pulumi("cancel", "--yes", "--stack", stack, may_fail=True)


def _release(stack: str, before: Mapping[str, Any]) -> None:
    """Remove the lock of a stack that needs nothing else; only a command that writes says who holds it."""
    if before.get("deployment"):
        _import_unlocked(stack, before, before)
    else:
        _unlock(stack)


def _write(stack: str, found: Found, put: Callable[[str, Mapping[str, Any], Mapping[str, Any]], None]) -> None:
    put(stack, found.before, found.mended)
    if found.taken.under_way or found.taken.unread:
        # The resources that were being created have no outputs yet. The engine asks with the state's access.
        if found.settings is not None:
            write_tried_access(found.settings)
        run_pulumi("refresh", "--yes", "--skip-preview", "--stack", stack)


def _import_unlocked(stack: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Import a state; a lock is removed, unless a process of this machine still works under it."""
    try:
        replace_state(stack, before, after)
    except EngineError as error:
        if not is_locked(str(error)) or is_held_here(str(error)):
            raise
        _unlock(stack)
        replace_state(stack, before, after)


def _save(stack: str, exported: Mapping[str, Any]) -> Path:
    """Save a state in a new file: a second run after an interrupted one keeps the first run's file.

    The path is absolute, because the pulumi that reads the file may work in another folder.
    """
    name = f"recover-{stack.rpartition('/')[2]}"
    paths = (Path.cwd() / f"{name}{'' if number == 1 else f'-{number}'}.json" for number in count(1))
    path = next(path for path in paths if not path.exists())
    write(path, json.dumps(exported, indent=2) + "\n")
    return path


def _nothing_there(settings: Settings, missing: Sequence[Held]) -> str:
    where, check = (
        (settings.aistor.endpoint.url, "correct object-store:endpoint")
        if settings.aistor
        else (f"AWS in {settings.region}", "correct object-store:region, or use credentials of the stack's account")
    )
    kinds = {one.what for one in missing}
    what = "nothing of the state"
    if kinds == {About.BUCKET}:
        what = f"none of the {len(missing)} buckets of the state"
    elif kinds <= {About.USER, About.ROLE, About.KEY}:
        what = f"none of the {len(missing)} users, roles and access keys of the state"
    return (
        f"{what} is on {where}.\n"
        f"  If this is another server: {check}.\n"
        "  If the server was emptied, or takes the other one's place: "
        f"{for_stack(Remedy.ALL_LOST, settings.stack)}"
    )


def _planned(settings: Settings | None) -> dict[str, tuple[int, ...]]:
    """The generations of each identity's key by the plan."""
    identities = plan_for(settings, None).identities if settings is not None else ()
    return {one.name: one.credential.live for one in identities}


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
