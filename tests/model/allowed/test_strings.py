"""model.allowed.strings: no class of strings is missing, and each witness is of its class."""

import re

from hypothesis import given
from hypothesis import strategies as st

from model.allowed.strings import classes, glob, ignoring_case, literal, matches

TEXTS = st.text(alphabet="ab/*", max_size=6)
PATTERNS = st.lists(st.text(alphabet="ab/*?", max_size=6), min_size=1, max_size=4)


def mask(patterns: list[str], text: str) -> int:
    """The patterns that match, by regular expressions."""
    wild = {"*": ".*", "?": "."}
    expressions = ["".join(wild.get(sign, re.escape(sign)) for sign in one) for one in patterns]
    return sum(1 << n for n, one in enumerate(expressions) if re.fullmatch(one, text, re.DOTALL))


@given(patterns=PATTERNS, texts=st.lists(TEXTS, min_size=1))
def test_every_string_has_its_class(patterns: list[str], texts: list[str]) -> None:
    """The patterns that match a string are those of one class, whose witness they match, too."""
    found = classes(tuple(map(glob, patterns)))

    assert found is not None
    assert all(one.mask == mask(patterns, one.witness) for one in found)
    assert {mask(patterns, text) for text in texts} <= {one.mask for one in found}
    assert len({one.mask for one in found}) == len(found)


@given(pattern=st.text(alphabet="aAb*?", max_size=5), text=st.text(alphabet="aAbB", max_size=5))
def test_patterns_match_as_regular_expressions_do(pattern: str, text: str) -> None:
    """A glob, a glob in any case, and a text."""
    assert matches(glob(pattern), text) == bool(mask([pattern], text))
    assert matches(ignoring_case(glob(pattern)), text) == bool(mask([pattern.lower()], text.lower()))
    assert matches(literal(pattern), text) == (pattern == text)
