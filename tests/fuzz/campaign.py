"""Runs damaged inputs through their readers, and counts what became of them.

The rule: an input is refused with a message, or accepted. Whatever else a reader raises is a traceback for who runs the
command, also a BaseException such as the PanicException of a library in Rust.
"""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.fuzz.kinds import KINDS, REFUSALS, Kind
from tests.fuzz.mutations import mutated

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED, ACCEPTED, TRACEBACK = "refused", "accepted", "traceback"
MESSAGE_CHARACTERS_MAXIMUM = 20_000


@dataclass
class Outcome:
    """What became of the inputs of one kind.

    Attributes:
        inputs: How many there were.
        ends: How many were refused with a message, accepted, or ended with a traceback.
        faults: How often each exception came from each place.
        example: The first input of each of them, and its number.
    """

    inputs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    example: dict[str, tuple[int, bytes]] = field(default_factory=dict)


def count_of(kind: Kind, total: int) -> int:
    """How many of `total` inputs are of a kind."""
    return total * kind.share // sum(each.share for each in KINDS)


def run(kind: Kind, seed: int, count: int) -> Outcome:
    """Read damaged documents of a kind; the same seed gives the same inputs, however many there are."""
    outcome = Outcome()
    documents = kind.documents()
    with TemporaryDirectory(prefix="object-store-fuzz-") as folder:
        for number in range(count):
            random = Random(f"{seed}/{kind.name}/{number}")  # noqa: S311 - reproducible, not secret
            content = mutated(random, random.choice(documents), kind.form)
            ends = set()
            for reader in kind.readers:
                end, fault = _read(reader, content, Path(folder))
                ends.add(end)
                if fault:
                    outcome.faults[fault] += 1
                    outcome.example.setdefault(fault, (number, content))
            outcome.inputs += 1
            outcome.ends[next(end for end in (TRACEBACK, REFUSED, ACCEPTED) if end in ends)] += 1
    return outcome


def _can_be_shown(message: str) -> bool:
    """Whether a message says something, in characters that a terminal shows and does not obey."""
    return 0 < len(message) < MESSAGE_CHARACTERS_MAXIMUM and all(line.isprintable() for line in message.split("\n"))


def _read(reader: Callable[[bytes, Path], object], content: bytes, folder: Path) -> tuple[str, str]:
    try:
        reader(content, folder)
    except REFUSALS as error:
        message = str(error)
        if _can_be_shown(message):
            return REFUSED, ""
        return TRACEBACK, f"{type(error).__name__} with a message that cannot be shown, of {reader.__name__}"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - see above
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return TRACEBACK, f"{type(error).__name__} in {Path(frame.filename).name}:{frame.name}"
    return ACCEPTED, ""
