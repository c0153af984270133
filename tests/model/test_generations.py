"""Generations of keys: what a stack's config may contain, and how generations advance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.moves import generations_of, too_many_keys
from model.generations import GENERATION_MAXIMUM, Generations, parse_generations
from model.plan import StorePlan, build_plan
from model.problems import InvalidInputError
from model.taxonomy_file import load

WHERE = "Pulumi.aws.yaml: object-store:"
NUMBERS = st.integers(min_value=1, max_value=1000)


def planned(**generations: Generations) -> StorePlan:
    """The plan with these generations."""
    return build_plan(load(), env="prod", region_code="usw2", tls_only=True, where=WHERE, generations=generations)


def test_what_is_not_named_has_its_first_generation_alone() -> None:
    """An identity that the config does not name has only generation 1, as before generations existed."""
    assert {identity.credential.live for identity in planned().identities} == {(1,)}


@given(NUMBERS)
def test_next_one_lives_beside_this_one(number: int) -> None:
    """Rotation keeps the key in use; retiring removes it; revoking keeps neither."""
    rotated = Generations(current=number).next
    assert rotated.live == (number + 1, number)
    assert rotated.retired.live == (number + 1,)
    assert rotated.revoked.live == (number + 2,)


def test_numbers_of_the_engine_are_read() -> None:
    """The engine passes whole numbers as 2.0."""
    assert parse_generations({"worker": {"current": 2.0, "previous": 1.0}}, ["worker"], WHERE) == {
        "worker": Generations(current=2, previous=1)
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"worker": {"current": 0}}, "credentials.worker.current"),
        ({"worker": {"current": 1, "previous": 1}}, "previous must be lower than current"),
        ({"worker": {"current": 2, "former": 1}}, "credentials.worker.former"),
        ({"worker": 2}, "credentials.worker"),
        ({"worker": {"current": True}}, "a whole number is needed"),
        ({"worker": {"current": "2"}}, "a whole number is needed"),
        ({"worker": {"current": 10**20}}, "credentials.worker.current: the generation is too large"),
        ({"worker": {"current": GENERATION_MAXIMUM + 1, "previous": 1}}, f"1 to {GENERATION_MAXIMUM}"),
        ({"wroker": {"current": 2}}, "identity 'wroker' does not exist"),
    ],
)
def test_what_cannot_be_is_refused(value: dict[str, object], said: str) -> None:
    """Each mistake is reported with its key and the legal form, before any cloud request."""
    with pytest.raises(InvalidInputError) as raised:
        parse_generations(value, ["worker", "reader"], WHERE)
    assert said in str(raised.value)
    assert "legal:" in str(raised.value)


def urns(*names: str) -> list[tuple[str, str]]:
    """The access keys of a state."""
    return [("aws:iam/accessKey:AccessKey", f"urn:pulumi:aws::object-store::x$y::{name}") for name in names]


def test_state_tells_which_generations_stand() -> None:
    """A key's logical name gives identity and generation; other resources and other names are ignored."""
    others = [("aws:iam/user:User", "urn:pulumi:aws::object-store::x::worker-key-9")]
    assert generations_of([*urns("worker-key-1", "worker-key-12", "session-archiver-key-2"), *others]) == {
        "worker": frozenset({1, 12}),
        "session-archiver": frozenset({2}),
    }


@pytest.mark.parametrize(
    ("held", "wanted", "refused"),
    [
        ({1}, Generations(current=2, previous=1), False),
        ({2, 1}, Generations(current=2), False),
        ({1}, Generations(current=2), False),
        ({2, 1}, Generations(current=3, previous=2), True),
        ({2, 1}, Generations(current=3), True),
        ({3, 2, 1}, Generations(current=3), False),
    ],
)
def test_third_key_of_a_user_is_refused_with_advice(held: set[int], wanted: Generations, refused: bool) -> None:  # noqa: FBT001 - a row
    """An update creates new keys before it deletes old ones, so both count; retiring makes room."""
    problems = too_many_keys(planned(worker=wanted), {"worker": held}, WHERE, "aws")
    assert bool(problems) is refused
    if problems:
        assert "object-store keys retire worker --stack aws" in str(problems[0])
