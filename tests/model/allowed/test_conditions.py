"""model.allowed.conditions: every state that a key can have, with values that show it."""

import pytest

from model.allowed.conditions import UNKNOWN, Key, keys
from model.allowed.statements import Cloud, statements
from model.allowed.statements import Test as Condition


def conditions_of(cloud: Cloud, condition: dict[str, dict[str, object]]) -> tuple[Condition, ...]:
    """The conditions of a statement."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}
    (read,) = statements({"Version": "2012-10-17", "Statement": [statement]}, cloud, {})
    return read.tests


def only(cloud: Cloud, condition: dict[str, dict[str, object]]) -> Key:
    """The only key of these conditions."""
    (found,) = keys(conditions_of(cloud, condition), cloud, {})
    return found


def shown(key: Key) -> set[tuple[tuple[str, ...] | None, int]]:
    """Each state's values with the number of conditions that hold in it."""
    return {(state.values, state.truths.bit_count()) for state in key.states}


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_a_condition_holds_or_not(cloud: Cloud) -> None:
    """A key with one condition has a state in which it holds, and one in which it does not."""
    found = only(cloud, {"StringEquals": {"s3:prefix": "a/"}})

    holding = [state for state in found.states if state.truths]
    assert ("a/",) in {state.values for state in holding}
    assert {state.truths for state in found.states} == {0, 1}


@pytest.mark.parametrize(
    ("operator", "value", "holds", "not_holds"),
    [
        ("NumericLessThan", "10", lambda n: float(n) < 10, lambda n: float(n) >= 10),
        ("NumericGreaterThanEquals", "10", lambda n: float(n) >= 10, lambda n: float(n) < 10),
        ("NumericEquals", "10", lambda n: float(n) == 10, lambda n: float(n) != 10),
    ],
)
def test_numbers_have_a_state_on_each_side(operator: str, value: str, holds: object, not_holds: object) -> None:
    """Each shown number is where its state says, on both sides of the edge."""
    found = only("aws", {operator: {"s3:max-keys": value}})

    for state in found.states:
        for number in state.values or ():
            assert (holds if state.truths else not_holds)(number)  # type: ignore[operator]  # one of the lambdas above


def test_absence_is_a_state_where_a_request_can_lack_the_key() -> None:
    """AWS: a negated condition holds for an absent key; `aws:SecureTransport` is never absent."""
    negated = only("aws", {"StringNotEquals": {"s3:prefix": "a"}})
    secure = only("aws", {"Bool": {"aws:SecureTransport": "true"}})

    assert (None, 1) in shown(negated)
    assert shown(secure) == {(("true",), 1), (("false",), 0)}


def test_null_is_about_absence() -> None:
    """`Null: true` holds exactly in the state without values."""
    found = only("aws", {"Null": {"s3:prefix": "true"}})

    assert {(state.values is None) == bool(state.truths) for state in found.states} == {True}


def test_addresses_inside_and_outside() -> None:
    """An address of each side is shown, and a narrower range within a wider one has a state of its own."""
    found = only("aws", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "NotIpAddress": {"aws:SourceIp": "10.1.0.0/16"}})

    # Outside is what an absent address is, too.
    assert {0b11, 0b01, 0b10} <= {state.truths for state in found.states}
    inside = [state.values for state in found.states if state.truths == 0b11 and state.values]
    assert all(value.startswith("10.") and not value.startswith("10.1.") for values in inside for value in values)


@pytest.mark.parametrize("cloud", ["aistor", "aws"])
@pytest.mark.parametrize("operator", ["StringSounds", "ForSomeValues:StringLike", "NumericLike"])
def test_an_operator_that_is_not_known_holds_or_not(cloud: Cloud, operator: str) -> None:
    """It becomes a key of its own, in whose name a person finds it."""
    (found,) = keys(conditions_of(cloud, {operator: {"s3:prefix": "a"}}), cloud, {})

    assert found.name.startswith(UNKNOWN)
    assert operator in found.name
    assert [state.truths for state in found.states] == [0, 1]


def test_a_value_that_is_certain_is_the_only_state() -> None:
    """AWS: every request of a user has its name."""
    (found,) = keys(conditions_of("aws", {"StringEquals": {"aws:username": "x"}}), "aws", {"aws:username": ("x",)})

    assert shown(found) == {(("x",), 1)}


def test_several_values_are_closed_under_union() -> None:
    """A key with many values can pass two conditions with one value each."""
    condition: dict[str, dict[str, object]] = {
        "ForAnyValue:StringEquals": {"aws:TagKeys": "a"},
        "ForAnyValue:StringLike": {"aws:TagKeys": "b"},
    }
    found = only("aws", condition)

    assert 0b11 in {state.truths for state in found.states}
    assert any(state.truths == 0b11 and set(state.values or ()) >= {"a", "b"} for state in found.states)
