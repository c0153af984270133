"""The classes into which patterns divide all strings, each with a string of it.

The rule: two strings are of one class if the same patterns match them, so a decision about one string of each class is
a decision about all strings. The classes come from the product of the patterns' automata, built from the start state,
so no class is missing. It leaves out what a pattern is for.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Wild(Enum):
    """A wildcard."""

    ONE = "?"
    MANY = "*"


#: One character of a pattern: the characters that it stands for, or a wildcard.
Token = str | Wild
Pattern = tuple[Token, ...]
#: The places in patterns that are visited at most, about half a second's work; 110 domains need up to 200 000. Beyond
#: it, `classes` gives up.
MOST_PLACES = 1_000_000
#: Characters for a wildcard in a witness, the plainest first.
_PLAIN = "xyz0abcdefghijklmnopqrstuvw123456789XYZABCDEFGHIJKLMNOPQRSTUVW-_.~"
_Step = dict[str | None, frozenset[int]]


class StringClass(NamedTuple):
    """Some strings that are alike to all patterns.

    Attributes:
        mask: Bit n is set if the pattern n matches the strings.
        witness: One of the strings.
    """

    mask: int
    witness: str


def literal(text: str) -> Pattern:
    """A pattern that matches only this text."""
    return tuple(text)


@lru_cache(maxsize=8192)
def glob(text: str) -> Pattern:
    """A pattern in which `*` stands for any characters and `?` for one."""
    return joined(_wild(sign) for sign in text)


def joined(tokens: Iterable[Token]) -> Pattern:
    """The tokens as a pattern, with each run of `*` as one."""
    found: list[Token] = []
    for token in tokens:
        if not (token is Wild.MANY and found and found[-1] is Wild.MANY):
            found.append(token)
    return tuple(found)


def ignoring_case(pattern: Pattern) -> Pattern:
    """The pattern with each letter in both cases."""
    return tuple(
        token if isinstance(token, Wild) else "".join(sorted({*token.lower(), *token.upper()})) for token in pattern
    )


def matches(pattern: Pattern, text: str) -> bool:
    """Whether the pattern matches a text."""
    return _expression(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _expression(pattern: Pattern) -> re.Pattern[str]:
    wild = {Wild.ONE: ".", Wild.MANY: ".*"}
    parts = (wild[token] if isinstance(token, Wild) else f"[{re.escape(token)}]" for token in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _wild(sign: str) -> Token:
    return Wild(sign) if sign in "*?" else sign


@lru_cache(maxsize=256)
def classes(patterns: tuple[Pattern, ...]) -> tuple[StringClass, ...] | None:
    """All classes of strings, or None if there are too many to be found in time.

    A witness ends with a slash only if all strings of its class do: most readers take such a key for a folder.
    """
    product = _Product(patterns)
    found: dict[int, str] = {}
    words = {product.start: ""}
    places = 0
    waiting = deque((product.start,))
    while waiting:
        state = waiting.popleft()
        word, mask = words[state], product.mask(state)
        if mask not in found or (found[mask].endswith("/") and not word.endswith("/")):
            found[mask] = word
        steps = product.steps(state)
        places += len(state) * len(steps)
        for sign, after in steps.items():
            if after not in words:
                words[after] = word + (product.other(state) if sign is None else sign)
                waiting.append(after)
        if places > MOST_PLACES:
            return None
    return tuple(StringClass(mask, word) for mask, word in found.items())


class _Product:
    """The automaton of all patterns; a state is the set of the places that are reached in their tokens."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._tokens: list[Token | None] = []
        self._ends: dict[int, int] = {}
        places = []
        for number, pattern in enumerate(patterns):
            places.append(len(self._tokens))
            self._tokens += [*pattern, None]
            self._ends[len(self._tokens) - 1] = 1 << number
        self.start = self._closed(places)

    def _closed(self, places: Iterable[int]) -> frozenset[int]:
        """The places and those behind a `*`, which may stand for nothing."""
        tokens = self._tokens
        found = set()
        for place in places:
            found.add(place)
            if tokens[place] is Wild.MANY:
                found.add(place + 1)
        return frozenset(found)

    def mask(self, state: frozenset[int]) -> int:
        ends = self._ends
        mask = 0
        for place in state:
            mask |= ends.get(place, 0)
        return mask

    def steps(self, state: frozenset[int]) -> _Step:
        """The state after each character that a pattern names there, and under None after any other."""
        always: list[int] = []
        named: dict[str, list[int]] = {}
        for place in state:
            token = self._tokens[place]
            if token is Wild.MANY:
                always.append(place)
            elif token is Wild.ONE:
                always.append(place + 1)
            elif token is not None:
                for sign in token:
                    named.setdefault(sign, []).append(place + 1)
        found: _Step = {None: self._closed(always)}
        for sign in sorted(named):
            found[sign] = self._closed((*always, *named[sign]))
        return found

    def other(self, state: frozenset[int]) -> str:
        """A character that no pattern names in this state."""
        named = {sign for place in state if isinstance(token := self._tokens[place], str) for sign in token}
        return next((sign for sign in _PLAIN if sign not in named), None) or next(
            sign for sign in map(chr, range(0x100, 0x10000)) if sign not in named
        )
