"""What a terminal would obey is shown as an escape."""

import pytest

from model.terminal_text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb\x07", r"a\x1b[31mb\x07"),
        ("a\x9b1m\rb\x08", r"a\x9b1m\rb\x08"),
        ("\u202egnp.exe\ud800", r"\u202egnp.exe\ud800"),
        ("é 中 😀 … ·\nsecond line", "é 中 😀 … ·\nsecond line"),
        (ValueError("\x1b]0;title"), r"\x1b]0;title"),
    ],
)
def test_characters_that_steer_a_terminal(text: object, shown: str) -> None:
    """Escape sequences, marks of direction and surrogates; any script and line breaks stay."""
    assert printable(text) == shown
