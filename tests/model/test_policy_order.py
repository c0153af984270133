"""model.policy_order: at no moment of an update an identity lacks what it has before and after it."""

import json
import random
from collections.abc import Mapping, Sequence

import pytest

from model.plan import IdentityPlan, StorePlan
from model.policies import Cloud, PolicyDocument, as_json, domains_of, identity_policies, with_domains
from model.policy_order import Grant, Number, Order, grants, update_order
from model.resources import with_numbers
from model.taxonomy import Access
from tests.model.test_policies import identity, plan
from tests.sizes import sized


def texts(documents: Sequence[PolicyDocument]) -> dict[Number, str]:
    """The documents as a state holds them."""
    return {number: as_json(document) for number, document in with_numbers(documents)}


def union(held: Mapping[Number, frozenset[Grant]]) -> frozenset[Grant]:
    """What several attached policies allow together."""
    return frozenset[Grant]().union(*held.values())


def without(found: StorePlan, own: IdentityPlan, left_out: set[int]) -> tuple[StorePlan, IdentityPlan]:
    """The plan and the identity without some of the domains that its policies name, by place."""
    if own.verifies:
        kept = tuple(one for place, one in enumerate(found.buckets) if place not in left_out)
        return found.model_copy(update={"buckets": kept}), own
    held = tuple(one for place, one in enumerate(own.grants) if place not in left_out)
    return found, own.model_copy(update={"grants": held})


def large_plan(chance: random.Random) -> tuple[StorePlan, IdentityPlan]:
    """A plan whose domains have random names and accesses and need several policies, and one of its identities."""
    names = [f"d{number:03}{'x' * chance.randint(1, 35)}" for number in range(chance.randint(150, 300))]
    granted = {name: chance.choice([access.value for access in Access]) for name in names if chance.random() < 0.9}
    found = plan(more={name: {"band": "hot"} for name in names}, identities={"holder": {"grants": granted}})
    return found, identity(found, chance.choice(["holder", "reader", "verifier"]))


def change(chance: random.Random, found: StorePlan, own: IdentityPlan) -> tuple[StorePlan, IdentityPlan]:
    """Leave out a few domains, or a run of them."""
    count = domains_of(found, own)
    start, length = chance.randrange(count), chance.choice([0, 1, 1, 5, 30])
    left_out = (
        {start + place for place in range(length)}
        if chance.random() < 0.5
        else set(chance.sample(range(count), length))
    )
    return without(found, own, left_out)


def lacks_nothing(before: Sequence[PolicyDocument], order: Order) -> int:
    """Change each policy as soon as the order allows it, with all others as late; returns how many grants move."""
    old = {number: grants(document) for number, document in with_numbers(before)}
    new = {step.number: grants(step.document) for step in order.steps}
    after = {step.number: step.after for step in order.steps}
    kept = union(old) & union(new)

    def soon(number: Number) -> set[Number]:
        return {number}.union(*(soon(earlier) for earlier in after[number]))

    for number in new:
        assert kept <= union(old | {one: new[one] for one in soon(number)})
    return sum(len(kept & new[number] - old.get(number, frozenset())) for number in new)


@pytest.mark.no_cover
@pytest.mark.parametrize("cloud", ["aistor", "aws"])
def test_no_moment_lacks_a_grant(cloud: Cloud) -> None:
    """Any domains are removed and any others added, wherever they stand: what stays granted is granted all the time."""
    moved = 0
    for seed in range(sized(12, 400)):
        chance = random.Random(seed)  # noqa: S311 - a seeded plan
        found, own = large_plan(chance)
        before = identity_policies(*change(chance, found, own), cloud)
        after = identity_policies(*change(chance, found, own), cloud)

        order = update_order(texts(before), after)

        assert order.is_complete
        assert [step.document for step in sorted(order.steps, key=lambda step: step.number or 1)] == after
        moved += lacks_nothing(before, order)
    assert moved


def test_moves_in_both_directions() -> None:
    """A removal at the front draws domains to the policy before; an addition pushes them to the one after."""
    found = plan(300)
    own = identity(found, "verifier")
    whole = identity_policies(found, own, "aws")
    fewer = identity_policies(*with_domains(found, own, slice(1, None)), "aws")

    drawn, pushed = update_order(texts(whole), fewer), update_order(texts(fewer), whole)

    assert [step.number for step in drawn.steps][:2] == [None, 2]
    assert {step.number: step.after for step in drawn.steps}[2] == (None,)
    assert {step.number: step.after for step in pushed.steps}[None] == (2,)


def test_first_split_attaches_the_second_policy_first() -> None:
    """What leaves the one document of before is in the new one already."""
    found = plan(300)
    own = identity(found, "reader")
    small = identity_policies(*with_domains(found, own, slice(5)), "aws")
    large: dict[Number, str] = {None: as_json(identity_policies(found, own, "aws")[1])}

    assert len(small) == 1
    assert all(step.after == () for step in update_order(texts(small), identity_policies(found, own, "aws")).steps)
    (first, *_) = update_order(large, identity_policies(found, own, "aws")).steps
    assert first.number == 2


def test_other_order_of_the_domains_is_told() -> None:
    """Two domains that change places need each policy to be the first: impossible in one update."""
    found = plan(300)
    own = identity(found, "reader")
    turned = own.model_copy(update={"grants": own.grants[::-1]})

    order = update_order(texts(identity_policies(found, own, "aws")), identity_policies(found, turned, "aws"))

    assert not order.is_complete
    assert {step.document["Version"] for step in order.steps} == {"2012-10-17"}


@pytest.mark.parametrize("text", ["", "[]", "null", '{"Statement": 1}', '{"Statement": [{}]}', '{"Statement": ["x"]}'])
def test_unreadable_policy_of_the_state_orders_nothing(text: str) -> None:
    """The update goes on; nothing is known of what it would lack."""
    found = plan(300)
    documents = identity_policies(found, identity(found, "reader"), "aws")

    order = update_order({None: text, 2: text}, documents)

    assert order.is_complete
    assert [step.number for step in order.steps] == [number for number, _ in with_numbers(documents)]


def test_single_policy_needs_no_order() -> None:
    """The policies that it takes the place of are deleted at the end of an update."""
    found = plan(300)
    own = identity(found, "reader")
    several, (one,) = (
        identity_policies(found, own, "aws"),
        identity_policies(*with_domains(found, own, slice(3)), "aws"),
    )

    assert [step.after for step in update_order(texts(several), [one]).steps] == [()]


def test_single_values_without_a_list_are_read() -> None:
    """Both servers may answer with a text in place of a list of one."""
    text = '{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]}'

    assert grants(json.loads(text)) == {("s3:GetObject", "arn:aws:s3:::b/*", "null")}
