"""Damaged input of every kind is refused with a message, or accepted; no reader ends with a traceback."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.campaign import ACCEPTED, TRACEBACK, count_of, run
from tests.fuzz.kinds import KINDS, REFUSALS, Kind
from tests.fuzz.mutations import mutated
from tests.sizes import sized

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = sized(1_500, 50_000)
SEED = 20


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_input_ends_with_a_message(kind: Kind) -> None:
    """No damaged input of this kind ends with a traceback, or with a message that a terminal cannot show."""
    outcome = run(kind, SEED, count_of(kind, INPUTS))

    assert outcome.inputs == count_of(kind, INPUTS)
    assert not outcome.ends[TRACEBACK], [(fault, *outcome.example[fault]) for fault in outcome.faults]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whole_documents_are_accepted(kind: Kind, tmp_path: Path) -> None:
    """Without damage each document is accepted by a reader, so that the damage decides; so is each reader's."""
    accepted = set()
    for number, document in enumerate(kind.documents()):
        for reader in kind.readers:
            try:
                reader(document, tmp_path)
            except REFUSALS:
                continue
            accepted.add((number, reader))

    assert {number for number, _ in accepted} == set(range(len(kind.documents())))
    assert {reader for _, reader in accepted} == set(kind.readers)


def test_counts_what_a_reader_forgets() -> None:
    """Readers that forget an encoding, a nesting or a number are found, so the figures mean something."""

    def forgets(content: bytes, _: Path) -> None:
        text = content.decode()  # the encoding
        assert text.count("[") < 1000  # the nesting
        int(max(text.split('"'), key=len)[:5000].strip("x") or 0)  # the number

    def panics(_: bytes, __: Path) -> None:
        raise BaseException("as a library in Rust does")  # noqa: TRY002 - exactly that

    kind = KINDS[0]
    outcome = run(Kind("planted", kind.form, 1, kind.documents, (forgets,)), SEED, 200)

    assert {"UnicodeDecodeError", "AssertionError", "ValueError"} <= {fault.split()[0] for fault in outcome.faults}
    assert run(Kind("planted", kind.form, 1, kind.documents, (panics,)), SEED, 3).ends == {TRACEBACK: 3}
    assert run(Kind("planted", kind.form, 1, kind.documents, (lambda *_: None,)), SEED, 3).ends == {ACCEPTED: 3}


def test_the_same_seed_gives_the_same_inputs() -> None:
    """A seed names its inputs, and another seed has others."""

    def inputs(seed: int) -> list[bytes]:
        return [mutated(Random(seed + number), b"a: 1\nb: [2]\n", "yaml") for number in range(50)]  # noqa: S311 - likewise

    assert inputs(SEED) == inputs(SEED)
    assert inputs(SEED) != inputs(SEED + 1000)
