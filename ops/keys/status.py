"""`status`: each identity's keys with generation, age and last use, and what to do about them.

The rule: it only reads, and shows access keys but never secrets. Age and last use come from the server if it records
them; else the age comes from the state, which has none for an adopted key. A key of unknown age may be too old.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.plan import IdentityPlan
from model.remedies import Remedy, for_stack
from ops.keys.live_keys import LiveKeys, live_keys
from ops.keys.settled import Stack, look

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class KeyStatus:
    """The state of one key.

    Attributes:
        identity: Its identity.
        generation: Its generation; None for a key that the stack does not know.
        role: current, previous, wanted (not created yet), leftover (to be removed) or unknown (not this stack's).
        access_key_id: Its access key; empty if it is not created yet.
        age_days: Whole days since its creation; None if unknown.
        last_used: When, or `never`; `not told` if the server does not record it.
        warning: What to do about it; empty if there is nothing to do.
    """

    identity: str
    generation: int | None
    role: str
    access_key_id: str
    age_days: int | None
    last_used: str
    warning: str


def status(stack: str, max_age_days: int | None) -> list[KeyStatus]:
    """The keys of a stack.

    Args:
        stack: The stack's name.
        max_age_days: The age above which a current key gets a warning; None for the config's.

    Raises:
        EngineError: pulumi or the stack does not exist.
        InvalidInputError: The config is invalid.
        KeysError: A user's keys cannot be read from the server.
    """
    found = look(stack)
    limit = max_age_days if max_age_days is not None else found.settings.max_key_age_days
    now = datetime.now(UTC)
    with live_keys(found.settings) as keys:
        return [
            one
            for identity in found.plan.identities
            if identity.trust is None
            for one in _of(identity, found, keys, limit, now)
        ]


def _of(identity: IdentityPlan, stack: Stack, keys: LiveKeys, limit: int, now: datetime) -> Iterable[KeyStatus]:
    name, credential = identity.name, identity.credential
    standing = stack.of(name)
    live = keys.of(identity.user_name)
    for generation in sorted({*standing, *credential.live}, reverse=True):
        key = standing.get(generation)
        if key is None:
            yield KeyStatus(
                name, generation, "wanted", "", None, "", f"not created yet: pulumi up --stack {stack.name}"
            )
            continue
        is_there = key.access_key_id in live
        age = keys.age(identity.user_name, key.access_key_id) if is_there else None
        if age is None and key.made_at is not None:
            age = now - key.made_at
        used = _used(keys, key.access_key_id)
        role = {credential.current: "current", credential.previous: "previous"}.get(generation, "leftover")
        if not is_there:
            warning = f"it is not on the server: {for_stack(Remedy.LOST, stack.name)}"
        elif role == "leftover":
            warning = f"no longer in the config: pulumi up --stack {stack.name}"
        elif role == "previous":
            warning = f"once it is unused: object-store keys retire {name} --stack {stack.name}"
        elif too_old := _too_old(age, limit):
            warning = f"{too_old}: object-store keys rotate {name} --stack {stack.name}"
        else:
            warning = ""
        yield KeyStatus(name, generation, role, key.access_key_id, _days(age), used, warning)
    held = {key.access_key_id for key in standing.values()}
    for access_key_id in live:
        if access_key_id not in held:
            warning = f"not this stack's; if it is unused, remove it from user {identity.user_name}"
            age = keys.age(identity.user_name, access_key_id)
            used = _used(keys, access_key_id)
            yield KeyStatus(name, None, "unknown", access_key_id, _days(age), used, warning)


def _used(keys: LiveKeys, access_key_id: str) -> str:
    use = keys.last_use(access_key_id)
    return "not told" if use is None else "never" if use.at is None else f"{use.at:%Y-%m-%d %H:%M} UTC"


def _too_old(age: timedelta | None, limit: int) -> str:
    """What a warning says of an age; empty if it is within the limit."""
    if age is None:
        return f"its age is unknown and may be over {limit} d"
    return f"over {limit} d" if age // _DAY > limit else ""


def _days(age: timedelta | None) -> int | None:
    return None if age is None else age // _DAY


def as_json(found: Iterable[KeyStatus]) -> str:
    """The keys as JSON."""
    return json.dumps([asdict(one) for one in found], indent=2)


def show(found: Iterable[KeyStatus], console: Console) -> None:
    """Print a table on a terminal, and lines of text to a pipe."""
    headings = ("identity", "key", "generation", "state", "age", "last used", "to do")
    rows = [
        (
            one.identity,
            one.access_key_id or "-",
            "-" if one.generation is None else str(one.generation),
            one.role,
            "-" if one.age_days is None else f"{one.age_days} d",
            one.last_used or "-",
            one.warning or "-",
        )
        for one in found
    ]
    if not console.is_terminal:
        for row in rows:
            console.print(
                ", ".join(f"{h} {v}" for h, v in zip(headings, row, strict=True)), markup=False, soft_wrap=True
            )
        return
    table = Table(*headings)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
