"""What `recover` says: one line for each loss, and what follows from it.

The rule: pure, and no line holds a secret; an access key's id is none.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from model.resources import About
from ops.recover.lost import Cause, Held, Live

_SAYS = {
    About.BUCKET: "bucket {0.of}",
    About.USER: "user {0.of}",
    About.ROLE: "role {0.of}",
    About.POLICY: "policy {0.of}",
    About.KEY: "key {0.id} of user {0.of}",
    About.ATTACHMENT: "the attachment of policy {0.policy} to user {0.of}",
    About.ROLE_ATTACHMENT: "the attachment of policy {0.policy} to role {0.of}",
}
_SETTING = "the {0.what.value} of bucket {0.of}"


def said_of(causes: Iterable[Cause]) -> list[str]:
    """One line for each loss."""
    return [_line(cause) for cause in causes]


def consequences(
    stack: str, causes: Sequence[Cause], held: Sequence[Held], planned: Mapping[str, Collection[int]]
) -> list[str]:
    """What `pulumi up` does about the losses: which buckets are empty, and which keys are new or switched on again.

    Args:
        stack: The stack's name.
        causes: The losses.
        held: The resources of the state before they were taken out.
        planned: The generations that each identity's key has by the plan; an update deletes every other one.
    """
    gone = {one for cause in causes if cause.live is Live.GONE for one in (cause.root, *cause.taken)}
    lines = []
    if any(one.what is About.BUCKET and not one.waits for one in gone):
        lines.append("A recreated bucket is empty: its objects are lost.")
    keys = [one for one in held if one.what is About.KEY and _is_planned(one, planned)]
    new = sorted({one.subject for one in keys if one in gone})
    if new:
        lines.append(f"New access keys: {', '.join(new)}. After `pulumi up`, deliver them to their own targets:")
        lines += [f"  object-store keys deliver --stack {stack} --identity {name} --to TARGET" for name in new]
    off = [cause.root for cause in causes if cause.live is Live.OFF and _is_planned(cause.root, planned)]
    lines += [
        f"`pulumi up` switches {_named(one)} on again; if it was switched off on purpose: "
        f"object-store keys revoke {one.subject} --stack {stack}"
        for one in off
    ]
    if gone or causes:
        users_off = {one.of for one in off if one.what is About.USER}
        kept = sorted({one.subject for one in keys if one not in gone and one not in off and one.of not in users_off})
        lines.append(f"Access keys that stay as they are: {', '.join(kept) or 'none'}.")
    return lines


def _is_planned(one: Held, planned: Mapping[str, Collection[int]]) -> bool:
    """Whether an update keeps it: it does not wait for its deletion, and a key's generation is the plan's."""
    if one.waits:
        return False
    return one.generation in planned.get(one.subject, ()) if one.what is About.KEY else one.subject in planned


def _named(one: Held) -> str:
    return _SAYS.get(one.what, _SETTING).format(one)


def _line(cause: Cause) -> str:
    root = _named(cause.root)
    if cause.live is Live.OFF:
        return f"{root} is switched off"
    counts = Counter(one.what.value for one in cause.taken)
    words = [f"its {word}" if count == 1 else f"its {count} {_plural(word)}" for word, count in counts.items()]
    along = f", with {' and '.join([', '.join(words[:-1])] * (len(words) > 1) + words[-1:])}" if words else ""
    return f"{root} is gone{along}"


def _plural(word: str) -> str:
    return f"{word.removesuffix('y')}ies" if word.endswith("cy") else f"{word}s"
