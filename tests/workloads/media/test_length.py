"""The length of a film by its container, and files that only look like one."""

from pathlib import Path

import pytest

from tests.workloads.media.conftest import box, film
from workloads.media.length import seconds_of


@pytest.mark.parametrize("is_large", [False, True])
def test_length_is_that_of_the_header(tmp_path: Path, *, is_large: bool) -> None:
    """In both versions of the header."""
    path = tmp_path / "a.mp4"
    path.write_bytes(film(3600.5, is_large=is_large))
    assert seconds_of(path) == 3600.5


def test_large_boxes(tmp_path: Path) -> None:
    """A box may give its size in 64 bits, and the last one may go to the end of the file."""
    path = tmp_path / "a.mp4"
    moov = film(10)[-(8 + 8 + 100) :]
    assert moov[4:8] == b"moov"
    path.write_bytes(b"\0\0\0\x01mdat" + (16 + 5).to_bytes(8, "big") + b"12345" + moov)
    assert seconds_of(path) == 10
    path.write_bytes(b"\0\0\0\0moov" + moov[8:])
    assert seconds_of(path) == 10


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1aE\xdf\xa3 a file of Matroska",
        box(b"moov", b""),
        box(b"moov", box(b"mvhd", b"\0" * 11)),
        box(b"moov", box(b"mvhd", b"\0" * 100)),
        b"\0\0\0\x07moov",
        b"\xff\xff\xff\xffmoov",
        b"\0\0\0\x01moov",
        b"\0\0\0\x01moov" + b"\xff" * 8,
        box(b"free", b"") * 20_000,
        film(10)[:-50],
    ],
)
def test_what_says_no_length(tmp_path: Path, content: bytes) -> None:
    """A file that is cut, of another kind, or hostile has no length, and no error."""
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert seconds_of(path) is None
