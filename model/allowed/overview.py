"""Who may do what, by plan and in truth: for each bucket and kind of operation, where it is allowed on both sides.

The rule: an area is a pattern of the documents, with the conditions under which its statement holds; it is shown if at
least one request in it is allowed. Whether the areas of both sides allow the same is `more_allowed`'s to say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from model.allowed.decide import Right, rights
from model.allowed.requests import place
from model.allowed.statements import S3
from model.allowed.strings import glob, matches
from model.allowed.words import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from model.allowed.decide import Access


class Line(NamedTuple):
    """One line of the overview.

    Attributes:
        bucket: The bucket; empty for all that are not declared.
        does: What is allowed, in words: `put`.
        planned: Where it is by plan: `*`, or `2026/*`, or with a condition; empty if nowhere.
        live: Where it is in truth.
    """

    bucket: str
    does: str
    planned: tuple[str, ...]
    live: tuple[str, ...]


def overview(live: Access, planned: Access, buckets: Iterable[str]) -> tuple[Line, ...]:
    """The lines of one principal, for the declared buckets and for all others."""
    names = tuple(dict.fromkeys(buckets))
    sides = [_held(one, names) for one in (planned, live)]
    order = {verb: number for number, verb in enumerate(dict.fromkeys(VERBS.values()))}
    wanted = sorted({*sides[0], *sides[1]}, key=lambda one: ((*names, "").index(one[0]), order[one[1]]))
    return tuple(Line(*one, *(tuple(sorted(side.get(one, ()))) for side in sides)) for one in wanted)


def _held(access: Access, buckets: tuple[str, ...]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for right in rights(access, VERBS, buckets):
        bucket, key = place(right.resource)
        does = VERBS["s3:DeleteObjectVersion"] if right.operation.says else VERBS[right.operation.action]
        if bucket or right.operation.kind in ("service", "server"):
            areas = found.setdefault((bucket if bucket in buckets else "", does), set())
            areas |= set(_areas(right, has_key=bool(key)))
    return found


def _areas(right: Right, *, has_key: bool) -> Iterator[str]:
    """The patterns of the statement that match the resource, as patterns of keys."""
    texts = _matching(right.statement.areas, right.resource)
    when = "".join(
        f" if {one.operator} {one.shown} {' or '.join(one.values)}" for one in right.statement.tests
    ) + "".join(f" if this holds: {one}" for one in right.statement.unknowns)
    for text in texts or ["*"]:
        keys = text.removeprefix(S3).partition("/")[2]
        yield f"{(keys or '*') if has_key else '*'}{when}"


@lru_cache(maxsize=4096)
def _matching(areas: tuple[str, ...], resource: str) -> list[str]:
    """The patterns that match a resource; each operation of a statement asks for the same."""
    return [one for one in areas if one == "*" or matches(glob(one), resource)]
