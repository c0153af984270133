"""JSON that another program wrote: published files, journals and references."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from object_store.errors import ConfigurationError, InvalidArgument, InvalidReference
from object_store.journal import opened_journal
from object_store.opening import store_of
from object_store.reference import ObjectRef, parse_uri
from object_store.written import json_of, published_object

if TYPE_CHECKING:
    from pathlib import Path

ODD = (
    b"[" * 3000,
    b'{"a":' * 3000,
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 99999999999999999999}',
    b'{"a": 1e999}',
    b'{"a": NaN}',
    b'{"a": 1, "a": 2}',
    b'{"a": "\\ud800"}',
    b'{"a": "\xe9"}',
    b"\xff\xfe{\x00}\x00",
    b"",
)


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_what_programs_read_differently_is_refused(content: bytes, tmp_path: Path) -> None:
    """Each is a ValueError, and as a published file a ConfigurationError that names the file and what is legal."""
    path = tmp_path / "deployment.json"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"[a-z]"):
        json_of(content)
    with pytest.raises(ConfigurationError, match=r"deployment\.json .*legal: what `pulumi stack output NAME --json`"):
        published_object(path)


def test_byte_order_mark_is_left_out() -> None:
    """UTF-8 with a byte order mark is the same JSON."""
    assert json_of(b'\xef\xbb\xbf{"a": [1, 2.5, "\xc3\xa9"]}') == {"a": [1, 2.5, "é"]}


def test_only_a_file_is_opened(tmp_path: Path) -> None:
    """A named pipe does not hang; a folder, a link to nowhere and a huge file have their reasons."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(100_000_000)

    for name, reason in (("pipe", "regular file"), ("", "regular file"), ("link", "No such"), ("huge", "larger than")):
        with pytest.raises(ConfigurationError, match=reason):
            published_object(tmp_path / name)
    with pytest.raises(ConfigurationError, match="regular file"):
        store_of(tmp_path / "pipe", tmp_path / "pipe", "worker")


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_reference_in_odd_json_is_refused(content: bytes) -> None:
    """A reference as text is refused as one with a wrong field is."""
    with pytest.raises(InvalidReference, match="not a reference: "):
        ObjectRef.parse(content)


def test_reference_with_a_key_twice_is_refused() -> None:
    """Two buckets in one reference are not the last one."""
    ref = {"bucket": "one", "key": "k", "etag": "e", "size": 1}
    text = json.dumps(ref)

    assert ObjectRef.parse(text).bucket == "one"
    with pytest.raises(InvalidReference, match="a key appears twice"):
        ObjectRef.parse(text.replace("{", '{"bucket": "two", ', 1))


def test_message_of_an_odd_uri_stays_short() -> None:
    """A URI of any length is shown up to a bound, and no control character reaches a terminal."""
    with pytest.raises(InvalidReference) as caught:
        parse_uri("\x1b" * 100_000)

    assert len(str(caught.value)) < 400
    with pytest.raises(InvalidReference) as caught:
        ObjectRef.parse({"\x1b[31m\ud800": 1})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("line", [*ODD[:-1], b'{"through": "z", "same": -1, "sameBytes": 0}', b"x" * 200_000])
def test_journal_counts_up_to_the_odd_line(line: bytes, tmp_path: Path) -> None:
    """A line that is not one of ours, however odd or long, ends what counts; the work after it is done again."""
    path = tmp_path / "journal"
    with opened_journal(path, nas="/n") as made:
        made.progress.same = 1
        made.checkpoint("a")
    whole = path.read_bytes()
    path.write_bytes(whole + line + b'\n{"through": "b", "same": 2, "sameBytes": 0}\n')

    with opened_journal(path, nas="/n") as again:
        assert (again.progress.through, again.progress.same) == ("a", 1)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("first", ODD[:-1], ids=range(len(ODD) - 1))
def test_odd_first_line_is_no_journal(first: bytes, tmp_path: Path) -> None:
    """A file with an odd first line is not a journal, and is not changed."""
    path = tmp_path / "journal"
    path.write_bytes(first + b"\n")

    with pytest.raises(InvalidArgument, match="is not a journal"), opened_journal(path, nas="/n"):
        pass
    assert path.read_bytes() == first + b"\n"


def test_journal_is_a_regular_file(tmp_path: Path) -> None:
    """A named pipe or a device is no journal; opening one does not wait for ever."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path / "null"):
        if path.name == "null":
            path.symlink_to("/dev/null")
        with pytest.raises(InvalidArgument, match="not a regular file"), opened_journal(path, nas="/n"):
            pass


def test_journal_of_another_comparison_is_shown_short(tmp_path: Path) -> None:
    """What another journal compares is shown up to a bound, without what a terminal would obey."""
    path = tmp_path / "journal"
    path.write_text(json.dumps({"journal": "object-store-parity", "version": 1, "nas": "\x1b" + "x" * 5000}) + "\n")

    with pytest.raises(InvalidArgument) as caught, opened_journal(path, nas="/n"):
        pass
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()
