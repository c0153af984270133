"""A stack's present config and state, after repairing what an interrupted update left.

The rule: the engine's lock is removed only if its holder is known to be gone: a process of this machine that no longer
runs. A key that no state holds is removed only if the interrupted update provably created it: its secret was never
published. Any other such key may be in use. It is left unchanged and named, with the line that removes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.program import plan_for
from infra.settings import Settings
from model.generations import Generations
from model.plan import IdentityPlan, StorePlan
from model.problems import InvalidInputError, Problem
from model.user_names import form_in
from ops.keys.live_keys import LiveKeys, live_keys, removal_line
from ops.keys.standing_keys import StandingKey, being_made, published_generations, standing_keys, written_at
from ops.recover.command import recover
from ops.recover.interrupted import is_interrupted
from ops.recover.lock import is_abandoned
from ops.stack_settings import read_stack
from stack.runner import EngineError, run_pulumi
from stack.state import read_state, resources_of

Say = Callable[[str], None]
# Servers date keys and answers in whole seconds.
_DATE_RESOLUTION = timedelta(seconds=1)


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
    plan = plan_for(settings, form_in(resources_of(exported)))
    return Stack(stack, settings, plan, keys, published_generations(exported))


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
    _remove_left_behind(found, being_made(exported), written_at(exported), say)
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


def _remove_left_behind(stack: Stack, identities: frozenset[str], written: datetime | None, say: Say) -> None:
    """Remove the key that the interrupted update created for each identity, and name every other unknown key.

    Args:
        stack: The stack.
        identities: The identities for which the update was creating a key.
        written: When the engine last wrote the state, in which the creation is pending; None if that is unknown.
        say: Prints what is done.
    """
    for name in sorted(identities):
        user = stack.identity(name).user_name
        held = {key.access_key_id for key in stack.of(name).values()}
        with live_keys(stack.settings) as keys:
            unknown = [key for key in keys.of(user) if key not in held]
            made = [key for key in unknown if written is not None and _is_made_since(keys, user, key, written)]
            for key in unknown:
                if made == [key]:
                    keys.remove(user, key)
                    say(f"removed key {key} of user {user}: the interrupted update created it and never published it")
                else:
                    say(
                        f"key {key} of user {user} is not this stack's. It stays, because a program may use it; if it "
                        "is from the interrupted update, its secret is lost. Once you know that it is unused: "
                        f"{removal_line(stack.settings, user, key)} (all keys: object-store keys status --stack "
                        f"{stack.name})"
                    )


def _is_made_since(keys: LiveKeys, user: str, key: str, since: datetime) -> bool:
    """Whether the server says that a key was made since a time, and never used."""
    age, use = keys.age(user, key), keys.last_use(key)
    if age is None or use is None or use.at is not None:
        return False
    return age <= datetime.now(UTC) - since + _DATE_RESOLUTION
