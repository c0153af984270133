"""model.written_yaml: what the engine reads, and one message for what is wrong."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.taxonomy_file import TAXONOMY_FILE
from model.written import WrittenError
from model.written_yaml import FILE_BYTES_MAXIMUM, date_of_engine, parse_yaml, read_yaml_file

# Nine lines for 9 ** 8 values.
BILLION = "a: &a x\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1", "2:1: a tab where YAML wants spaces"),
        (
            "purpose: {{ x }}",
            '1:11: a key that is a mapping or a list\n  write: a value that begins with a brace, in quotes: key: "{{',
        ),
        ("? [a, b]\n: 1", "1:3: a key that is a mapping or a list\n  write: a key that is text"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "4:3: the key 'c' appears twice, first in line 3"),
        ("{a: 1, a: 2}", "1:8: the key 'a' appears twice"),
        (
            "a: x\x07y",
            '1:5: the control character U+0007\n  write: the text without it, or in double quotes as "\\u0007"',
        ),
        ("a: x\0", "1:5: the control character U+0000"),
        ("123: x", "1:1: the key '123' is not text\n  write: the key in quotes: \"123\": …"),
        ("2026-12-31: x", "1:1: the key '2026-12-31' is not text"),
        ('a: !!int "x"', "1:4: a tag (!)"),
        ("a: !!python/object:x {}", "1:4: a tag (!)"),
        ("a: !!binary x", "1:4: a tag (!)"),
        ("a: 012", "1:4: a number with a leading zero"),
        ("a: .nan", "1:4: a number without a value"),
        ("a: " + "9" * 5000, "1:4: a number that not every program can hold"),
        ("a: 99999999999999999999", "1:4: a number that not every program can hold"),
        ("a: 1e999", "1:4: a number that not every program can hold"),
        ("a: 0x_", "1:4: a number that not every program can hold"),
        ('a: "\\U99999999"', "a `\\` that begins no escape"),
        ('a: "\\ud800"', "1:4: half of a surrogate pair"),
        ("[" * 10_000, "1:33: more than 32 levels"),
        ("a:\n" + "".join(f"{' ' * n}b:\n" for n in range(1, 60)), "more than 32 levels"),
        ("a: &a [*a]", "more than 32 levels, or an alias (*) of what it is in"),
        ("a: &a {<<: *a}", "more than 32 levels, or an alias (*) of what it is in"),
        (BILLION, "more than 100,000 values"),
        ("<<: 5", "1:5: `<<` takes over a mapping, and this is none"),
        ("<<: [a]", "1:6: `<<` takes over a mapping"),
        ("<<: {}\n<<: {}", "2:1: the key '<<' appears twice"),
        ("a: *hunter2", "1:4: an alias (*) of an anchor that is not there"),
        ("a: @hunter2", "1:4: a character that no value begins with"),
        ("a: b: c", "1:5: a second `: ` in a line"),
        ("a: [1", "1:6: a bracket that is not closed"),
        ('a: "hunter2', "a quote that is not closed"),
        ("--- a\n--- b", "2:1: a second document"),
        ("%YAML 99999999999.1\n---\na: 1", "1:1: a line that is not YAML"),
    ],
)
def test_fault_is_one_message_with_its_place(text: str, expected: str) -> None:
    """Each fault of form has line, column, what was found and what to write, in two lines and without the value."""
    with pytest.raises(WrittenError) as caught:
        parse_yaml(text, "FILE")

    message = str(caught.value)
    assert message.startswith("FILE:")
    assert expected in message
    assert len(message.splitlines()) == 2
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-31", "2026-12-31"),
        ("2026-02-30", "2026-02-30"),
        ("yes", "yes"),
        ("True", True),
        ("1:30", "1:30"),
        ("0x10", 16),
        ("0o10", 8),
        ("1_000", 1000),
        ("-5", -5),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("null", None),
        ("18446744073709551615", 2**64 - 1),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("=", "="),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
    ],
)
def test_plain_values_have_the_engines_types(text: str, expected: object) -> None:
    """A plain value is what gopkg.in/yaml.v3 reads, and a date stays as it is written."""
    assert parse_yaml(f"a: {text}", "FILE") == {"a": expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-31", "2026-12-31 00:00:00 +0000 UTC"),
        ("2026-02-30", "2026-02-30"),
        ("2026-1-2", "2026-01-02 00:00:00 +0000 UTC"),
        ("2026-12-31T01:02:03+02:00", "2026-12-31 01:02:03 +0200 +0200"),
        ("2026-12-31 01:02:03", "2026-12-31 01:02:03 +0000 UTC"),
        ("2026-12-31 01:02:03.50Z", "2026-12-31 01:02:03.5 +0000 UTC"),
    ],
)
def test_date_of_a_stacks_config_is_gos_text_of_it(text: str, expected: str) -> None:
    """`pulumi config` of engine 3.274.1 shows exactly these texts."""
    assert parse_yaml(f"a: {text}", "FILE", date=date_of_engine) == {"a": expected}
    assert parse_yaml(f'a: "{text}"', "FILE", date=date_of_engine) == {"a": text}


def test_merge_keys_are_taken_over() -> None:
    """`<<` takes over keys that the mapping does not have itself; the first of several mappings goes first."""
    text = "x: &x {p: 1, q: 1}\ny: &y {q: 2, r: 2}\nz:\n  p: 3\n  <<: [*x, *y]\n"

    assert parse_yaml(text, "FILE")["z"] == {"p": 3, "q": 1, "r": 2}


def test_shipped_taxonomy_is_read_as_by_any_other_reader() -> None:
    """Legal YAML, also with CRLF and a byte order mark, has the same content as PyYAML gives it."""
    content = TAXONOMY_FILE.read_bytes()
    expected: Any = yaml.safe_load(content)

    assert parse_yaml(content, "FILE") == expected
    assert parse_yaml(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"), "FILE") == expected


def test_empty_is_nothing() -> None:
    """No document at all is None; its readers say what they want."""
    assert parse_yaml("", "FILE") is parse_yaml("# only a comment\n", "FILE") is None


def test_large_file_is_refused(tmp_path: Path) -> None:
    """A file of more than a MiB is no taxonomy, and is not parsed."""
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" * (FILE_BYTES_MAXIMUM // 5 + 1))

    with pytest.raises(WrittenError, match="is larger than 1,048,576 bytes"):
        read_yaml_file(path, "large.yaml")
