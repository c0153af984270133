"""A stack's present config and state, after repairing what an interrupted update left.

The rule: the engine's lock is removed only if its holder is known to be gone: a process of this machine that no longer
runs. A key that the interrupted update created and that no state holds is removed, because its secret was never
published. A key that exists for any other reason is left unchanged and named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.program import plan_for
from infra.settings import Settings
from model.generations import Generations
from model.plan import IdentityPlan, StorePlan
from model.problems import InvalidInputError, Problem
from ops.keys.live_keys import KeysError, live_keys
from ops.keys.standing_keys import StandingKey, being_made, published_generations, standing_keys
from ops.recover.command import recover
from ops.recover.interrupted import is_interrupted
from ops.recover.lock import is_abandoned
from ops.stack_settings import read_stack
from stack.runner import EngineError, run_pulumi
from stack.state import read_state

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """A stack's config and state.

    Attributes:
        name: The stack's name.
        settings: The settings of its config.
        plan: The plan of its config.
        keys: The keys that its state holds.
        published: The generations that it has published, by identity.
    """

    name: str
    settings: Settings
    plan: StorePlan
    keys: tuple[StandingKey, ...]
    published: Mapping[str, Generations]

    def identity(self, name: str) -> IdentityPlan:
        """An identity of the plan.

        Raises:
            InvalidInputError: The plan has no identity of that name.
        """
        found = {identity.name: identity for identity in self.plan.identities}
        if name not in found:
            where = f"{self.settings.where}identities"
            raise InvalidInputError(
                [Problem(where, f"identity {name!r} does not exist", ", ".join(found), next(iter(found)))]
            )
        return found[name]

    def of(self, identity: str) -> dict[int, StandingKey]:
        """The existing keys of an identity, by generation."""
        return {key.generation: key for key in self.keys if key.identity == identity}


def look(stack: str) -> Stack:
    """Read config and state; changes nothing.

    Raises:
        EngineError: pulumi or the stack does not exist.
        InvalidInputError: The config is invalid.
    """
    settings, exported = read_stack(stack), read_state(stack)
    keys = tuple(standing_keys(exported))
    return Stack(stack, settings, plan_for(settings), keys, published_generations(exported))


def settle(stack: str, say: Say) -> Stack:
    """Repair what an interrupted update left, and read config and state.

    Args:
        stack: The stack's name.
        say: Prints what is done.

    Raises:
        EngineError: The stack cannot be repaired, or another update is running.
        InvalidInputError: The config is invalid.
        KeysError: The keys that may remain cannot be read from the server.
    """
    exported = read_state(stack)
    if not is_interrupted(exported):
        return look(stack)
    say("an update was interrupted; repairing the stack")
    try:
        saved = recover(stack, unlock=False)
    except EngineError as error:
        if not is_abandoned(str(error)):
            raise
        saved = recover(stack)
    say(f"the state as it was: {saved}")
    found = look(stack)
    _remove_left_behind(found, being_made(exported), say)
    return found


def update(stack: str, say: Say) -> None:
    """Run `pulumi up`, and remove the lock of a killed engine if it blocks the update.

    Args:
        stack: The stack's name.
        say: Prints what is done.

    Raises:
        EngineError: The update failed, or another update is running.
    """
    up = ("up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", stack)
    try:
        run_pulumi(*up)
    except EngineError as error:
        if not is_abandoned(str(error)):
            raise
        say("the engine that locked the stack no longer runs; removing its lock")
        saved = recover(stack)
        if saved is not None:
            say(f"the state as it was: {saved}")
        run_pulumi(*up)


def _remove_left_behind(stack: Stack, identities: frozenset[str], say: Say) -> None:
    """Remove the one key that the interrupted update may have created for each identity."""
    for name in sorted(identities):
        user = stack.identity(name).user_name
        held = {key.access_key_id for key in stack.of(name).values()}
        with live_keys(stack.settings) as keys:
            unknown = [key for key in keys.of(user) if key not in held]
            if len(unknown) > 1:
                raise KeysError(
                    f"user {user} has {len(unknown)} keys that the stack's state does not hold ({', '.join(unknown)}): "
                    "one is from the interrupted update, but it is unknown which; remove the keys that are not in use"
                )
            for key in unknown:
                keys.remove(user, key)
                say(f"removed key {key} of user {user}: the interrupted update created it and never published it")
