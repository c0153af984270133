"""What is made ahead is what would be made without."""

import threading
from collections.abc import Iterator

import pytest

from sandbox.clickhouse.ahead import made_ahead


def pieces(ended: list[bool], *, fails: bool = False) -> Iterator[bytes]:
    """Some pieces, and how they ended."""
    try:
        for number in range(5):
            yield b"%d" % number
        if fails:
            raise ValueError("in the middle")
    finally:
        ended.append(True)


@pytest.mark.parametrize("fails", [True, False])
def test_pieces_come_in_order(*, fails: bool) -> None:
    """All of them, and then the error, if there is one."""
    ended: list[bool] = []
    came = []
    try:
        for piece in made_ahead(pieces(ended, fails=fails)):
            came.append(piece)  # noqa: PERF402 - what came before the error counts
    except ValueError as fault:
        came.append(str(fault).encode())

    assert came == [b"0", b"1", b"2", b"3", b"4", *([b"in the middle"] if fails else [])]
    assert ended == [True]


def test_answer_that_is_given_up() -> None:
    """The maker is ended, and no thread is left."""
    ended: list[bool] = []
    before = threading.active_count()
    answer = made_ahead(pieces(ended))
    assert next(answer) == b"0"

    answer.close()  # type: ignore[attr-defined]  # a generator

    assert ended == [True]
    assert threading.active_count() == before
