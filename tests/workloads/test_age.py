"""Encryption as streams: what goes in comes out, damage is an error, and a fault of our own blocks comes out."""

import random
import threading
from collections.abc import Iterator

import pyrage
import pytest

from workloads.archive.age import NotOpenedError, decrypted, encrypted

KEY = pyrage.x25519.Identity.generate()
SIZES = (0, 1, 65_536, 3_000_000)


def blocks(body: bytes, size: int = 70_000) -> Iterator[bytes]:
    """A body in pieces; none has the size that the library asks for."""
    for at in range(0, len(body), size):
        yield body[at : at + size]


def made(body: bytes) -> bytes:
    """A body as one age file."""
    out: list[bytes] = []
    encrypted(blocks(body), [str(KEY.to_public())], out.append)
    return b"".join(out)


@pytest.mark.parametrize("size", SIZES)
def test_it_comes_out(size: int) -> None:
    """In memory and as a stream; without a recipient the bytes pass as they are."""
    body = random.Random(size).randbytes(size)  # noqa: S311 - not for secrets
    stored = made(body)

    assert b"".join(decrypted(blocks(stored), [KEY])) == body
    assert pyrage.decrypt(stored, [KEY]) == body
    clear: list[bytes] = []
    encrypted(blocks(body), [], clear.append)
    assert b"".join(clear) == body


@pytest.mark.parametrize("size", [1000, 3_000_000])
@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "another key", "nothing", "glued"])
def test_damage_is_an_error(size: int, damage: str) -> None:
    """Nothing after the damage comes out, and the error says nothing of a key."""
    stored = made(bytes(size))
    keys = [pyrage.x25519.Identity.generate() if damage == "another key" else KEY]
    body = {
        "flipped": stored[:-100] + bytes([stored[-100] ^ 1]) + stored[-99:],
        "cut": stored[: -max(20, size // 2)],
        "longer": stored + b"\n",
        "another key": stored,
        "nothing": b"",
        "glued": stored + stored,
    }[damage]

    with pytest.raises(NotOpenedError, match=r"^$"):
        list(decrypted(blocks(body), keys))


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_fault_of_the_blocks_comes_out(size: int) -> None:
    """A store that goes away while an age file is read, a file that changes, a disk that is full."""

    def broken(body: bytes) -> Iterator[bytes]:
        yield from blocks(body[: len(body) // 2])
        raise TimeoutError("the store is away")

    def full(_: bytes) -> None:
        raise OSError("the disk is full")

    with pytest.raises(TimeoutError, match="the store is away"):
        list(decrypted(broken(made(bytes(size))), [KEY]))
    with pytest.raises(TimeoutError, match="the store is away"):
        encrypted(broken(bytes(size)), [str(KEY.to_public())], lambda _: None)
    with pytest.raises(OSError, match="the disk is full"):
        encrypted(blocks(bytes(size)), [str(KEY.to_public())], full)


def test_reader_that_stops_leaves_no_thread() -> None:
    """A stream is given up after its first block."""
    before = threading.active_count()
    stream = decrypted(blocks(made(bytes(8_000_000))), [KEY])
    assert isinstance(stream, Iterator)
    next(stream)
    stream.close()  # type: ignore[attr-defined] # a generator

    assert threading.active_count() == before
