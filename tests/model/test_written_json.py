"""model.written_json: one message for JSON that programs would read differently."""

import json
from pathlib import Path

import pytest

from model.written import WrittenError
from model.written_json import parse_json, read_json_file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "FILE: is empty"),
        (" \n ", "FILE: is empty"),
        ('{"a": 1,\n "b": {"a": 1, "c": "a",\n "a": 2}}', "FILE:3:2: the key 'a' appears twice"),
        ('{"\\u0061": 1, "a": 2}', "FILE:1:15: the key 'a' appears twice"),
        ('[{"x": ["a", "a"]}, {"x": 1, "x": 2}]', "FILE:1:30: the key 'x' appears twice"),
        ('{"a": 1,}', "FILE:1:9: is not JSON: trailing comma"),
        ('{"é": "é" "hunter2"}', "FILE:1:11: is not JSON: expected `,` or `}`"),
        ("{'a': 1}", "FILE:1:2: is not JSON: key must be a string"),
        ('{"a": NaN}', "FILE:1:7: is not JSON: expected value"),
        ('{"a": 1e999}', "FILE:1:7: a number that not every program can hold"),
        ('{"a": 99999999999999999999}', "FILE:1:7: a number that not every program can hold"),
        ("9" * 5000, "is not JSON: number out of range"),
        ("[" * 100_000, "is not JSON: recursion limit exceeded"),
        ('{"a":' * 300 + "1" + "}" * 300, "is not JSON: recursion limit exceeded\n  write: at most 200 levels"),
        ('"\\ud800"', "is not JSON: unexpected end of hex escape"),
        ('"\x07"', "is not JSON: control character"),
        ("{} {}", "FILE:1:4: is not JSON: trailing characters"),
        ("{}\0", "FILE:1:3: is not JSON: trailing characters"),
    ],
)
def test_fault_is_one_message_with_its_place(text: str, expected: str) -> None:
    """Each fault has line, column, what was found and what to write, in two lines and without the value."""
    with pytest.raises(WrittenError) as caught:
        parse_json(text, "FILE")

    message = str(caught.value)
    assert expected in message
    assert len(message.splitlines()) == 2
    assert "hunter2" not in message


@pytest.mark.parametrize("value", [None, True, -1, 2**64 - 1, 1.5, "é\u2028", [], {"a": [{"a": 1}, {"a": 2}]}])
def test_legal_json_is_read_as_by_any_other_reader(value: object) -> None:
    """Legal JSON gives the same value as Python's own parser, also with a byte order mark."""
    text = json.dumps(value)

    assert parse_json(text, "FILE") == parse_json(b"\xef\xbb\xbf" + text.encode(), "FILE") == value


def test_file_is_named_by_its_path(tmp_path: Path) -> None:
    """A fault names the file that was given."""
    path = tmp_path / "deployment.json"
    path.write_text('{"a": }')

    with pytest.raises(WrittenError) as caught:
        read_json_file(path)

    assert str(caught.value).startswith(f"{path}:1:7: is not JSON")
