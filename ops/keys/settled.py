"""A stack as it stands, with what an interrupted update left taken up.

The rule: the engine's lock is taken off only where it is known that whoever held it is gone: a process of this machine
that runs no more. A key that the interrupted update made and no state holds is removed, since nobody ever had its
secret; a key that is there for any other reason is left alone and named.
"""

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.program import plan_for
from infra.settings import Settings
from model.generations import Generations
from model.plan import IdentityPlan, StorePlan
from model.problems import InvalidInputError, Problem
from ops.keys.live_keys import KeysError, live_keys
from ops.keys.standing_keys import StandingKey, being_made, published_generations, standing_keys
from ops.recover import recover
from ops.stack_settings import read_stack
from stack.runner import EngineError, run_pulumi
from stack.state import read_state, under_way

# As the engine says of a lock: pkg/backend/diy/lock.go of pulumi/pulumi.
_LOCKED = re.compile(r"created by \S+@(?P<host>\S+) \(pid (?P<pid>[0-9]+)\)")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """A stack's config and state.

    Attributes:
        name: The stack's.
        settings: Of its config.
        plan: What the config wants.
        keys: The keys that its state holds.
        published: By identity, the generations that it has published.
    """

    name: str
    settings: Settings
    plan: StorePlan
    keys: tuple[StandingKey, ...]
    published: Mapping[str, Generations]

    def identity(self, name: str) -> IdentityPlan:
        """An identity of the plan.

        Raises:
            InvalidInputError: There is none of that name.
        """
        found = {identity.name: identity for identity in self.plan.identities}
        if name not in found:
            where = f"{self.settings.where}identities"
            raise InvalidInputError(
                [Problem(where, f"there is no identity {name!r}", ", ".join(found), next(iter(found)))]
            )
        return found[name]

    def of(self, identity: str) -> dict[int, StandingKey]:
        """The standing keys of an identity, by generation."""
        return {key.generation: key for key in self.keys if key.identity == identity}


def look(stack: str) -> Stack:
    """Read config and state; changes nothing.

    Raises:
        EngineError: There is no pulumi, or no such stack.
        InvalidInputError: The config is bad.
    """
    settings, exported = read_stack(stack), read_state(stack)
    keys = tuple(standing_keys(exported))
    return Stack(stack, settings, plan_for(settings), keys, published_generations(exported))


def settle(stack: str, say: Say) -> Stack:
    """Take up what an interrupted update left, and read config and state.

    Args:
        stack: The stack's name.
        say: Says what is done.

    Raises:
        EngineError: It cannot be taken up, or another update runs.
        InvalidInputError: The config is bad.
        KeysError: The server does not tell of the keys that may have been left.
    """
    exported = read_state(stack)
    if not under_way(exported):
        return look(stack)
    say("an update was interrupted; taking up what it left")
    try:
        recover(stack, unlock=False)
    except EngineError as error:
        if not _is_abandoned(str(error)):
            raise
        recover(stack)
    found = look(stack)
    _remove_left_behind(found, being_made(exported), say)
    return found


def update(stack: str, say: Say) -> None:
    """`pulumi up`, which goes on after a lock that a killed engine left.

    Args:
        stack: The stack's name.
        say: Says what is done.

    Raises:
        EngineError: It failed, or another update runs.
    """
    up = ("up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", stack)
    try:
        run_pulumi(*up)
    except EngineError as error:
        if not _is_abandoned(str(error)):
            raise
        say("the engine that locked the stack runs no more; its lock is taken off")
        recover(stack)
        run_pulumi(*up)


def _is_abandoned(said: str) -> bool:
    """Whether all that hold the stack's lock were processes of this machine that run no more."""
    holders = [(match["host"], int(match["pid"])) for match in _LOCKED.finditer(said)]
    return bool(holders) and all(host == socket.gethostname() and not _runs(pid) for host, pid in holders)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove_left_behind(stack: Stack, identities: frozenset[str], say: Say) -> None:
    """Remove the one key that the interrupted update may have made of each identity."""
    for name in sorted(identities):
        user = stack.identity(name).user_name
        held = {key.access_key_id for key in stack.of(name).values()}
        with live_keys(stack.settings) as keys:
            unknown = [key for key in keys.of(user) if key not in held]
            if len(unknown) > 1:
                raise KeysError(
                    f"user {user} has {len(unknown)} keys that the stack's state does not hold ({', '.join(unknown)}): "
                    "one was left by the interrupted update, and which cannot be told; remove those that nobody uses"
                )
            for key in unknown:
                keys.remove(user, key)
                say(f"key {key} of user {user}, which the interrupted update made and nobody was given, is removed")
