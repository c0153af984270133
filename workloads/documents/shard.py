"""A shard of a tree: which of several machines stores a file. Pure.

The rule: the file's own path decides, by a digest, and never its place in a listing. So each file is in one shard of
any number of them, and a tree that grows, or another number of shards, skips nothing. The path is taken in Unicode's
NFC, because one share shows other spellings to a Mac than to Linux.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from model.problems import InvalidInputError, Problem

INDEX: Final = "JOB_COMPLETION_INDEX"
"""What Kubernetes tells a pod of an Indexed Job, from 0."""
SHARDS_MAXIMUM: Final = 1000
_FORM: Final = re.compile(r"(index|[1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Shard:
    """One of several.

    Attributes:
        number: Which, from 1.
        count: How many there are.
    """

    number: int = 1
    count: int = 1

    def has(self, path: bytes) -> bool:
        """Whether a path, relative to the tree, is in this shard."""
        return self.count == 1 or int.from_bytes(_digest(path)[:8]) % self.count == self.number - 1

    def __str__(self) -> str:
        """As `--shard` takes it."""
        return f"{self.number}/{self.count}"


@dataclass
class Tally:
    """How many files, and what their paths, sizes and times come to together, in any order and constant memory."""

    count: int = 0
    sum: int = 0

    def add(self, path: bytes, status: os.stat_result) -> None:
        """Count a file."""
        self.count += 1
        one = b"%s\0%d %d" % (path, status.st_size, status.st_mtime_ns)
        self.sum = (self.sum + int.from_bytes(hashlib.blake2b(one, digest_size=16).digest())) % 2**128


def shard_of(text: str, environ: Mapping[str, str]) -> Shard:
    """Read `--shard`; `index/N` is the shard of this pod of an Indexed Job; empty for all. Raise InvalidInputError."""
    if not text:
        return Shard()
    found, wrong = _FORM.fullmatch(text), "is not a shard"
    if found:
        number, count = found[1], int(found[2])
        if number == "index":
            given = environ.get(INDEX, "")
            number = str(int(given) + 1) if given.isdecimal() else ""
            wrong = f"needs the variable {INDEX} of an Indexed Job"
        if number and int(number) <= count <= SHARDS_MAXIMUM:
            return Shard(int(number), count)
        wrong = wrong if not number else "is none of these shards"
    legal = f"1/8 to 8/8 for eight, at most {SHARDS_MAXIMUM}; index/8 in a pod of an Indexed Job"
    raise InvalidInputError([Problem("--shard", f"{text!r} {wrong}", legal, "--shard 3/8")])


def _digest(path: bytes) -> bytes:
    with suppress(UnicodeDecodeError):  # other names have one spelling only
        path = unicodedata.normalize("NFC", path.decode()).encode()
    return hashlib.blake2b(path, digest_size=8).digest()
