"""What of a state is lost on the server, and what goes with it.

The rule: pure. Only the server's own "it does not exist" makes a resource gone. A setting that is missing, such as a
bucket's versioning, is gone too, because `pulumi up` puts it again as soon as the state has it no more. It leaves out
what exists but differs, which `pulumi up --refresh` mends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from infra.moves import key_name
from model.resources import About, about, subject_of
from stack.state import resources_of


@unique
class Live(StrEnum):
    """What the server says of a resource of the state."""

    THERE = "there"
    GONE = "gone"
    OFF = "switched off"


class CannotTellError(Exception):
    """It is unknown whether a resource exists, so nothing was changed; the message says why and what to do."""


@dataclass(frozen=True)
class Held:
    """A resource of the state that can be lost.

    Attributes:
        place: Its index in the state.
        urn: Its URN, which a replacement that is under way has too.
        kind: Its Pulumi type.
        what: What it configures.
        subject: Its domain or identity.
        id: Its id.
        of: The server's name of its bucket, user or role; of a policy its id.
        policy: An attachment's policy: the name, on AWS the ARN.
        generation: A key's generation.
        waits: Whether it was replaced or removed and waits for its deletion.
    """

    place: int
    urn: str
    kind: str
    what: About
    subject: str
    id: str
    of: str
    policy: str = ""
    generation: int | None = None
    waits: bool = False


@dataclass(frozen=True)
class Cause:
    """One loss.

    Attributes:
        root: What is gone or switched off.
        live: Which of the two.
        taken: What is gone with it.
    """

    root: Held
    live: Live
    taken: tuple[Held, ...] = ()


# The inputs of each provider that name a resource's bucket, user or role, and an attachment's policy.
_OF = {
    About.ATTACHMENT: ("userName", "user"),
    About.KEY: ("targetUser", "user"),
    About.ROLE_ATTACHMENT: ("role",),
}
_POLICY = ("policyName", "policyArn")
_NAMED_BY_ID = frozenset({About.BUCKET, About.USER, About.ROLE, About.POLICY})
#: What cannot outlive its bucket, user or role.
_GOES_WITH = {
    About.BUCKET: frozenset(
        {
            About.VERSIONING,
            About.RETENTION,
            About.LIFECYCLE,
            About.PUBLIC_ACCESS,
            About.OWNERSHIP,
            About.ENCRYPTION,
            About.BUCKET_POLICY,
        }
    ),
    About.USER: frozenset({About.ATTACHMENT, About.KEY}),
    About.ROLE: frozenset({About.ROLE_ATTACHMENT}),
}
OF_BUCKET = _GOES_WITH[About.BUCKET]
_IDENTITIES = frozenset({About.USER, About.ROLE, About.KEY})


def held_in(exported: Mapping[str, Any]) -> list[Held]:
    """The resources of an exported state that can be lost; providers and components cannot."""
    found = []
    for place, resource in enumerate(resources_of(exported)):
        what, own_id = about(resource["type"]), str(resource.get("id") or "")
        if what is None or not own_id:
            continue
        values = {**(resource.get("inputs") or {}), **(resource.get("outputs") or {})}
        named = key_name(resource["type"], resource["urn"])
        found.append(
            Held(
                place=place,
                urn=resource["urn"],
                kind=resource["type"],
                what=what,
                subject=subject_of(resource["type"], resource["urn"].rpartition("::")[2])[0],
                id=own_id,
                of=own_id if what in _NAMED_BY_ID else _first(values, _OF.get(what, ("bucket",))),
                policy=_first(values, _POLICY) if what in (About.ATTACHMENT, About.ROLE_ATTACHMENT) else "",
                generation=named[1] if named else None,
                waits=bool(resource.get("delete")),
            )
        )
    return found


def causes(held: Sequence[Held], live: Mapping[Held, Live]) -> list[Cause]:
    """The losses, each with what is gone with it, in the state's order.

    Args:
        held: The resources of the state.
        live: What the server says of each; what goes with something gone need not be asked.
    """
    roots = [one for one in held if one.what in _GOES_WITH and live.get(one) is Live.GONE]
    taken = {
        root: tuple(one for one in held if one.of == root.of and one.what in _GOES_WITH[root.what]) for root in roots
    }
    goes_along = {one for ones in taken.values() for one in ones}
    return [
        Cause(one, live[one], taken.get(one, ()))
        for one in held
        if one not in goes_along and live.get(one, Live.THERE) is not Live.THERE
    ]


def nothing_there(held: Sequence[Held], live: Mapping[Held, Live]) -> tuple[Held, ...]:
    """What makes another server likelier than a loss, because all of it is gone; empty if there is no such thing.

    It is all buckets, or everything in a state without buckets, or all users, roles and keys of at least two owners: a
    replica has the same buckets and other identities.
    """
    buckets = tuple(one for one in held if one.what is About.BUCKET) or tuple(held)
    identities = tuple(one for one in held if one.what in _IDENTITIES)
    owners = {one.of for one in identities}
    telling = (buckets, identities) if len(owners) > 1 else (buckets,)
    return next((ones for ones in telling if ones and all(live.get(one) is Live.GONE for one in ones)), ())


def _first(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(values[name]) for name in names if values.get(name)), "")
