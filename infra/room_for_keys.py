"""Whether a user on AWS has room for the access keys that an update makes.

The rule: all of the user's keys on the server count, also those that the state does not know, because AWS allows no
third one. Only a person removes a key, so a refusal names each one with what tells whether a program uses it. Pure:
`infra.user_keys` reads the keys.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.moves import KEY_TYPES, KEYS_PER_USER
from model.plan import IdentityPlan, StorePlan
from model.problems import Problem

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class UserKey:
    """An access key that a user has on the server.

    Attributes:
        access_key_id: Its id.
        made_at: When it was made; None if AWS did not say.
        used_at: When it was last used; None if never.
        use_is_known: Whether AWS said when it was last used.
    """

    access_key_id: str
    made_at: datetime | None = None
    used_at: datetime | None = None
    use_is_known: bool = False

    def __str__(self) -> str:
        """The id, and what tells whether a program uses the key."""
        last = "last use not told"
        if self.use_is_known:
            last = f"last used {self.used_at:%Y-%m-%d %H:%M} UTC" if self.used_at else "never used"
        made = f"made {self.made_at:%Y-%m-%d %H:%M} UTC" if self.made_at else "age not told"
        return f"{self.access_key_id} ({made}, {last})"


def new_keys(plan: StorePlan, held: Mapping[str, Collection[int]]) -> dict[str, int]:
    """How many access keys an update would make for each user that gets one.

    Args:
        plan: The wanted plan.
        held: The generations in the state, by identity.
    """
    made = {one.user_name: len(set(one.credential.live) - set(held.get(one.name, ()))) for one in _users(plan)}
    return {user: count for user, count in made.items() if count}


def without_room(
    plan: StorePlan,
    new: Mapping[str, int],
    live: Mapping[str, Sequence[UserKey]],
    held: Collection[str],
    stack: str,
    *,
    lost: Collection[str] = (),
) -> list[Problem]:
    """A problem for each user that would have a third access key, because of keys that the stack does not know.

    Args:
        plan: The wanted plan.
        new: How many keys an update would make, by user name (`new_keys`).
        live: The keys that each user has.
        held: The ids of the access keys in the state, and of those that come back into it.
        stack: The stack's name.
        lost: The users of whose keys the state has none; `object-store adopt` knows which of them come back.
    """
    problems = []
    for one in _users(plan):
        user, keys = one.user_name, live.get(one.user_name, ())
        unknown = [key for key in keys if key.access_key_id not in held]
        if user in new and len(keys) + new[user] > KEYS_PER_USER and unknown:
            if user in lost:
                remedy = f"object-store adopt --stack {stack}"
            elif new[user] == KEYS_PER_USER:
                remedy = f"pulumi config rm --stack {stack} --path 'object-store:credentials[\"{one.name}\"].previous'"
            else:
                remedy = _removal(user, new[user], keys, unknown)
            problems.append(_no_room(user, new[user], keys, unknown, stack, remedy))
    return problems


def lost_keys(plan: StorePlan, held: Mapping[str, Collection[int]]) -> frozenset[str]:
    """The users of whose access keys the state, with these generations, has none."""
    return frozenset(one.user_name for one in _users(plan) if not held.get(one.name))


def ids_of_keys(resources: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The ids of the access keys of a state, as the engine or its export gives its resources."""
    keys = (one for one in resources if one["type"] in KEY_TYPES)
    return frozenset(str(one.get("id") or (one.get("outputs") or {}).get("id", "")) for one in keys)


def removal_line(user_name: str, access_key_id: str) -> str:
    """The command with which a person removes a key that the state does not hold."""
    return f"aws iam delete-access-key --user-name {user_name} --access-key-id {access_key_id}"


def _users(plan: StorePlan) -> list[IdentityPlan]:
    return [identity for identity in plan.identities if identity.trust is None]


def _removal(user: str, new: int, live: Sequence[UserKey], unknown: Sequence[UserKey]) -> str:
    excess = len(live) + new - KEYS_PER_USER
    # The order is a proposal alone: the one that was not used for the longest time first.
    proposed = sorted(unknown, key=lambda key: (key.used_at or _NEVER, key.made_at or _NEVER))[:excess]
    return " && ".join(removal_line(user, key.access_key_id) for key in proposed)


def _no_room(
    user: str, new: int, live: Sequence[UserKey], unknown: Sequence[UserKey], stack: str, remedy: str
) -> Problem:
    return Problem(
        f"user {user}",
        f"it has {len(live)} access keys, and AWS allows {KEYS_PER_USER}: there is no room for {new} new. Not this "
        f"stack's: {', '.join(map(str, unknown))}",
        f"{KEYS_PER_USER - new} access keys of other origin: remove what no program uses; the delivered `.env` of a "
        f"program names its key (all keys: object-store keys status --stack {stack})",
        remedy,
    )
