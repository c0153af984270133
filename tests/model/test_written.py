"""model.written: what a file is, and its encoding."""

import os
import threading
from pathlib import Path

import pytest

from model.problems import InvalidInputError
from model.written import WrittenError, position_of, read_written, text_of


def refused(path: Path, at_most: int = 100) -> str:
    """The message with which a file is refused."""
    with pytest.raises(WrittenError) as caught:
        read_written(path, "FILE", at_most)
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    assert "\n  write: " in message
    return message


def test_reads_a_file(tmp_path: Path) -> None:
    """A regular file is read up to the bound, also through a link."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to(path)

    assert read_written(path, "FILE", 100) == read_written(tmp_path / "link", "FILE", 100) == b"x" * 100


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder, a device, a link to nowhere and a path that is none are each refused with their reason."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    assert "FILE: cannot be read: it is a folder" in refused(tmp_path)
    assert "it is a device" in refused(Path("/dev/zero"))
    assert "No such file" in refused(tmp_path / "link")
    assert "No such file" in refused(tmp_path / "missing")
    assert "holds a NUL character" in refused(Path("a\0b"))


def test_large_file_is_not_read(tmp_path: Path) -> None:
    """A file above the bound is refused with the bound; a sparse one of 100 MB, too."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(100_000_000)

    assert "is larger than 100 bytes" in refused(path)


def test_pipe_is_read_to_its_end() -> None:
    """A pipe into which a program writes is read, as with `--deployment <(pulumi stack output …)`."""
    reading, writing = os.pipe()

    def write() -> None:
        os.write(writing, b"{}")
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert read_written(Path(f"/dev/fd/{reading}"), "FILE") == b"{}"
    finally:
        writer.join()
        os.close(reading)


def test_pipe_without_a_writer_is_refused(tmp_path: Path) -> None:
    """A named pipe into which nobody writes does not hang."""
    os.mkfifo(tmp_path / "pipe")

    assert "is a pipe into which no program writes" in refused(tmp_path / "pipe")


def test_byte_order_mark_is_left_out() -> None:
    """UTF-8 with a byte order mark, as some editors write it, is the same text."""
    assert text_of(b"\xef\xbb\xbfa: \xc3\xa9\r\n", "FILE") == "a: é\r\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "a: 1".encode("utf-16"),
            "FILE: is in UTF-16, not in UTF-8\n  write: iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE",
        ),
        ("a: 1".encode("utf-16-be"), "FILE: is in UTF-16"),
        ("{}".encode("utf-16-le"), "FILE: is in UTF-16"),
        ("a: 1\nb: é".encode("latin-1"), "FILE:2:4: the byte 0xE9 is not UTF-8"),
        (b"\xed\xa0\x80", "FILE:1:1: the byte 0xED is not UTF-8"),
    ],
)
def test_other_encodings_are_named_with_the_command(content: bytes, expected: str) -> None:
    """A file in another encoding is refused with its place and the command that converts it."""
    with pytest.raises(WrittenError) as caught:
        text_of(content, "FILE")

    assert str(caught.value).startswith(expected)
    assert "write: iconv -f " in str(caught.value)


def test_is_an_input_error_of_two_lines() -> None:
    """Who reports input errors reports a fault of form, too, with place, line and column."""
    error = WrittenError("FILE", "a tab", "spaces", (3, 5))

    assert isinstance(error, InvalidInputError)
    assert str(error) == "FILE:3:5: a tab\n  write: spaces"
    assert (error.line, error.column) == (3, 5)


def test_input_cannot_steer_the_terminal() -> None:
    """A message that repeats input shows control characters and lone surrogates escaped."""
    assert str(WrittenError("FILE", "the key \x1b[31m\ud800é", "…")) == "FILE: the key \\x1b[31m\\ud800é\n  write: …"


def test_position_counts_characters_from_one() -> None:
    """Line and column begin at 1, and count characters."""
    assert [position_of("é\nab", index) for index in (0, 1, 2, 3)] == [(1, 1), (1, 2), (2, 1), (2, 2)]
